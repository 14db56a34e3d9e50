"""What members learn of each other and of each other's clocks, with clocks that tell what the test wants."""

from __future__ import annotations

import pytest

from cluster.membership import Membership
from cluster.peers import CLOCK_KEPT_S, CLOCK_MEMORY_S, PeerInfo, Peers
from cluster.settings import Founder
from cluster.wire import Hello

HOUR_MS = 3_600_000
NAMES = ("a", "b", "c")


class Clocks:
    """Three members that exchange words; each has a wall clock of its own, time passes for all alike."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.skew_ms = dict.fromkeys(NAMES, 0)
        self.peers = {name: self._member(name) for name in NAMES}

    def _member(self, name: str) -> Peers:
        peers = Peers(lambda: self.now_s, lambda: self.wall_ms(name))
        peers.keep([other for other in NAMES if other != name])
        return peers

    def wall_ms(self, name: str) -> int:
        return int(self.now_s * 1000) + 1_700_000_000_000 + self.skew_ms[name]

    def say(self, source: str, target: str, *, way_ms: int = 1) -> bool:
        """Whether the target wants to answer at once."""
        message = self.peers[source].status_message(target, {"applied": 7})
        self.now_s += way_ms / 1000
        return self.peers[target].take_status(source, message)

    def connect(self, own: str, other: str) -> None:
        """The connection on which `own` sends is up."""
        self.peers[own].connected(
            Hello("cluster", other, f"uid-{other}", 1, 1, "z", f"{other}:1", "", self.wall_ms(other), False)
        )

    def meet(self, a: str, b: str) -> None:
        self.connect(a, b)
        self.connect(b, a)
        assert self.say(a, b)
        assert self.say(b, a)
        assert not self.say(a, b)


@pytest.fixture
def clocks() -> Clocks:
    made = Clocks()
    made.skew_ms["b"] = 40
    for a, b in (("a", "b"), ("a", "c"), ("b", "c")):
        made.meet(a, b)
    return made


def test_clocks_are_known_one_round_trip_after_the_connection(clocks: Clocks) -> None:
    assert abs((clocks.peers["a"].offset_ms("b") or 0) - 40) <= 1
    assert abs((clocks.peers["b"].offset_ms("a") or 0) + 40) <= 1
    assert clocks.peers["c"].clocks_known() == 2


def test_first_word_that_finds_one_direction_up_leaves_neither_clock_unknown() -> None:
    """What every restart looks like: the returning node's connection is up before its peer's is."""
    clocks = Clocks()
    clocks.skew_ms["b"] = 40
    clocks.connect("a", "b")
    assert not clocks.say("a", "b")  # b cannot answer yet
    clocks.connect("b", "a")

    speaker, listener, words = "b", "a", 1
    while clocks.say(speaker, listener):
        speaker, listener, words = listener, speaker, words + 1

    assert words == 3
    assert abs((clocks.peers["a"].offset_ms("b") or 0) - 40) <= 1
    assert abs((clocks.peers["b"].offset_ms("a") or 0) + 40) <= 1


def test_step_of_the_own_clock_shows_without_another_word(clocks: Clocks) -> None:
    clocks.skew_ms["a"] = HOUR_MS

    assert abs((clocks.peers["a"].offset_ms("c") or 0) + HOUR_MS) <= 1
    assert abs(clocks.peers["a"].correction_ms(NAMES) + HOUR_MS) <= 50
    assert clocks.peers["b"].correction_ms(NAMES) == 0


def test_word_that_was_on_its_way_during_a_step_does_not_spoil_the_round_trip(clocks: Clocks) -> None:
    clocks.say("a", "b")
    clocks.skew_ms["a"] = HOUR_MS
    clocks.say("b", "a")

    assert abs((clocks.peers["a"].offset_ms("b") or 0) - 40 + HOUR_MS) <= 1


def test_dead_peer_is_a_witness_until_its_clock_is_forgotten(clocks: Clocks) -> None:
    clocks.peers["a"].disconnected("c")
    clocks.skew_ms["a"] = -HOUR_MS
    clocks.now_s += 100
    assert abs(clocks.peers["a"].correction_ms(NAMES) - HOUR_MS) <= 50

    clocks.now_s += CLOCK_MEMORY_S
    assert clocks.peers["a"].offset_ms("c") is None
    assert clocks.peers["a"].correction_ms(NAMES) == 0  # of two nobody can say which is wrong


def test_small_deviation_is_left_alone(clocks: Clocks) -> None:
    clocks.skew_ms["a"] = 900

    assert clocks.peers["a"].correction_ms(NAMES) == 0


def test_quick_word_counts_more_than_a_slower_one_unless_the_clock_stepped(clocks: Clocks) -> None:
    clocks.say("a", "b", way_ms=1)
    clocks.say("b", "a", way_ms=200)  # as if b were 100 ms behind
    assert abs((clocks.peers["a"].offset_ms("b") or 0) - 40) <= 1

    clocks.skew_ms["b"] = HOUR_MS
    clocks.say("a", "b", way_ms=1)
    clocks.say("b", "a", way_ms=200)
    assert abs((clocks.peers["a"].offset_ms("b") or 0) - HOUR_MS) <= 101


def test_slow_answer_says_nothing_of_the_clock() -> None:
    clocks = Clocks()
    clocks.say("a", "b", way_ms=900)
    clocks.say("b", "a", way_ms=900)

    assert clocks.peers["a"].offset_ms("b") is None


@pytest.mark.parametrize("renewed", ["ours", "theirs"])
def test_connection_that_is_renewed_on_one_side_has_its_word_answered_once(
    clocks: Clocks, renewed: str
) -> None:
    """Who has a new connection has forgotten what it had heard, or has not been answered over it yet."""
    if renewed == "theirs":
        clocks.connect("b", "a")
    else:
        clocks.connect("a", "b")
    assert clocks.say("b", "a")
    clocks.say("a", "b")
    assert not clocks.say("b", "a")


def test_time_that_the_peer_held_the_word_is_no_part_of_the_way() -> None:
    clocks = Clocks()
    clocks.skew_ms["b"] = 40
    clocks.say("a", "b")
    clocks.now_s += 0.9  # b says its next word only then
    clocks.say("b", "a")
    assert abs((clocks.peers["a"].offset_ms("b") or 0) - 40) <= 5  # milliseconds are cut off at both ends


def test_word_that_was_held_longer_than_it_was_away_says_nothing(clocks: Clocks) -> None:
    message = clocks.peers["b"].status_message("a", {})
    clocks.peers["a"].take_status("b", {**message, "sent_ms": message["sent_ms"] + 9_000, "hold_ms": 9_000})
    assert abs((clocks.peers["a"].offset_ms("b") or 0) - 40) <= 1


def test_slow_drift_is_seen_once_the_quick_word_is_old(clocks: Clocks) -> None:
    """20 ms are within what the slower word may err by."""
    for age_s, told_ms in ((CLOCK_KEPT_S / 2, 40), (CLOCK_KEPT_S, 60)):
        clocks.now_s += age_s
        clocks.skew_ms["b"] = 60
        clocks.say("a", "b", way_ms=50)
        clocks.say("b", "a", way_ms=50)
        assert abs((clocks.peers["a"].offset_ms("b") or 0) - told_ms) <= 1


def test_of_two_clocks_none_is_called_wrong() -> None:
    clocks = Clocks()
    clocks.meet("a", "b")
    clocks.skew_ms["a"] = HOUR_MS
    assert abs((clocks.peers["a"].offset_ms("b") or 0) + HOUR_MS) <= 1
    assert clocks.peers["a"].correction_ms(NAMES) == 0


def test_own_words_are_kept_for_few_echoes(clocks: Clocks) -> None:
    for _ in range(100):
        clocks.say("a", "b")
    assert len(clocks.peers["a"].get("b").sent_at) <= 8


# ---- what is told of the others


def seen(clocks: Clocks, name: str) -> PeerInfo:
    membership = Membership.founded([Founder(n, f"{n}:1") for n in NAMES])
    return next(info for info in clocks.peers["a"].infos(membership, lambda peer: 0) if info.name == name)


def test_peer_is_reachable_while_our_connection_is_up_and_it_is_heard(clocks: Clocks) -> None:
    a = clocks.peers["a"]
    assert seen(clocks, "b").reachable
    clocks.now_s += 3.5
    assert not seen(clocks, "b").reachable
    assert (seen(clocks, "b").silent_ms or 0) >= 3_500
    a.heard("b")
    assert seen(clocks, "b").reachable
    a.disconnected("b")
    assert not seen(clocks, "b").reachable
    assert (a.reachable(), a.met()) == (["c"], {"c": "uid-c"})


def test_refusal_is_told_until_the_two_talk(clocks: Clocks) -> None:
    clocks.peers["a"].refused("b", "another cluster")
    assert seen(clocks, "b").refusal == "another cluster"
    clocks.connect("a", "b")
    assert seen(clocks, "b").refusal is None


def test_who_is_no_peer_any_more_is_forgotten(clocks: Clocks) -> None:
    a = clocks.peers["a"]
    a.keep(["b"])
    assert (a.reachable(), a.clocks_known()) == (["b"], 1)
    a.keep(["b", "c"])
    assert a.reachable() == ["b"]


def word(clocks: Clocks, source: str, status: dict[str, object]) -> None:
    clocks.peers["a"].take_status(source, clocks.peers[source].status_message("a", status))


def test_log_is_kept_for_the_lowest_copy_that_a_connected_peer_pulls(clocks: Clocks) -> None:
    a = clocks.peers["a"]
    assert a.pulled_index() is None
    word(clocks, "b", {"pulls": 70})
    word(clocks, "c", {"pulls": 50})
    assert a.pulled_index() == 50
    a.disconnected("c")
    assert a.pulled_index() == 70
    word(clocks, "b", {})
    assert a.pulled_index() is None


def test_malformed_status_of_a_peer_counts_as_none(clocks: Clocks) -> None:
    """The frame's fields are checked by cluster.wire; what a peer's owner tells is free."""
    word(clocks, "b", {"applied": "7", "pulls": True, "owner": ["front"]})
    assert (seen(clocks, "b").applied, seen(clocks, "b").status) == (0, {})
    assert clocks.peers["a"].pulled_index() is None
