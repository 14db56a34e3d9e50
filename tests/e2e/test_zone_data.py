"""Nodes with two tzdata under load: nobody decides by what is installed; a retime loses and doubles nothing.

Two jobs are due each second, the one in the first half of an hour by the clocks of Berlin, the other in the
second half. In the later tzdata these clocks are four and a half hours ahead: the two change places at the
instant of the retime, and whatever the hour is, of each second there is one line.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from bench.cluster import Cluster, wait_for
from bench.evidence import instant
from bench.jobs import append_tick
from tests.e2e.cluster import DEADLINE_S, NewCluster, command_line, wait_lines
from tests.e2e.test_upgrade import THIS_VERSION, restart_as, same_states
from tests.other_zones.node import VERSION as LATER

pytestmark = pytest.mark.cluster

OTHER_ZONES = "tests.other_zones.node"
HALVES = {"low": "* 0-29 * * * *", "high": "* 30-59 * * * *"}


def test_nodes_with_two_zone_data_decide_alike_and_a_retime_loses_nothing(new_cluster: NewCluster) -> None:
    cluster = new_cluster(slots=200)
    cluster.start()
    file = cluster.root / "ticks.txt"
    cluster.client.apply(
        [
            {
                "job": name, "triggers": {"cron": cron, "tz": "Europe/Berlin"},
                "policies": {"overlap": "allow", "retention": {"runs": 50}}, **append_tick(file),
            }
            for name, cron in HALVES.items()
        ]
    )  # fmt: skip
    wait_lines(file, 3)
    from_ms = int(time.time() * 1000)
    first, second, third = cluster.nodes
    before = {status["tzdata"] for status in cluster.statuses().values()}
    assert len(before) == 1

    # Whoever leads: what is installed there decides nothing.
    restart_as(OTHER_ZONES, first, cluster)
    assert installed(cluster) == [LATER, *before, *before]
    same_states(cluster, first)
    moved_to = command_line(cluster, "cluster", "transfer", "--to", first.name)
    assert moved_to.returncode == 0, moved_to
    go_on(file, 5)
    assert proved(cluster, from_ms) == [True] * 3
    assert {status["tzdata"] for status in cluster.statuses().values()} == before
    restart_as(THIS_VERSION, first, cluster)
    for node in (first, second, third):
        restart_as(OTHER_ZONES, node, cluster)
    assert proved(cluster, from_ms) == [True] * 3

    # The leader dies as soon as the new zone data is in force.
    trial = command_line(cluster, "cluster", "retime", "--dry-run")
    assert "Europe/Berlin" in trial.stdout, trial
    assert all(name in trial.stdout for name in HALVES), trial
    leader = cluster.leader()
    at = next(node for node in cluster.nodes if node is not leader)
    done = command_line(cluster, "cluster", "retime", "--yes", at=at)
    assert f"zone data {LATER} is in force" in done.stdout, done
    in_force_ms = (int(time.time()) + 1) * 1000
    leader.kill()
    leader.start()
    cluster.wait_ready()
    go_on(file, 5)

    assert {status["tzdata"] for status in cluster.statuses().values()} == {LATER}
    assert proved(cluster, from_ms) == [True] * 3
    told = lines(file)
    seconds = [at_ms for _, at_ms in told]
    until_ms = max(seconds) - 2_000
    due = range(from_ms // 1000 * 1000 + 1000, until_ms + 1, 1000)
    assert sorted({at_ms for at_ms in seconds if at_ms in due}) == list(due), "each second is of a job"
    assert len(set(told)) == len(told), "no job has one twice"
    # What was decided ahead as the job that it was of became the other one is of both.
    assert len(told) - len(set(seconds)) <= 1
    # Each job's ledger names the version by which its tick was due, and the two have changed places.
    found = [tick for name in HALVES for tick in ticks(cluster, name, from_ms)]
    # What was due before and decided behind it goes by rules that the later version has too, of other zones.
    since = instant(in_force_ms)
    by_version = {
        version: {name for name, at, word in found if word == version and (version != LATER or at > since)}
        for version in (*before, LATER)
    }
    half = {name for name, at_ms in told if at_ms == from_ms // 1000 * 1000 + 1000}
    if datetime.fromtimestamp(from_ms / 1000).minute % 30 < 25:  # the half hour did not end meanwhile
        assert by_version[LATER] == {*HALVES} - half, by_version
        assert by_version[before.pop()] == half, by_version


def installed(cluster: Cluster) -> list[str]:
    """By node, of its own word."""
    return [cluster.statuses()[node.name]["tzdata_installed"] for node in cluster.nodes]


def go_on(file: Path, more: int) -> None:
    wait_lines(file, len(file.read_text().splitlines()) + more)


def lines(file: Path) -> list[tuple[str, int]]:
    found = []
    for line in file.read_text().splitlines():
        name, tick = line.split()
        found.append((name, int(datetime.fromisoformat(tick).timestamp()) * 1000))
    return found


def proved(cluster: Cluster, from_ms: int) -> list[bool]:
    """Whether each node's own check of its ledger agrees."""
    query = f"from={instant(from_ms)}&to={instant(int(time.time() * 1000))}"

    def asked() -> list[bool] | None:
        replies = [
            cluster.client.send("GET", f"/v1/ledger/verify?consistency=stale&{query}", node=number)
            for number in range(len(cluster.nodes))
        ]
        if any(reply.status != 200 for reply in replies):
            return None
        return [reply.json()["ok"] for reply in replies]

    return wait_for(asked, DEADLINE_S, "an answer of each node")


def ticks(cluster: Cluster, job: str, from_ms: int) -> list[tuple[str, str, str]]:
    until = instant(int(time.time() * 1000))
    path = f"/v1/jobs/{job}/ticks?limit=1000&from={instant(from_ms)}&to={until}"
    found = cluster.client.send("GET", path).json()["items"]
    return [(job, tick["at"], tick["tzdata"]) for tick in found if tick["outcome"] == "ran"]
