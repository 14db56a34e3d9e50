"""Restart: all nodes of a cluster with many jobs are killed and started; the time until all are ready."""

from __future__ import annotations

import time

from bench import bulk
from bench.cluster import running
from bench.options import Options
from bench.rows import Result, Row, spread

TARGET_MS = 3_000.0
REPEATS = 3


def run(options: Options) -> Result:
    jobs = options.restart_jobs - options.restart_jobs % bulk.SLICE
    took_ms: list[float] = []
    with running(ports=options.ports, agents=0, parent=options.data) as cluster:
        filled = bulk.measure(cluster, jobs=jobs)
        for _ in range(REPEATS):
            cluster.kill_nodes()
            started_s = time.monotonic()
            for node in cluster.nodes:
                node.start()
            cluster.wait_ready()
            took_ms.append((time.monotonic() - started_s) * 1000)
        last = f"bulk-{jobs - 1}"
        kept = cluster.client.get(f"/v1/jobs/{last}")["name"] == last
    row = Row(
        f"restart of all nodes with {jobs:,} jobs",
        "3 s",
        spread(took_ms, "ms"),
        kept and not filled.refused and max(took_ms) <= TARGET_MS,
    )
    return Result([row], [f"{REPEATS} restarts by SIGKILL; interpreter start-up included"])
