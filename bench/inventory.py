"""Inventory: many jobs; the size of the state, the memory of a node, and the rates of new jobs at that size.

The inventory is there before the nodes start (node.seeding): a million jobs over HTTP would take minutes.
"""

from __future__ import annotations

import subprocess
import sys
import time

from bench import bulk, submit
from bench.cluster import PROJECT, Cluster, free_base_port, layout, temporary_root
from bench.options import Options
from bench.rows import Result, Row
from bench.traffic import Traffic

NODE_BYTES_MAX = 1 << 30
MIB = 1 << 20
BULK_JOBS = 20_000


def state_bytes(cluster: Cluster) -> int:
    """Size of the largest node's SQLite state, its write-ahead log included."""

    sizes = [
        sum(file.stat().st_size for file in (node.data / "state").rglob("*.db*")) for node in cluster.nodes
    ]
    return max(sizes)


def run(options: Options) -> Result:
    with temporary_root(options.data) as root:
        cluster = layout(root, base_port=free_base_port(*options.ports, 3))
        try:
            print(seed(cluster, jobs=options.inventory, runs=0), file=sys.stderr, flush=True)
            began_s = time.monotonic()
            cluster.start()
            ready_s = time.monotonic() - began_s
            put = submit.measure(cluster, clients=options.clients, duration_s=options.duration_s)
            filled = bulk.measure(cluster, jobs=BULK_JOBS)
            memory = cluster.resident_bytes()
            size = state_bytes(cluster)
        finally:
            cluster.stop()
    return _result(options, ready_s, put, filled, memory, size)


def seed(cluster: Cluster, *, jobs: int, runs: int, tail_bytes: int = 0) -> str:
    """Give every node of a cluster that has never started the same large state; gives what was made."""
    arguments = [sys.executable, "-m", "node.seeding", "--jobs", str(jobs), "--runs", str(runs)]
    arguments += ["--tail-bytes", str(tail_bytes)]
    for node in cluster.nodes:
        arguments += ["--config", str(node.config)]
    made = subprocess.run(arguments, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip()


def _result(
    options: Options,
    ready_s: float,
    put: Traffic,
    filled: Traffic,
    memory: dict[str, dict[str, int]],
    size: int,
) -> Result:
    jobs = options.inventory
    node_bytes = max(sum(roles.values()) for roles in memory.values())
    detail = "; ".join(
        f"{node}: " + ", ".join(f"{role} {count // MIB} MiB" for role, count in roles.items())
        for node, roles in memory.items()
    )
    rate = filled.rate * bulk.SLICE
    rows = [
        Row(
            f"inventory of {jobs:,} jobs: memory of the largest node",
            "under 1 GiB at 1,000,000",
            f"{node_bytes // MIB:,} MiB resident, state {size // MIB:,} MiB; ready in {ready_s:.1f} s",
            node_bytes < NODE_BYTES_MAX,
        ),
        Row(
            f"{BULK_JOBS:,} jobs in bulk beside {jobs:,}",
            f"{bulk.TARGET:,}/s",
            f"{rate:,.0f}/s",
            rate >= bulk.TARGET and not filled.refused,
        ),
        submit.row(
            f"jobs submitted one by one at {jobs:,} jobs, {options.clients} clients",
            put,
        ),
    ]
    return Result(rows, [detail, submit.describe("bulk", filled), submit.describe("one by one", put)])
