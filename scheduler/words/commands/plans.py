"""Plan dates are closed, and opened again."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, command


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
