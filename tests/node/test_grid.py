"""The instants at which what can wait leaves, under a clock that the test turns."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from api.ports import NodeStatus, PeerStatus
from node.config import load_config
from node.front import unknown_status
from node.grid import MEMORY_S, STEPS_MS, Grid
from tests.node.test_config import GOOD, write


class Clock:
    def __init__(self, now_s: float = 1_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def loaded(clock: Clock, *, commit_s: float = 0.02) -> Grid:
    grid = Grid(clock)
    grid.commit_s = commit_s
    grid.heard(2_000)
    return grid


def told(path: pytest.TempPathFactory, node: str, base_ms: int, offsets: dict[str, int]) -> NodeStatus:
    """A status of this node, which knows the clocks of the others so. The first of the names leads."""
    peers = tuple(
        PeerStatus(name, "z", "", "", True, True, 0, 0, offset, None) for name, offset in offsets.items()
    )
    known = unknown_status(load_config(write(path.mktemp(node), GOOD), {}), "uid")
    return dataclasses.replace(known, node=node, leader="a", wall_base_ms=base_ms, peers=peers)


def test_there_is_no_grid_while_little_is_done() -> None:
    clock = Clock()
    grid = Grid(clock)
    assert grid.step_s == 0
    assert grid.wait_s() == 0
    assert grid.wait_s(0.3) == 0.3
    grid.heard(7)  # one tick
    assert grid.step_s == 0


def test_the_grid_follows_the_rate_and_the_time_of_commits() -> None:
    clock = Clock()
    steps = {loaded(clock, commit_s=ms / 1000).step_s * 1000 for ms in (1, 2, 3, 5, 50)}
    assert steps == {0, *STEPS_MS}

    grid = loaded(clock)
    seen = []
    for _ in range(40):
        seen.append(round(grid.step_s * 1000))
        clock.now_s += MEMORY_S / 4
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {*STEPS_MS, 0}


def test_a_burst_each_second_keeps_the_grid() -> None:
    clock = Clock()
    grid = loaded(clock)
    for _ in range(60):
        grid.heard(600)
        for _ in range(10):
            assert grid.step_s * 1000 == STEPS_MS[0]
            clock.now_s += 0.1


def test_each_step_is_a_multiple_of_the_next() -> None:
    """So fronts that take the load for different meet all the same."""
    assert all(longer % shorter == 0 for longer, shorter in itertools.pairwise(STEPS_MS))


def test_fronts_whose_clocks_differ_have_the_same_instants(tmp_path_factory: pytest.TempPathFactory) -> None:
    """They started at other times, and the wall clock of the second is an hour ahead."""
    first, second = Clock(12.345), Clock(98_765.0)
    truth_ms = 1_800_000_000_000.0
    leads, follows = loaded(first), loaded(second)
    base_ms = truth_ms - first.now_s * 1000
    leads.follow(told(tmp_path_factory, "a", round(base_ms), {"b": 3_600_000}))
    base_ms = truth_ms + 3_600_000 - second.now_s * 1000
    follows.follow(told(tmp_path_factory, "b", round(base_ms), {"a": -3_600_000}))
    for _ in range(20):
        apart_s = abs(leads.wait_s() - follows.wait_s())
        assert min(apart_s, leads.step_s - apart_s) < 0.001, "within what rounding makes"
        first.now_s += 0.007
        second.now_s += 0.007


def test_what_is_to_wait_longer_ends_at_an_instant_too() -> None:
    clock = Clock()
    grid = loaded(clock)
    for after_s in (0.0, 0.001, 0.039, 0.5, 3.21):
        wait_s = grid.wait_s(after_s)
        assert after_s <= wait_s < after_s + grid.step_s
        at = (clock.now_s + wait_s) / grid.step_s
        assert abs(at - round(at)) < 1e-6
