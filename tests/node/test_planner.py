"""What the planner decides before it plans: whose clock is to be trusted."""

from __future__ import annotations

import dataclasses
import time

import pytest

from api.ports import NodeStatus, PeerStatus
from node.clock import OfficeClock, correction_ms, is_refuted, truer_clock, unknown_clocks, wall_base_ms
from node.config import load_config
from node.front import unknown_status
from node.planner import COMMANDS_MIN, NODE_QUIET_MS, ROUND_S, Budget, quiet_nodes
from scheduler.plan import Limits
from tests.node.test_config import GOOD, write


def test_a_plan_is_as_large_as_what_completes_in_time() -> None:
    budget = Budget()
    for _ in range(10):
        budget.took(budget.limits.commands, ROUND_S / 4)
    for _ in range(10):
        budget.took(budget.limits.commands, ROUND_S * 4)
    assert budget.limits.commands == COMMANDS_MIN
    assert 0 < budget.limits.catchup_fires < Limits().catchup_fires
    assert 0 < budget.limits.each_kind < Limits().each_kind
    budget.took(3, ROUND_S * 4)  # a small plan that took long says nothing of its size
    for _ in range(20):
        budget.took(budget.limits.commands, ROUND_S / 4)
    assert budget.limits == Limits()
    budget.took(3, ROUND_S * 4)
    assert budget.limits == Limits()


def test_first_plans_of_an_office_are_small_and_grow_fast() -> None:
    budget, sizes = Budget(), []
    for _ in range(5):
        sizes.append(budget.limits.commands)
        budget.took(1, ROUND_S / 4)  # there is no need to be full: the next may hold more
    assert sizes == [32, 128, 512, Limits().commands, Limits().commands]

    slow = Budget()
    for _ in range(3):
        slow.took(slow.limits.commands, ROUND_S * 4)  # as the first round of an office may be
    assert slow.limits.commands == 32
    slow.took(1, ROUND_S / 4)
    assert slow.limits.commands == 128


def test_agents_of_a_node_that_the_leader_cannot_reach_get_nothing_new_at_once(status: NodeStatus) -> None:
    silent = dataclasses.replace(peer("c", 0), silent_ms=NODE_QUIET_MS)
    peers = (peer("a", 0), peer("b", 0, reachable=False), silent)

    assert quiet_nodes(dataclasses.replace(status, peers=peers)) == ["b", "c"]


@pytest.fixture
def status(tmp_path_factory: pytest.TempPathFactory) -> NodeStatus:
    return unknown_status(load_config(write(tmp_path_factory.mktemp("node"), GOOD), {}), "uid")


def peer(name: str, offset_ms: int | None, *, reachable: bool = True) -> PeerStatus:
    return PeerStatus(
        node=name,
        zone="z",
        address="",
        url="",
        reachable=reachable,
        voter=True,
        match=0,
        silent_ms=0,
        clock_offset_ms=offset_ms,
        free_bytes=None,
    )


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        ([peer("b", 3), peer("c", -40)], None),
        ([peer("b", 3_600_000), peer("c", 3_600_005)], "b"),  # this clock is an hour behind the others
        ([peer("b", -3_600_000), peer("c", -3_600_005)], "b"),
        ([peer("b", 3_600_000), peer("c", 10)], None),  # another's clock is wrong
        ([peer("b", 5_000), peer("c", 60_000)], "b"),  # all differ: the one in the middle
        ([peer("b", 5_000), peer("c", -60_000)], None),  # all differ: this one is in the middle
        ([peer("b", 3_600_000)], None),  # of two nobody knows which is wrong
        ([peer("b", 3_600_000), peer("c", 3_600_000, reachable=False)], "b"),  # the dead are witnesses
        ([peer("b", 10), peer("c", 3_600_000, reachable=False)], None),
        ([peer("b", 3_600_000, reachable=False), peer("c", 3_600_000, reachable=False)], None),  # no heir
        ([peer("b", 3_600_000), peer("c", None)], None),
    ],
)
def test_leadership_goes_to_the_clock_nearest_the_median(
    status: NodeStatus, peers: list[PeerStatus], expected: str | None
) -> None:
    assert truer_clock(dataclasses.replace(status, peers=tuple(peers)), status.wall_base_ms) == expected


def test_own_clock_that_jumped_since_the_peers_spoke_is_found_out(status: NodeStatus) -> None:
    told = dataclasses.replace(status, wall_base_ms=1_000_000, peers=(peer("b", 3), peer("c", -40)))

    assert truer_clock(told, 1_000_000 + 900) is None
    assert truer_clock(told, 1_000_000 + 3_600_000) == "b"
    assert truer_clock(told, 1_000_000 - 3_600_000) == "c"


def test_time_that_is_told_is_put_right(status: NodeStatus) -> None:
    told = dataclasses.replace(status, wall_base_ms=1_000_000, peers=(peer("b", 3), peer("c", -40)))

    assert correction_ms(told, 1_000_000 + 900) == 0
    assert correction_ms(told, 1_000_000 + 3_600_000) == -3_600_000 + 3
    assert correction_ms(told, 1_000_000 - 3_600_000) == 3_600_000 - 40
    assert correction_ms(dataclasses.replace(told, peers=told.peers[:1]), 5_000_000) == 0


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [([None, None], True), ([7, None], False), ([7, 7], False), ([7, None, None, None], True), ([], False)],
)
def test_office_waits_for_the_clocks_of_a_majority(
    status: NodeStatus, offsets: list[int | None], expected: bool
) -> None:
    peers = tuple(peer(f"n{number}", offset) for number, offset in enumerate(offsets))

    assert unknown_clocks(dataclasses.replace(status, peers=peers)) == expected


@pytest.mark.parametrize(
    ("behind_ms", "peers", "expected"),
    [
        (3_600_000, [peer("b", 3), peer("c", -40)], True),  # most clocks were an hour behind
        (-3_600_000, [peer("b", 3), peer("c", -40)], True),
        (900, [peer("b", 3), peer("c", -40)], False),  # it is slewed
        (3_600_000, [peer("b", -3_600_000), peer("c", -3_600_000)], False),  # the wall clock has stepped
        (3_600_000, [peer("b", 3), peer("c", 3_600_000)], True),  # another's clock is wrong
        (3_600_000, [peer("b", 3)], False),
        (3_600_000, [peer("b", 3), peer("c", None)], False),
        (3_600_000, [], False),
    ],
)
def test_clock_of_an_office_is_thrown_away_where_most_clocks_say_so(
    status: NodeStatus, behind_ms: float, peers: list[PeerStatus], expected: bool
) -> None:
    told = dataclasses.replace(status, peers=tuple(peers))
    assert is_refuted(told, status.wall_base_ms, behind_ms) == expected


def test_clock_of_an_office_does_not_step() -> None:
    stepped_s = 0
    clock = OfficeClock(wall_base_ms(), wall_s=lambda: time.time() + stepped_s)
    stepped_s = 3_600

    assert abs(clock.now_ms() - time.time_ns() // 1_000_000) < 60_000
    assert abs(clock.behind_ms() - 3_600_000) < 60_000
