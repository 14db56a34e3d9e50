"""Rolling restart: one node after the other ends in good order and comes back, while every-second jobs run.

Followers first, the leader last, so that leadership moves once; the next node only when the last one is ready
and every agent is connected: what a service manager does with SIGTERM and /readyz. Judged by the
payloads' file against arithmetic. How late: each start by its agent's word, and the longest pause
in which nothing started at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

from bench.cluster import Cluster, running, wait_for
from bench.evidence import Judgement, instant, milliseconds, read_lines, start_ms
from bench.failover import caught_up, settle, submit
from bench.options import Options
from bench.rows import NONE, Result, Row, percentile, spread

GAP_MS = 300.0  #: aimed at; an election takes 300 to 600


@dataclass(frozen=True, slots=True)
class Restarted:
    """What a rolling restart of all nodes cost."""

    codes: list[int]  #: the nodes' exit codes
    took_ms: list[float]  #: from SIGTERM to the process's end, each node
    late_ms: list[float]  #: each start later than due
    ending_ms: list[float]  #: of these, what fell due while a node ended, and the second after
    gap_ms: float  #: the longest time without any start
    payload: Judgement
    terms: int  #: elections and transfers


def restart_all(cluster: Cluster, *, noop_jobs: int, shell_jobs: int) -> Restarted:
    """Each node in turn, under load. Raises DeadlineError."""
    file = cluster.root / "ticks.txt"
    _, shell = submit(cluster, file, noop_jobs=noop_jobs, shell_jobs=shell_jobs)
    wait_for(lambda: len(read_lines(file)) >= 2 * shell_jobs, 60, "every job runs", 0.2)
    wait_for(lambda: caught_up(cluster), 60, "no run waits", 0.2)
    from_ms = int(time.time() * 1000)
    leader = cluster.leader()
    term = cluster.status(leader)["term"]
    codes: list[int] = []
    took_ms: list[float] = []
    ends: list[float] = []
    for node in [*[n for n in cluster.nodes if n is not leader], leader]:
        ends.append(time.time() * 1000)
        codes.append(node.end())
        took_ms.append(time.time() * 1000 - ends[-1])
        node.start()
        cluster.wait_ready()
        cluster.wait_agents()
        seen = len(read_lines(file))
        wait_for(lambda: len(read_lines(file)) > seen + 2 * shell_jobs, 60, "two more seconds", 0.1)  # noqa: B023  # called at once
    until_ms, payload = settle(cluster, shell, file, from_ms)
    wait_for(lambda: caught_up(cluster), 60, "no run waits", 0.2)
    runs = [
        (milliseconds(run["due"]), started)
        for run in cluster.client.items("/v1/runs", {"since": instant(from_ms - 2_000)})
        if run["tick"] and from_ms < milliseconds(run["due"]) <= until_ms and (started := start_ms(run))
    ]
    starts = sorted(started for _, started in runs)
    return Restarted(
        codes=codes,
        took_ms=took_ms,
        late_ms=[float(started - due) for due, started in runs],
        ending_ms=[
            float(started - due)
            for due, started in runs
            if any(began < due < began + took + 1_000 for began, took in zip(ends, took_ms, strict=True))
        ],
        gap_ms=float(max(after - before for before, after in pairwise(starts))),
        payload=payload,
        terms=cluster.status(leader)["term"] - term,
    )


def run(options: Options) -> Result:
    with running(ports=options.ports, slots=1_000, parent=options.data) as cluster:
        seen = restart_all(cluster, noop_jobs=options.rolling_jobs, shell_jobs=options.rolling_jobs)
    rows = [
        Row(
            "rolling restart of all nodes: start later than due, while a node ends",
            f"max {GAP_MS:g} ms",
            spread(seen.ending_ms, "ms"),
            max(seen.ending_ms) <= GAP_MS,
        ),
        Row("rolling restart: start later than due, all of it", NONE, spread(seen.late_ms, "ms")),
        Row(
            "rolling restart: ticks missed / doubled",
            "0 / 0",
            f"{len(seen.payload.missed)} / {len(seen.payload.doubled)} of {seen.payload.due:,}",
            seen.payload.clean,
        ),
    ]
    notes = [
        f"{seen.payload}; longest time without a start {seen.gap_ms:.0f} ms, p99.9 late "
        f"{percentile(seen.late_ms, 0.999):.0f} ms; a node took {spread(seen.took_ms, 'ms')} to end; "
        f"terms passed: {seen.terms}"
    ]
    return Result(rows, notes)
