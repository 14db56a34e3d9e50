"""What the end of all tasks of a group means for it. Pure: what is read before, and written after, is in
`steps.regrouping`.

Rules of this file:

1. A group ends as the gravest of its tasks that counts, and well where each ended well, was skipped or may
   fail.
2. Retries come first: a failed round is begun anew as often as the group says, but never after a person
   stopped a task of it or a restore gave one up, and after a loss only where `on_lost: retry` says that
   running twice is no harm.
3. What fails then is caught, once a round: where no task that catches failed, and one succeeded, the group
   has ended well.
4. What ended well is begun anew until its condition holds. That it never did is a failure that nothing
   catches.
5. What a person stops ends as it is, and what the end of its admission window stops as timed out: nothing is
   begun anew or caught."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scheduler.machine.rules.gates.needs import TASK_FAILURES
from scheduler.machine.rules.verdicts import RUN_FAILURES, RunEnds, backoff_ms
from scheduler.model.compiled import CompiledTask
from scheduler.model.compiled_group import CompiledGroup
from scheduler.words import reasons

RETRY, REPEAT, CATCH, HELD = "retry", "repeat", "catch", "held"
"""What follows a round that is not the last one, or none but by a person's word."""
NEVER_AGAIN = ("cancelled", "expired")
WELL = RunEnds("succeeded", None, "")
SKIPPED = RunEnds("skipped", None, "")
STOPPED = RunEnds("cancelled", None, "stopped")
OUTSIDE = RunEnds("timed_out", None, reasons.ADMISSION)
BY_PERSON, BY_WINDOW = 1, 2
"""What stops a round."""


class Over(NamedTuple):
    """A round, or what was to catch its failure."""

    worst: RunEnds | None  #: as the gravest of its tasks that counts; None: they ended well
    caught: RunEnds | None  #: how those that catch ended; None: they have not begun
    retries: int
    repeats: int
    stopped: int  #: by what; 0: by nothing
    is_final: Callable[[], bool]  #: whether a task of it ended in a way after which nothing is begun anew
    holds: Callable[[], bool]  #: whether its condition does


class Again(NamedTuple):
    why: str
    after_ms: int


class Catch(NamedTuple):
    pass


def judge(box: CompiledTask, group: CompiledGroup, over: Over) -> Again | Catch | RunEnds:
    worst, caught = over.worst, over.caught
    if over.stopped == BY_WINDOW:
        return OUTSIDE
    if over.stopped:
        return caught or worst or (STOPPED if group.until else WELL)
    if worst is None or (caught is not None and caught.state == "succeeded"):
        return _ended_well(group, over)
    if caught is not None:
        told = f"what was to catch it: {caught.state}"
        return worst._replace(reason=f"{worst.reason}; {told}" if worst.reason else told)
    if worst.state in RUN_FAILURES and over.retries < box.retry_max and not over.is_final():
        return Again(RETRY, backoff_ms(box, over.retries + 1))
    if group.catch and worst.state in TASK_FAILURES:
        return Catch()
    return worst


def _ended_well(group: CompiledGroup, over: Over) -> Again | RunEnds:
    if not group.until or over.holds():
        return WELL
    if over.repeats + 1 < group.rounds_max:
        return Again(REPEAT, group.pause_ms)
    return RunEnds(
        "failed", None, f"after {group.rounds_max} rounds its condition does not hold: {group.until}"
    )


def handles_failures(box: CompiledTask, group: CompiledGroup) -> bool:
    """Whether a failure inside is for the group to deal with before any person."""
    return bool(box.retry_max or group.catch)
