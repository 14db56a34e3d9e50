"""What the planner decides before it plans: whose clock is to be trusted."""

from __future__ import annotations

import dataclasses

import pytest

from api.ports import NodeStatus, PeerStatus
from node.config import load_config
from node.front import unknown_status
from node.planner import truer_clock
from tests.node.test_config import GOOD, write


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
        ([peer("b", 3_600_000), peer("c", 3_600_000, reachable=False)], None),
        ([peer("b", 3_600_000), peer("c", None)], None),
    ],
)
def test_leadership_goes_to_the_clock_nearest_the_median(
    status: NodeStatus, peers: list[PeerStatus], expected: str | None
) -> None:
    assert truer_clock(dataclasses.replace(status, peers=tuple(peers))) == expected
