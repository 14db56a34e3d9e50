"""What an end means: of an attempt for its task, of tasks for their run. Pure: what is read before, and
written after, is in `steps.ends` and `steps.closing`.

Rules of this file:

1. A failure is tried again as often as the task says. A lost attempt is, under `on_lost: retry`, tried again
   at least LOST_RETRIES_MIN times, whatever `retry.max` says of failures.
2. Nothing of a deleted job starts any more, a retry as little as the next task: what would be tried again
   ends, says why, and the run comes to its own end.
3. A run ends as the gravest of its tasks that may not fail. A run that was asked to stop ends as it was asked
   to, unless all its tasks succeeded: a real exit wins over a cancellation."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.rules.walks import LET_END
from scheduler.model.compiled import CompiledTask

RUN_FAILURES = frozenset({"failed", "timed_out", "lost"})
"""Ends of a run that count as its failure, and of a task that is forgiven where it may fail."""
GRAVEST_FIRST = ("failed", "timed_out", "lost", "expired", "cancelled")
LOST_RETRIES_MIN = 1
NOT_AGAIN = "not tried again, the job was deleted"


class Tried(NamedTuple):
    """Of an attempt that ended: how, and what its task and run say about that."""

    state: str
    reason: str
    task: CompiledTask
    attempts: int  #: of the task, this one too
    on_lost: str
    stopping: str  #: of the run
    job_exists: bool


class Retry(NamedTuple):
    """The task waits, then it is queued again."""

    after_ms: int


class TaskEnds(NamedTuple):
    """The task ends as its attempt did. `let_end`: nothing more of its run starts."""

    reason: str
    let_end: bool = False


class RunEnds(NamedTuple):
    state: str
    exit_code: int | None
    reason: str


def goes_its_way(stopping: str) -> bool:
    """Whether a run ends as its tasks do, nobody having asked it to stop."""
    return stopping in ("", LET_END)


def of_attempt(tried: Tried) -> Retry | TaskEnds:
    if not goes_its_way(tried.stopping) or not _tries_again(tried):
        return TaskEnds(tried.reason)
    if not tried.job_exists:
        reason = f"{tried.reason}; {NOT_AGAIN}" if tried.reason else NOT_AGAIN
        return TaskEnds(reason, let_end=not tried.stopping)
    return Retry(backoff_ms(tried.task, tried.attempts))


def _tries_again(tried: Tried) -> bool:
    retries_max = tried.task.retry_max
    if tried.state == "lost":
        return tried.on_lost == "retry" and tried.attempts <= max(retries_max, LOST_RETRIES_MIN)
    return tried.state in ("failed", "timed_out") and tried.attempts <= retries_max


def backoff_ms(task: CompiledTask, attempts: int) -> int:
    """The wait before the next try, after `attempts` tries."""
    if task.retry_backoff != "exponential":
        return task.retry_first_ms
    # The cap is reached long before 2^40, and no number may grow without end.
    return min(task.retry_cap_ms, task.retry_first_ms << min(attempts - 1, 40))


def of_tasks(worst: RunEnds | None, *, last_exit_code: int | None, stopping: str, reason: str) -> RunEnds:
    """How a run ends. `worst`: as the gravest of its tasks that counts; None: they all succeeded, the last
    one with that exit code. `stopping`, `reason`: of the run."""
    if worst is None:
        return RunEnds("succeeded", last_exit_code, "")
    if not goes_its_way(stopping):
        return RunEnds(stopping, worst.exit_code, reason or worst.reason)
    if stopping:
        told = worst.reason if worst.reason != reason else ""
        return worst._replace(reason=f"{reason}; {told}" if told else reason)
    return worst
