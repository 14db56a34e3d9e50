"""Who may talk to whom: clusters, names, uids, certificates, plain TCP beyond loopback."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.accepted import STRANGERS_MAX
from cluster.addresses import split_address
from cluster.library import LIBRARY_VERSION, PINNED_VERSION
from cluster.links import LinkHost
from cluster.membership import Membership, vet
from cluster.reactor import Reactor
from cluster.settings import Founder
from cluster.tcp import LinkSettings, TcpLinks
from cluster.tls import TlsFiles
from cluster.wire import Hello, Message, Refusal, encode
from tests.cluster.certificates import Certificates
from tests.cluster.members import free_port, running


def hello(name: str = "a", uid: str = "u", cluster: str = "c") -> Hello:
    return Hello(cluster, name, uid, 1, 1, "", "", "", 0, False)


def test_library_is_the_version_whose_private_names_are_overridden() -> None:
    assert LIBRARY_VERSION == PINNED_VERSION == "0.3.17"


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (hello("b", "ub"), None),
        (hello("c", "whatever"), None),
        (hello("b", "other"), "uid"),
        (hello("x"), "removed"),
        (replace(hello("new"), joining=True), "unknown"),
        (hello("came-later"), "unknown"),
        (hello("a"), "self"),
        (hello("b", "ub", cluster="other"), "cluster"),
    ],
)
def test_vetting(seen: Hello, code: str | None) -> None:
    membership = Membership.founded([Founder(n, f"{n}:1") for n in "abcx"]).bound("b", "ub").without("x")
    refusal = vet(seen, cluster="c", name="a", membership=membership, committed=membership, known=["a", "b"])
    assert (refusal.code if refusal else None) == code
    assert refusal is None or refusal.final == (code in ("uid", "removed"))


@pytest.mark.parametrize(
    ("least", "most", "format", "told"),
    [
        (1, 1, 1, None),
        (1, 3, 2, None),
        (1, 1, 0, None),
        (1, 1, 2, "b supports format 1, and the cluster is at format 2"),
        (3, 4, 2, "b supports formats 3 to 4, and the cluster is at format 2"),
    ],
)
def test_a_node_that_does_not_support_the_format_is_refused_by_name(
    least: int, most: int, format: int, told: str | None
) -> None:
    refusal = replace(hello("b"), format_min=least, format_max=most).unfit(format)
    assert (refusal is None) == (told is None)
    if refusal is not None and told is not None:
        assert told in refusal.reason
        assert refusal.final


def test_joining_node_trusts_the_names_of_its_configuration_only() -> None:
    assert (
        vet(hello("b"), cluster="c", name="a", membership=Membership(), committed=Membership(), known=["b"])
        is None
    )
    refusal = vet(
        hello("z"), cluster="c", name="a", membership=Membership(), committed=Membership(), known=["b"]
    )
    assert refusal is not None
    assert refusal.code == "unknown"


def test_membership_comes_back_from_its_bytes() -> None:
    membership = (
        Membership.founded([Founder("a", "h:1", "z", "u"), Founder("b", "h:2")]).bound("a", "1").without("b")
    )
    assert Membership.decode(membership.encode()) == membership
    for data in (b"", b"\x93\x02\x90\x90", b"\xc1", membership.encode()[:-2]):
        with pytest.raises(ValueError):  # noqa: PT011  # msgpack words it
            Membership.decode(data)


def test_members_talk_over_mutual_tls(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "tls", cluster="cluster-1")
    with running(tmp_path, tls=certificates.issue) as group:
        leader = group.elect()
        big = "y" * 900_000
        group.propose(group.followers[0], big)
        group.settle(big)
        leader.links.reload()
        group.kill(group.followers[0].name)
        group.propose(leader, "z")
        group.settle("z")


class Ear(LinkHost):
    """Keeps what a link tells."""

    def __init__(self, name: str, cluster: str = "c", refuses: Refusal | None = None) -> None:
        self.name, self.cluster, self.refuses = name, cluster, refuses
        self.up: list[str] = []
        self.down: list[str] = []
        self.lost: list[str] = []
        self.messages: list[Message] = []
        self.refusals: list[Refusal] = []

    def hello(self) -> Hello:
        return hello(self.name, "u" + self.name, self.cluster)

    def vet(self, hello: Hello) -> Refusal | None:
        return self.refuses or (
            None if hello.cluster == self.cluster else Refusal("cluster", f"this is cluster {self.cluster}")
        )

    def connected(self, hello: Hello) -> None:
        self.up.append(hello.name)

    def disconnected(self, peer: str) -> None:
        self.down.append(peer)

    def inbound_lost(self, peer: str) -> None:
        self.lost.append(peer)

    def received(self, peer: str, message: Message) -> None:
        self.messages.append(message)

    def refused(self, peer: str, refusal: Refusal) -> None:
        self.refusals.append(refusal)


class Pair:
    """Two links on one reactor, without consensus."""

    def __init__(
        self,
        first: Ear,
        second: Ear,
        tls: Callable[[str], TlsFiles | None] = lambda name: None,
        *,
        connect: bool = True,
    ) -> None:
        self.reactor = Reactor()
        self.ears = (first, second)
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in self.ears]
        self.links = []
        for ear, address in zip(self.ears, self.addresses, strict=True):
            links = TcpLinks(self.reactor, LinkSettings(address, tls=tls(ear.name)), rng=random.Random(1))
            links.attach(ear)
            self.links.append(links)
        if connect:
            self.connect()

    def connect(self) -> None:
        first, second = self.ears
        self.links[0].set_peers({second.name: self.addresses[1]})
        self.links[1].set_peers({first.name: self.addresses[0]})

    def until(self, condition: Callable[[], bool], what: str) -> None:
        for _ in range(2000):
            if condition():
                return
            self.reactor.step(0.01)
        raise AssertionError(what)

    def close(self) -> None:
        for links in self.links:
            links.close()
        self.reactor.close()


def test_wrong_cluster_is_refused_on_both_sides() -> None:
    first, second = Ear("a"), Ear("b", cluster="other")
    pair = Pair(first, second)
    pair.until(lambda: bool(first.refusals and second.refusals), "both refused")
    assert first.refusals[0] == Refusal("cluster", "this is cluster other")
    assert not first.up
    assert not second.up
    assert pair.links[0].send("b", {"type": "response_vote", "term": 1}) is False
    pair.close()


Tls = Callable[[Path, str], TlsFiles | None]


def good(directory: Path, name: str) -> TlsFiles:
    return Certificates(directory / "good", cluster="c").issue(name)


def of_another_authority(directory: Path, name: str) -> TlsFiles:
    return Certificates(directory / "foreign", cluster="c").issue(name)


def of_another_authority_trusting_ours(directory: Path, name: str) -> TlsFiles:
    """A stolen bundle does not help."""
    foreign, trust = of_another_authority(directory, name), directory / "both.pem"
    trust.write_bytes(foreign.trust.read_bytes() + good(directory, "a").trust.read_bytes())
    return replace(foreign, trust=trust)


def of_another_cluster(directory: Path, name: str) -> TlsFiles:
    """Our authority signed it, for another cluster."""
    return Certificates(directory / "good", cluster="other").issue(name)


def of_another_node(directory: Path, name: str) -> TlsFiles:
    return Certificates(directory / "good", cluster="c").issue("mallory")


def of_no_node(directory: Path, name: str) -> TlsFiles:
    """As one for a web server of the same authority."""
    return Certificates(directory / "good", cluster="c").web(name)


def expiring(directory: Path, name: str) -> TlsFiles:
    """Good for a moment more."""
    return Certificates(directory / "good", cluster="c").issue(name, age_days=90 - 2 / 86_400, days=90)


def none(directory: Path, name: str) -> None:
    return None


@pytest.mark.parametrize(
    ("theirs", "said_by_a", "said_by_b"),
    [
        (of_another_authority, "our bundle (tls.ca) does not hold", "our bundle (tls.ca) does not hold"),
        (
            of_another_authority_trusting_ours,
            "our bundle (tls.ca) does not hold",
            "it refuses the certificate of this node",
        ),
        (of_another_cluster, "belongs to another cluster, cronclave://other/node/b", "another cluster"),
        (of_another_node, "cronclave://c/node/mallory, not of b", "cronclave://c/node/mallory, not of b"),
        (of_no_node, "its certificate names no node", "its certificate names no node"),
        (expiring, "its certificate has expired: renew it", "it refuses the certificate of this node"),
        (none, "it does not speak TLS", "it speaks TLS and this node does not"),
    ],
)
def test_a_wrong_certificate_is_refused_by_both_and_said_by_both(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    theirs: Tls,
    said_by_a: str,
    said_by_b: str,
) -> None:
    """`a` and `c` are members with good certificates; `b` is not what it should be."""
    caplog.set_level(logging.INFO, "cluster")
    good(tmp_path, "c")
    first, second, third = Ear("a"), Ear("b"), Ear("c")
    pair = Pair(
        first, second, tls=lambda name: (theirs if name == "b" else good)(tmp_path, name), connect=False
    )
    if theirs is expiring:
        ends_s = pair.links[1].certificate_ends_s
        assert ends_s is not None
        pair.until(lambda: time.time() > ends_s + 1, "it has expired")
    pair.connect()
    other = TcpLinks(pair.reactor, LinkSettings(f"127.0.0.1:{free_port()}", tls=good(tmp_path, "c")))
    other.attach(third)
    other.set_peers({"a": pair.addresses[0]})
    pair.until(lambda: said_by_a in caplog.text and said_by_b in caplog.text, caplog.text)
    pair.until(lambda: third.up == ["a"], "c connects meanwhile")
    pair.until(lambda: bool(first.refusals), "the status of a shows why")
    assert not first.up
    assert not second.up
    assert not first.messages
    assert pair.links[0].send("b", {"type": "response_vote", "term": 1}) is False
    other.close()
    pair.close()


def test_a_refusal_is_not_believed_before_the_certificate_is_seen(tmp_path: Path) -> None:
    """`removed` would end this node: a certificate of no node must not be able to say it."""
    first, second = Ear("a"), Ear("b", refuses=Refusal("removed", "b says that a was removed"))
    pair = Pair(first, second, tls=lambda name: (good if name == "a" else of_no_node)(tmp_path, name))
    pair.until(lambda: bool(first.refusals), "a refused b")
    assert {refusal.code for refusal in first.refusals} == {"certificate"}
    pair.close()


def test_repeated_refusals_are_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cluster")
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second, tls=lambda name: (good if name == "a" else of_another_node)(tmp_path, name))
    pair.until(lambda: len(first.refusals) >= 3, "three attempts")
    lines = [line for line in caplog.text.splitlines() if "no connection to node b" in line]
    assert len(lines) == 1, caplog.text
    pair.close()


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 40, b"\xff\xff\xff\xff", b"\x16\x03\x01\x00"]
)
def test_garbage_at_a_tls_port_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second, tls=lambda name: good(tmp_path, name))
    with socket.create_connection(split_address(pair.addresses[0])) as stranger:
        stranger.sendall(said)
        pair.until(lambda: first.up == ["b"] and second.up == ["a"], "connected beside the stranger")
    assert not first.messages
    pair.close()


def test_a_client_without_a_certificate_gets_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second, tls=lambda name: good(tmp_path, name))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(split_address(pair.addresses[0])) as stranger:
        stranger.setblocking(False)
        wrapped = context.wrap_socket(stranger, do_handshake_on_connect=False)
        answer: list[str] = []

        def refused() -> bool:
            try:
                wrapped.do_handshake()
                wrapped.send(encode(hello("b").message()))
                answer.append(str(wrapped.recv(100)))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            except OSError as error:
                answer.append(str(error))
            return True

        pair.until(refused, "refused")
        wrapped.close()
    assert "CERTIFICATE_REQUIRED" in answer[0].upper().replace(" ", "_"), answer
    pair.until(lambda: "it shows no certificate" in caplog.text, "said")
    pair.close()


def test_messages_cross_and_a_death_is_noticed_on_both_directions() -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second)
    pair.until(lambda: first.up == ["b"] and second.up == ["a"], "connected")
    for term in range(100):
        assert pair.links[0].send("b", {"type": "response_vote", "term": term})
    pair.links[0].flush()
    pair.until(lambda: len(second.messages) == 100, "delivered")
    assert [m["term"] for m in second.messages] == list(range(100))
    pair.links[1].close()
    pair.until(lambda: first.down == ["b"] and first.lost == ["b"], "noticed")
    pair.close()


def test_peer_that_does_not_read_is_disconnected_not_buffered() -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second)
    pair.until(lambda: first.up == ["b"], "connected")
    message = {"type": "propose", "proposals": [b"x" * (8 << 20)], "can_wait": False}
    for _ in range(10):
        pair.links[0].send("b", message)
    assert pair.links[0].queued_bytes("b") > 64 << 20
    pair.until(lambda: first.down == ["b"], "disconnected")
    assert pair.links[0].queued_bytes("b") == 0
    pair.close()


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02\xc1\xc1",
        encode({"type": "response_vote", "term": 9}),
        encode({**hello("b").message(), "protocol": 2}),
    ],
)
def test_stranger_is_cut_off_and_harms_nobody(said: bytes) -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second)
    pair.until(lambda: first.up == ["b"] and second.up == ["a"], "connected")
    host, port = split_address(pair.addresses[0])
    with socket.create_connection((host, port)) as stranger:
        stranger.setblocking(False)
        stranger.sendall(said)

        def cut_off() -> bool:
            try:
                return stranger.recv(100) == b""
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True

        pair.until(cut_off, "the stranger is cut off")
    assert not first.messages
    assert not first.down
    pair.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"], ids=["same-host", "another-host"])
def test_a_crowd_that_says_nothing_keeps_no_peer_out(host: str, tmp_path: Path) -> None:
    """Whoever is closed calls again at once, more often than a node lets in."""
    with running(tmp_path) as group, contextlib.ExitStack() as sockets:
        leader = group.elect()
        away = group.followers[0].name
        group.kill(away)
        ports = [split_address(m.consensus.settings.address)[1] for m in group.members.values()]
        crowd: dict[socket.socket, int] = {}

        def call(port: int) -> None:
            sock = sockets.enter_context(socket.socket())
            sock.setblocking(False)
            sock.bind((host, 0))
            sock.connect_ex(("127.0.0.1", port))
            crowd[sock] = port

        def crowd_holds() -> None:
            for sock, port in list(crowd.items()):
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    if sock.recv(1, socket.MSG_PEEK) == b"":
                        del crowd[sock]
                        sock.close()
                        call(port)

        for port in ports:
            for _ in range(STRANGERS_MAX + 16):
                call(port)
        group.run_until(
            lambda: all(m.links.accepted.strangers == STRANGERS_MAX for m in group.members.values()),
            "a crowd",
        )

        back = group.start(away)

        def reached() -> bool:
            crowd_holds()
            if "word" not in leader.machine.proposals:
                back.consensus.propose(b"word")  # goes to the leader over the connection that the peer dials
            return "word" in back.machine.proposals

        group.run_until(reached, "the peer is back")
        assert all(m.links.accepted.strangers <= STRANGERS_MAX for m in group.members.values())


def test_nothing_large_is_kept_of_who_has_not_said_who_it_is(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second, connect=False)
    with socket.create_connection(split_address(pair.addresses[0])) as stranger:
        stranger.sendall((1 << 20).to_bytes(4, "big") + b"x" * 1000)
        pair.until(lambda: "a frame of 1048576 bytes, 16384 at most" in caplog.text, "cut off at once")
    pair.close()


def test_plain_tcp_beyond_loopback_needs_to_be_told() -> None:
    reactor = Reactor()
    with pytest.raises(ValueError, match="not a loopback address"):
        TcpLinks(reactor, LinkSettings("0.0.0.0:21999"))
    links = TcpLinks(reactor, LinkSettings(f"0.0.0.0:{free_port()}", insecure=True))
    links.close()
    reactor.close()


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:x", "host:70000"])
def test_malformed_addresses(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_address(address)


def test_each_direction_can_be_dialled_through_another_address(tmp_path: Path) -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second, tls=lambda name: good(tmp_path, name))
    pair.links[0].close()
    nowhere = f"127.0.0.1:{free_port()}"
    settings = LinkSettings(pair.addresses[0], tls=good(tmp_path, "a"), dial={"b": nowhere})
    pair.links[0] = TcpLinks(pair.reactor, settings)
    pair.links[0].attach(first)
    pair.links[0].set_peers({"b": pair.addresses[1]})
    pair.until(lambda: second.up == ["a"], "b reaches a")
    assert pair.links[1].send("a", {"type": "higher_term", "term": 7})
    pair.links[1].flush()
    pair.until(lambda: bool(first.messages), "heard")
    assert pair.links[0].send("b", {"type": "higher_term", "term": 7}) is False
    assert not first.up
    pair.close()
