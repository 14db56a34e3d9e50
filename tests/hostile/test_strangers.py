"""Strangers on the Raft ports of real nodes, plain and TLS: nobody ends, no term rises, nothing is told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from bench.cluster import Cluster, Node, free_base_port, wait_for
from cluster.addresses import split_address
from cluster.tls import TlsFiles
from cluster.wire import FrameReader, Hello, Message, encode
from tests.cluster.certificates import Certificates
from tests.e2e.cluster import PORTS
from tests.e2e.secured import lay_out
from tests.e2e.starvation import looked_for, pids_of
from tests.hostile.siege import standing, unharmed

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

DEADLINE_S = 60.0
CONNECTIONS = 1_000
HELD = 200  #: of them at once
LATER = 10**9  #: a term that no election led to


def harmful(term: int) -> list[Message]:
    """What only members may say."""
    append = {"term": term, "commit_index": 1 << 50, "prevLogIdx": 1 << 40, "prevLogTerm": term}
    change = msgpack.packb(["add", "mallory", "127.0.0.1:1", "", "", None])
    return [
        {"type": "append_entries", **append, "entries": [], "behind": True},
        {"type": "higher_term", "term": term},
        {"type": "timeout_now", "term": term},
        {"type": "request_vote", "term": term, "last_log_index": 1 << 60, "last_log_term": term},
        {"type": "propose", "proposals": [b"stolen"], "can_wait": False},
        {"type": "change", "number": 1, "change": change},
        {"type": "copy_ask", "needed": 0},
    ]


def said(cluster: Cluster, name: str, address: str = "127.0.0.1:1") -> Hello:
    return Hello(cluster.uid, name, "0" * 32, 1, 1, "z", address, "", 0, False, 0, "1" * 32)


def heard(node: Node, *messages: Message, tls: ssl.SSLContext | None = None) -> list[Message]:
    """All that the node answers until it ends the connection."""
    reader, answers = FrameReader(), list[Message]()
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        sock = stack.enter_context(socket.create_connection(split_address(node.raft), timeout=DEADLINE_S))
        if tls is not None:
            sock = stack.enter_context(tls.wrap_socket(sock))
        sock.sendall(b"".join(encode(message) for message in messages))
        while data := sock.recv(65536):
            answers += reader.feed(data)
    return answers


def test_strangers_on_plain_ports_harm_nobody(besieged: Cluster) -> None:
    """Unknown names with an address of their own, every member's name, on every node."""
    now = besieged.status(besieged.leader())["term"] + 1
    with socket.create_server(("127.0.0.1", 0)) as ear:
        own = f"127.0.0.1:{ear.getsockname()[1]}"
        for node in besieged.nodes:
            for term in (now, LATER):
                unknown = heard(node, said(besieged, "mallory", own).message(), *harmful(term))
                assert [message["type"] for message in unknown] == ["refuse"]
                for name in (other.name for other in besieged.nodes if other is not node):
                    hello = said(besieged, name).message()
                    answers = heard(node, hello) + heard(node, hello, *harmful(term))
                    assert {message["type"] for message in answers} <= {"refuse"}
        ear.setblocking(False)
        with pytest.raises(BlockingIOError):
            ear.accept()


def test_a_thousand_connections_to_plain_ports_harm_nobody(besieged: Cluster) -> None:
    """Silent ones, halves of a hello, drips, garbage, members' names."""
    whole = encode(said(besieged, besieged.nodes[1].name).message())
    kinds = (b"", whole[:7], whole[:40], b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", whole, whole * 20)
    held: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for number in range(CONNECTIONS):
            node = besieged.nodes[number % len(besieged.nodes)]
            with contextlib.suppress(OSError):
                sock = socket.create_connection(split_address(node.raft), timeout=DEADLINE_S)
                held.append(stack.enter_context(sock))
                sock.sendall(kinds[number % len(kinds)])
            if len(held) > HELD:
                held.pop(0).close()
        for sock in held[::2]:  # one letter after the other, as long as the node bears it
            with contextlib.suppress(OSError):
                sock.sendall(b"\0")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = lay_out(tmp_path_factory.mktemp("secured") / "prod", free_base_port(*PORTS, 3))
    try:
        cluster.start()
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


@contextlib.contextmanager
def unharming(cluster: Cluster) -> Iterator[None]:
    before = standing(cluster)
    with looked_for(pids_of(cluster)) as starvation:
        yield
    wait_for(lambda: len(cluster.statuses()) == len(cluster.nodes), DEADLINE_S, "all answer")
    unharmed(before, standing(cluster), starvation)
    cluster.wait_ready()


def context_of(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(files.trust)
    context.load_cert_chain(files.certificate, files.key)
    return context


def wrong_certificates(cluster: Cluster) -> dict[str, TlsFiles]:
    """All but one signed by the cluster's own CA."""
    directory: Path = cluster.root / "ca"
    own = Certificates(directory, cluster.uid)
    return {
        "of a name that is no member": own.issue("mallory"),
        "of a node that is about to join": own.issue("node-4"),
        "of a web server": own.web("web"),
        "expired": own.issue("expired", age_days=91),
        "of another cluster": Certificates(directory, "other").issue("node-2-of-other"),
        "of another CA": replace(
            Certificates(cluster.root / "foreign", cluster.uid).issue("node-2"), trust=own.trust
        ),
    }


def test_strangers_with_certificates_that_are_not_theirs_harm_nobody(secured: Cluster) -> None:
    with unharming(secured):
        now = secured.status(secured.leader())["term"] + 1
        for kind, files in wrong_certificates(secured).items():
            context = context_of(files)
            for node in secured.nodes:
                for name in ("mallory", "node-4", "node-1", "node-2"):
                    hello = said(secured, name)
                    for joining in (False, True):
                        message = replace(hello, joining=joining).message()
                        answers = heard(node, message, *harmful(now), *harmful(LATER), tls=context)
                        assert {answer["type"] for answer in answers} <= {"refuse"}, kind
                who = {"type": "who", "cluster": secured.uid, "name": "node-2"}
                assert {answer["type"] for answer in heard(node, who, tls=context)} <= {"refuse"}, kind


def test_half_handshakes_and_a_thousand_connections_harm_no_tls_port(secured: Cluster) -> None:
    begins = (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01", b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n")
    with unharming(secured), contextlib.ExitStack() as stack:
        began_s = time.monotonic()
        held: list[socket.socket] = []
        for number in range(CONNECTIONS):
            node = secured.nodes[number % len(secured.nodes)]
            with contextlib.suppress(OSError):
                sock = socket.create_connection(split_address(node.raft), timeout=DEADLINE_S)
                held.append(stack.enter_context(sock))
                sock.sendall(begins[number % len(begins)])
            if len(held) > HELD:
                held.pop(0).close()
        print(f"{CONNECTIONS} connections in {time.monotonic() - began_s:.1f} s")


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_member_whom_nobody_reaches_is_not_admitted(besieged: Cluster, query: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in (silent, gone)]
        gone.close()
        for number, node in enumerate(besieged.nodes):
            for address in (*addresses, besieged.nodes[number].raft):
                member = {"name": "node-9", "address": address, "zone": "z", "url": "http://127.0.0.1:1"}
                reply = besieged.client.send("POST", f"/v1/cluster/members{query}", member, node=number)
                assert reply.status == 409, reply.body
                assert address.encode() in reply.body
            assert "node-9" not in str(besieged.status(node)["peers"])
