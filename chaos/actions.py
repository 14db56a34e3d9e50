"""What a plan may do, by name, with roles for targets: who the leader is shows only when it is done.

Rules: an action says which fault it becomes in the cluster as it stands (`View`), how long it may last, and
whether a majority of nodes stays whole and connected meanwhile: only then must ticks go on. `pick` is
the plan's own dice: it chooses among followers, agents and zones, so that a replay chooses the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaos.faults import (
    CLIENT,
    ClockSkew,
    Cut,
    DiskFull,
    Fault,
    Kill,
    Lossy,
    Pause,
    Refused,
    RollingRestart,
    Slow,
    SyncError,
    TornTail,
    ZoneFlap,
    ZoneLoss,
    both_ways,
    one_way,
)

HOUR_MS = 3_600_000
SLOW_MS = 500  #: each way: a round of one second


@dataclass(frozen=True, slots=True)
class View:
    """Who is what now."""

    leader: str
    nodes: Mapping[str, str]  #: name → zone
    agents: Mapping[str, str]

    def followers(self) -> list[str]:
        return [node for node in self.nodes if node != self.leader]

    def follower(self, pick: int) -> str:
        found = self.followers()
        return found[pick % len(found)]

    def agent(self, pick: int) -> str:
        return list(self.agents)[pick % len(self.agents)]

    def everyone_but(self, host: str) -> list[str]:
        return [name for name in [*self.nodes, *self.agents, CLIENT] if name != host]

    def zones(self, pick: int) -> list[str]:
        """The leader's zone first on even picks, last on odd ones."""
        mine = self.nodes[self.leader]
        others = sorted({zone for zone in self.nodes.values() if zone != mine})
        return [mine, *others] if pick % 2 == 0 else [*others, mine]


@dataclass(frozen=True, slots=True)
class Action:
    fault: type[Any]
    becomes: Callable[[View, int], Fault]
    shortest_ms: int
    longest_ms: int
    keeps_majority: bool = True
    #: one that lets the time pass by itself and is over when it is done
    lasting: bool = True


def _half(view: View) -> tuple[str, ...]:
    """The leader and as many followers as make a majority."""
    return (view.leader, *view.followers()[: len(view.nodes) // 2])


ACTIONS: dict[str, Action] = {
    # processes
    "leader-killed": Action(Kill, lambda v, _: Kill((v.leader,)), 1_000, 6_000),
    "leader-core-killed": Action(Kill, lambda v, _: Kill((f"{v.leader}/core",)), 1_000, 6_000),
    "leader-front-killed": Action(Kill, lambda v, _: Kill((f"{v.leader}/front",)), 1_000, 4_000),
    "follower-killed": Action(Kill, lambda v, p: Kill((v.follower(p),)), 1_000, 8_000),
    "leader-stopped": Action(Pause, lambda v, _: Pause((v.leader,)), 3_000, 8_000),
    "leader-core-stopped": Action(Pause, lambda v, _: Pause((f"{v.leader}/core",)), 3_000, 8_000),
    "leader-front-stopped": Action(Pause, lambda v, _: Pause((f"{v.leader}/front",)), 3_000, 8_000),
    "majority-killed": Action(Kill, lambda v, _: Kill(_half(v)), 2_000, 5_000, keeps_majority=False),
    "all-killed": Action(Kill, lambda v, _: Kill(tuple(v.nodes)), 1_000, 4_000, keeps_majority=False),
    "rolling-restart": Action(
        RollingRestart, lambda v, _: RollingRestart(tuple(v.nodes)), 500, 1_000, lasting=False
    ),
    # links
    "leader-cut-off": Action(
        Cut, lambda v, _: Cut(both_ways([v.leader], v.everyone_but(v.leader))), 4_000, 8_000
    ),
    "leader-alone": Action(Cut, lambda v, _: Cut(both_ways([v.leader], v.followers())), 4_000, 8_000),
    "leader-deaf": Action(Cut, lambda v, _: Cut(one_way(v.everyone_but(v.leader), [v.leader])), 4_000, 8_000),
    "leader-mute": Action(Cut, lambda v, _: Cut(one_way([v.leader], v.everyone_but(v.leader))), 4_000, 8_000),
    "bridge": Action(Cut, lambda v, p: Cut(both_ways([v.leader], [v.follower(p)])), 4_000, 8_000),
    "follower-cut-off": Action(
        Cut, lambda v, p: Cut(both_ways([v.follower(p)], v.everyone_but(v.follower(p)))), 3_000, 8_000
    ),
    "follower-slow": Action(
        Slow,
        lambda v, p: Slow(both_ways([v.follower(p)], [n for n in v.nodes if n != v.follower(p)]), SLOW_MS),
        4_000,
        8_000,
    ),
    "nodes-lossy": Action(Lossy, lambda v, _: Lossy(both_ways(v.nodes, v.nodes), 0.05, 0.05), 4_000, 8_000),
    "leader-refused": Action(
        Refused, lambda v, _: Refused(both_ways([v.leader], v.everyone_but(v.leader))), 3_000, 6_000
    ),
    # zones
    "zone-lost": Action(ZoneLoss, lambda v, p: ZoneLoss((v.zones(p)[0],)), 4_000, 10_000),
    "two-zones-lost": Action(
        ZoneLoss, lambda v, p: ZoneLoss(tuple(v.zones(p)[:2])), 4_000, 8_000, keeps_majority=False
    ),
    "zone-flaps": Action(ZoneFlap, lambda v, p: ZoneFlap(v.zones(p)[0]), 8_000, 12_000),
    # disks
    "leader-disk-full": Action(DiskFull, lambda v, _: DiskFull(v.leader), 3_000, 8_000),
    "follower-sync-error": Action(SyncError, lambda v, p: SyncError(v.follower(p)), 3_000, 6_000),
    "torn-tail": Action(TornTail, lambda v, p: TornTail(v.follower(p), 1 + p % 40, p % 3 == 0), 1_000, 4_000),
    # clocks
    "clock-ahead": Action(ClockSkew, lambda v, _: ClockSkew(v.leader, HOUR_MS), 4_000, 8_000),
    "clock-behind": Action(ClockSkew, lambda v, _: ClockSkew(v.leader, -HOUR_MS), 4_000, 8_000),
    # agents
    "agent-cut-off": Action(
        Cut, lambda v, p: Cut(both_ways([v.agent(p)], v.everyone_but(v.agent(p)))), 3_000, 8_000
    ),
    "agents-restarted": Action(
        RollingRestart, lambda v, _: RollingRestart(tuple(v.agents)), 500, 1_000, lasting=False
    ),
    "agent-killed": Action(Kill, lambda v, p: Kill((v.agent(p),)), 1_000, 4_000),
    "agent-stopped": Action(Pause, lambda v, p: Pause((v.agent(p),)), 2_000, 6_000),
    "spooler-killed": Action(Kill, lambda v, p: Kill((f"{v.agent(p)}/spooler",)), 1_000, 2_000),
    "agent-host-lost": Action(Kill, lambda v, p: Kill((f"{v.agent(p)}/host",)), 2_000, 5_000),
}


def may_be_beside(name: str, other: str) -> bool:
    """Whether `name` may begin in the middle of `other`: each canary sees its own fault alone, and there is a
    leader to aim at."""
    return ACTIONS[other].keeps_majority and not _touched(name) & _touched(other)


def _touched(name: str) -> frozenset[str]:
    fault = ACTIONS[name].fault
    of_agents = name.startswith(("agent", "spooler"))
    if fault is ZoneLoss:
        return frozenset({"links", "nodes", "agents"})
    if fault is ZoneFlap:
        return frozenset({"links", "agents"})
    if fault in (Cut, Slow, Lossy, Refused):
        return frozenset({"links", "agents"} if of_agents else {"links"})
    return frozenset({"agents"} if of_agents else {"nodes"})
