"""Who may talk to whom: clusters, names, uids, certificates, plain TCP beyond loopback."""

from __future__ import annotations

import datetime
import random
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster.links import LinkHost
from cluster.membership import Membership, vet
from cluster.raft import LIBRARY_VERSION, PINNED_VERSION
from cluster.reactor import Reactor
from cluster.settings import Founder
from cluster.tcp import LinkSettings, TcpLinks, TlsFiles, split_address
from cluster.wire import Hello, Message, Refusal, encode
from tests.cluster.members import free_port, running


def hello(name: str = "a", uid: str = "u", cluster: str = "c") -> Hello:
    return Hello(cluster, name, uid, 1, 1, "", "", "", 0, False)


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, directory.name)])
        certificate = self._sign(self._name, self._key, None)
        self.trust = directory / "trust.pem"
        self.trust.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> TlsFiles:
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        if not certificate.exists():
            private = ec.generate_private_key(ec.SECP256R1())
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            certificate.write_bytes(
                self._sign(subject, private, name).public_bytes(serialization.Encoding.PEM)
            )
            key.write_bytes(
                private.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        return TlsFiles(certificate, key, self.trust)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, name: str | None
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=name is None, path_length=None), critical=True)
        )
        if name is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


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
        (hello("came-later"), None),
        (hello("a"), "self"),
        (hello("b", "ub", cluster="other"), "cluster"),
    ],
)
def test_vetting(seen: Hello, code: str | None) -> None:
    membership = Membership.founded([Founder(n, f"{n}:1") for n in "abcx"]).bound("b", "ub").without("x")
    refusal = vet(seen, cluster="c", name="a", membership=membership, committed=membership, known=["a", "b"])
    assert (refusal.code if refusal else None) == code
    assert refusal is None or refusal.final == (code in ("uid", "removed"))


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
    authority = Authority(tmp_path / "authority")
    with running(tmp_path, tls=authority.issue) as group:
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

    def __init__(self, name: str, cluster: str = "c") -> None:
        self.name, self.cluster = name, cluster
        self.up: list[str] = []
        self.down: list[str] = []
        self.lost: list[str] = []
        self.messages: list[Message] = []
        self.refusals: list[Refusal] = []

    def hello(self) -> Hello:
        return hello(self.name, "u" + self.name, self.cluster)

    def vet(self, hello: Hello) -> Refusal | None:
        return (
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
        self, first: Ear, second: Ear, tls: Callable[[str], TlsFiles | None] = lambda name: None
    ) -> None:
        self.reactor = Reactor()
        self.ears = (first, second)
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in self.ears]
        self.links = []
        for ear, address in zip(self.ears, self.addresses, strict=True):
            links = TcpLinks(self.reactor, LinkSettings(address, tls=tls(ear.name)), rng=random.Random(1))
            links.attach(ear)
            self.links.append(links)
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


def test_certificate_of_another_authority_is_no_connection(tmp_path: Path) -> None:
    mine, foreign = Authority(tmp_path / "mine"), Authority(tmp_path / "foreign")
    first, second, third = Ear("a"), Ear("b"), Ear("c")
    pair = Pair(first, second, tls=lambda name: (mine if name == "a" else foreign).issue(name))
    good = TcpLinks(pair.reactor, LinkSettings(f"127.0.0.1:{free_port()}", tls=mine.issue("c")))
    good.attach(third)
    good.set_peers({"a": pair.addresses[0]})
    pair.until(lambda: third.up == ["a"], "c of the same authority connects")
    assert not first.up
    assert not second.up
    good.close()
    pair.close()


def test_certificate_must_name_the_node_that_the_hello_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second, tls=lambda name: authority.issue("a" if name == "a" else "mallory"))
    pair.until(lambda: bool(second.refusals), "b refused")
    assert second.refusals[0].code == "certificate"
    assert "mallory, not b" in second.refusals[0].reason
    assert not first.up
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
    message = {"type": "propose", "proposals": [b"x" * (8 << 20)]}
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


def test_each_direction_can_be_dialled_through_another_address() -> None:
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second)
    pair.links[0].close()
    nowhere = f"127.0.0.1:{free_port()}"
    pair.links[0] = TcpLinks(pair.reactor, LinkSettings(pair.addresses[0], dial={"b": nowhere}))
    pair.links[0].attach(first)
    pair.links[0].set_peers({"b": pair.addresses[1]})
    pair.until(lambda: second.up == ["a"], "b reaches a")
    assert pair.links[1].send("a", {"type": "higher_term", "term": 7})
    pair.links[1].flush()
    pair.until(lambda: bool(first.messages), "heard")
    assert pair.links[0].send("b", {"type": "higher_term", "term": 7}) is False
    assert not first.up
    pair.close()
