"""What leaves the cluster: each failure that was committed is told at least once, under one id, and no
other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.cluster import Cluster, wait_for, write_node_config
from tests.e2e.cluster import DEADLINE_S, NewCluster, command_line, knob

pytestmark = pytest.mark.cluster

KILLS = knob("KILLS", 2)
HELD = 2  #: notices under way when a leader dies


class Receiver(ThreadingHTTPServer):
    """It notes what it hears, and answers while `gate` is open."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()
        self.heard: list[tuple[str, bytes]] = []
        self.held = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def runs(self) -> dict[int, set[str]]:
        """Each run that was told of, with the ids under which it was."""
        found: dict[int, set[str]] = {}
        for id, body in list(self.heard):
            found.setdefault(json.loads(body)["data"]["run"], set()).add(id)
        return found


class Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.heard.append((self.headers["webhook-id"], body))
            self.server.held += 1
        self.server.gate.wait(DEADLINE_S)
        with self.server.lock:
            self.server.held -= 1
        with suppress(OSError):  # who sent it may be dead
            self.send_response(204)
            self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.gate.set()
            receiver.shutdown()
            thread.join()


def failed_runs(cluster: Cluster) -> set[int]:
    found: set[int] = set()
    query: dict[str, Any] = {"job": "failing", "limit": 1_000}
    while True:
        page = cluster.client.get("/v1/runs", query)
        found |= {run["id"] for run in page["items"] if run["state"] in ("failed", "timed_out", "lost")}
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_a_leader_that_dies_while_it_sends_loses_no_notice_and_makes_none_up(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    for node in cluster.nodes:
        extra = {"webhooks": {"loopback": True}}
        write_node_config(node, cluster.nodes, uid=cluster.uid, token=cluster.token, extra=extra)
    with receiving() as receiver:
        cluster.start()
        failing = {
            "job": "failing", "run": "exit 3", "triggers": {"every": "500ms"},
            "policies": {"overlap": "allow", "retention": {"runs": 10_000}},
            "notify": [{"on": ["failed"], "webhook": receiver.url}],
        }  # fmt: skip
        cluster.client.apply([failing])
        for _ in range(KILLS):
            receiver.gate.clear()
            wait_for(lambda: receiver.held >= HELD, DEADLINE_S, "notices that are not answered yet")
            lost = cluster.leader()
            lost.kill()
            before = len(receiver.runs())
            receiver.gate.set()
            wait_more(receiver, before + 4)
            lost.start()
            cluster.wait_ready()
        cluster.client.ask("POST", "/v1/jobs/failing/pause")
        wait_for(lambda: not active(cluster), DEADLINE_S, "the end of the last run")
        wait_for(lambda: not cluster.client.get("/v1/outbox")["items"], DEADLINE_S, "an empty outbox")

        told = receiver.runs()
        assert set(told) == failed_runs(cluster), "each failure that was committed, and no other"
        assert all(len(ids) == 1 for ids in told.values()), "one id for each, whoever led"
        bodies = {(id, body) for id, body in receiver.heard}
        assert len(bodies) == len(told), "each try says the same"
        assert len(receiver.heard) >= len(told) + HELD * KILLS, "what nobody had reported was sent again"
        listed = command_line(cluster, "notify", "list", "-o", "json")
        assert (listed.returncode, json.loads(listed.stdout)) == (0, []), listed.stderr
        cluster.equal_heads()


def wait_more(receiver: Receiver, runs: int) -> None:
    wait_for(lambda: len(receiver.runs()) >= runs, DEADLINE_S, "notices of the next leader")


def active(cluster: Cluster) -> int:
    found: int = cluster.client.get("/v1/jobs/failing")["active_runs"]
    return found
