"""Whether the word of somebody outside counts about an attempt whose process hands its work on (`async`), and
what the end of the process comes to.

Rules of this file:

1. Who may say it is judged before the command is proposed: by the attempt's own token, or as one who operates
   runs. A token is its attempt's alone: another try of the task has another.
2. The first word counts. The same one again changes nothing and is no mistake; any other hears what stands.
3. It counts from the grant on. Where the process has not ended it waits for that, and a bad end of the
   process wins over it: what was handed on is known only once the process has ended well.
4. `async.timeout` is for all of it, from the start. After a restore it begins anew: what came meanwhile went
   to the cluster before."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.model.compiled import CompiledTask
from scheduler.model.outputs import merged
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.completions import FAILED, OUTCOMES, Completion
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import ATTEMPT_ENDS, AttemptEvent
from scheduler.words.outcomes import Code, Outcome

MESSAGE_LETTERS_MAX = 500
TEXT_LETTERS_MAX = 200  #: of how far it is
PROGRESS_MS_MIN = 5_000  #: from one word on how far an attempt is to the next
NOBODY = "nobody completed it in time"


def until_ms(attempt: Attempt, async_ms: int, restored_ms: int) -> int:
    """The instant at which it is too late."""
    return max(attempt.granted_ms or 0, attempt.due_ms, restored_ms) + async_ms


def open_to(run: Run, task: Task, attempt: Attempt | None, compiled: CompiledTask | None) -> Outcome | None:
    """Whether anything may be said of it from outside."""
    name = f"task {task.name} of run {run.id}"
    if run.cause == Kind.ORPHAN or compiled is None:
        return Outcome(Code.CONFLICT, f"run {run.id} is of the cluster before the restore: agents tell of it")
    if compiled.async_ms is None:
        return Outcome(Code.CONFLICT, f"{name} is not async: it ends with its process")
    if compiled.fanout is not None and not task.member:
        return Outcome(Code.CONFLICT, f"{name} is divided: say which of its members is meant")
    if attempt is None or (attempt.fence is None and attempt.state not in ATTEMPT_ENDS):
        return Outcome(Code.CONFLICT, f"{name} has not started")
    if attempt.state in ATTEMPT_ENDS:
        said = f"attempt {attempt.number} of {name} ended: {attempt.state}"
        return Outcome(Code.ENDED, said, {"state": attempt.state})
    return None


def judge(
    run: Run, task: Task, attempt: Attempt | None, compiled: CompiledTask | None, known: Completion | None,
    said: Completion, names: tuple[str, ...], bytes_max: int, *, now_ms: int, restored_ms: int,
) -> Outcome | None:  # fmt: skip
    """The refusal of this word; None: it counts, or has (`known.outcome`). `names`: of outputs."""
    if said.outcome not in OUTCOMES:
        return Outcome(Code.INVALID, f"an outcome is {' or '.join(OUTCOMES)}")
    if len(said.message) > MESSAGE_LETTERS_MAX:
        return Outcome(Code.INVALID, f"a message has at most {MESSAGE_LETTERS_MAX} letters")
    if known is not None and known.outcome:
        return None if is_same(known, said) else _said(run, task, known)
    refusal = open_to(run, task, attempt, compiled)
    if refusal is not None:
        return refusal
    assert attempt is not None
    assert compiled is not None
    assert compiled.async_ms is not None
    if now_ms >= until_ms(attempt, compiled.async_ms, restored_ms):
        return Outcome(Code.ENDED, f"the time to complete task {task.name} of run {run.id} is over")
    if said.outputs:
        given = b"" if known is None else known.given
        _, wrong = merged(given, said.outputs, names, bytes_max)
        if wrong:
            return Outcome(Code.INVALID, f"outputs: {wrong}")
    return None


def too_soon(known: Completion, percent: int | None, text: str, now_ms: int) -> Outcome | None:
    """What an attempt tells of how far it is goes through the log: not more often than people look."""
    again_ms = (known.told_ms or 0) + PROGRESS_MS_MIN
    if known.told_ms is None or now_ms >= again_ms or (known.percent, known.doing) == (percent, text):
        return None
    said = f"how far it is was told less than {PROGRESS_MS_MIN // 1_000} s ago"
    return Outcome(Code.LIMIT, said, {"again_ms": again_ms})


def is_same(known: Completion, said: Completion) -> bool:
    words = (known.outcome, known.message)
    return words == (said.outcome, said.message) and canonical(known.outputs) == canonical(said.outputs)


def canonical(outputs: bytes) -> bytes:
    return b"" if outputs == b"{}" else outputs


def _said(run: Run, task: Task, known: Completion) -> Outcome:
    by = f" by {known.actor}" if known.actor else ""
    said = f"task {task.name} of run {run.id} was completed as {known.outcome}{by}, not as this says"
    value: dict[str, object] = {
        "outcome": known.outcome, "message": known.message, "by": known.actor, "at_ms": known.answered_ms,
    }  # fmt: skip
    return Outcome(Code.CONFLICT, said, value)


class Ended(NamedTuple):
    """How an attempt ends of which both are known, its process's good end and the word from outside."""

    event: AttemptEvent
    reason: str
    outputs: bytes


def end_of(known: Completion, names: tuple[str, ...], bytes_max: int) -> Ended:
    by = f" by {known.actor}" if known.actor else ""
    reason = f"completed{by}: {known.message}" if known.message else f"completed{by}" * bool(by)
    if known.outcome == FAILED:
        as_failed = f"completed as failed{by}"
        reason = f"{as_failed}: {known.message}" if known.message else as_failed
        return Ended(AttemptEvent.FAILED, reason, b"")
    outputs, wrong = merged(known.given, known.outputs, names, bytes_max)
    if wrong:  # each was right, both together are too large
        return Ended(AttemptEvent.FAILED, f"its outputs: {wrong}", b"")
    return Ended(AttemptEvent.SUCCEEDED, reason, outputs)


