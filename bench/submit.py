"""Submissions one by one: closed-loop clients PUT new jobs, spread over the nodes."""

from __future__ import annotations

import json

from bench.cluster import Cluster, running
from bench.jobs import rare
from bench.options import Options
from bench.rows import Result, Row, spread
from bench.traffic import Traffic, closed_loop, request

TARGET = 1_700


def measure(cluster: Cluster, *, clients: int, duration_s: float, prefix: str = "put") -> Traffic:
    """New jobs for the duration."""

    def make(url: str, number: int) -> bytes:
        name = f"{prefix}-{number}"
        return request("PUT", url, f"/v1/jobs/{name}", cluster.token, json.dumps(rare(name, number)).encode())

    return closed_loop(cluster.client.urls, clients, duration_s, make)


def row(what: str, traffic: Traffic) -> Row:
    measured = f"{traffic.rate:,.0f}/s ({spread(traffic.latencies_ms, 'ms', 1)})"
    return Row(what, f"{TARGET:,}/s", measured, traffic.rate >= TARGET and not traffic.refused)


def describe(what: str, traffic: Traffic) -> str:
    """The generator's own cost, and what was refused."""
    refused = "".join(f"; {count} times {reason}" for reason, count in list(traffic.refused.items())[:3])
    return f"{what}: {traffic.accepted:,} accepted; generator {traffic.cpu_share:.2f} of a core{refused}"


def run(options: Options) -> Result:
    with running(ports=options.ports, parent=options.data) as cluster:
        traffic = measure(cluster, clients=options.clients, duration_s=options.duration_s)
    what = f"jobs submitted one by one, {options.clients} clients"
    return Result([row(what, traffic)], [describe(what, traffic)])
