"""What `compare` measures of a build of ours, each on a cluster of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import bulk, failover, load, submit
from bench.builds import Build
from bench.cluster import Cluster, DeadlineError, running, wait_for
from bench.evidence import instant, milliseconds, start_ms
from bench.figures import Figures, Row, Sample, Spending, one
from bench.jobs import NOOP, RUNS_KEPT, TRUE, every_second, rare, spread_offset
from bench.quota import quota
from bench.rows import percentile
from bench.traffic import closed_loop, request

CLIENTS = 16
TICKING = 100  #: every-second no-op jobs
PROCESSES = 50  #: every-second jobs that start a process
LATE_JOBS = 100  #: every-second jobs of a process, all due at once
INVENTORY = 30_000
SHARE = 1 / 3  #: of the machine's CPU, for `quota`
LOSSES = 5
HELD_FIRST, HELD_STEP, HELD_MOST = 200, 1.25, 20_000  #: levels of `held`, jobs
HELD_LATE_MS = 1_000
HELD_SETTLE_S = 5.0
WARM_UP_S = 2.0
SETTLE_S = 60.0
HOSTS = ("agent", "spooler")


@dataclass(frozen=True, slots=True)
class Benchmark:
    rows: tuple[Row, ...]
    measure: Callable[[Cluster, float], Figures]


@dataclass(frozen=True, slots=True)
class OwnBuild:
    """A build that takes part."""

    build: Build
    data: Path | None

    @property
    def name(self) -> str:
        return self.build.name

    def measure(self, benchmark: str, duration_s: float) -> Figures:
        with running(slots=4_000, parent=self.data, build=self.build) as cluster:
            return BENCHMARKS[benchmark].measure(cluster, duration_s)


def idle(cluster: Cluster, duration_s: float) -> Figures:
    spending, began_s = Spending(cluster), time.monotonic()
    time.sleep(duration_s)
    spending.end()
    return {"idle": spending.per(time.monotonic() - began_s)}


def manual(cluster: Cluster, duration_s: float) -> Figures:
    return _manual(cluster, duration_s, NOOP, "manual")


def manual_processes(cluster: Cluster, duration_s: float) -> Figures:
    return _manual(cluster, duration_s, TRUE, "manual-process")


def _manual(cluster: Cluster, duration_s: float, work: dict[str, Any], key: str) -> Figures:
    jobs = [f"manual-{i}" for i in range(CLIENTS)]
    policies = {"overlap": "allow", "retention": {"runs": RUNS_KEPT}}
    cluster.client.apply([{"job": name, "policies": policies, **work} for name in jobs])

    def make(url: str, number: int) -> bytes:
        return request("POST", url, f"/v1/jobs/{jobs[number % len(jobs)]}/runs", cluster.token, b"{}")

    spending, began_s = Spending(cluster), time.monotonic()
    accepted = closed_loop(cluster.client.urls, CLIENTS, duration_s, make).accepted
    _settle(cluster)
    spending.end()
    cpu = spending.per(accepted)
    rate = accepted / (time.monotonic() - began_s)
    return {key: cpu, f"{key}-rate": one(rate), f"{key}-hosts": cpu.of(*HOSTS)}


def put(cluster: Cluster, duration_s: float) -> Figures:
    return _put(cluster, duration_s, "put")


def put_beside(cluster: Cluster, duration_s: float) -> Figures:
    """Beside an inventory that is there."""
    jobs = [rare(f"there-{i}", i) for i in range(INVENTORY)]
    for first in range(0, INVENTORY, bulk.SLICE):
        cluster.client.apply(jobs[first : first + bulk.SLICE])
    return _put(cluster, duration_s, "put-beside")


def _put(cluster: Cluster, duration_s: float, key: str) -> Figures:
    spending = Spending(cluster)
    traffic = submit.measure(cluster, clients=CLIENTS, duration_s=duration_s)
    spending.end()
    return {key: spending.per(traffic.accepted), f"{key}-rate": one(traffic.rate)}


def in_bulk(cluster: Cluster, duration_s: float) -> Figures:
    return _in_bulk(cluster, duration_s, "bulk")


def in_bulk_limited(cluster: Cluster, duration_s: float) -> Figures:
    """The nodes have a share of the CPU: as on a machine that does other things."""
    before = _term(cluster)
    with quota([pid for node in cluster.nodes for pid in node.pids().values()], SHARE):
        figures = _in_bulk(cluster, duration_s, "quota")
    return {**figures, "quota-elections": one(_term(cluster) - before)}


def _in_bulk(cluster: Cluster, duration_s: float, key: str) -> Figures:
    spending = Spending(cluster)
    traffic = bulk.measure(cluster, jobs=None, duration_s=duration_s)
    spending.end()
    return {
        key: spending.per(traffic.accepted * bulk.SLICE),
        f"{key}-rate": one(traffic.rate * bulk.SLICE),
    }


def _term(cluster: Cluster) -> float:
    return float(max(status["term"] for status in cluster.statuses().values()))


def noop_ticks(cluster: Cluster, duration_s: float) -> Figures:
    return {"tick": _ticks(cluster, duration_s, TICKING, NOOP)}


def process_ticks(cluster: Cluster, duration_s: float) -> Figures:
    cpu = _ticks(cluster, duration_s, PROCESSES, TRUE)
    return {"process": cpu, "process-hosts": cpu.of(*HOSTS)}


def _ticks(cluster: Cluster, duration_s: float, jobs: int, work: dict[str, Any]) -> Sample:
    made = [every_second(f"tick-{i}", work, offset_ms=spread_offset(i, jobs)) for i in range(jobs)]
    cluster.client.apply([job for job, _ in made])
    time.sleep(WARM_UP_S)
    from_ms, spending = int(time.time() * 1000), Spending(cluster)
    time.sleep(duration_s)
    until_ms = int(time.time() * 1000)
    spending.end()
    runs = [
        run
        for run in load.recorded(cluster, from_ms - 5_000)
        if run["due"] and from_ms < milliseconds(run["due"]) <= until_ms
    ]
    return spending.per(sum(1 for run in runs if run["state"] == "succeeded"))


def late(cluster: Cluster, duration_s: float) -> Figures:
    _, late_ms, _ = load.measure(cluster, LATE_JOBS, TRUE, even=False, duration_s=duration_s)
    return {"late": one(percentile(late_ms, 0.5)), "late-p99": one(percentile(late_ms, 0.99))}


def held(cluster: Cluster, duration_s: float) -> Figures:
    """More and more every-second no-op jobs, until some run late or not at all. Gives the last level that was
    held, and the CPU per tick there."""
    jobs, there = HELD_FIRST, 0
    found: Figures = {}
    while jobs <= HELD_MOST:
        made = [
            every_second(f"held-{i}", NOOP, offset_ms=spread_offset(i % HELD_FIRST, HELD_FIRST))[0]
            for i in range(there, jobs)
        ]
        for first in range(0, len(made), bulk.SLICE):
            cluster.client.apply(made[first : first + bulk.SLICE])
        time.sleep(WARM_UP_S)
        from_ms, spending = int(time.time() * 1000), Spending(cluster)
        time.sleep(duration_s)
        until_ms = int(time.time() * 1000)
        spending.end()
        time.sleep(HELD_LATE_MS / 1000)
        late_ms = _late_ms(cluster, from_ms, until_ms)
        if len(late_ms) < 0.99 * jobs * duration_s or percentile(late_ms, 0.99) >= HELD_LATE_MS:
            break
        found = {"held": one(jobs), "held-cpu": spending.per(len(late_ms))}
        there, jobs = jobs, int(jobs * HELD_STEP)
    if not found:
        raise DeadlineError(f"not even {HELD_FIRST} ticks a second were held")
    return found


def _late_ms(cluster: Cluster, from_ms: int, until_ms: int) -> list[float]:
    """Of all runs that were due then and have started: how late."""
    runs = cluster.client.items("/v1/runs", {"since": instant(from_ms - 1_000)}, deadline_s=SETTLE_S)
    return [
        float(start - milliseconds(run["due"]))
        for run in runs
        if run["due"]
        and from_ms < milliseconds(run["due"]) <= until_ms
        and (start := start_ms(run)) is not None
    ]


def killed(cluster: Cluster, _: float) -> Figures:
    return _lost(cluster, "killed", kills=LOSSES)


def stopped(cluster: Cluster, _: float) -> Figures:
    return _lost(cluster, "stopped", stops=LOSSES)


def _lost(cluster: Cluster, key: str, *, kills: int = 0, stops: int = 0) -> Figures:
    """Leaders lost under 200 no-op ticks a second: the time to the next start."""
    losses = failover.lose_leaders(cluster, kills=kills, stops=stops, noop_jobs=200, shell_jobs=20)
    took_ms = [each.started_ms for each in (*losses.killed, *losses.stopped)]
    if losses.problems or not took_ms:
        raise DeadlineError("; ".join(losses.problems) or "no leader was lost")
    late_ms = [each.late_ms for each in (*losses.killed, *losses.stopped)]
    return {
        key: one(percentile(took_ms, 0.5)),
        f"{key}-p99": one(percentile(took_ms, 0.99)),
        f"{key}-late": one(percentile(late_ms, 0.5)),
        f"{key}-late-p99": one(percentile(late_ms, 0.99)),
    }


def _settle(cluster: Cluster) -> None:
    def ended() -> bool:
        return not any(
            next(iter(cluster.client.items("/v1/runs", {"state": state})), None)
            for state in failover.UNFINISHED
        )

    with suppress(DeadlineError):  # what has not ended by then took no CPU for its end
        wait_for(ended, SETTLE_S, "every accepted run ended", 0.5)


def _cpu_and_rate(key: str, what: str) -> tuple[Row, Row]:
    return Row(key, f"{what}: CPU ms each"), Row(f"{key}-rate", f"{what}: a second", is_rate=True)


def _loss(key: str, what: str) -> tuple[Row, ...]:
    return (
        Row(key, f"leader {what} → first start by the next, {LOSSES} times: p50 ms"),
        Row(f"{key}-p99", f"leader {what} → first start by the next: p99 ms"),
        Row(f"{key}-late", f"leader {what}: latest tick of the second after, late by p50 ms"),
        Row(f"{key}-late-p99", f"leader {what}: latest tick of the second after, late by p99 ms"),
    )


BENCHMARKS: dict[str, Benchmark] = {
    "idle": Benchmark((Row("idle", "idle: CPU ms a second"),), idle),
    "manual": Benchmark(
        (
            *_cpu_and_rate("manual", f"manual runs of a no-op, {CLIENTS} clients"),
            Row("manual-hosts", "the same: agents' and spoolers' CPU ms each"),
        ),
        manual,
    ),
    "manual-process": Benchmark(
        (
            *_cpu_and_rate("manual-process", f"manual runs of a process, {CLIENTS} clients"),
            Row("manual-process-hosts", "the same: agents' and spoolers' CPU ms each"),
        ),
        manual_processes,
    ),
    "put": Benchmark(_cpu_and_rate("put", f"new jobs one by one, {CLIENTS} clients"), put),
    "put-beside": Benchmark(
        _cpu_and_rate("put-beside", f"new jobs one by one beside {INVENTORY:,}, {CLIENTS} clients"),
        put_beside,
    ),
    "bulk": Benchmark(_cpu_and_rate("bulk", "new jobs in bulk"), in_bulk),
    "quota": Benchmark(
        (
            *_cpu_and_rate("quota", "new jobs in bulk, nodes on a third of the CPU"),
            Row("quota-elections", "the same: elections"),
        ),
        in_bulk_limited,
    ),
    "tick": Benchmark((Row("tick", f"no-op ticks, {TICKING}/s: CPU ms each"),), noop_ticks),
    "process": Benchmark(
        (
            Row("process", f"ticks of a process, {PROCESSES}/s: CPU ms each"),
            Row("process-hosts", "the same: agents' and spoolers' CPU ms each"),
        ),
        process_ticks,
    ),
    "held": Benchmark(
        (
            Row("held", "every-second no-op jobs held, lateness p99 under 1 s", is_rate=True),
            Row("held-cpu", "the same: CPU ms a tick at that level"),
        ),
        held,
    ),
    "late": Benchmark(
        (
            Row("late", f"{LATE_JOBS} every-second processes, due at once: late by p50 ms"),
            Row("late-p99", "the same: p99 ms"),
        ),
        late,
    ),
    "killed": Benchmark(_loss("killed", "killed"), killed),
    "stopped": Benchmark(_loss("stopped", "stopped"), stopped),
}
