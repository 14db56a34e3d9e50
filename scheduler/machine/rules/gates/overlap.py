"""Other runs of the same job, as its overlap policy says. A run's end opens it (`steps.admitting`).

Rules of this file:

1. Judged at the moment of firing over the job's pending and running runs, of one key where it has any, once
   as many are active as may be (one, where it says no other number). Of a run that waits the policy has
   spoken: the oldest that waits goes on once fewer are admitted.
2. A run that catches up is in the way of no live tick: that queues behind it, as under queue_one.
3. Under cancel_running and terminate_running so many of the oldest were asked to stop before this is asked
   that it has room once they have ended.
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, RunView
from scheduler.words import reasons

NAME = "overlap"
WAITING_MAX = 100
QUEUES = ("queue_one", "queue_all")
TERMINATES = "terminate_running"
CANCELS = ("cancel_running", TERMINATES)
BEHIND = "behind other runs of the job"


def judge(view: RunView) -> Verdict:
    if view.run:
        return _of_waiting(view)
    if view.others < view.most or view.overlap == "allow":
        return READY
    if view.overlap in ("skip", "queue_one"):
        in_the_way = view.in_the_way(waiting=view.overlap == "queue_one")
        if in_the_way is not None:
            return Never("skipped", reasons.OVERLAP, in_the_way)
        return Waits(BEHIND)
    if view.overlap == "queue_all":
        waiting = view.waiting(WAITING_MAX)
        if len(waiting) >= WAITING_MAX:
            return Never("missed", reasons.BUFFER_FULL, waiting[0])
        return Waits(BEHIND)
    if view.overlap in CANCELS:
        return Waits(BEHIND) if view.has_active_most() else READY
    raise AssertionError(f"overlap {view.overlap} is no policy")


def has_room(view: RunView, before: int) -> bool:
    """Whether a queue takes the run, beside so many that are made at once before it. Where none ever takes
    them all, the run ends as its policy says."""
    if isinstance(judge(view), Never):
        return False
    at_once = max(0, view.most - (view.others - before))  # so many of them wait for nothing
    waiting = max(0, before - at_once)
    if view.overlap == "queue_one":
        return waiting <= 0 or before > view.most
    return not before or len(view.waiting(WAITING_MAX)) + waiting < WAITING_MAX


def _of_waiting(view: RunView) -> Verdict:
    admitted = view.first_admitted()
    if admitted is not None and (view.most == 1 or view.has_admitted_most()):
        return Waits(BEHIND, admitted)
    oldest = view.waiting(1)
    return Waits(BEHIND, oldest[0]) if oldest and oldest[0] != view.run else READY


def words(verdict: Verdict, view: RunView, facts: Facts) -> Words:
    run = verdict.run if isinstance(verdict, Waits | Never) and verdict.run else view.first_active()
    said = [] if view.run else [f"overlap: {view.overlap}"]
    said += [f"{view.most} at once"] if view.most > 1 and not view.run else []
    said += [] if view.key is None else [f"key {view.key!r}"]
    policy = f" ({', '.join(said)})" if said else ""
    since_ms = facts.run.created_ms if facts.run is not None else None
    if isinstance(verdict, Never):
        full = f", and {WAITING_MAX} wait already" if verdict.reason == reasons.BUFFER_FULL else ""
        return Words(f"run {run} of the job is in the way{full}{policy}", f"the end of run {run}", since_ms)
    return Words(f"it waits behind run {run} of the job{policy}", f"the end of run {run}", since_ms)
