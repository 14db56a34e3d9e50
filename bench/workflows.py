"""Workflows: a chain of jobs by `after`, and a graph of very many tasks, beside manual runs of one task.

A step of the chain follows the end of another: nothing goes on beside it, and each round of the log carries
one step. So it is held against manual runs by one client, one after the other; the graph, whose layers are as
wide as there are clients, against those of all of them. All of it is no-ops on one cluster, one after the
other, and CPU is of all processes of the product.
"""

from __future__ import annotations

import time
from typing import Any

from bench.cluster import Cluster, running, wait_for
from bench.figures import Spending
from bench.jobs import NOOP, RUNS_KEPT
from bench.options import Options
from bench.rows import NONE, Result, Row
from bench.traffic import closed_loop, request
from bench.turns import WORK, longest_ms, read_turns

TIMES_MAX = 1.3  #: of what a manual run takes
TURN_MS_MAX = 50
STEP_S_MAX = 0.5  #: a limit of waiting, for each step
LOOK_S = 0.5
ENDED = ("succeeded", "failed", "timed_out", "cancelled", "lost", "expired")
POLICIES = {"overlap": "allow", "retention": {"runs": RUNS_KEPT}}


def run(options: Options) -> Result:
    steps, wide = options.steps, options.clients
    with running(ports=options.ports, slots=4_000, parent=options.data) as cluster:
        alone = manual(cluster, 1, options.duration_s)
        beside = manual(cluster, wide, options.duration_s)
        turns = read_turns(cluster, WORK)
        chain, chain_s = _measured(cluster, steps, chain_of(steps), "link-0", f"link-{steps - 1}")
        graph, graph_s = _measured(cluster, steps, [graph_of(steps, wide)], "graph", "graph")
        turn_ms = max(longest_ms(turns, read_turns(cluster, WORK)).values())
    what = f"a chain of {steps:,} jobs by after, a graph of {steps:,} tasks"
    step, task = f"a step of a chain of {steps:,} jobs by after", f"a task of a graph of {steps:,}"
    rows = [
        _row(f"{step}: CPU beside a manual run, one client", chain, alone),
        _row(f"{task}: CPU beside a manual run, {wide} clients", graph, beside),
        Row(
            f"{what}: longest turn of a core, CPU", f"{TURN_MS_MAX} ms", f"up to {turn_ms:.0f} ms",
            turn_ms <= TURN_MS_MAX,
        ),
        Row(f"{what}: time", NONE, f"{chain_s:.1f} s, {graph_s:.1f} s"),
    ]  # fmt: skip
    return Result(rows)


def _row(what: str, step_ms: float, manual_ms: float) -> Row:
    times = step_ms / manual_ms
    told = f"× {times:.2f} ({step_ms:.2f} of {manual_ms:.2f} ms)"
    return Row(what, f"× {TIMES_MAX}", told, times <= TIMES_MAX)


def manual(cluster: Cluster, clients: int, duration_s: float) -> float:
    """CPU milliseconds of one."""
    jobs = [f"manual-{clients}-{i}" for i in range(clients)]
    cluster.client.apply([{"job": name, "policies": POLICIES, **NOOP} for name in jobs])

    def make(url: str, number: int) -> bytes:
        return request("POST", url, f"/v1/jobs/{jobs[number % clients]}/runs", cluster.token, b"{}")

    spending = Spending(cluster)
    accepted = closed_loop(cluster.client.urls, clients, duration_s, make).accepted
    wait_for(lambda: not _open(cluster), STEP_S_MAX * accepted, "every accepted run ended", LOOK_S)
    spending.end()
    return spending.per(accepted).total


def _open(cluster: Cluster) -> bool:
    states = ("pending", "running")
    return any(next(iter(cluster.client.items("/v1/runs", {"state": state})), None) for state in states)


def chain_of(steps: int) -> list[dict[str, Any]]:
    """Jobs of which each follows the one before it."""
    first: dict[str, Any] = {"job": "link-0", "policies": POLICIES, **NOOP}
    links = (
        {"job": f"link-{i}", "triggers": {"after": f"link-{i - 1}.succeeded"}, **NOOP}
        for i in range(1, steps)
    )
    return [first, *links]


def graph_of(tasks: int, wide: int) -> dict[str, Any]:
    """A job of layers so wide; each task needs the one above it, so that `wide` go on at once."""
    made: dict[str, dict[str, Any]] = {}
    for number in range(tasks):
        needs = {"needs": [f"task-{number - wide}"]} if number >= wide else {}
        made[f"task-{number}"] = {**NOOP, **needs}
    return {"job": "graph", "policies": POLICIES, "tasks": made}


def _measured(
    cluster: Cluster, steps: int, jobs: list[dict[str, Any]], first: str, last: str
) -> tuple[float, float]:
    """CPU milliseconds a step, and seconds in all, from the first run of `first` to the end of the run of
    `last`."""
    cluster.client.apply(jobs)
    spending, began_s = Spending(cluster), time.monotonic()
    cluster.client.ask("POST", f"/v1/jobs/{first}/runs", b"{}")

    def state() -> str | None:
        page = cluster.client.get("/v1/runs", {"job": last, "limit": 1, "brief": "true"})["items"]
        return page[0]["state"] if page and page[0]["state"] in ENDED else None

    ended = wait_for(state, STEP_S_MAX * steps, f"the run of {last} ended", LOOK_S)
    spending.end()
    if ended != "succeeded":
        raise RuntimeError(f"the run of {last} is {ended}")
    return spending.per(steps).total, time.monotonic() - began_s
