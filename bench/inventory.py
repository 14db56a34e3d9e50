"""Inventory: many jobs; the size of the state, the memory of a node, and the submit rate at that size."""

from __future__ import annotations

from bench import bulk, submit
from bench.cluster import Cluster, running
from bench.options import Options
from bench.rows import NONE, Result, Row

NODE_BYTES_MAX = 1 << 30
MIB = 1 << 20


def state_bytes(cluster: Cluster) -> int:
    """Size of the largest node's SQLite state, its write-ahead log included."""

    sizes = [
        sum(file.stat().st_size for file in (node.data / "state").rglob("*.db*")) for node in cluster.nodes
    ]
    return max(sizes)


def run(options: Options) -> Result:
    jobs = options.inventory - options.inventory % bulk.SLICE
    with running(ports=options.ports, parent=options.data) as cluster:
        filled = bulk.measure(cluster, jobs=jobs)
        memory = cluster.resident_bytes()
        put = submit.measure(cluster, clients=options.clients, duration_s=options.duration_s)
        size = state_bytes(cluster)
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
            f"{node_bytes // MIB:,} MiB resident, state {size // MIB:,} MiB",
            "43,000 jobs, leader 349 MB",
            node_bytes < NODE_BYTES_MAX,
        ),
        Row(
            f"bulk into {jobs:,} jobs",
            f"{bulk.TARGET:,}/s",
            f"{rate:,.0f}/s",
            NONE,
            rate >= bulk.TARGET and not filled.refused,
        ),
        submit.row(
            f"jobs submitted one by one at {jobs:,} jobs, {options.clients} clients",
            put,
            "123/s at 30,000 jobs",
        ),
    ]
    return Result(rows, [detail, submit.describe("bulk", filled), submit.describe("one by one", put)])
