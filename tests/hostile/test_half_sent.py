"""Strangers who send half a request, or wrong tokens: everyone else is served, and the log stands still."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from bench.cluster import Cluster, Node
from node.bridge import CALM_STATUS_S

pytestmark = pytest.mark.cluster

HALF_SENT = 520  #: more than may be at work at one time
WRONG_TOKENS = 1_000
LOGIN = b"POST /v1/session HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n"
MIB = 1 << 20
ANSWER_S = 10.0  #: ten times what is promised


def address(node: Node) -> tuple[str, int]:
    found = urlsplit(node.url)
    assert found.hostname
    assert found.port
    return found.hostname, found.port


@contextmanager
def connections(node: Node, count: int, *pieces: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that have sent all of this, as far as anybody reads it."""
    found: list[socket.socket] = []
    try:
        for _ in range(count):
            found.append(socket.create_connection(address(node), timeout=ANSWER_S))
            for piece in pieces:
                found[-1].setblocking(False)
                try:
                    found[-1].send(piece)
                except (BlockingIOError, ConnectionError):
                    break
        yield found
    finally:
        for each in found:
            each.close()


def asked(node: Node, method: str, path: str, token: str, body: object = None) -> int:
    connection = http.client.HTTPConnection(*address(node), timeout=ANSWER_S)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "pieces",
    [
        (LOGIN % 100, b"{"),
        (LOGIN % MIB, b"x" * (MIB - 1)),
        (b"PUT /v1/jobs/j HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n" % MIB, b"x" * (MIB - 1)),
        (b"GET /healthz HTTP/1.1\r\nHost: n\r\nX-Half: ", b"x" * 20_000),
        (b"",),
    ],
    ids=["logins", "logins of 1 MiB", "jobs of 1 MiB", "heads", "silence"],
)
def test_half_sent_requests_keep_nobody_out(besieged: Cluster, pieces: tuple[bytes, ...]) -> None:
    node = besieged.leader()
    with connections(node, HALF_SENT, *pieces):
        for _ in range(10):
            assert asked(node, "GET", "/v1/jobs", besieged.token) == 200
        assert asked(node, "PUT", "/v1/jobs/served", besieged.token, {"noop": True}) in (200, 201)
    besieged.client.ask("DELETE", "/v1/jobs/served")


def test_half_sent_bodies_of_who_has_a_token_take_bounded_memory(besieged: Cluster) -> None:
    node = besieged.leader()
    before = besieged.resident_bytes()[node.name]["front"]
    head = (
        f"PUT /v1/jobs/j HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer {besieged.token}\r\n"
        f"Content-Length: {MIB}\r\n\r\n"
    ).encode()
    with connections(node, HALF_SENT, head, b"x" * (MIB - 1)) as held:
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            for each in held:
                try:
                    each.send(b"x" * 65_536)
                except (BlockingIOError, ConnectionError):
                    continue
            assert asked(node, "GET", "/v1/jobs", besieged.token) == 200
        grown = besieged.resident_bytes()[node.name]["front"] - before
        assert grown < 256 * MIB, f"{grown >> 20} MiB"


def settled_index(cluster: Cluster) -> int:
    """A node tells of itself now and then: once it has told the same for longer than that, it is so."""
    while True:
        told = {node: said["index"] for node, said in cluster.statuses().items()}
        time.sleep(3 * CALM_STATUS_S)
        again = {node: said["index"] for node, said in cluster.statuses().items()}
        if told == again and len(set(told.values())) == 1:
            return int(told.popitem()[1])


def test_wrong_tokens_move_no_log_and_no_right_one_is_kept_out(besieged: Cluster) -> None:
    nodes = besieged.nodes
    before = settled_index(besieged)
    seen = set()
    for number in range(WRONG_TOKENS):
        seen.add(asked(nodes[number % len(nodes)], "GET", "/v1/jobs?consistency=stale", f"wrong-{number}"))
    assert seen == {401, 429}
    for node in nodes:
        assert asked(node, "GET", "/v1/jobs?consistency=stale", besieged.token) == 200
    assert settled_index(besieged) - before < 10  # others may have had something to say meanwhile
