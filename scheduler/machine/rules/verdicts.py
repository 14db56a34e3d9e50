"""What an end means: of an attempt for its task, of tasks for their run. Pure: what is read before, and
written after, is in `steps.ends` and `steps.closing`.

Rules of this file:

1. A failure is tried again as often as the task says, where `retry.on` names it, or there is none.
   `exit.retry` wins over it: these exit codes are, and without `retry.on` no other exit code is. A lost
   attempt is, under `on_lost: retry`, tried again at least LOST_RETRIES_MIN times, whatever `retry` says.
2. An exit is good or bad by its code alone, as the task says; that something was written to stderr makes a
   good one a warning or a failure. A task that its exit skips is skipped as by its rule: its attempt has
   succeeded.
3. Nothing of a deleted job starts any more, a retry as little as the next task: what would be tried again
   ends, says why, and the run comes to its own end.
4. Under `on_failure: hold` a task whose last try failed waits for a person, unless it may fail, or a person
   stopped it.
5. A run ends as the gravest of its tasks that may not fail. A run that was asked to stop ends as it was asked
   to, unless all its tasks succeeded: a real exit wins over a cancellation. One that a task of its own
   finished (`finish`) ends as that says, whatever became of the others."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from scheduler.machine.rules.walks import LET_END
from scheduler.model.compiled import CompiledTask
from scheduler.model.exit_codes import RETRY, SKIP, WARN, Exits
from scheduler.words.lifecycle import AttemptEvent

RUN_FAILURES = frozenset({"failed", "timed_out", "lost"})
"""Ends of a run that count as its failure, and of a task that is forgiven where it may fail."""
GRAVEST_FIRST = ("failed", "timed_out", "lost", "expired", "cancelled")
FINISHED = frozenset({"succeeded", "failed"})
"""What a run stops as that a task of its own finished."""
LOST_RETRIES_MIN = 1
NOT_AGAIN = "not tried again, the job was deleted"


class Means(StrEnum):
    """What an exit means beside good or bad."""

    NOTHING = ""
    WARNED = "warned"
    SKIPPED = "skipped"
    AGAIN = "again"


class ExitEnds(NamedTuple):
    event: AttemptEvent
    means: Means = Means.NOTHING
    reason: str = ""


GOOD, BAD = ExitEnds(AttemptEvent.SUCCEEDED), ExitEnds(AttemptEvent.FAILED)
WROTE = "it wrote to stderr"
UNTOLD = "its agent does not tell whether it wrote to stderr"


class Tried(NamedTuple):
    """Of an attempt that ended: how, and what its task and run say about that."""

    state: str
    reason: str
    task: CompiledTask
    attempts: int  #: of the task, this one too
    on_lost: str
    stopping: str  #: of the run
    job_exists: bool
    exit_code: int | None = None
    means: Means = Means.NOTHING
    stopped: bool = False  #: a person asked for its end: it is not tried again
    holds: bool = False  #: a failure waits for a person (on_failure: hold)


class Hold(NamedTuple):
    """The task waits for a person: it ended as its attempt did, if nobody says otherwise."""

    reason: str


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


def concludes(stopping: str, *, has_begun: bool) -> bool:
    """Whether a run does what it does finally, when the rest of it has ended."""
    return not stopping or (has_begun and stopping != LET_END)


def of_exit(
    exits: Exits | None, exit_code: int | None, signal: int | None, wrote_stderr: bool | None
) -> ExitEnds:
    """Of a process that ended by itself. `wrote_stderr`: None: nobody knows."""
    if exits is None or exit_code is None or signal is not None:
        return GOOD if exit_code == 0 and signal is None else BAD
    word = exits.classes.get(exit_code)
    if word is None:
        return BAD if exit_code else BAD._replace(reason="exit code 0 is no good end of it")
    if word == RETRY:
        return BAD._replace(means=Means.AGAIN)
    if word == SKIP:
        return GOOD._replace(means=Means.SKIPPED, reason=f"exit code {exit_code} skips it")
    if exits.stderr and wrote_stderr is not False:
        if exits.stderr == "fail" and wrote_stderr:
            return BAD._replace(reason=WROTE)
        return GOOD._replace(means=Means.WARNED, reason=WROTE if wrote_stderr else UNTOLD)
    if word == WARN:
        return GOOD._replace(means=Means.WARNED, reason=f"exit code {exit_code} is a warning")
    return GOOD


def of_attempt(tried: Tried) -> Retry | Hold | TaskEnds:
    if tried.stopped or not goes_its_way(tried.stopping):
        return TaskEnds(tried.reason)
    if not _tries_again(tried):
        waits = tried.holds and not tried.task.allow_failure and tried.job_exists
        return Hold(tried.reason) if waits else TaskEnds(tried.reason)
    if not tried.job_exists:
        reason = f"{tried.reason}; {NOT_AGAIN}" if tried.reason else NOT_AGAIN
        return TaskEnds(reason, let_end=not tried.stopping)
    return Retry(backoff_ms(tried.task, tried.attempts))


def _tries_again(tried: Tried) -> bool:
    retries_max, on, exits = tried.task.retry_max, tried.task.retry_on, tried.task.exits
    if tried.state == "lost":
        most = retries_max if on is None or "lost" in on else 0
        return tried.on_lost == "retry" and tried.attempts <= max(most, LOST_RETRIES_MIN)
    if tried.state not in ("failed", "timed_out") or tried.attempts > retries_max:
        return False
    if tried.means is Means.AGAIN:
        return True
    if on is not None:
        return tried.state in on or (tried.state == "failed" and tried.exit_code in on)
    return exits is None or tried.exit_code is None or not exits.retries


def backoff_ms(task: CompiledTask, attempts: int) -> int:
    """The wait before the next try, after `attempts` tries."""
    if task.retry_delays_ms:
        return task.retry_delays_ms[min(attempts, len(task.retry_delays_ms)) - 1]
    if task.retry_backoff != "exponential":
        return task.retry_first_ms
    # The cap is reached long before 2^40, and no number may grow without end.
    return min(task.retry_cap_ms, task.retry_first_ms << min(attempts - 1, 40))


def of_tasks(worst: RunEnds | None, *, last_exit_code: int | None, stopping: str, reason: str) -> RunEnds:
    """How a run ends. `worst`: as the gravest of its tasks that counts; None: they all succeeded, the last
    one with that exit code. `stopping`, `reason`: of the run."""
    if stopping in FINISHED:
        return RunEnds(stopping, None, reason)
    if worst is None:
        return RunEnds("succeeded", last_exit_code, "" if goes_its_way(stopping) else f"too late: {reason}")
    if not goes_its_way(stopping):
        return RunEnds(stopping, worst.exit_code, reason or worst.reason)
    if stopping:
        told = worst.reason if worst.reason != reason else ""
        return worst._replace(reason=f"{reason}; {told}" if told else reason)
    return worst


def of_finally(rest: RunEnds, ends: RunEnds) -> RunEnds:
    """How a run ends that has done what it does finally. That may fail it, and never hides how the rest
    ended."""
    if rest.state != "succeeded" or ends.state == "succeeded":
        return rest
    return ends._replace(reason=f"finally: {ends.reason}" if ends.reason else "finally")
