"""Bulk: POST /v1/apply of 1,000 jobs at a time, a few requests in parallel."""

from __future__ import annotations

import json
import math

from bench.cluster import Cluster, running
from bench.jobs import rare
from bench.options import Options
from bench.rows import Result, Row
from bench.submit import describe
from bench.traffic import Traffic, closed_loop, request

SLICE = 1_000
PARALLEL = 4
TARGET = 20_000


def measure(
    cluster: Cluster, *, jobs: int | None, duration_s: float = math.inf, prefix: str = "bulk"
) -> Traffic:
    """`jobs` jobs (a multiple of the slice), or as many as the duration allows. Counts requests, not jobs."""

    def make(url: str, number: int) -> bytes | None:
        first = number * SLICE
        if jobs is not None and first >= jobs:
            return None
        body = json.dumps(
            {"jobs": [rare(f"{prefix}-{i}", i) for i in range(first, first + SLICE)]}, separators=(",", ":")
        )
        return request("POST", url, "/v1/apply", cluster.token, body.encode())

    return closed_loop(cluster.client.urls, PARALLEL, duration_s, make)


def run(options: Options) -> Result:
    with running(ports=options.ports, parent=options.data) as cluster:
        traffic = measure(cluster, jobs=None, duration_s=options.duration_s)
    return Result([row(traffic)], [describe("bulk, requests of 1,000 jobs", traffic)])


def row(traffic: Traffic) -> Row:
    rate = traffic.rate * SLICE
    met = rate >= TARGET and not traffic.refused
    return Row("jobs submitted in bulk, 1,000 a request", f"{TARGET:,}/s", f"{rate:,.0f}/s", met)
