"""Manual runs: closed-loop clients start a no-op job each, over and over; each must end well."""

from __future__ import annotations

from contextlib import suppress

from bench.cluster import DeadlineError, running, wait_for
from bench.jobs import NOOP, RUNS_KEPT
from bench.options import Options
from bench.rows import Result, Row, spread
from bench.submit import describe
from bench.traffic import closed_loop, request

TARGET = 1_300
SETTLE_S = 60.0


def run(options: Options) -> Result:
    with running(ports=options.ports, slots=4_000, parent=options.data) as cluster:
        jobs = [f"manual-{i}" for i in range(options.clients)]
        policies = {"overlap": "allow", "retention": {"runs": RUNS_KEPT}}
        cluster.client.apply([{"job": name, "policies": policies, **NOOP} for name in jobs])

        def make(url: str, number: int) -> bytes:
            return request("POST", url, f"/v1/jobs/{jobs[number % len(jobs)]}/runs", cluster.token, b"{}")

        traffic = closed_loop(cluster.client.urls, options.clients, options.duration_s, make)

        def unfinished() -> int:
            states = ("pending", "running")
            return sum(1 for state in states for _ in cluster.client.items("/v1/runs", {"state": state}))

        with suppress(DeadlineError):
            wait_for(lambda: unfinished() == 0, SETTLE_S, "every accepted run ended", 0.5)
        succeeded = sum(1 for _ in cluster.client.items("/v1/runs", {"state": "succeeded"}))
    what = f"manual runs accepted and recorded, {options.clients} clients"
    measured = f"{traffic.rate:,.0f}/s ({spread(traffic.latencies_ms, 'ms', 1)})"
    met = traffic.rate >= TARGET and not traffic.refused
    rows = [
        Row(what, f"{TARGET:,}/s", measured, met),
        Row(
            "accepted manual runs that succeeded",
            "all",
            f"{succeeded:,} of {traffic.accepted:,}",
            succeeded == traffic.accepted,
        ),
    ]
    return Result(rows, [describe(what, traffic)])
