"""What the passes of one plan see. Frozen: what they count down (free slots, the room for backlogs) are
objects of their own here, one a plan.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from scheduler.plan.due import Due
from scheduler.plan.hold import RestoreHold
from scheduler.plan.lookahead import PlanCache
from scheduler.plan.pausing import Pauses
from scheduler.plan.places import Places
from scheduler.store.connection import Store

Lease = tuple[int, int]
"""An attempt with the disconnection of its agent that its lease is counted from (`since_ms`)."""

LeaseView = Container[Lease]
"""The leases that are over, as the leader's monotonic clock says (see `passes.leases`)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one plan."""

    commands: int = 1_000
    catchup_fires: int = 100
    backlog_instants: int = 20_000
    each_kind: int = 300  #: of expiries, stops, requeues and lease ends


@dataclass(frozen=True, slots=True)
class Outlook:
    """What tells when to plan next. Without a clock: the answer is an instant."""

    store: Store
    hold: RestoreHold  #: what a restore holds up
    pauses: Pauses  #: of everything, and of namespaces
    lead_ms: int  #: ticks are proposed so long ahead
    cache: PlanCache  #: compiled jobs, and what passes remember between plans


@dataclass(frozen=True, slots=True)
class View(Outlook):
    now_ms: int
    epoch: int
    limits: Limits
    places: Places
    due: Due
    ended: LeaseView
    silent_nodes: Sequence[str]  #: given up
    quiet_nodes: Sequence[str]  #: some heartbeats were not answered of late
    overloaded: bool  #: more is due than can be started, as the state has it
    room: int  #: commands that those before left to passes that take only what is left
