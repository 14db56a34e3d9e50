"""Disks fill up: nothing new is taken in, what runs goes on, and it mends itself when there is room."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cluster import Cluster, wait_for
from bench.jobs import append_tick, every_second
from tests.e2e.cluster import DEADLINE_S, NewCluster, judge_file, wait_lines

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system for each node: needs root"),
]

DISK_MIB = 220
LEFT_MIB = 60  #: under the 128 MiB at which a node calls its disk low


@pytest.fixture
def small_disks(new_cluster: NewCluster) -> Iterator[Cluster]:
    """A cluster whose nodes have a small file system each."""
    cluster = new_cluster(slots=200)
    mounted: list[Path] = []
    try:
        for node in cluster.nodes:
            node.data.mkdir(parents=True, exist_ok=True)
            size = f"size={DISK_MIB}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(node.data)], check=True)
            mounted.append(node.data)
        yield cluster
    finally:
        cluster.stop()
        for path in mounted:
            subprocess.run(["umount", "-l", str(path)], check=True)


def fill(data: Path) -> Path:
    """Leave LEFT_MIB on the file system."""
    ballast = data / "somebody-elses-file"
    free = os.statvfs(data)
    size = free.f_bavail * free.f_frsize - (LEFT_MIB << 20)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return ballast


def put(cluster: Cluster, name: str) -> int:
    reply = cluster.client.send("PUT", f"/v1/jobs/{name}", {"job": name, "noop": True})
    return reply.status


def test_a_full_majority_takes_nothing_new_and_mends_itself(small_disks: Cluster) -> None:
    cluster = small_disks
    cluster.start()
    file = cluster.root / "ticks.txt"
    made = [every_second(f"steady-{i}", append_tick(file), offset_ms=i * 100) for i in range(10)]
    cluster.client.apply([job for job, _ in made])
    from_ms = int(time.time() * 1000) + 1_000
    wait_lines(file, 20)

    full = [fill(node.data) for node in cluster.nodes[:2]]
    wait_for(lambda: put(cluster, "while-full") == 507, DEADLINE_S, "outside writes refused", 0.2)
    reply = cluster.client.send("GET", "/v1/jobs/steady-0")
    assert reply.status == 200
    wait_for(
        lambda: cluster.leader().name == cluster.nodes[2].name, DEADLINE_S, "the node with room leads", 0.2
    )
    wait_lines(file, len(file.read_text().splitlines()) + 30)

    for ballast in full:
        ballast.unlink()
    wait_for(lambda: put(cluster, "after") in (200, 201), DEADLINE_S, "outside writes taken again", 0.2)
    judgement = judge_file(
        [oracle for _, oracle in made], file, from_ms=from_ms, until_ms=int(time.time() * 1000)
    )
    assert judgement.clean, judgement


def test_one_full_follower_stops_nobody(small_disks: Cluster) -> None:
    cluster = small_disks
    cluster.start()
    leader = cluster.leader()
    fill(next(node for node in cluster.nodes if node is not leader).data)
    seen = wait_for(
        lambda: [
            p for p in cluster.status(leader)["peers"] if (p["free_bytes"] or 1 << 40) < 100 << 20
        ],
        DEADLINE_S,
        "the leader knows of the full disk",
    )
    assert len(seen) == 1
    assert put(cluster, "goes-on") in (200, 201)
