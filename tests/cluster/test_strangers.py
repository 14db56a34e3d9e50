"""Strangers on the Raft port of a cluster without certificates: who is no member is dialled by nobody, and
who uses a member's name is found out."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest

from cluster.accepted import STRANGERS_MAX
from cluster.addresses import split_address
from cluster.callers import QUESTIONS_MAX, WAITING_MAX
from cluster.raft import TERM_JUMP_MAX
from cluster.tls import TlsFiles
from cluster.wire import HELLO_CHARS_MAX, SCHEMA, FrameReader, Hello, Message, Refusal, encode
from tests.cluster.certificates import Certificates
from tests.cluster.members import Group, Member, free_port, patient, running
from tests.cluster.test_hardening import Bench

BILLION = 10**9


class Liar:
    """One connection to a member's Raft port, by hand."""

    def __init__(self, member: Member) -> None:
        self.sock = socket.create_connection(split_address(member.consensus.settings.address), timeout=10)
        self.sock.setblocking(False)
        self.heard: list[Message] = []
        self.is_cut_off = False
        self._reader = FrameReader()

    def say(self, *messages: Message | bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(b"".join(m if isinstance(m, bytes) else encode(m) for m in messages))

    def listens(self) -> bool:
        """Whether it was cut off by now."""
        with contextlib.suppress(BlockingIOError):
            if self.is_cut_off:
                return True
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                data = b""
            self.heard += self._reader.feed(data)
            if not data:
                self.is_cut_off = True
                self.sock.close()
        return self.is_cut_off

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.heard]


def hello(group: Group, name: str, **changes: Any) -> Message:
    """As the true one would say it, uid and all."""
    uid = (group.directory / name / "uid").read_text() if (group.directory / name).exists() else "uid"
    said = Hello(
        group.cluster, name, uid, 1, 1, "z", group.addresses.get(name, ""), "", 0, False, 0, "1" * 32,
        life=9, spark="drawn",
    )  # fmt: skip
    return replace(said, **changes).message()


def harmful(term: int) -> list[Message]:
    """What only members may say."""
    entry = [b"\0" + msgpack.packb([1, [b"stolen"]]), 1 << 40, term]
    append = {"term": term, "commit_index": 1 << 50, "prevLogIdx": (1 << 40) - 1, "prevLogTerm": term}
    change = msgpack.packb(["add", "mallory", "127.0.0.1:1", "", "", None])
    return [
        {"type": "append_entries", **append, "entries": [entry], "behind": True},
        {"type": "higher_term", "term": BILLION},
        {"type": "timeout_now", "term": term},
        {"type": "request_vote", "term": term, "last_log_index": 1 << 60, "last_log_term": term},
        {"type": "prevote", "term": term, "last_log_index": 1 << 60, "last_log_term": term, "round": 1},
        {"type": "propose", "proposals": [b"stolen"], "can_wait": False},
        {"type": "change", "number": 1, "change": change},
        {"type": "transfer", "number": 1, "target": ""},
        {"type": "copy_ask", "needed": 0},
    ]


@contextlib.contextmanager
def unharmed(group: Group) -> Iterator[None]:
    """Whatever happens meanwhile: the same leader and term, nobody ends, nothing is taken or given."""
    leader = group.elect()
    group.run_until(lambda: all(m.uid for m in leader.consensus.committed_membership.members), "all bound")
    names = {m.name for m in leader.consensus.membership.members}
    term, running_now = leader.consensus.term, set(group.members)
    yield
    group.propose(leader, "afterwards")
    group.settle("afterwards")
    assert {m.consensus.term for m in group.members.values()} == {term}
    assert group.leader is leader
    assert set(group.members) == running_now
    assert not [m.fatal for m in group.members.values() if m.fatal]
    assert {m.name for m in leader.consensus.membership.members} == names
    for member in group.members.values():
        assert "stolen" not in member.machine.proposals
        assert member.machine.copies == 0, "a state is given to members alone"


def test_a_stranger_with_an_address_of_its_own_is_never_dialled(tmp_path: Path) -> None:
    """Dialled, it would refuse whoever dials, for good: that ended every node that it had called."""
    with patient(tmp_path) as group, socket.create_server(("127.0.0.1", free_port())) as ear, unharmed(group):
        ear.setblocking(False)
        address = f"127.0.0.1:{ear.getsockname()[1]}"
        liars = [Liar(member) for member in group.members.values()]
        for liar in liars:
            liar.say(hello(group, "mallory", address=address), *harmful(BILLION))
        group.run_until(lambda: all([liar.listens() for liar in liars]), "all cut off")
        assert [liar.kinds for liar in liars] == [["refuse"]] * 3
        for number in range(5):
            group.propose(group.elect(), f"n{number}")
            group.settle(f"n{number}")
        with pytest.raises(BlockingIOError):
            ear.accept()


def test_a_liar_under_the_name_of_a_living_member_is_found_out(tmp_path: Path) -> None:
    with patient(tmp_path) as group, unharmed(group):
        leader = group.elect()
        liars = []
        for victim in group.members.values():
            for name in (m.name for m in group.members.values() if m is not victim):
                liars.append(Liar(victim))
                liars[-1].say(hello(group, name))
        group.run_until(lambda: all([liar.listens() for liar in liars]), "all cut off")
        assert not [kind for liar in liars for kind in liar.kinds], "not even a uid"
        at_once = Liar(group.followers[0])
        at_once.say(hello(group, leader.name), *harmful(leader.consensus.term + 1))
        group.run_until(at_once.listens, "cut off")


def test_a_liar_under_the_name_of_a_dead_member_is_not_listened_to(tmp_path: Path) -> None:
    with patient(tmp_path) as group:
        dead = next(m for m in group.members.values() if m is not group.elect()).name
        group.run_until(lambda: all(m.uid for m in group.elect().consensus.membership.members), "all bound")
        group.kill(dead)
        with unharmed(group):
            for message in harmful(group.elect().consensus.term + 1):
                liars = [Liar(member) for member in group.members.values()]
                for liar in liars:
                    liar.say(hello(group, dead), message)
                group.run_until(lambda each=liars: all([x.listens() for x in each]), "cut off")
            waits = Liar(group.elect())
            waits.say(hello(group, dead))
            group.run_until(waits.listens, "it has its time to be asked back, and no more")
            assert waits.heard == []


def test_whoever_took_a_dead_members_address_ends_nobody_by_a_refusal(tmp_path: Path) -> None:
    with patient(tmp_path) as group:
        dead = next(m for m in group.members.values() if m is not group.elect()).name
        group.run_until(lambda: all(m.uid for m in group.elect().consensus.membership.members), "all bound")
        group.kill(dead)
        host, port = split_address(group.addresses[dead])
        with unharmed(group), socket.create_server((host, port)) as ear:
            ear.setblocking(False)
            callers: set[int] = set()
            for code in ("removed", "uid", "format", "restored"):
                calls = 0

                def refused(code: str = code) -> bool:
                    nonlocal calls
                    with contextlib.suppress(BlockingIOError):
                        caller, _ = ear.accept()
                        caller.sendall(encode(Refusal(code, "you are out").message()))
                        caller.close()
                        calls += 1
                        callers.add(calls)
                    return calls >= 4

                group.run_until(refused, f"they called and heard {code}")


def variants(value: object) -> list[object]:
    found: list[object] = [
        None,
        True,
        -1,
        1 << 63,
        (1 << 64) - 1,
        1.5,
        "",
        "x" * 5000,
        "\x1b[2J",
        b"",
        [],
        {},
    ]
    found += [[[b"x", 1 << 62, 1]], [None] * 4000, {"a": {"b": [1]}}]
    return [v for v in found if type(v) is not type(value) or v != value]


EXAMPLES: dict[str, Any] = {
    "_integer": 1, "_number": 1, "_text": "t", "_flag": True, "_blob": b"b", "_blobs": [b"b"], "_record": {},
    "_entries": [], "_verdict": "refused",
}  # fmt: skip


def good(kind: str) -> Message:
    return {"type": kind, **{field: EXAMPLES[check.__name__] for field, check in SCHEMA[kind].items()}}


@pytest.mark.parametrize("kind", sorted(SCHEMA))
def test_every_message_with_every_field_wrong_cuts_its_sender_off_and_nothing_else(
    kind: str, tmp_path: Path
) -> None:
    with patient(tmp_path, "ab") as group, unharmed(group):
        victim = group.elect()
        first = hello(group, group.followers[0].name)
        wrong: list[Message] = [good(kind)] if kind != "did_you_call" else []
        if kind == "hello":
            good_hello = hello(group, "mallory")
            wrong = [{**good_hello, f: v} for f in SCHEMA[kind] for v in variants(good_hello[f])]
            wrong += [{**good_hello, "name": "n" * (HELLO_CHARS_MAX + 1)}, {**good_hello, "name": "a\nb"}]
        else:
            wrong += [{**good(kind), f: v} for f in SCHEMA[kind] for v in variants(good(kind)[f])]
        wrong += [{"type": kind}, {**good(kind), "more": 1}]
        for start in range(0, len(wrong), 25):
            liars = []
            for said in wrong[start : start + 25]:
                for before in ((), (first,)):
                    liar = Liar(victim)
                    body = msgpack.packb(said)
                    liar.say(*before, len(body).to_bytes(4, "big") + body)
                    liars.append(liar)
            group.run_until(lambda each=liars: all([x.listens() for x in each]), "all cut off")
            assert {k for liar in liars for k in liar.kinds} <= {"refuse", "called", "i_am"}


def test_who_only_asks_questions_is_cut_off(tmp_path: Path) -> None:
    with patient(tmp_path) as group, unharmed(group):
        liar = Liar(group.elect())
        guesses: list[Message] = [
            {"type": "did_you_call", "call": f"{n:032x}"} for n in range(QUESTIONS_MAX + 1)
        ]
        liar.say(hello(group, group.followers[0].name), *guesses)
        group.run_until(liar.listens, "cut off")
        assert not any(message.get("is_mine") for message in liar.heard)


def test_a_thousand_connections_of_all_kinds_are_bounded(tmp_path: Path) -> None:
    """Silent ones, halves of a hello, one letter after the other, members' names, unknown names."""
    with patient(tmp_path) as group, unharmed(group), contextlib.ExitStack() as sockets:
        members = list(group.members.values())
        dead_name = group.followers[0].name
        whole = encode(hello(group, dead_name))
        kinds: list[Callable[[int], bytes]] = [
            lambda n: b"",
            lambda n: whole[: n % len(whole)],
            lambda n: whole[:4] + b"\x8f" * (n % 60),
            lambda n: whole,
            lambda n: encode(hello(group, f"mallory-{n}")),
        ]
        for number in range(1000):
            liar = Liar(members[number % 3])
            sockets.callback(liar.sock.close)
            liar.say(kinds[number // 3 % len(kinds)](number))
            if number % 20 == 0:
                group.run_until(lambda: True, "")
                group.reactor.step(0.0)
                for member in members:
                    member.consensus.turn()
                    assert member.links.accepted.strangers <= STRANGERS_MAX
                    assert len(member.links.callers.all()) <= 2 * WAITING_MAX


def test_a_term_that_cannot_be_is_not_believed_of_a_member_either() -> None:
    """It is kept for ever, and one more is asked for with each election."""
    bench = Bench("abc")
    bench.elect("a", "b")
    term = bench["a"].term()
    for message in (
        {"type": "higher_term", "term": BILLION},
        {"type": "request_vote", "term": BILLION, "last_log_index": 9, "last_log_term": 9},
        {"type": "prevote", "term": (1 << 63) - 1, "last_log_index": 9, "last_log_term": 9, "round": 1},
        {"type": "next_node_idx", "term": BILLION, "next_node_idx": 9, "reset": False, "success": True},
    ):
        bench["a"].deliver("b", dict(message))
        assert bench["a"].term() == term
    assert bench.dropped == [("a", "b")] * 4
    bench["a"].deliver("b", {"type": "higher_term", "term": term + TERM_JUMP_MAX})
    assert bench["a"].term() == term + TERM_JUMP_MAX


# ---- who is asked before it is admitted


def asked(group: Group, name: str, address: str) -> tuple[str, str]:
    """The uid of who answered, or why it cannot be admitted."""
    heard: list[tuple[str, str]] = []
    group.elect().consensus.ask(name, address, lambda uid, why: heard.append((uid, why)))
    group.run_until(lambda: heard != [], f"whether {name} is at {address}")
    return heard[0]


Tls = Callable[[Path], Callable[[str], TlsFiles] | None]


def plain(directory: Path) -> None:
    return None


def secured(directory: Path) -> Callable[[str], TlsFiles]:
    return Certificates(directory / "tls", cluster="cluster-1").issue


@pytest.mark.parametrize("tls", [plain, secured])
def test_a_node_that_waits_to_join_is_found_and_bound_at_once(tmp_path: Path, tls: Tls) -> None:
    with running(tmp_path, tls=tls(tmp_path)) as group:
        leader = group.elect()
        joiner = group.start("d", joining=True)
        uid, why = asked(group, "d", group.addresses["d"])
        assert (uid, why) == (joiner.consensus.settings.uid, "")
        assert leader.consensus.membership.get("d") is None, "asking changes nothing"
        assert leader.consensus.add_member("d", group.addresses["d"], uid=uid) is None
        group.run_until(lambda: "d" in leader.consensus.membership.voters, "d votes")


@pytest.mark.parametrize("tls", [plain, secured])
def test_who_else_answers_at_the_address_of_a_newcomer_is_named(tmp_path: Path, tls: Tls) -> None:
    with running(tmp_path, tls=tls(tmp_path)) as group, socket.socket() as silent:
        silent.bind(("127.0.0.1", free_port()))
        nowhere = f"127.0.0.1:{silent.getsockname()[1]}"
        leader = group.elect()
        other = group.followers[0]
        joiner = group.start("d", joining=True)
        said = {
            "nobody": asked(group, "d", nowhere),
            "another": asked(group, "e", group.addresses["d"]),
            "a member": asked(group, other.name, group.addresses[other.name]),
            "no address": asked(group, "d", "127.0.0.1:x"),
        }
        assert not any(uid for uid, _ in said.values())
        assert f"nobody answers as a node at {nowhere}" in said["nobody"][1]
        assert "Start the node first" in said["nobody"][1]
        assert group.addresses["d"] in said["another"][1]
        assert ("answers d, not e" if tls is plain else "is not e: its certificate") in said["another"][1]
        assert "as a founder or with a vote of its own" in said["a member"][1]
        assert "host:port" in said["no address"][1]
        silent.listen()
        assert f"nobody answered at {nowhere} within 3 s" in asked(group, "d", nowhere)[1]
        if tls is plain:
            group.cluster = "cluster-2"
            stranger = group.start("f", joining=True)
            why = asked(group, "f", group.addresses["f"])[1]
            assert "answers f of another cluster, cluster-2" in why
            assert stranger.fatal == ""
        assert joiner.fatal == ""
        assert leader.consensus.membership.get("d") is None


def test_a_node_tells_its_uid_to_nobody_when_it_does_not_join(tmp_path: Path) -> None:
    with patient(tmp_path) as group, unharmed(group):
        curious = Liar(group.elect())
        curious.say({"type": "who", "cluster": group.cluster, "name": "mallory"})
        group.run_until(curious.listens, "answered")
        assert [(m["type"], m["uid"], m["joining"]) for m in curious.heard] == [("i_am", "", False)]
