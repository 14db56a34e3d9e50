"""Many jobs at once, and lists of those that somebody has to look at."""

from __future__ import annotations

import json

from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command
from tests.node.effects.parts import connect, fail_last

JOBS = """\
job: a
labels: {team: data}
noop: true
triggers: {every: 1h}
---
job: b
labels: {team: data}
noop: true
params: {day: {type: string, required: true}}
---
job: c
noop: true
triggers: {every: 1m}
"""


async def applied(cronclave: Command) -> None:
    done = await cronclave("job", "apply", "-", stdin=JOBS)
    assert done.code == 0, done.err


async def test_jobs_of_a_label_are_paused_and_resumed(cronclave: Command) -> None:
    await applied(cronclave)
    shown = await cronclave("job", "bulk", "pause", "-l", "team=data", "--dry-run", "-o", "json")
    assert [item["job"] for item in json.loads(shown.out)["items"]] == ["a", "b"]

    paused = await cronclave("job", "bulk", "pause", "-l", "team=data")
    assert paused.code == 0, paused.err
    listed = await cronclave("job", "list", "--state", "paused", "-o", "json")
    assert [item["job"] for item in json.loads(listed.out)] == ["a", "b"]

    await cronclave("job", "bulk", "resume", "--state", "paused")
    assert json.loads((await cronclave("job", "list", "--state", "paused", "-o", "json")).out) == []


async def test_what_is_refused_of_one_is_told_and_the_others_run(cronclave: Command) -> None:
    await applied(cronclave)
    done = await cronclave("job", "bulk", "run", "-l", "team=data")
    assert done.code == 1
    assert "1 of 2 jobs were refused" in done.err
    assert "day" in done.out
    runs = json.loads((await cronclave("run", "list", "-o", "json")).out)
    assert [run["job"] for run in runs] == ["a"]


async def test_without_a_filter_nothing_is_done(cronclave: Command) -> None:
    await applied(cronclave)
    done = await cronclave("job", "bulk", "pause")
    assert done.code == 1
    assert "say which jobs" in done.err


async def test_jobs_by_what_fails_and_by_what_comes(cronclave: Command, node: SingleNode) -> None:
    await applied(cronclave)
    connect(node)
    assert (await cronclave("job", "run", "a")).code == 0
    fail_last(node)
    failing = await cronclave("job", "list", "--failing", "-o", "json")
    assert [item["job"] for item in json.loads(failing.out)] == ["a"]
    coming = await cronclave("job", "list", "--sort", "next", "-o", "json")
    assert {item["job"] for item in json.loads(coming.out)} == {"a", "c"}
    ticks = [item["next_tick"] for item in json.loads(coming.out)]
    assert ticks == sorted(ticks)


async def test_agents_by_state_and_zone(cronclave: Command, node: SingleNode) -> None:
    connect(node)
    node.apply(c.DrainAgent("a", "new kernel", c.Actor("ann")))
    asked = (("--state", "draining", 1), ("--zone", "zone-b", 0), ("--pool", "default", 1))
    for option, value, count in asked:
        listed = await cronclave("agents", "list", option, value, "-o", "json")
        assert len(json.loads(listed.out)) == count, option
