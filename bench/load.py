"""Load: N every-second jobs; what was lost, and how late the starts were.

A tick counts when its run succeeded. Lateness is the first attempt's start, as its agent says, less the
tick's due instant. `even`: the jobs' instants are spread evenly over the second, else all are due at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

from bench.client import Client
from bench.cluster import Cluster, DeadlineError, running, wait_for
from bench.evidence import Every, Judgement, instant, judge, milliseconds, start_ms
from bench.failover import UNFINISHED, seen_runs
from bench.jobs import NOOP, TRUE, every_second, spread_offset
from bench.options import Options
from bench.rows import NONE, Result, Row, percentile, spread

WARM_UP_MS = 3_000
SETTLE_S = 30.0


def run(options: Options) -> Result:
    rows: list[Row] = []
    notes: list[str] = []
    cases: list[tuple[str, int, dict[str, Any], bool, str]] = [
        ("100 no-op, due over the second", 100, NOOP, True, "lateness"),
        ("100 no-op, all due at once", 100, NOOP, False, "lateness"),
        ("100 processes, due over the second", 100, TRUE, True, "lateness"),
        (f"{options.noop_jobs:,} no-op, due over the second", options.noop_jobs, NOOP, True, "lost"),
        (
            f"{options.process_jobs:,} processes, due over the second",
            options.process_jobs,
            TRUE,
            True,
            "lost",
        ),
    ]
    for what, jobs, work, even, aim in cases:
        with running(ports=options.ports, slots=4_000, parent=options.data) as cluster:
            judgement, late_ms, cpu = measure(cluster, jobs, work, even=even, duration_s=options.duration_s)
        lost = Row(
            f"every-second jobs: {what}: lost / doubled",
            "0 / 0",
            f"{len(judgement.missed)} / {len(judgement.doubled)} of {judgement.due:,}",
            judgement.clean and judgement.due > 0,
        )
        target = "p50 3, p99 10 ms" if aim == "lateness" else NONE
        met = percentile(late_ms, 0.5) <= 3 and percentile(late_ms, 0.99) <= 10
        late = Row(
            f"start later than due: {what}",
            target,
            spread(late_ms, "ms"),
            met if aim == "lateness" else None,
        )
        rows += [late, lost] if aim == "lateness" else [lost, late]
        notes.append(f"{what}: {judgement}; CPU of a core: {cpu}")
    return Result(rows, notes)


def measure(
    cluster: Cluster, jobs: int, work: dict[str, Any], *, even: bool, duration_s: float
) -> tuple[Judgement, list[float], str]:
    """Run the jobs for the duration; gives the judgement, the lateness of each start, and the CPU shares."""
    made = [
        every_second(f"load-{i}", work, offset_ms=spread_offset(i, jobs) if even else 0) for i in range(jobs)
    ]
    oracles = [oracle for _, oracle in made]
    cluster.client.apply([job for job, _ in made])
    from_ms = int(time.time() * 1000) + WARM_UP_MS
    until_ms = from_ms + int(duration_s * 1000)
    _pass_until(from_ms)
    before, before_s = cluster.cpu_seconds(), time.monotonic()
    _pass_until(until_ms)
    spent_s = time.monotonic() - before_s
    cpu = {role: (s - before.get(role, 0.0)) / spent_s for role, s in cluster.cpu_seconds().items()}
    settle(cluster, until_ms)
    judgement, late_ms = judged(recorded(cluster, from_ms - 2_000), oracles, from_ms, until_ms)
    return judgement, late_ms, ", ".join(f"{role} {share:.2f}" for role, share in sorted(cpu.items()))


def settle(cluster: Cluster, until_ms: int) -> None:
    """What has not ended some time after the window counts as lost."""
    with suppress(DeadlineError):
        wait_for(lambda: _ended(cluster, until_ms), SETTLE_S, "runs of the window ended", 2.0)


def judged(
    found: Sequence[dict[str, Any]], oracles: Sequence[Every], from_ms: int, until_ms: int
) -> tuple[Judgement, list[float]]:
    """What became of the ticks of this window, and how late each run of it started."""
    runs = [run for run in found if run["due"] and from_ms < milliseconds(run["due"]) <= until_ms]
    judgement = judge(
        oracles, seen_runs(runs, {job.job for job in oracles}), from_ms=from_ms, until_ms=until_ms
    )
    late_ms = [
        float(start - milliseconds(run["due"])) for run in runs if (start := start_ms(run)) is not None
    ]
    return judgement, late_ms


def recorded(cluster: Cluster, since_ms: int) -> list[dict[str, Any]]:
    """The runs since then, read in peace: two nodes are killed, which ends all deciding, and the leader tells
    what it knows."""
    leader = cluster.leader()
    for node in cluster.nodes:
        if node is not leader:
            node.kill()
    with closing(Client([leader.url], cluster.token)) as client:
        return list(client.items("/v1/runs", {"since": instant(since_ms), "consistency": "stale"}))


def _ended(cluster: Cluster, until_ms: int) -> bool:
    """Whether no run that was due by then is unfinished."""
    for state in UNFINISHED:
        for run in cluster.client.items("/v1/runs", {"state": state}):
            if run["due"] and milliseconds(run["due"]) <= until_ms:
                return False
    return True


def _pass_until(moment_ms: int) -> None:
    """Load for a while: the one thing that is measured by the clock."""
    time.sleep(max(0.0, moment_ms / 1000 - time.time()))
