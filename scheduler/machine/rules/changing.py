"""Whether a person may say this of a tick: asked by the machine and by dry runs alike. Writes nothing."""

from __future__ import annotations

from scheduler.store.connection import Store
from scheduler.store.tables import changed_ticks
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import FIRED, GO, HELD, MOVED, SKIPPED, ChangedTick
from scheduler.ticks import schedule
from scheduler.words.commands import ChangeTick
from scheduler.words.outcomes import Code, Outcome

ACTS = {"hold": HELD, "release": GO, "skip": SKIPPED, "move": MOVED, "give": ""}
"""What is to become of it by each act; empty: that stays."""
REASON_LETTERS_MAX = 500
HELD_MAX_MS = 35 * 86_400_000  #: and moved
OF_JOB_MAX = 100  #: ticks of one job of which something is said at a time


def judge(
    store: Store, job: int, row: ChangedTick | None, command: ChangeTick, now_ms: int
) -> Outcome | None:
    """The refusal; None: he may. `row`: what was said of the tick so far."""
    if command.act not in ACTS or len(command.reason) > REASON_LETTERS_MAX:
        said = f"one of {', '.join(ACTS)}, and a reason of at most {REASON_LETTERS_MAX} letters"
        return Outcome(Code.INVALID, said)
    if row is not None and row.act == FIRED:
        return Outcome(Code.CONFLICT, "the tick was moved to an earlier instant, and came then")
    if row is None and (refusal := _judge_new(store, job, command, now_ms)):
        return refusal
    return _judge_move(command, now_ms) if command.act == "move" else None


def _judge_new(store: Store, job: int, command: ChangeTick, now_ms: int) -> Outcome | None:
    """Whether it is a coming tick of the job."""
    live = trigger_rows.live(store, job)
    era = next((each for each in live if each.key == command.trigger), None)
    if era is None:
        return Outcome(Code.NOT_FOUND, f"the job has no trigger {command.trigger}")
    if era.event:
        return Outcome(Code.INVALID, f"trigger {era.key} waits for an event: it has no coming ticks")
    # What stands first in an era may be of the one before it still, which has decided it.
    first_ms = None if era.next_due_ms is None else max(era.from_ms + 1, era.next_due_ms, now_ms)
    coming = first_ms is not None and first_ms <= command.at_ms
    if not coming or not schedule(era.spec).between(command.at_ms - 1, command.at_ms, 1):
        return Outcome(Code.NOT_FOUND, f"trigger {era.key} has no such tick to come")
    if command.act == "release":
        return Outcome(Code.CONFLICT, "nothing was said of this tick")
    if len(changed_ticks.of_job(store, job, OF_JOB_MAX)) == OF_JOB_MAX:
        return Outcome(Code.LIMIT, f"{OF_JOB_MAX} ticks of the job are held, skipped or moved, the most")
    return None


def _judge_move(command: ChangeTick, now_ms: int) -> Outcome | None:
    to_ms = command.to_ms
    if to_ms is None or to_ms <= now_ms:
        return Outcome(Code.INVALID, "a tick is moved to an instant to come")
    if to_ms == command.at_ms:
        return Outcome(Code.INVALID, "that is its instant", {"hint": "A tick goes back to it by a release."})
    if abs(to_ms - command.at_ms) > HELD_MAX_MS:
        return Outcome(Code.INVALID, "a tick is moved by 35 days at most")
    return None
