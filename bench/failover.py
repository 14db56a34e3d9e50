"""Failover: the leader is killed or stopped while every-second jobs run; what was lost, and for how long.

500 ticks a second spread over the second: no-op jobs that measure, and shell jobs that append their tick to a
file. The time to the next start counts from the signal to the earliest start of a run that was created after
it: since the leader is dead then, the new leader decided it. Runs that the dead leader had granted already
start in between and do not count. A leader decides before an instant is due, so this is never sooner than the
first instant that the dead one had not come to. What users notice stands beside it: how late the latest tick
began that was due within a second of the loss. Each loss is one of a whole cluster: agents that went
elsewhere are back in their zones, or all might sit at the node that is lost next. Missed and doubled are
judged by the payloads' file against plain arithmetic, for the no-op jobs by their runs.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.client import UnansweredError
from bench.cluster import Cluster, DeadlineError, Node, running, wait_for
from bench.evidence import Every, Judgement, instant, judge, milliseconds, read_lines, start_ms
from bench.jobs import NOOP, append_tick, every_second, spread_offset
from bench.options import Options
from bench.rows import Result, Row, percentile, spread

NOOP_JOBS = 400
SHELL_JOBS = 100
STOP_MS = 3_000  #: past every timeout of consensus, of the bridge and of the agents' connections
NEXT_START_S = 60.0
SETTLE_S = 60.0
CAUGHT_UP_MS = 1_000
WINDOW_MS = 1_000
EARLIER_MS = 5_000  #: what was due then may have been decided so long before
UNFINISHED = ("pending", "running")


@dataclass(frozen=True, slots=True)
class Recovery:
    """Milliseconds from a leader's loss to what the new one did first."""

    decided_ms: float  #: a run was created
    started_ms: float  #: a run that was created after the loss started
    late_ms: float = 0.0  #: how late the latest start was of what was due within `WINDOW_MS` of the loss


@dataclass(slots=True)
class Losses:
    """What happened to one cluster under a series of leader losses."""

    killed: list[Recovery] = field(default_factory=list)
    stopped: list[Recovery] = field(default_factory=list)
    payload: Judgement | None = None
    runs: Judgement | None = None
    problems: list[str] = field(default_factory=list)


def submit(
    cluster: Cluster, file: Path, *, noop_jobs: int, shell_jobs: int
) -> tuple[list[Every], list[Every]]:
    """The jobs of the benchmark; gives the oracles of the no-op and the shell ones."""
    noop = [every_second(f"noop-{i}", NOOP, offset_ms=spread_offset(i, noop_jobs)) for i in range(noop_jobs)]
    shell = [
        every_second(f"shell-{i}", append_tick(file), offset_ms=spread_offset(i, shell_jobs))
        for i in range(shell_jobs)
    ]
    cluster.client.apply([job for job, _ in noop + shell])
    return [oracle for _, oracle in noop], [oracle for _, oracle in shell]


def recovery_since(cluster: Cluster, moment_ms: int) -> Recovery | None:
    """What the new leader did first after the moment; None while it has started nothing."""
    try:
        runs = list(cluster.client.items("/v1/runs", {"since": instant(moment_ms + 1)}, deadline_s=2.0))
    except UnansweredError:
        return None
    new = [run for run in runs if run["tick"] and milliseconds(run["created"]) > moment_ms]
    starts = [start for run in new if (start := start_ms(run)) is not None]
    if not starts:
        return None
    decided = min(milliseconds(run["created"]) for run in new)
    return Recovery(float(decided - moment_ms), float(min(starts) - moment_ms))


def latest_ms(cluster: Cluster, moment_ms: int) -> float:
    """How late the latest tick started that was due within `WINDOW_MS` of the moment; waits until all have.

    Raises DeadlineError."""

    def started() -> list[float] | None:
        try:
            listed = list(cluster.client.items("/v1/runs", {"since": instant(moment_ms - EARLIER_MS)}))
        except UnansweredError:
            return None
        found = [
            (milliseconds(run["due"]), start_ms(run))
            for run in listed
            if run["tick"] and moment_ms < milliseconds(run["due"]) <= moment_ms + WINDOW_MS
        ]
        late = [float(start - due) for due, start in found if start is not None]
        return late if late and len(late) == len(found) else None

    return max(wait_for(started, SETTLE_S, "each tick of the second after the loss began", 0.2))


def lose_leader(cluster: Cluster, *, stop: bool) -> Recovery:
    """Kill the leader, or stop it past every timeout and continue it; back to a whole cluster.

    Raises DeadlineError."""
    leader = cluster.leader()
    moment_ms = int(time.time() * 1000)
    if stop:
        leader.freeze()
    else:
        leader.kill()
    others = cluster.client_without(leader)
    spared, cluster.client = cluster.client, others
    try:
        recovery = wait_for(
            lambda: recovery_since(cluster, moment_ms), NEXT_START_S, "a start by the new leader", 0.5
        )
        if stop:
            wait_for(
                lambda: time.time() * 1000 - moment_ms > STOP_MS, 60, "the stop lasts past every timeout"
            )
    finally:
        cluster.client = spared
        others.close()
        _bring_back(leader, stopped=stop)
    cluster.wait_ready()
    cluster.wait_home()
    return replace(recovery, late_ms=latest_ms(cluster, moment_ms))


def caught_up(cluster: Cluster) -> bool:
    """Whether no run waits that was due more than a second ago: what a loss left to do is done."""
    late_ms = time.time() * 1000 - CAUGHT_UP_MS
    try:
        waiting = [run for state in UNFINISHED for run in cluster.client.items("/v1/runs", {"state": state})]
    except UnansweredError:
        return False
    return all(milliseconds(run["due"]) > late_ms for run in waiting)


def _bring_back(node: Node, *, stopped: bool) -> None:
    if stopped:
        node.thaw()
    else:
        node.start()


def settle(cluster: Cluster, shell: list[Every], file: Path, from_ms: int) -> tuple[int, Judgement]:
    """Let every tick up to now end, then judge the payloads' file. Gives the end of the window too."""
    until_ms = int(time.time() * 1000)

    def judgement() -> Judgement:
        return judge(shell, read_lines(file), from_ms=from_ms, until_ms=until_ms)

    with suppress(DeadlineError):  # what is missing then is reported, not hidden
        wait_for(lambda: not judgement().missed, SETTLE_S, "each due tick's line in the file", 0.5)
    return until_ms, judgement()


def seen_runs(runs: list[dict[str, Any]], names: set[str]) -> Counter[tuple[str, int]]:
    """How often each (job, tick) has a run that succeeded."""
    return Counter(
        (run["job"], milliseconds(run["tick"]))
        for run in runs
        if run["tick"] and run["job"] in names and run["state"] == "succeeded"
    )


def lose_leaders(
    cluster: Cluster, *, kills: int, stops: int, noop_jobs: int = NOOP_JOBS, shell_jobs: int = SHELL_JOBS
) -> Losses:
    """A series of leader losses under load, judged at its end."""
    losses = Losses()
    file = cluster.root / "ticks.txt"
    noop, shell = submit(cluster, file, noop_jobs=noop_jobs, shell_jobs=shell_jobs)
    from_ms = int(time.time() * 1000) + 1_000
    wait_for(lambda: len(read_lines(file)) >= 2 * shell_jobs, 60, "every job runs", 0.2)
    for number in range(kills + stops):
        stop = number >= kills
        try:
            wait_for(lambda: caught_up(cluster), SETTLE_S, "the loss before is caught up with", 0.5)
            recovery = lose_leader(cluster, stop=stop)
        except DeadlineError as error:
            losses.problems.append(f"loss {number + 1}: {error}")
            continue
        (losses.stopped if stop else losses.killed).append(recovery)
    until_ms, losses.payload = settle(cluster, shell, file, from_ms)
    if noop:
        runs = list(cluster.client.items("/v1/runs", {"since": instant(from_ms - 5_000)}))
        seen = seen_runs(runs, {job.job for job in noop})
        losses.runs = judge(noop, seen, from_ms=from_ms, until_ms=until_ms)
    return losses


def run(options: Options) -> Result:
    with running(ports=options.ports, slots=1_000, parent=options.data) as cluster:
        losses = lose_leaders(cluster, kills=options.kills, stops=options.stops)
    total = options.kills + options.stops
    rows = [
        _time_row("leader killed → first start by the new leader", losses.killed, 100, 500),
        _late_row("the same: latest tick of the second after", losses.killed),
        _time_row("leader stopped (SIGSTOP) → first start", losses.stopped, 500, 1_000),
        _late_row("the same: latest tick of the second after", losses.stopped),
    ]
    notes = list(losses.problems)
    for how, recoveries in (("killed", losses.killed), ("stopped", losses.stopped)):
        each = ", ".join(f"{r.decided_ms:.0f} / {r.started_ms:.0f} / {r.late_ms:.0f}" for r in recoveries)
        notes.append(f"{how} → first run created / first start / latest tick, ms: {each}")
    for what, judgement in (("shell jobs", losses.payload), ("no-op jobs", losses.runs)):
        if judgement is not None:
            rows.append(
                Row(
                    f"ticks missed / doubled, {what}, {total} leader losses",
                    "0 / 0",
                    f"{len(judgement.missed)} / {len(judgement.doubled)} of {judgement.due:,}",
                    judgement.clean,
                )
            )
            notes.append(f"{what}: {judgement}")
    return Result(rows, notes)


def _late_row(what: str, recoveries: list[Recovery]) -> Row:
    values = [recovery.late_ms for recovery in recoveries]
    return Row(what, "-", f"{spread(values, 'ms')} of {len(values)}", None)


def _time_row(what: str, recoveries: list[Recovery], p50_ms: float, p99_ms: float) -> Row:
    values = [recovery.started_ms for recovery in recoveries]
    met = None
    if values:
        met = percentile(values, 0.5) <= p50_ms and percentile(values, 0.99) <= p99_ms
    measured = f"{spread(values, 'ms')} of {len(values)}"
    return Row(what, f"p50 {p50_ms:g}, p99 {p99_ms:,g} ms", measured, met)
