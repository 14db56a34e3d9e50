"""Changes of the membership that cannot be, and what a leader waits for: rule by rule, without processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from cluster.membership import (
    MEMBERS_MAX,
    NAME_CHARS_MAX,
    Membership,
    addresses,
    apply_change,
    difference,
    vet,
    well_formed,
)
from cluster.peers import Peers
from cluster.questions import ANSWER_S, NO_LEADER, QUESTIONS_MAX, TOO_MANY, Denial, Questions
from cluster.roster import Roster
from cluster.settings import ClusterSettings, Founder
from cluster.wire import TEXT_CHARS_MAX, FrameReader, Hello, Message, Refusal, Verdict, encode

FOUNDED = Membership.founded([Founder(n, f"{n}:1") for n in "abc"])


def add(name: str) -> list[object]:
    return ["add", name, f"{name}:1", "zone", "url", None]


# ---- what a person may ask for


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["remove", "x"], "x is no member"),
        (add(""), f"a member needs a name of 1 to {NAME_CHARS_MAX} characters"),
        (add("n" * (NAME_CHARS_MAX + 1)), f"a member needs a name of 1 to {NAME_CHARS_MAX} characters"),
        (add("a"), "a is a member already"),
        (add("d"), "d was removed; names are never used again"),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_name(change: list[object], says: str) -> None:
    former = FOUNDED.put(apply(FOUNDED, add("d")).members[-1]).without("d")
    assert apply_change(former, change) == says


def apply(membership: Membership, change: list[object]) -> Membership:
    changed = apply_change(membership, change)
    assert isinstance(changed, Membership), changed
    return changed


def test_the_last_vote_cannot_be_removed() -> None:
    alone = apply(Membership.founded([Founder("a", "a:1")]), add("b"))
    assert apply_change(alone, ["remove", "a"]) == "a is the last voting member"
    assert apply(alone, ["remove", "b"]).voters == ("a",)


def test_there_is_a_limit_of_members() -> None:
    membership = FOUNDED
    for number in range(MEMBERS_MAX - 3):
        membership = apply(membership, add(f"m{number}"))
    assert apply_change(membership, add("more")) == f"{MEMBERS_MAX} members at most"


def test_who_is_added_has_no_vote_and_who_is_removed_never_comes_back() -> None:
    grown = apply(FOUNDED, add("d"))
    assert (grown.voters, grown.learners) == (("a", "b", "c"), ("d",))
    shrunk = apply(grown, ["remove", "b"])
    assert (shrunk.voters, shrunk.removed) == (("a", "c"), ("b",))
    assert difference(FOUNDED, grown) == "d is being added"
    assert difference(grown, shrunk) == "b is being removed"
    assert difference(grown, grown) is None


@pytest.mark.parametrize(
    "change",
    [
        None,
        [],
        ["remove"],
        ["remove", 7],
        ["remove", None],
        ["remove", "a", "b", "c", "d", None],
        ["add", "a"],
        ["add", "a", "b", "c", 7, None],
        ["add", "a", "b", "c", "d", 7],
        ["other", "a"],
        {"remove": "a"},
    ],
)
def test_a_malformed_change_of_a_peer_is_none(change: object) -> None:
    assert not well_formed(change)


def test_well_formed_changes_are_known_as_such() -> None:
    for change in (["remove", "a"], add("d"), ["add", "d", "d:1", "", "", "uid"]):
        assert well_formed(change)


def test_a_membership_of_another_version_is_refused() -> None:
    version, *rest = msgpack.unpackb(FOUNDED.encode())
    with pytest.raises(ValueError, match="membership of version"):
        Membership.decode(msgpack.packb([version + 1, *rest]))


# ---- whom a node talks to


def settings(name: str = "a") -> ClusterSettings:
    founders = [Founder(n, f"{n}:1") for n in "abc"]
    return ClusterSettings("c", name, f"u{name}", f"{name}:1", founders, Path("log"), Path("copies"))


def hello(name: str, uid: str = "u", *, joining: bool = False) -> Hello:
    return Hello("c", name, uid, 1, 1, "", f"{name}:1", "", 0, joining)


def test_links_are_kept_to_who_is_a_member_by_what_is_committed_or_comes_last() -> None:
    grown, shrunk = apply(FOUNDED, add("d")), FOUNDED.without("c")
    strangers = {"e": "e:1", "x": "x:1"}
    assert sorted(addresses(settings(), FOUNDED, grown, {})) == ["b", "c", "d"]
    assert sorted(addresses(settings(), FOUNDED, shrunk, {})) == ["b", "c"], "not committed: it may be cut"
    assert sorted(addresses(settings(), shrunk, shrunk, {})) == ["b"]
    gone = apply(FOUNDED, add("x")).without("x")
    assert sorted(addresses(settings(), gone, gone, strangers)) == ["b", "c", "e"]
    assert addresses(settings("d"), Membership(), Membership(), {}) == {n: f"{n}:1" for n in "abc"}


@pytest.mark.parametrize("joining", [True, False])
def test_a_newcomer_is_refused_until_a_member_tells_of_it(joining: bool) -> None:
    newer = apply(FOUNDED, add("d")).bound("d", "uid-d")
    for told, uid, code in (
        (Membership(), "uid-d", "unknown"),
        (newer, "uid-d", None),
        (newer, "another", "uid"),
    ):
        refusal = vet(
            hello("d", uid, joining=joining),
            cluster="c",
            name="a",
            membership=FOUNDED,
            committed=FOUNDED,
            known=[],
            newer=told,
        )
        assert (refusal.code if refusal else None) == code


@pytest.fixture
def roster() -> Roster:
    peers = Peers(lambda: 0.0, lambda: 0)
    peers.keep("bcd")
    roster = Roster(settings(), peers)
    roster.take_over(FOUNDED)
    roster.refresh(None, 1)
    peers.connected(hello("b", "first"))
    return roster


def test_a_name_that_is_not_bound_yet_is_who_is_connected_under_it(roster: Roster) -> None:
    assert roster.vet(hello("b", "first"), 1, 0) is None
    refusal = roster.vet(hello("b", "second"), 1, 0)
    assert refusal is not None
    assert "another node is connected as b" in refusal.reason
    assert not refusal.final


def test_a_stranger_is_never_dialled_whatever_address_it_says(roster: Roster) -> None:
    known = roster.addresses()
    for number in range(3 * MEMBERS_MAX):
        refusal = roster.vet(hello(f"s{number}"), 1, 0)
        assert refusal is not None
        assert refusal.code == "unknown"
    assert roster.addresses() == known


def test_who_came_since_is_dialled_where_a_member_says_and_not_where_a_stranger_says(roster: Roster) -> None:
    newer = apply(FOUNDED, add("d"))
    roster.tell("mallory", newer.encode())
    assert "d" not in roster.addresses()
    roster.tell("b", b"\xc1")
    assert "d" not in roster.addresses()
    roster.tell("b", newer.encode())
    assert roster.addresses()["d"] == "d:1"


REMOVED = Refusal("removed", "a was removed")


def test_one_member_alone_ends_nobody_and_a_stranger_counts_for_nothing(roster: Roster) -> None:
    for peer in ("mallory", "a", "b", "b"):
        assert not roster.refused(peer, REMOVED)
    assert roster.refused("c", REMOVED)


def test_a_member_that_talks_again_does_not_refuse_any_more(roster: Roster) -> None:
    assert not roster.refused("b", REMOVED)
    roster.met("b")
    assert not roster.refused("c", REMOVED)
    assert not roster.refused("c", Refusal("unknown", "for now"))
    assert not roster.refused("b", REMOVED)


def test_one_restored_node_is_enough_where_it_was_never_met_as_a_member(roster: Roster) -> None:
    restored = Refusal("restored", "b was restored")
    assert roster.refused("b", restored)
    roster.take_over(FOUNDED.bound("b", "ub").bound("c", "uc"))
    roster.refresh(None, 1)
    assert not roster.refused("c", Refusal("unknown", "for now"))
    roster.met("b")
    assert not roster.refused("b", restored)


def test_who_is_no_member_since_a_restore_hears_of_the_restore(roster: Roster) -> None:
    left_out, newcomer = hello("s"), replace(hello("s"), joining=True)
    codes = [refusal.code for node in (left_out, newcomer) if (refusal := roster.vet(node, 1, 1))]
    assert codes == ["restored", "unknown"]


# ---- what is passed on to the leader


class Asker:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.sent: list[tuple[str, Message]] = []
        self.goes = True
        self.questions = Questions(lambda: self.now_s, self._send)
        self.heard: list[Denial | None] = []

    def _send(self, peer: str, message: Message) -> bool:
        self.sent.append((peer, message))
        return self.goes

    def ask(self, leader: str | None = "b") -> Denial | None:
        return self.questions.ask(leader, {"type": "change"}, self.heard.append)

    def verdict(self, peer: str, number: int, reason: str) -> None:
        self.questions.verdict(peer, {"number": number, "verdict": "not_now", "reason": reason})


def test_a_verdict_is_heard_once_and_of_whom_was_asked_alone() -> None:
    asker = Asker()
    assert asker.ask() is None
    number = asker.sent[0][1]["number"]
    asker.verdict("c", number, "from somebody else")
    asker.verdict("b", number + 1, "on something else")
    assert asker.heard == []
    asker.verdict("b", number, "no")
    asker.verdict("b", number, "no")
    asker.now_s += ANSWER_S + 1
    asker.questions.expire(asker.now_s)
    assert asker.heard == [Denial("no", Verdict.NOT_NOW)]


def test_silence_is_no_refusal() -> None:
    asker = Asker()
    asker.ask()
    asker.questions.expire(asker.now_s + ANSWER_S / 2)
    assert asker.heard == []
    asker.questions.expire(asker.now_s + ANSWER_S)
    assert asker.heard == [None]


def test_what_cannot_be_passed_on_is_refused_at_once_and_not_kept() -> None:
    asker = Asker()
    assert asker.ask(None) == NO_LEADER
    asker.goes = False
    assert asker.ask() == NO_LEADER
    asker.goes = True
    for _ in range(QUESTIONS_MAX):
        assert asker.ask() is None
    assert asker.ask() == TOO_MANY
    assert [h is not None for h in asker.heard] == [True, True, True]


def test_a_verdict_fits_its_frame() -> None:
    asker = Asker()
    asker.questions.answering("b", 7)(Denial("x" * 10 * TEXT_CHARS_MAX))
    asker.questions.answering("b", 8)(None)
    told = [(m["number"], m["verdict"], len(m["reason"])) for _, m in asker.sent]
    assert told == [(7, "refused", TEXT_CHARS_MAX), (8, "under_way", 0)]
    assert all(next(FrameReader().feed(encode(m))) == m for _, m in asker.sent)
