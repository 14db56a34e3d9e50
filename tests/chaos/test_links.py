"""Links of a real cluster, broken in each way; every fault is seen while it is there, and seen to be gone."""

from __future__ import annotations

import pytest

from chaos.cluster import Cluster
from chaos.faults import (
    Cut,
    Fault,
    Lossy,
    Narrow,
    Refused,
    Slow,
    ZoneFlap,
    ZoneLoss,
    both_ways,
    kind,
    one_way,
)
from chaos.links import Profile
from chaos.nemesis import NemesisError
from chaos.nemesis.arsenal import Arsenal, arsenal
from chaos.programs import wait_for
from tests.chaos.conftest import NewCluster

pytestmark = pytest.mark.cluster
DEADLINE_S = 60.0


def faults(leader: str, others: list[str]) -> list[Fault]:
    return [
        Cut(one_way(["node-1"], ["agent-1"])),
        Slow(both_ways(["agent-1"], others), 200),
        Slow(one_way([leader], others[:1]), 400),
        Narrow(one_way(["agent-1"], others), 64),
        Refused(both_ways(["client"], ["node-1"])),
        Lossy(one_way(others, ["client"]), loss=0.5),
        Lossy(one_way(["client"], others), duplicate=0.5),
        ZoneFlap("zone-b", 600),
    ]


@pytest.mark.parametrize("profile", ["toxiproxy", "switch"])
def test_faults_of_links_are_real_and_end(new_cluster: NewCluster, profile: Profile) -> None:
    """One cluster for all faults: its start is most of the time."""
    cluster = new_cluster(profile=profile, agents={"zone-a": 1, "zone-b": 1})
    cluster.start()
    weapons = arsenal(cluster)
    leader = cluster.leader().name
    others = [node.name for node in cluster.nodes if node.name != leader]
    tried = 0
    for fault in faults(leader, others):
        if type(fault) not in weapons.kinds:
            with pytest.raises(NemesisError):
                weapons.inject(fault)
            continue
        tried += 1
        _is_real_and_ends(weapons, fault)
    assert tried >= 6
    _a_leader_that_is_cut_off_is_replaced(cluster, weapons, leader, others)
    _a_zone_that_is_lost_comes_back(cluster, weapons)


def _is_real_and_ends(weapons: Arsenal, fault: Fault) -> None:
    assert weapons.why_not(type(fault)) is None
    assert weapons.verify(fault).real is False, kind(fault)
    weapons.inject(fault)
    seen = weapons.verify(fault)
    assert seen.real is True, f"{kind(fault)}: {seen.evidence}"
    weapons.heal(fault)
    seen = weapons.verify(fault)
    assert seen.real is False, f"{kind(fault)}: {seen.evidence}"


def _a_leader_that_is_cut_off_is_replaced(
    cluster: Cluster, weapons: Arsenal, leader: str, others: list[str]
) -> None:
    """The fault is real to the product too: this is what it is for."""
    cut = Cut(both_ways([leader], others))
    weapons.inject(cut)
    assert weapons.verify(cut).real is True
    assert cluster.leader(other_than=leader).name in others
    weapons.heal()
    assert weapons.verify(cut).real is False
    cluster.wait_ready()


def _a_zone_that_is_lost_comes_back(cluster: Cluster, weapons: Arsenal) -> None:
    loss = ZoneLoss(("zone-a",))
    weapons.inject(loss)
    seen = weapons.verify(loss)
    assert seen.real is True, seen.evidence
    assert not any(program.pids() for program in cluster.programs if program.zone == "zone-a")
    cluster.leader()
    weapons.heal()
    cluster.wait_ready()
    cluster.wait_agents()
    wait_for(lambda: weapons.verify(loss).real is False, DEADLINE_S, "the zone is back")


def test_unknown_hosts_are_refused_before_anything_breaks(new_cluster: NewCluster) -> None:
    cluster = new_cluster(profile="toxiproxy", agents={})
    weapons = arsenal(cluster)

    with pytest.raises(NemesisError, match=r"node-9.*known are client, node-1"):
        weapons.inject(Cut((("node-1", "node-2"), ("node-9", "node-1"))))
    assert cluster.links.driver is not None
    weapons.heal()
