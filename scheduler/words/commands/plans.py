"""Plan dates are closed, by people and by themselves, and opened again."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, command


@command(152)
class ClosePlan(ByPerson):
    """Nothing more fires for this plan date of a namespace. One that is closed gets this reason."""

    namespace: str
    day: int  #: `ticks.plan_days`
    reason: str
    actor: Actor = NOBODY


@command(153)
class OpenPlan(ByPerson):
    """What is yet to come for it fires again; what was skipped stays so."""

    namespace: str
    day: int
    actor: Actor = NOBODY


@command(149)
class CloseDates(ByPlanner):
    """The plan dates of a namespace that are over for as long as it says (`plan.auto_close`) close."""

    namespace: str
    at_ms: int  #: when the next one of them was to
