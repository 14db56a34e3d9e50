"""A task that is divided into very many members over very many agents, beside manual runs on the same.

The agents are a crowd (`bench.crowd`). All members may go at once: they wait for slots, and for nothing else.
"""

from __future__ import annotations

from bench.crowd import crowded, said
from bench.jobs import NOOP
from bench.options import Options
from bench.rows import NONE, Result, Row
from bench.workflows import POLICIES, TIMES_MAX, TURN_MS_MAX, manual, one_run, put, turn_ms


def run(options: Options) -> Result:
    members, agents = options.steps, options.agents
    with crowded(options, agents) as cluster:
        alone = manual(cluster, options.clients, options.duration_s)
        many = {**NOOP, "fanout": {"n": members}}
        turns = put(cluster.cluster, {"job": "members", "policies": POLICIES, "tasks": {"many": many}})
        member, seconds = one_run(cluster, "members", members)
        longest = turn_ms(cluster.cluster, turns)
    what = f"{members:,} members over {agents:,} agents"
    times = member.total / alone.sample.total
    told = f"× {times:.2f} ({said(member)} of {said(alone.sample)} ms)"
    return Result([
        Row(f"a member of {what}: CPU beside a manual run, {options.clients} clients", f"× {TIMES_MAX}", told,
            times <= TIMES_MAX),
        Row(f"{what}: longest turn of a core, CPU", f"{TURN_MS_MAX} ms", f"up to {longest:.0f} ms",
            longest <= TURN_MS_MAX),
        Row(f"{what}: time", NONE, f"{seconds:.1f} s"),
    ])  # fmt: skip

