"""Ticks: fired, or accounted for without a run; how many may be asked for."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, command


@command(40)
class Fire(ByPlanner):
    """Fire one tick: compare-and-set of the trigger's next_due. The machine judges pause and overlap."""

    trigger: int
    expected_due_ms: int
    next_due_ms: int | None
    agent: int = 0  #: planned placement of the run's first task; 0: queue it
    catchup: bool = False  #: fired by the catch-up policy: a start deadline counts from the stamp
    nominal_ms: int | None = None  #: what it stood for before a calendar moved it: its plan date is of that


@command(41)
class Account(ByPlanner):
    """End `count` undecided ticks from `expected_due_ms` to `last_ms`, all with one outcome, no run."""

    trigger: int
    expected_due_ms: int
    last_ms: int
    count: int
    next_due_ms: int | None
    outcome: str  #: skipped | coalesced | missed
    reason: str
    into_ms: int | None = None  #: coalesced: the tick that runs for them


@command(57)
class SetAside(ByPlanner):
    """What was missed from `expected_due_ms` up to `until_ms` is run later, one at a time (`catchup: all`);
    the trigger goes on with `next_due_ms`."""

    trigger: int
    expected_due_ms: int
    until_ms: int
    next_due_ms: int | None


@command(131)
class SplitGap(ByPlanner):
    """What was missed from `expected_due_ms` up to `until_ms` is decided as it would have been, and later;
    the trigger goes on with `next_due_ms` at once."""

    trigger: int
    expected_due_ms: int
    until_ms: int
    next_due_ms: int | None
    turn_ms: int  #: it has its turn behind what was due up to then


@command(63)
class TellOverload(ByPlanner):
    """More is due than can be started, with what shows it; or no longer. While it is so, ticks that are older
    than their period allows end without a run (`Account` with the reason overload)."""

    begins: bool
    late_ms: int = 0  #: how late the tick is that is due longest
    due: int = 0  #: triggers that are due


@command(84)
class FireDelayed(ByPlanner):
    """So long after the end of its job's last run the trigger is due: compare-and-set of that instant."""

    trigger: int
    expected_due_ms: int
    agent: int = 0  #: planned placement of the run's first task; 0: queue it


@command(59)
class FireStartups(ByPlanner):
    """A host has been up for the delay of the next triggers that fire when it has booted: compare-and-set of
    the boot and of the trigger that it has come to."""

    agent: int
    boot_id: str
    after: int  #: the trigger that was looked at last; 0: none


@command(107)
class FireDependents(ByPlanner):
    """A run has ended that triggers wait for: go on with this end, which is the oldest that is not done."""

    end: int


@command(108)
class FirePostponed(ByPlanner):
    """A firing that waited for room among its job's runs is tried again: compare-and-set of its cause."""

    trigger: int
    cause_key: str


@command(157)
class FireGathered(ByPlanner):
    """Of a plan date a trigger has all that it waits for together, or has waited long enough: compare-and-set
    of the instant at which that is looked at."""

    trigger: int
    plan_day: int
    at_ms: int


@command(14)
class LimitTicks(ByPerson):
    """How many ticks a second may be asked for from now on; what is asked for already stays."""

    job: int  #: by the triggers of one job
    namespace: int  #: by all jobs of one namespace
    cluster: int  #: by all jobs
    actor: Actor = NOBODY
