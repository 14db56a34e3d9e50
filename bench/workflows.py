"""Workflows: chains of jobs by `after`, a graph of very many tasks, and a task that is divided into as many
members, beside manual runs of one task.

A step of one chain follows the end of another: nothing goes on beside it, and each round of the log carries
one step. So it is held against manual runs by one client, one after the other; as many chains side by side
as there are clients, the graph, whose layers are as wide, and the members, of which so many go at a time,
against those of all of them. All of it is no-ops on one cluster, one after the other, and CPU is of all
processes of the product.

A chain that goes on alone leaves processors idle between its rounds, and nodes, agents and spoolers have a
pulse: what the same cluster takes in the same time while nothing is done is measured, told, and taken off
both the step and the run that it is held against. The rows of many at once take nothing off.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from bench.client import Client
from bench.cluster import Cluster, running, wait_for
from bench.figures import Sample, Spender, Spending
from bench.jobs import NOOP, RUNS_KEPT
from bench.options import Options
from bench.rows import NONE, Result, Row
from bench.traffic import closed_loop, request
from bench.turns import WORK, Turns, longest_ms, read_turns

TIMES_MAX = 1.3  #: of what a manual run takes
TURN_MS_MAX = 50
MIB = 1 << 20
GRAPH_TASKS_MAX = 10_000  #: as many as a job may have
STEP_S_MAX = 0.5  #: a limit of waiting, for each step
LOOK_S = 0.25
FIGURES_S = 60.0
ENDED = ("succeeded", "failed", "timed_out", "cancelled", "lost", "expired")
POLICIES = {"overlap": "allow", "retention": {"runs": RUNS_KEPT}}


def run(options: Options) -> Result:
    steps, wide = options.steps, options.clients
    with running(ports=options.ports, slots=4_000, parent=options.data) as cluster:
        idle = idle_ms(cluster, options.duration_s)
        alone = manual(cluster, 1, options.duration_s)
        beside = manual(cluster, wide, options.duration_s)
        chain = _chains(cluster, 1, steps)
        chains = _chains(cluster, wide, steps)
        tasks = min(steps, GRAPH_TASKS_MAX)
        turns = put(cluster, graph_of(tasks, wide))
        graph, graph_s = one_run(cluster, "graph", tasks)
        graph_ms = turn_ms(cluster, turns)
        turns = put(cluster, divided_into(steps, wide))
        member, members_s = one_run(cluster, "divided", steps)
        members_ms = turn_ms(cluster, turns)
    what = f"a chain of {steps:,} jobs by after, {wide} chains, a graph of {tasks:,} tasks, {steps:,} members"
    longest = (chain.turn_ms, chains.turn_ms, graph_ms, members_ms)
    step, task = f"a step of a chain of {steps:,} jobs by after", f"a task of a graph of {tasks:,}"
    rows = [
        _alone(step, chain.whole, alone, idle),
        _row(f"a step of {wide} chains of {steps // wide:,} jobs: CPU beside a manual run, {wide} clients",
             chains.whole.ms, beside.ms),
        _row(f"{task}: CPU beside a manual run, {wide} clients", graph.total, beside.ms),
        _row(f"a member of a task divided into {steps:,}: CPU beside a manual run, {wide} clients",
             member.total, beside.ms),
        _row(f"{step}: CPU of the last tenth beside the first", chain.last.own(idle), chain.first.own(idle)),
        Row(
            f"{what}: longest turn of a core, CPU", f"{TURN_MS_MAX} ms",
            f"up to {', '.join(f'{each:.0f}' for each in longest)} ms", max(longest) <= TURN_MS_MAX,
        ),
        Row(
            f"{step}: resident memory of the largest node, before it and behind it", NONE,
            " / ".join(f"{mib:,.0f}" for mib in chain.grown_mib) + " MiB",
        ),
        Row(
            f"{what}: time", NONE,
            f"{chain.seconds:.1f} s, {chains.seconds:.1f} s, {graph_s:.1f} s, {members_s:.1f} s",
        ),
    ]  # fmt: skip
    return Result(rows)


class Each(NamedTuple):
    """What one of many took."""

    sample: Sample  #: CPU
    wall_ms: float

    @property
    def ms(self) -> float:
        return self.sample.total

    def own(self, idle: float) -> float:
        """Without what the cluster takes in that time anyway. `idle`: CPU milliseconds a second."""
        return self.ms - idle * self.wall_ms / 1_000


class Course(NamedTuple):
    """A chain that ran through."""

    whole: Each
    first: Each  #: of its first tenth
    last: Each
    seconds: float
    turn_ms: float  #: the longest of a core, from its first run on
    grown_mib: tuple[float, float]  #: resident memory of the largest node, before it and behind it


def _row(what: str, step_ms: float, other_ms: float) -> Row:
    times = step_ms / other_ms
    told = f"× {times:.2f} ({step_ms:.2f} of {other_ms:.2f} ms)"
    return Row(what, f"× {TIMES_MAX}", told, times <= TIMES_MAX)


def _alone(step: str, chain: Each, one: Each, idle: float) -> Row:
    row = _row(f"{step}: CPU beside a manual run, one client", chain.own(idle), one.own(idle))
    whole = f"with {idle:.0f} ms a second of idling × {chain.ms / one.ms:.2f}"
    took = f"{chain.ms:.2f} of {one.ms:.2f} ms, {chain.wall_ms:.0f} of {one.wall_ms:.0f} ms long"
    return replace(row, measured=f"{row.measured}; {whole} ({took})")


def idle_ms(cluster: Cluster, duration_s: float) -> float:
    """CPU milliseconds a second of a cluster on which nothing is done: the load of a while, for which nothing
    can be waited."""
    spending, began_s = Spending(cluster), time.monotonic()
    time.sleep(duration_s)
    spending.end()
    return spending.per(time.monotonic() - began_s).total


class Measured(Spender, Protocol):
    """A cluster, with whatever else its CPU is to count of."""

    @property
    def client(self) -> Client: ...

    @property
    def token(self) -> str: ...


def manual(cluster: Measured, clients: int, duration_s: float) -> Each:
    jobs = [f"manual-{clients}-{i}" for i in range(clients)]
    cluster.client.apply([{"job": name, "policies": POLICIES, **NOOP} for name in jobs])

    def make(url: str, number: int) -> bytes:
        return request("POST", url, f"/v1/jobs/{jobs[number % clients]}/runs", cluster.token, b"{}")

    spending, began_s = Spending(cluster), time.monotonic()
    accepted = closed_loop(cluster.client.urls, clients, duration_s, make).accepted
    wait_for(lambda: not _open(cluster), STEP_S_MAX * accepted, "every accepted run ended", LOOK_S)
    spending.end()
    return Each(spending.per(accepted), 1_000 * (time.monotonic() - began_s) / accepted)


def _open(cluster: Measured) -> bool:
    states = ("pending", "running")
    return any(next(iter(cluster.client.items("/v1/runs", {"state": state})), None) for state in states)


def chain_of(steps: int, name: str = "link") -> list[dict[str, Any]]:
    """Jobs of which each follows the one before it."""
    first: dict[str, Any] = {"job": f"{name}-0", "policies": POLICIES, **NOOP}
    links = (
        {"job": f"{name}-{i}", "triggers": {"after": f"{name}-{i - 1}.succeeded"}, **NOOP}
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


def divided_into(members: int, wide: int) -> dict[str, Any]:
    """A job of one task with so many members, of which `wide` go at once."""
    many = {**NOOP, "fanout": {"n": members, "max_parallel": wide}}
    return {"job": "divided", "policies": POLICIES, "tasks": {"many": many}}


def _chains(cluster: Cluster, wide: int, steps: int) -> Course:
    """So many chains side by side, of so many steps together."""
    long = max(1, steps // wide)
    names = [f"link-{wide}-{i}" for i in range(wide)]
    for name in names:
        cluster.client.apply(chain_of(long, name))
    turns, before_mib = turns_by_now(cluster), _largest_mib(cluster)
    marks = [(0.0, time.monotonic())]
    spending = Spending(cluster)
    for name in names:
        cluster.client.ask("POST", f"/v1/jobs/{name}-0/runs", b"{}")
    tenth = max(1, long // 10)
    for length in (tenth, long - tenth, long):
        for name in names:
            _wait(cluster, f"{name}-{length - 1}", long * wide)
        spending.end()
        marks.append((spending.per(1).total, time.monotonic()))
    (began, began_s), (first, first_s), (late, late_s), (end, end_s) = marks
    return Course(
        _each(end - began, end_s - began_s, long * wide),
        _each(first - began, first_s - began_s, tenth * wide),
        _each(end - late, end_s - late_s, tenth * wide),
        end_s - began_s,
        turn_ms(cluster, turns),
        (before_mib, _largest_mib(cluster)),
    )


def _largest_mib(cluster: Cluster) -> float:
    return max(sum(roles.values()) for roles in cluster.resident_bytes().values()) / MIB


def turns_by_now(cluster: Cluster) -> dict[str, Turns]:
    """By now, on all nodes: those that follow apply later what was put. A node tells its figures anew now and
    then: what is told the second time from here on has all of it."""
    cluster.equal_heads()
    found = read_turns(cluster, WORK)
    for _ in range(2):
        before = found

        def told_anew(before: dict[str, Turns] = before) -> dict[str, Turns] | None:
            now = read_turns(cluster, WORK)
            return now if all(now[node] != turns for node, turns in before.items()) else None

        found = wait_for(told_anew, FIGURES_S, "every node tells its figures anew", LOOK_S)
    return found


def turn_ms(cluster: Cluster, before: dict[str, Turns]) -> float:
    return max(longest_ms(before, turns_by_now(cluster)).values())


def _each(ms: float, seconds: float, count: int) -> Each:
    return Each(Sample({"": ms / count}), 1_000 * seconds / count)


def put(cluster: Cluster, job: dict[str, Any]) -> dict[str, Turns]:
    """Put it; turns of the cores behind that, which cost nothing of what it does then."""
    cluster.client.apply([job])
    return turns_by_now(cluster)


def one_run(cluster: Measured, job: str, tasks: int) -> tuple[Sample, float]:
    """Of one run of this job, with so many tasks: CPU milliseconds a task, and seconds in all."""
    spending, began_s = Spending(cluster), time.monotonic()
    cluster.client.ask("POST", f"/v1/jobs/{job}/runs", b"{}")
    _wait(cluster, job, tasks)
    spending.end()
    return spending.per(tasks), time.monotonic() - began_s


def _wait(cluster: Measured, job: str, steps: int) -> None:
    """Until its run has ended, and well."""

    def state() -> str | None:
        page = cluster.client.get("/v1/runs", {"job": job, "limit": 1, "brief": "true"})["items"]
        return page[0]["state"] if page and page[0]["state"] in ENDED else None

    ended = wait_for(state, STEP_S_MAX * steps, f"the run of {job} ended", LOOK_S)
    if ended != "succeeded":
        raise RuntimeError(f"the run of {job} is {ended}")
