"""What a quiet cluster and a round of it cost: fewer answers, earlier words of commits, turns only when
called for; and that nothing is left out which somebody waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.journal import LogEntry
from cluster.raft import ANSWER_HEARTBEATS, Role
from cluster.wire import Hello
from tests.cluster.test_hardening import TIMINGS, Bench
from tests.cluster.test_safety import Alone

HEARTBEAT_S = TIMINGS.heartbeat_s


@pytest.fixture
def bench() -> Bench:
    """a leads, and the logs of b and c are equal to its own."""
    bench = Bench("abc")
    bench.elect("a", "b")
    for _ in range(3):
        bench["a"].replicate()
        for name in "bc":
            bench.deliver("a", name, "append_entries")
            bench.tick(name)
            bench.deliver(name, "a", "next_node_idx")
        bench.tick("a")
    bench.time += 1.0
    bench.sent.clear()
    return bench


def heartbeat(bench: Bench, name: str, after_s: float) -> int:
    """How many answers it brought."""
    bench.time += after_s
    bench["a"].replicate()
    bench.deliver("a", name, "append_entries")
    bench.journals[name].sync()
    bench[name].release()
    return len(list(bench.take(name, "a", "next_node_idx")))


def test_every_second_heartbeat_is_answered_and_each_is_heard(bench: Bench) -> None:
    answers = []
    for _ in range(10):
        answers.append(heartbeat(bench, "b", HEARTBEAT_S))
        assert bench["b"].elections.contact == bench.time
        assert bench["b"].election_deadline > bench.time + HEARTBEAT_S
        assert bench["b"].is_calm
    assert answers == [1, 0] * 5


def test_heartbeats_far_apart_are_all_answered(bench: Bench) -> None:
    assert [heartbeat(bench, "b", ANSWER_HEARTBEATS * HEARTBEAT_S + 0.001) for _ in range(4)] == [1] * 4


def test_bare_word_of_a_commit_is_taken_and_not_answered(bench: Bench) -> None:
    bench.append("a", 1)
    assert heartbeat(bench, "b", 0.0) == 1  # its entry
    before = bench["b"].commit()
    bench["a"].set_commit(bench["a"].last_index())

    assert heartbeat(bench, "b", 0.001) == 0

    assert bench["b"].commit() == bench["a"].commit() > before
    assert not bench["b"].is_calm  # there is something to apply


def test_append_that_does_not_fit_is_answered_whenever_it_comes(bench: Bench) -> None:
    heartbeat(bench, "b", HEARTBEAT_S)
    bench.append("a", 2)
    bench.sent.clear()  # lost
    assert heartbeat(bench, "b", 0.001) == 1  # what does not fit is asked for again
    bench["a"].set_following("b", bench["b"].last_index() + 1)
    assert heartbeat(bench, "b", 0.001) == 1  # the entries themselves
    assert bench["b"].last_index() == bench["a"].last_index()


def test_heartbeat_of_another_than_the_leader_takes_the_long_way(bench: Bench) -> None:
    bench["b"].disconnected("a")
    assert bench["b"].leader() is None
    assert heartbeat(bench, "b", HEARTBEAT_S) == 1
    assert bench["b"].leader() == "a"
    assert not bench["b"].is_calm


def test_answer_waits_for_the_journal(bench: Bench) -> None:
    bench.journals["b"].append(b"\x00never synced", bench["b"].last_index() + 1, bench["b"].term())
    bench["a"].append(b"\x00never synced")
    bench["a"].set_following("b", bench["a"].last_index() + 1)
    bench.time += 1.0
    bench["a"].replicate()
    bench.deliver("a", "b", "append_entries")
    assert not bench["b"].is_calm
    assert not list(bench.take("b", "a", "next_node_idx"))


def test_acknowledgement_of_what_is_known_calls_for_no_turn(bench: Bench) -> None:
    known = {"type": "next_node_idx", "term": 1, "reset": False, "success": True}
    bench["a"].deliver("b", {**known, "next_node_idx": bench["a"].last_index() + 1})
    assert bench["a"].is_calm
    assert bench["a"].answered("ab", 0.01) == 2
    bench.append("a", 1)
    bench["a"].deliver("b", {**known, "next_node_idx": bench["a"].last_index() + 1})
    assert not bench["a"].is_calm


def test_what_is_committed_is_told_before_it_is_applied_here(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_first: list[int] = []

    def apply(entry: LogEntry) -> int:
        told_first.extend(m["commit_index"] for _, peer, m in bench.sent if peer == "b")
        return 1

    bench.append("a", 1)
    for name in "bc":
        bench.deliver("a", name, "append_entries")
        bench.tick(name)
    bench.deliver("b", "a", "next_node_idx")
    bench.sent.clear()
    monkeypatch.setattr(bench["a"]._host, "apply", apply)
    bench.tick("a")
    assert told_first == [bench["a"].commit()] == [bench["a"].last_index()]
    told = list(bench.take("a", "b", "append_entries"))
    assert len(told) == 1  # and not once more when it is applied


def test_what_two_peers_lack_is_packed_once(bench: Bench) -> None:
    for entries in (0, 2):
        bench.sent.clear()
        bench.append("a", entries)
        to_b, to_c = (next(bench.take("a", name, "append_entries"))[2] for name in "bc")
        assert to_b is to_c
        assert len(to_b["entries"]) == entries
    bench.sent.clear()
    bench["a"].set_following("b", bench["a"].last_index())
    bench["a"].replicate()
    to_b, to_c = (next(bench.take("a", name, "append_entries"))[2] for name in "bc")
    assert (len(to_b["entries"]), len(to_c["entries"])) == (1, 0)


def test_node_looks_at_everything_only_when_something_calls_for_it(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "abc")
    node = alone.start()
    heartbeat = {
        "type": "append_entries", "term": 1, "prevLogIdx": 1, "prevLogTerm": 0, "commit_index": 1,
        "entries": [], "behind": False,
    }  # fmt: skip
    node.received("c", heartbeat)
    assert node.is_stirred
    node.turn()
    assert not node.is_stirred

    node.received("c", heartbeat)
    assert not node.is_stirred
    assert 0 < node.turn() < 0.21

    node.propose(b"x")
    assert node.is_stirred
    node.turn()
    node.disconnected("c")
    assert node.is_stirred
    node.turn()
    assert not node.is_stirred
    alone.world.run_until(alone.world.now() + 0.25)
    assert node.is_stirred  # by time


def test_look_that_is_due_soon_shares_the_wake_up_of_a_heartbeat(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "abc")
    node = alone.start()
    heartbeat = {
        "type": "append_entries", "term": 1, "prevLogIdx": 1, "prevLogTerm": 0, "commit_index": 1,
        "entries": [], "behind": False,
    }  # fmt: skip
    node.received("c", heartbeat)
    looks = []
    for _ in range(12):
        looks.append(node.is_stirred)
        node.turn()
        alone.world.run_until(alone.world.now() + 1.2 * HEARTBEAT_S)
        assert not node.is_stirred  # nothing had to wake it
        node.received("c", heartbeat)
    assert looks == [True, False, False] * 4


def test_leader_sends_its_heartbeats_between_its_looks(tmp_path: Path) -> None:
    alone = Alone(tmp_path)
    node = alone.start()
    while node.role is not Role.LEADER:
        alone.world.run_until(alone.world.now() + node.turn())
    for _ in range(20):
        node.turn()
    assert not node.is_stirred
    assert node.turn() <= HEARTBEAT_S + 0.001


def test_followers_that_hear_each_other_once_a_second_are_not_silent(tmp_path: Path) -> None:
    """Or each would tell its front so, and take it back, with every word."""
    alone = Alone(tmp_path, "abc")
    node = alone.start()
    node.connected(Hello("c", "b", "uid-b", 1, 1, "", "b:1", "", 1, False, life=5, spark="s"))
    silent = set()
    for _ in range(20):
        silent.add(node.silent)
        alone.world.run_until(alone.world.now() + 0.1)
    assert silent == {("c",)}
    alone.world.run_until(alone.world.now() + 2.0)
    assert node.silent == ("b", "c")
