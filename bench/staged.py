"""Staged apply: very many objects go live as one act while every-second jobs run.

Asked is how late those ticks start meanwhile, and how long a core looks at no socket: its longest turn by
CPU. The same jobs before the apply say what the machine makes of them alone.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from bench import load
from bench.cluster import Cluster, DeadlineError, running, wait_for
from bench.jobs import NOOP, every_second, rare, spread_offset
from bench.options import Options
from bench.rows import NONE, Result, Row, percentile, spread
from bench.turns import WORK, longest_ms, read_turns

EVERY_SECOND = 200
SLICE = 250  #: as `cronclave apply` has it
LATE_MS_MAX = 100
TURN_MS_MAX = 50
ALONE_S = 10.0
LIVE_S_MAX = 900.0
LOOK_S = 0.5
MIB = 1 << 20


def run(options: Options) -> Result:
    with running(ports=options.ports, slots=4_000, parent=options.data) as cluster:
        made = [
            every_second(f"tick-{i}", NOOP, offset_ms=spread_offset(i, EVERY_SECOND))
            for i in range(EVERY_SECOND)
        ]
        oracles = [oracle for _, oracle in made]
        cluster.client.apply([job for job, _ in made])
        time.sleep(load.WARM_UP_MS / 1000)
        from_ms = _now_ms()
        time.sleep(ALONE_S)
        begin_ms = _now_ms()
        before, turns, began_s = cluster.cpu_seconds(), read_turns(cluster, WORK), time.monotonic()
        slices = _lay(cluster, options.staged)
        laid_s, laid_ms = time.monotonic() - began_s, _now_ms()
        stage = _commit(cluster, slices)
        live_s = time.monotonic() - began_s - laid_s
        end_ms = _now_ms()
        spent = {role: s - before.get(role, 0.0) for role, s in cluster.cpu_seconds().items()}
        turn_ms = max(longest_ms(turns, read_turns(cluster, WORK)).values())
        memory = cluster.resident_bytes()
        load.settle(cluster, end_ms)
        runs = load.recorded(cluster, from_ms - 2_000)
    _, alone = load.judged(runs, oracles, from_ms, begin_ms)
    judgement, beside = load.judged(runs, oracles, begin_ms, end_ms)
    _, laying = load.judged(runs, oracles, begin_ms, laid_ms)
    _, living = load.judged(runs, oracles, laid_ms, end_ms)
    if stage["state"] != "done":
        raise DeadlineError(f"the stage is {stage['state']}: {stage['reason']} {stage['problems'][:3]}")
    what = f"{options.staged:,} jobs applied as one act beside {EVERY_SECOND} every-second ones"
    told = f"{spread(beside, 'ms')}; before it {spread(alone, 'ms')}"
    node_bytes = max(sum(roles.values()) for roles in memory.values())
    rows = [
        Row(
            f"{what}: start later than due", f"max {LATE_MS_MAX} ms", told,
            percentile(beside, 1) <= LATE_MS_MAX,
        ),
        Row(
            f"{what}: lost / doubled", "0 / 0",
            f"{len(judgement.missed)} / {len(judgement.doubled)} of {judgement.due:,}", judgement.clean,
        ),
        Row(
            f"{what}: longest turn of a core, CPU", f"{TURN_MS_MAX} ms", f"up to {turn_ms:.0f} ms",
            turn_ms <= TURN_MS_MAX,
        ),
        Row(f"{what}: laid down, then live", NONE, f"{laid_s:.1f} s, then {live_s:.1f} s"),
    ]  # fmt: skip
    cpu = ", ".join(f"{role} {s:.1f}" for role, s in sorted(spent.items()))
    note = f"CPU seconds of all nodes: {cpu}; the largest node {node_bytes // MIB:,} MiB resident"
    phases = f"late while laid down: {spread(laying, 'ms')}; while checked and live: {spread(living, 'ms')}"
    return Result(rows, [note, phases])


def _lay(cluster: Cluster, jobs: int) -> int:
    """In slices; how many."""
    slices = 0
    for first in range(0, jobs, SLICE):
        many = [rare(f"staged-{i}", i) for i in range(first, min(jobs, first + SLICE))]
        body = json.dumps({"jobs": many}, separators=(",", ":")).encode()
        cluster.client.ask("POST", f"/v1/apply?stage=bench&slice={slices}", body, deadline_s=60.0)
        slices += 1
    return slices


def _commit(cluster: Cluster, slices: int) -> dict[str, Any]:
    """The stage at its end."""
    with suppress(OSError):  # the reply may take longer than the client waits: it goes on by itself
        cluster.client.send("POST", f"/v1/apply?stage=bench&commit=true&slices={slices}", timeout_s=30.0)

    def ended() -> dict[str, Any] | None:
        stage: dict[str, Any] = cluster.client.get("/v1/apply", {"stage": "bench", "consistency": "stale"})
        return None if stage["state"] in ("checking", "switching") else stage

    return wait_for(ended, LIVE_S_MAX, "the stage ends", LOOK_S)


def _now_ms() -> int:
    return int(time.time() * 1000)
