"""What the ends of members mean for the task that was divided (`join`). The verdict is pure: by counts alone.

Rules of this file:

1. It is judged with each end, and ends as soon as it can be said: well when as many as it wants have
   succeeded, else when these can come together no more, or more failed than `max_failures` bears.
2. Who is skipped is left out. Where all were, the task is skipped.
3. Whatever is no success and was not skipped is a failure, however it came."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.model.members import CompiledFanout, wanted
from scheduler.store.connection import Store
from scheduler.store.tables import fanouts
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.fanouts import Fanout
from scheduler.store.tables.tasks import Task
from scheduler.words.counted import counted as in_words

SKIPPED = "each of its members was skipped"
EMPTY = "it is divided over an empty list"


class Joined(NamedTuple):
    """How the whole ends."""

    state: str  #: succeeded | failed | skipped
    reason: str = ""


def judge(fanout: CompiledFanout, now: Fanout) -> Joined | None:
    """None: members that have not ended decide."""
    counted = now.members - now.skipped
    if not counted:
        return Joined("skipped", SKIPPED if now.members else EMPTY)
    most, wants = fanout.failures_max, asked(fanout, now)
    if now.succeeded >= wants:
        return Joined("succeeded")
    if most is not None and now.failed > most:
        return Joined("failed", f"{now.failed} of {counted} members failed, {most} may")
    if now.failed > counted - wants:
        return Joined("failed", _said(now, counted, wants))
    return None


def asked(fanout: CompiledFanout, now: Fanout) -> int:
    """How many members are to succeed, by those that count."""
    return wanted(fanout.join, now.members - now.skipped)


def going_on(store: Store, run: int, group: int) -> list[Task]:
    """Divided tasks of the group, in whatever round, of which members have not ended: their join may have
    been met, or can be met no more."""
    if not fanouts.are_any(store):
        return []
    open_ones = [each.task for each in fanouts.of_run(store, run) if each.ended < each.made]
    return [row for row in task_rows.of_ids(store, open_ones) if row.of_group == group]


def _said(now: Fanout, counted: int, wants: int) -> str:
    if wants > counted:
        return f"{in_words(wants, 'member was', 'members were')} to succeed, and there are {counted}"
    failed = f"{now.failed} of {counted} members failed"
    return failed if wants == counted else f"{failed}, {wants} were to succeed"
