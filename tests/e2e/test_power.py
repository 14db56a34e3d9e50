"""All nodes die at once, under load, and come back.

What was acknowledged is there; what was due meanwhile follows its job's policy.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench.client import Client
from bench.cluster import Cluster, Node, wait_for
from bench.evidence import Every, instant, milliseconds, read_lines
from bench.jobs import append_tick, every_second
from tests.e2e.cluster import DEADLINE_S, NewCluster, knob, verified, wait_lines, wait_run

pytestmark = pytest.mark.cluster

ROUNDS = knob("ROUNDS", 2)
GRACE_MS = 1_000
DOWN_TICKS = 5  #: ticks that fall due beyond the grace while no node is up
POLICIES = ("all", "latest", "none")


@dataclass(slots=True)
class Writer:
    """Submits jobs and runs as fast as they are answered, and remembers what was acknowledged."""

    client: Client
    prefix: str
    jobs: dict[str, int] = field(default_factory=dict)  #: name to revision
    runs: list[int] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        number = 0
        while not self.stopping.is_set():
            name = f"{self.prefix}-{number}"
            number += 1
            node = number % len(self.client.urls)
            try:
                put = self.client.send(
                    "PUT", f"/v1/jobs/{name}", {"job": name, "noop": True}, node=node, timeout_s=5
                )
                if put.status == 201:
                    self.jobs[name] = put.json()["revision"]
                    ran = self.client.send("POST", f"/v1/jobs/{name}/runs", {}, node=node, timeout_s=5)
                    if ran.status == 201:
                        self.runs.append(ran.json()["id"])
            except (OSError, http.client.HTTPException):
                pass  # not acknowledged, so nothing is promised


def kill_all_while_writing(cluster: Cluster, prefix: str) -> Writer:
    """SIGKILL to every node at once, while a writer is in full swing."""
    writer = Writer(Client([node.url for node in cluster.nodes], cluster.token), prefix)
    thread = threading.Thread(target=writer.write, name=prefix)
    thread.start()
    try:
        wait_for(lambda: len(writer.runs) >= 20, DEADLINE_S, "some acknowledged runs")
        cluster.kill_nodes()
    finally:
        writer.stopping.set()
        thread.join()
        writer.client.close()
    return writer


def test_nothing_acknowledged_is_lost_when_every_node_is_killed(new_cluster: NewCluster) -> None:
    cluster = new_cluster(slots=500)
    cluster.start()
    for number in range(ROUNDS):
        writer = kill_all_while_writing(cluster, f"round-{number}")
        cluster.start()

        assert len(writer.jobs) >= len(writer.runs) >= 20
        for name, revision in writer.jobs.items():
            assert cluster.client.get(f"/v1/jobs/{name}")["revision"] == revision
        for run in writer.runs:
            ended = wait_run(cluster, run)
            assert ended["state"] == "succeeded", ended
        # Its leader came before any front was there to tell; the events of every node name it all the same.
        epoch = max(status["epoch"] for status in cluster.statuses().values())
        assert len({leader_of(cluster, node, epoch) for node in cluster.nodes}) == 1


def leader_of(cluster: Cluster, node: Node, epoch: int) -> str:
    """Whom the node's events name to a client that was away."""
    connection = http.client.HTTPConnection(urlsplit(node.url).netloc, timeout=DEADLINE_S)
    headers = {"Authorization": f"Bearer {cluster.token}", "Last-Event-ID": "1.0"}
    try:
        connection.request("GET", "/v1/events?types=led", headers=headers)
        deadline_s = time.monotonic() + DEADLINE_S
        for line in connection.getresponse():
            if time.monotonic() > deadline_s:  # there is a heartbeat every 10 s
                break
            event = json.loads(line[5:]) if line.startswith(b"data:") else {}
            if event.get("epoch") == epoch:
                return str(event["node"])
    finally:
        connection.close()
    raise AssertionError(f"{node.name} never tells of epoch {epoch}")


def test_ticks_due_while_all_nodes_were_down_follow_the_catch_up_policy(new_cluster: NewCluster) -> None:
    cluster = new_cluster(slots=500)
    cluster.start()
    files = {mode: cluster.root / f"{mode}.txt" for mode in POLICIES}
    jobs = {mode: _job(mode, files[mode]) for mode in POLICIES}
    cluster.client.apply([job for job, _ in jobs.values()])
    from_ms = int(time.time() * 1000) + 1_000
    wait_lines(files["all"], 3)
    for _ in range(ROUNDS):
        down_ms = int(time.time() * 1000)
        cluster.kill_nodes()
        wait_wall_ms(down_ms + GRACE_MS + DOWN_TICKS * 1_000)
        cluster.start()
        lines = len(files["all"].read_text().splitlines())
        wait_lines(files["all"], lines + DOWN_TICKS + 3)
    until_ms = int(time.time() * 1000)

    for mode, (_, oracle) in jobs.items():
        ticks = _decided(cluster, oracle, from_ms, until_ms)
        _agree(ticks, files[mode])
        outcomes = Counter(tick["outcome"] for tick in ticks.values())
        if mode == "all":
            assert outcomes == {"ran": len(ticks)}, outcomes
        elif mode == "latest":
            assert outcomes["coalesced"] >= ROUNDS * (DOWN_TICKS - 2), outcomes
            assert set(outcomes) == {"ran", "coalesced"}
        else:
            assert outcomes["missed"] >= ROUNDS * (DOWN_TICKS - 1), outcomes
            assert set(outcomes) == {"ran", "missed"}
    found = verified(cluster, from_ms, until_ms)
    assert found["problem_count"] == 0, found


def wait_wall_ms(moment_ms: int) -> None:
    """Until the clock has passed this moment: what is due by then was due while no node was there."""
    wait_for(lambda: time.time() * 1000 > moment_ms, DEADLINE_S, "ticks fall due while no node is up")


def _job(mode: str, file: Path) -> tuple[dict[str, Any], Every]:
    catchup = {"mode": mode, "grace": f"{GRACE_MS}ms"}
    return every_second(f"catchup-{mode}", append_tick(file), policies={"catchup": catchup})


def _decided(cluster: Cluster, job: Every, from_ms: int, until_ms: int) -> dict[int, dict[str, Any]]:
    """Each due tick with its one outcome, as soon as none is pending."""
    due = set(job.due(from_ms, until_ms))

    def decided() -> dict[int, dict[str, Any]] | None:
        path = f"/v1/jobs/{job.job}/ticks"
        items = list(cluster.client.items(path, {"from": instant(from_ms), "to": instant(until_ms)}))
        found = {milliseconds(tick["at"]): tick for tick in items}
        assert len(found) == len(items), "a tick has two outcomes"
        done = found.keys() == due and all(tick["outcome"] != "pending" for tick in found.values())
        return found if done else None

    return wait_for(decided, DEADLINE_S, f"an outcome for each of {len(due)} ticks of {job.job}", 0.5)


def _agree(ticks: Mapping[int, dict[str, Any]], file: Path) -> None:
    """What the ledger says that ran is what the payload wrote, once each."""
    ran = {at for at, tick in ticks.items() if tick["outcome"] == "ran"}

    def written() -> dict[int, int]:
        return {at: count for (_, at), count in read_lines(file).items() if at in ticks}

    # "ran" is the start; the line follows it by some milliseconds.
    wait_for(lambda: written().keys() >= ran, DEADLINE_S, "a line for each tick that ran", 0.1)
    assert written() == dict.fromkeys(ran, 1)
