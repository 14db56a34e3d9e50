"""What a person looks at first: late, failing, waiting, out of reach, of each why and the next command."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx2

from api import overview
from api.schemas.overview import Overview
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import agents, leaderships, triggers
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.api.working import go_on
from tests.node.effects.parts import connect, fail_last

NOOP: dict[str, Any] = {"noop": True}


async def read(client: httpx2.AsyncClient) -> dict[str, Any]:
    reply = await client.get("/v1/overview")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    Overview.model_validate(found)
    return found


async def run(client: httpx2.AsyncClient, job: str) -> int:
    made = await client.post(f"/v1/jobs/{job}/runs")
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


async def fire_two(client: httpx2.AsyncClient, node: SingleNode, job: str) -> tuple[int, int]:
    """Two ticks of a job whose second run waits behind its first."""
    node.skew_ms = -60_000
    fields = {**NOOP, "triggers": {"every": "1s", "id": "t"}, "policies": {"overlap": "queue_all"}}
    assert (await client.put(f"/v1/jobs/{job}", json=fields)).status_code == 201
    node.skew_ms = 0
    with node.read() as store:
        trigger = triggers.live(store, job_reads.ids(store, "default", job)[0])[0]
    due_ms, epoch = trigger.next_due_ms, node.machine.state.epoch
    assert due_ms is not None
    found = []
    for number in range(2):
        fire = c.Fire(epoch, trigger.id, due_ms + number * 1_000, due_ms + (number + 1) * 1_000)
        (outcome,) = node.apply(fire)
        assert outcome.value, outcome
        found.append(int(str(outcome.value["run"])))
    return found[0], found[1]


async def test_an_idle_cluster_has_nothing_to_look_at(client: httpx2.AsyncClient) -> None:
    found = await read(client)
    for kind in ("late", "failing", "waiting", "unreachable"):
        assert found[kind] == {"count": 0, "more": False, "items": []}
    assert found["runs"] == {"pending": 0, "running": 0, "held": 0, "suspended": 0}
    assert found["overload"] is None
    (led,) = found["leaderships"]
    assert (led["node"], led["zone"], led["ended"]) == ("node-1", "zone-a", None)


async def test_a_tick_that_nobody_decides_is_late(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.skew_ms = -60_000
    fields = {**NOOP, "namespace": "night", "triggers": {"every": "10s", "id": "often"}}
    assert (await client.put("/v1/jobs/report", json=fields)).status_code == 201
    node.skew_ms = 0

    late = (await read(client))["late"]

    assert late["count"] == 1
    (item,) = late["items"]
    assert (item["job"], item["namespace"], item["trigger"]) == ("report", "night", "often")
    assert item["late_seconds"] > overview.LATE_MS / 1000
    assert item["why"] == "it is not decided yet"
    at = item["at"]
    assert item["command"] == f"cronclave job explain report --at {at} --namespace night"
    told = await client.get("/v1/jobs/report/explain", params={"namespace": "night", "at": at})
    assert told.json()["ticks"][0]["outcome"] == "pending"


async def test_a_job_that_fails_is_named_until_it_succeeds(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    for name in ("first", "second"):
        await client.put(f"/v1/jobs/{name}", json=NOOP)
        await run(client, name)
        fail_last(node)
    await run(client, "first")
    fail_last(node)

    failing = (await read(client))["failing"]

    assert [(each["job"], each["failures"]) for each in failing["items"]] == [("first", 2), ("second", 1)]
    assert failing["items"][0]["why"] == "its last 2 runs failed"
    assert failing["items"][1]["why"] == "its last run failed"
    assert failing["items"][0]["command"] == f"cronclave run logs {failing['items'][0]['run']}"
    listed = (await client.get("/v1/jobs?failing=true")).json()["items"]
    assert [each["name"] for each in listed] == ["first", "second"]


async def test_what_waits_says_for_which_agents_or_behind_which_run(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await client.put("/v1/jobs/train", json={"run": "true", "on": {"pool": "gpu"}})
    queued = await run(client, "train")
    ahead, behind = await fire_two(client, node, "one")

    waiting = (await read(client))["waiting"]

    by_run = {each["run"]: each for each in waiting["items"]}
    assert by_run[queued]["why"] == "no agent is connected for pool gpu"
    assert (by_run[queued]["kind"], by_run[queued]["for"]) == ("agent", "pool gpu")
    assert (by_run[behind]["kind"], by_run[behind]["behind"]) == ("overlap", ahead)
    assert by_run[behind]["why"] == f"it waits behind run {ahead} of the job"
    assert waiting["count"] == 3

    # An agent is free, and what is lacking is another's: that is what it waits for.
    connect(node)
    await client.put("/v1/resources/yard", json={"count": 1})
    await client.put("/v1/jobs/dig", json={"run": "true", "locks": ["yard"]})
    first, second = await run(client, "dig"), await run(client, "dig")
    task = node.store.value("SELECT id FROM tasks WHERE run = ?", (first,))
    node.apply(c.Place(node.machine.state.epoch, task, 1))
    (item,) = (each for each in (await read(client))["waiting"]["items"] if each["run"] == second)
    assert (item["for"], item["why"]) == (
        "resource default/yard", "what it asks for of resource default/yard is taken"
    )  # fmt: skip
    # What a group lets go on at once is nobody's resource.
    tasks, group = {"a": NOOP, "b": NOOP}, {"tasks": ["a", "b"], "max_parallel": 1}
    await client.put("/v1/jobs/few", json={"tasks": tasks, "groups": {"g": group}})
    few = await run(client, "few")
    go_on(node)
    task = node.store.value("SELECT id FROM tasks WHERE run = ? AND name = 'a'", (few,))
    node.apply(c.Place(node.machine.state.epoch, task, 1))
    (item,) = (each for each in (await read(client))["waiting"]["items"] if each["run"] == few)
    assert (item["for"], item["why"]) == ("pool default", "its group lets 1 of its tasks go on at once")
    await client.post("/v1/pause", json={"reason": "the database is moved"})
    paused = {each["run"]: each["why"] for each in (await read(client))["waiting"]["items"]}
    assert paused[queued] == "it is paused: no task starts"


async def test_an_attempt_out_of_reach_names_its_agent_and_goes_with_it(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    await client.put("/v1/jobs/job", json=NOOP)
    number = await run(client, "job")
    state = node.machine.state
    node.apply(c.Place(state.epoch, state.last_task, 1), c.Grant(state.last_attempt, 1, "s", "claim"))
    zone = (await read(client))["zones"][0]
    assert zone == {
        "zone": "zone-a", "agents": 1, "connected": 1, "draining": 0, "slots": 100, "busy": 1,
    }  # fmt: skip
    node.apply(c.DisconnectAgent(1, "s", node.node))
    with node.read() as store:
        agent = agents.get(store, 1)
    assert agent is not None
    marked = c.MarkUnreachable(state.epoch, state.last_attempt, agent.disconnected_ms or 0)
    assert [outcome.ok for outcome in node.apply(marked)] == [True]

    found = await read(client)

    (item,) = found["unreachable"]["items"]
    assert (item["run"], item["agent"], item["task"]) == (number, "a", "main")
    assert item["why"] == "a, which has it, is not connected"
    assert (found["zones"][0]["connected"], found["zones"][0]["slots"]) == (0, 0)
    assert (await client.post(f"/v1/runs/{number}/resolve")).status_code == 200
    assert (await read(client))["unreachable"]["count"] == 0


async def test_leaderships_follow_each_other(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.apply(c.Lead("node-2", "zone-b", 2))
    newest, before = (await read(client))["leaderships"]

    assert (newest["node"], newest["zone"], newest["ended"]) == ("node-2", "zone-b", None)
    assert before["ended"] == newest["began"]
    assert newest["last_decision_before"] == newest["vacant_since"] <= newest["began"]
    assert before["vacant_since"] is None

    # Nothing was due for a minute, and the leader was heard until just before: what counts is its last sign.
    node.skew_ms = 60_000
    node.apply(c.Lead("node-3", "zone-c", 3, silent_ms=60))
    newest = (await read(client))["leaderships"][0]
    idle, vacant = (
        datetime.fromisoformat(newest["began"]) - datetime.fromisoformat(newest[since])
        for since in ("last_decision_before", "vacant_since")
    )
    assert (idle > timedelta(minutes=0.9), vacant) == (True, timedelta(milliseconds=60))
    # What it decided after the last sign that the next one had of it.
    node.apply(c.Lead("node-2", "zone-b", 4, silent_ms=1 << 60))
    newest = (await read(client))["leaderships"][0]
    assert newest["vacant_since"] == newest["last_decision_before"]
    for term in range(5, leaderships.KEPT_MAX + 20):
        node.apply(c.Lead(f"node-{term % 3}", "zone-a", term))
    with node.read() as store:
        assert len(leaderships.newest(store, 10_000)) == leaderships.KEPT_MAX


async def test_many_of_a_kind_are_counted_and_few_are_shown(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    for number in range(overview.SHOWN_MAX + 5):
        await fire_two(client, node, f"job-{number}")

    waiting = (await read(client))["waiting"]

    assert waiting["count"] >= overview.SHOWN_MAX + 5
    assert len([each for each in waiting["items"] if each["kind"] == "overlap"]) == overview.SHOWN_MAX
