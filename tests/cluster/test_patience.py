"""A silent leader is waited for by the gaps that were seen of late, and its followers stand in turn."""

from __future__ import annotations

import pytest

from cluster.patience import GAPS, SEASONED_S, WINDOW_S, Patience
from cluster.raft import Role
from tests.cluster.test_hardening import TIMINGS, Bench

HEARTBEAT_S = TIMINGS.heartbeat_s


class Follower:
    def __init__(self) -> None:
        self.time = 1_000.0
        self.patience = Patience(TIMINGS, lambda: self.time)

    def hears(
        self, for_s: float, *, every_s: float = HEARTBEAT_S, office: tuple[str, int] = ("a", 1)
    ) -> None:
        until_s = self.time + for_s
        while self.time < until_s:
            self.time += every_s
            self.patience.heard(*office)

    @property
    def seconds(self) -> float:
        return self.patience.seconds()


@pytest.fixture
def follower() -> Follower:
    follower = Follower()
    follower.hears(SEASONED_S + 1)
    return follower


def test_quiet_leader_is_waited_for_the_least(follower: Follower) -> None:
    assert follower.seconds == TIMINGS.patience_min_s < TIMINGS.election_min_s


def test_gap_of_late_makes_it_patient_and_is_forgotten(follower: Follower) -> None:
    follower.hears(0.1, every_s=0.1)
    assert follower.seconds == pytest.approx(GAPS * 0.1)
    follower.hears(WINDOW_S * 0.9)
    assert follower.seconds == pytest.approx(GAPS * 0.1)
    follower.hears(WINDOW_S * 1.2)
    assert follower.seconds == TIMINGS.patience_min_s


def test_no_gap_makes_it_wait_beyond_the_limit(follower: Follower) -> None:
    follower.hears(7.0, every_s=7.0)
    assert follower.seconds == TIMINGS.patience_max_s


def test_new_leader_has_the_whole_timeout_at_first(follower: Follower) -> None:
    follower.time += 3.0  # an election
    follower.hears(1.0, office=("b", 2))
    assert follower.seconds == TIMINGS.election_min_s  # the gap was no leader's
    follower.hears(SEASONED_S, office=("b", 2))
    assert follower.seconds == TIMINGS.patience_min_s


def led(names: str) -> Bench:
    """a leads, and is heard for a while."""
    bench = Bench(names)
    bench.elect("a", *names[1 : len(names) // 2 + 1])
    until_s = bench.time + SEASONED_S + 1
    while bench.time < until_s:
        bench.time += HEARTBEAT_S
        beat(bench, names)
    bench.sent.clear()
    return bench


def beat(bench: Bench, names: str) -> None:
    bench["a"].replicate()
    for name in names[1:]:
        bench.deliver("a", name, "append_entries")
        bench.tick(name)
        bench.deliver(name, "a", "next_node_idx")
    bench.tick("a")


def first_questions(bench: Bench, names: str, within_s: float) -> dict[str, float]:
    """When who first asks for votes; every question is lost."""
    began, asked = bench.time, dict[str, float]()
    while bench.time < began + within_s:
        for name in names:
            bench.tick(name)
        for source, _, _ in bench.take("", "", "prevote"):
            asked.setdefault(source, bench.time - began)
        bench.time += 0.001
    return asked


def test_followers_of_a_silent_leader_stand_one_after_the_other() -> None:
    asked = first_questions(led("abcde"), "bcde", TIMINGS.patience_min_s + 4 * TIMINGS.spread_s)
    assert sorted(asked, key=lambda name: asked[name]) == ["b", "c", "d", "e"]
    assert asked["b"] >= TIMINGS.patience_min_s
    turns = [asked[b] - asked[a] for a, b in ("bc", "cd", "de")]
    assert min(turns) > TIMINGS.spread_s * 0.75


def test_silent_leader_is_replaced_before_the_whole_timeout_is_over() -> None:
    bench = led("abc")
    began = bench.time
    while bench["b"].role() is not Role.LEADER:
        assert bench.time < began + TIMINGS.election_min_s
        bench.time += 0.001
        for name in "bc":
            bench.tick(name)
        for source, target in ("bc", "cb"):
            bench.deliver(source, target)


def test_voter_that_saw_its_leader_stumble_says_no_for_longer() -> None:
    bench = led("abc")
    bench.time += 0.15  # for c the leader's words come late, once
    bench["a"].replicate()
    bench.deliver("a", "c", "append_entries")
    bench.time += TIMINGS.patience_min_s
    for expected in (False, True):
        bench.sent.clear()
        bench["b"].election_deadline = 0.0
        bench.tick("b")
        bench.deliver("b", "c", "prevote")
        assert [m["granted"] for _, _, m in bench.take("c", "b", "prevoted")] == [expected]
        bench.time += GAPS * 0.2


def test_leader_that_goes_on_in_time_keeps_its_office() -> None:
    bench = led("abc")
    term = bench["a"].term()
    for _ in range(30):
        bench.time += TIMINGS.patience_min_s * 0.9
        beat(bench, "abc")
        for source, target in ("bc", "cb", "ba", "ca"):
            bench.deliver(source, target)
    assert bench["a"].role() is Role.LEADER
    assert bench["a"].term() == term
