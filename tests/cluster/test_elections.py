"""Elections after the link to the leader broke: what must not cost the survivors a whole election timeout.

Rafts whose every message is delivered by hand; a was elected by b and c.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.raft import Role
from tests.cluster.test_hardening import TIMINGS, Bench

WELL_BEFORE_A_TIMEOUT_S = TIMINGS.election_min_s * 0.9


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench("abc")
    bench.elect("a", "b")
    for name in "bc":
        bench.deliver("a", name, "append_entries")
    bench.sent.clear()
    return bench


def lose(bench: Bench, *names: str) -> None:
    for name in names:
        bench[name].disconnected("a")


def questions(bench: Bench, source: str, target: str, within_s: float) -> int:
    """How often the source asks the target within the time; the questions are lost."""
    asked, until_s = 0, bench.time + within_s
    while bench.time < until_s:
        bench.tick(source, after_s=0.005)
        asked += len(list(bench.take(source, target, "prevote")))
    return asked


def ask(bench: Bench, name: str) -> None:
    bench[name].election_deadline = 0.0
    bench.tick(name)


def finish(bench: Bench, name: str, voter: str) -> None:
    bench.tick(name)
    bench.deliver(name, voter, "request_vote")
    bench.deliver(voter, name, "response_vote")
    assert bench[name].role() is Role.LEADER


def test_question_that_came_before_the_loss_was_seen_is_answered_anew(bench: Bench) -> None:
    lose(bench, "b")
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    assert [m["granted"] for _, _, m in bench.take("c", "b", "prevoted")] == [False]  # it has a leader

    lose(bench, "c")

    bench.deliver("c", "b", "prevoted")
    finish(bench, "b", "c")


def test_voter_whose_leader_lives_never_takes_its_no_back(bench: Bench) -> None:
    lose(bench, "b")
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    bench.sent.clear()

    bench["c"].disconnected("b")  # another link than the leader's

    assert not list(bench.take("c", "b", "prevoted"))


def test_question_of_long_ago_is_not_answered_anew(bench: Bench) -> None:
    lose(bench, "b")
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    bench.sent.clear()
    bench.time += TIMINGS.election_min_s + 0.01

    lose(bench, "c")

    assert not list(bench.take("c", "b", "prevoted"))


def test_survivor_with_the_longer_log_stands_at_once_when_the_other_asks(bench: Bench) -> None:
    bench.append("a", 3)
    bench.deliver("a", "c", "append_entries")  # and never b
    lose(bench, "b", "c")
    bench.sent.clear()
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    assert [m["granted"] for _, _, m in bench.take("c", "b", "prevoted")] == [False]  # its log is shorter

    bench.tick("c", after_s=0.001)  # long before its rank's turn

    bench.deliver("c", "b", "prevote")
    bench.deliver("b", "c", "prevoted")
    finish(bench, "c", "b")


def test_survivor_that_said_yes_lets_the_other_go_first(bench: Bench) -> None:
    lose(bench, "b", "c")
    bench["c"].election_deadline = bench.time + 0.004  # its own question was just due
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")

    assert questions(bench, "c", "b", TIMINGS.stagger_s * 0.9) == 0
    bench.deliver("c", "b", "prevoted")
    finish(bench, "b", "c")


def test_question_that_was_lost_is_asked_again_before_an_election_timeout(bench: Bench) -> None:
    lose(bench, "b")

    assert questions(bench, "b", "c", WELL_BEFORE_A_TIMEOUT_S) >= 2


def test_follower_of_a_leader_that_is_silent_waits_for_its_whole_timeout(bench: Bench) -> None:
    assert questions(bench, "b", "c", WELL_BEFORE_A_TIMEOUT_S) == 0


def test_link_that_comes_after_the_loss_starts_the_question_at_once(bench: Bench) -> None:
    """A node that has just come back has not all its links when the leader dies."""
    bench["b"].disconnected("c")
    lose(bench, "b", "c")
    bench["b"].election_deadline = bench.time + 1.0

    bench["b"].connected("c")

    assert questions(bench, "b", "c", TIMINGS.stagger_s + 0.05) == 1
