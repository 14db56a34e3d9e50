"""Many who listen, half of whom never read: everyone else is served, the leader stays, all is given back."""

from __future__ import annotations

import os
import re
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from bench.cluster import Cluster, Node, wait_for
from bench.jobs import NOOP, every_second, spread_offset
from tests.e2e.cluster import knob

pytestmark = pytest.mark.cluster

LISTENERS = knob("LISTENERS", 300)  #: 1,000 are promised
JOBS = 30
EVENTS = 300  #: to be heard by everyone who reads
HEARD_S = 90.0
FREE_S = 50.0  #: ten times what is promised
FILES_SLACK = 20  #: connections of others that come and go
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass(slots=True)
class Reader:
    """What one client that reads has got so far."""

    status: int = 0
    events: int = 0
    ended: bool = False


class Crowd:
    """Clients of one node that asked for the same; every second one reads."""

    def __init__(self, cluster: Cluster, node: Node, path: str, headers: str = "") -> None:
        address = urlsplit(node.url)
        request = f"GET {path} HTTP/1.1\r\nHost: n\r\nConnection: close\r\n"
        headers += f"Authorization: Bearer {cluster.token}\r\n"
        self.readers: list[Reader] = []
        self._selector = selectors.DefaultSelector()
        self._opened: list[socket.socket] = []
        for number in range(LISTENERS):
            client = socket.create_connection((address.hostname or "", address.port or 0), timeout=HEARD_S)
            self._opened.append(client)
            client.sendall(f"{request}{headers}\r\n".encode())
            if number % 2:
                client.setblocking(False)
                self.readers.append(Reader())
                self._selector.register(client, selectors.EVENT_READ, self.readers[-1])

    def read(self) -> None:
        """What has come for those who read."""
        for key, _ in self._selector.select(0.1):
            reader: Reader = key.data
            client = key.fileobj
            assert isinstance(client, socket.socket)
            data = b""
            with suppress(ConnectionError):
                data = client.recv(1 << 18)
            if not reader.status and (found := STATUS.match(data)):
                reader.status = int(found[1])
            reader.events += data.count(b"\nid: ")
            if not data:
                reader.ended = True
                self._selector.unregister(client)

    def close(self) -> None:
        self._selector.close()
        for client in self._opened:
            client.close()


@contextmanager
def crowd(cluster: Cluster, node: Node, path: str, headers: str = "") -> Iterator[Crowd]:
    """The crowd while it lasts; what it held is free soon after."""
    front = node.pids()["front"]
    files, threads = held(front)
    found = Crowd(cluster, node, path, headers)
    try:
        yield found
    finally:
        found.close()
    wait_for(lambda: held(front)[0] <= files + FILES_SLACK, FREE_S, "the crowd's connections closed", 0.1)
    assert held(front)[1] <= threads + 50  # a bounded pool of them stays


def held(pid: int) -> tuple[int, int]:
    """Open files and threads of a process."""
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


@pytest.fixture
def busy(besieged: Cluster) -> Iterator[Cluster]:
    """The cluster with 30 no-ops a second."""
    jobs = [every_second(f"noop-{n}", NOOP, offset_ms=spread_offset(n, JOBS))[0] for n in range(JOBS)]
    besieged.client.apply(jobs)
    with ExitStack() as afterwards:
        for job in jobs:
            afterwards.callback(besieged.client.ask, "DELETE", f"/v1/jobs/{job['job']}")
        yield besieged


@pytest.mark.parametrize("headers", ["", "Last-Event-ID: 1.0\r\n"], ids=["new streams", "resumed streams"])
def test_event_streams_keep_nobody_out(busy: Cluster, headers: str) -> None:
    with crowd(busy, busy.leader(), "/v1/events", headers) as listeners:
        end_s = time.monotonic() + HEARD_S
        while min(reader.events for reader in listeners.readers) < EVENTS:
            assert time.monotonic() < end_s, sorted(reader.events for reader in listeners.readers)
            listeners.read()
        assert {reader.status for reader in listeners.readers} == {200}


def test_blocking_queries_that_all_wake_at_once_keep_nobody_out(busy: Cluster) -> None:
    leader = busy.leader()
    index = busy.status(leader)["index"] + 200
    with crowd(busy, leader, f"/v1/jobs?index={index}&wait=60s&limit=1000") as listeners:
        end_s = time.monotonic() + HEARD_S
        while not all(reader.ended for reader in listeners.readers):
            assert time.monotonic() < end_s, sum(reader.ended for reader in listeners.readers)
            listeners.read()
        assert {reader.status for reader in listeners.readers} == {200}


def test_followers_of_an_output_that_never_comes_keep_nobody_out(busy: Cluster) -> None:
    busy.client.ask("PUT", "/v1/jobs/quiet", {"run": "sleep 600"})
    run = busy.client.ask("POST", "/v1/jobs/quiet/runs", {}).json()["id"]
    try:
        with crowd(busy, busy.leader(), f"/v1/runs/{run}/logs?follow=true") as listeners:
            end_s = time.monotonic() + HEARD_S
            while not all(reader.status for reader in listeners.readers):
                assert time.monotonic() < end_s, sum(bool(reader.status) for reader in listeners.readers)
                listeners.read()
            assert {reader.status for reader in listeners.readers} == {200}
    finally:
        busy.client.ask("POST", f"/v1/runs/{run}/cancel")
        busy.client.ask("DELETE", "/v1/jobs/quiet")
