"""Runs that repeat another, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import Place, Purge
from tests.api.single_node import SingleNode
from tests.api.working import connect, go_on, must, run_it

GRAPH: dict[str, Any] = {
    "extract": {"noop": True},
    "load": {"noop": True, "needs": ["extract"]},
    "report": {"noop": True, "needs": ["load"]},
}
PARAMS = {"region": {"type": "string", "enum": ["eu", "us"], "default": "eu"}}


async def ended(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """A run of which the first task succeeded and the second failed."""
    agent = connect(node)
    reply = await client.put("/v1/jobs/j", json={"tasks": GRAPH, "params": PARAMS})
    assert reply.status_code == 201, reply.text
    run = int((await client.post("/v1/jobs/j/runs")).json()["id"])
    run_it(node, run, agent)
    with node.read() as store:
        load = task_rows.newest(store, run, "load")
    assert load is not None
    node.apply(Place(node.machine.state.epoch, load.id, agent))
    run_it(node, run, agent, exit_code=1)
    assert (await client.get(f"/v1/runs/{run}")).json()["state"] == "failed"
    return run


async def rerun(client: httpx2.AsyncClient, run: int, body: Any = None, **query: str) -> Any:
    return await client.post(f"/v1/runs/{run}/rerun", json=body, params=query)


async def test_what_failed_is_done_again_and_both_runs_name_each_other(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    old = await ended(client, node)
    plan = (await rerun(client, old, {"from_failed": True}, dry_run="true")).json()
    assert (plan["anew"], plan["taken"], plan["left_out"]) == (["load", "report"], ["extract"], [])
    assert plan["counts"] == {"anew": 2, "taken": 1, "left_out": 0}
    reply = await rerun(client, old, {"from_failed": True, "reason": "the disk is larger"})
    new = reply.json()
    assert (reply.status_code, reply.headers["location"]) == (201, f"/v1/runs/{new['id']}")
    assert new["rerun"] == {
        "of": old, "from_failed": True, "from": None, "until": None, "after": False
    }  # fmt: skip
    assert (new["cause"], new["cause_key"]) == ("rerun", f"{old}/{new['id']}")
    assert (new["tasks"]["extract"]["state"], new["tasks"]["extract"]["taken_from"]) == ("succeeded", old)
    assert (new["tasks"]["load"]["state"], new["tasks"]["load"]["taken_from"]) == ("queued", None)
    assert (await client.get(f"/v1/runs/{old}")).json()["reruns"] == [new["id"]]
    listed = (await client.get("/v1/runs", params={"cause": "rerun"})).json()["items"]
    assert [(each["rerun"]["of"], each["tasks"]["extract"]["taken_from"]) for each in listed] == [(old, old)]
    brief = (await client.get("/v1/runs", params={"cause": "rerun", "brief": "true"})).json()["items"]
    assert brief[0]["rerun"]["of"] == old
    audit = (await client.get("/v1/audit")).json()["items"][0]
    assert (audit["action"], audit["run"], audit["reason"]) == ("rerun", new["id"], "the disk is larger")


async def test_the_output_of_what_was_taken_over_is_read_where_it_was_written(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    new = await ended(client, node)
    for _ in range(2):  # also where it was taken over twice
        new = (await rerun(client, new, {"from_failed": True})).json()["id"]
        reply = await client.get(f"/v1/runs/{new}/logs", params={"task": "extract"})
        assert (reply.text, reply.headers["x-cronclave-log-source"]) == ("bye\n", "tail")
        reply = await client.get(f"/v1/runs/{new}/logs", params={"task": "load"})
        assert (reply.text, reply.headers["x-cronclave-log-source"]) == ("", "none")
        await client.post(f"/v1/runs/{new}/cancel")
        go_on(node)


async def test_parameters_are_those_of_the_run_but_for_those_that_are_given(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    old = await ended(client, node)
    new = (await rerun(client, old, {"params": {"region": "us"}})).json()
    assert (new["params"], new["tasks"]["extract"]["state"]) == ({"region": "us"}, "queued")
    assert (await rerun(client, old)).json()["params"] == {"region": "eu"}


async def test_the_newest_revision_is_asked_for_by_name(client: httpx2.AsyncClient, node: SingleNode) -> None:
    old = await ended(client, node)
    wider = {**GRAPH, "tell": {"noop": True, "needs": ["report"]}}
    await client.put("/v1/jobs/j", json={"tasks": wider})
    assert (await rerun(client, old, {"from_failed": True})).json()["revision"] == 1
    latest = (await rerun(client, old, {"from_failed": True, "revision": "latest"})).json()
    assert (latest["revision"], latest["params"], sorted(latest["tasks"])) == (2, {}, sorted(wider))
    reply = await rerun(client, old, {"from": "tell"})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/from")
    assert (await rerun(client, old, {"revision": 2})).json()["revision"] == 2


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"form": "load"}, "/form", "Send"),
        ({"from": 1}, "/from", "Send"),
        ({"until": ""}, "/until", "Send"),
        ({"from_failed": "yes"}, "/from_failed", "Send"),
        ({"from_failed": True, "from": "load"}, "/from", "Send"),
        ({"from": "laod"}, "/from", "did you mean load?"),
        ({"until": "reprot"}, "/until", "did you mean report?"),
        ({"from": "report", "until": "load"}, "/from", ""),
        ({"revision": "newest"}, "/revision", "Send"),
        ({"revision": 9}, "/revision", "The newest is 1."),
        ({"revision": 0}, "/revision", "Send"),
        ({"params": {"region": "mars"}}, "/params/region", ""),
        ({"params": {"regoin": "us"}}, "/params/regoin", "did you mean region?"),
        ({"params": []}, "/params", "Send"),
        ({"reason": "x" * 501}, "/reason", "Send"),
        ({"held": 1}, "/held", "Send"),
        ({"after": None}, "/after", "Send"),
    ],
)
async def test_a_bad_request_is_refused_with_its_place(
    client: httpx2.AsyncClient, node: SingleNode, body: dict[str, Any], pointer: str, hint: str
) -> None:
    old = await ended(client, node)
    for query in ({}, {"dry_run": "true"}):
        reply = await rerun(client, old, body, **query)
        told = reply.json()
        assert (reply.status_code, told["errors"][0]["pointer"]) == (422, pointer), told
        assert hint in f"{told.get('hint')} {told['errors'][0].get('hint')}", told


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"from": "a"}, "/from", "a is inside of group g, which is repeated as a whole: name g"),
        ({"until": "a"}, "/until", "a is inside of group g, which is repeated as a whole: name g"),
        ({"from": "g", "until": "tell"}, "/until", "tell is done finally, whatever of a run is repeated"),
        ({"from": "g", "until": "none"}, "/until", "default/j has no task 'none' in this revision"),
    ],
)
async def test_what_is_no_part_that_can_be_named_is_told_at_the_field_that_names_it(
    client: httpx2.AsyncClient, node: SingleNode, body: dict[str, Any], pointer: str, said: str
) -> None:
    tasks: dict[str, Any] = {"a": {"noop": True}, "tell": {"noop": True}}
    document = {"tasks": tasks, "groups": {"g": {"tasks": ["a"]}}}
    assert (await client.put("/v1/jobs/j", json={**document, "finally": ["tell"]})).status_code == 201
    run = int((await client.post("/v1/jobs/j/runs")).json()["id"])
    await client.post(f"/v1/runs/{run}/cancel")
    go_on(node)
    reply = await rerun(client, run, body)
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error["pointer"], error["detail"]) == (422, pointer, said)
    assert f"cronclave run show {run}" in reply.json()["hint"]


async def test_what_cannot_be_repeated_as_it_stands_is_a_conflict(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    old = await ended(client, node)
    reply = await rerun(client, old, {"from": "report"})
    assert (reply.status_code, reply.json()["hint"]) == (
        409, "From what failed (--from-failed, or from_failed: true) what did not end well is done again too."
    )  # fmt: skip
    new = (await rerun(client, old)).json()["id"]
    told = (await rerun(client, new)).json()
    assert told["detail"] == f"run {new} is pending: what is repeated has ended"
    assert told["hint"].startswith(f"Wait for it (cronclave run wait {new})")
    assert (await rerun(client, 999)).status_code == 404
    await client.delete("/v1/jobs/j")
    reply = await rerun(client, old)
    assert (reply.status_code, reply.json()["detail"].partition(":")[0]) == (409, "default/j was deleted")


@pytest.mark.parametrize("body", [{"from_failed": True}, {"from": "load"}, None])
@pytest.mark.parametrize("dry_run", ["true", "false"])
async def test_a_run_that_was_purged_gives_nothing_over_and_it_is_said_what_to_do(
    client: httpx2.AsyncClient, node: SingleNode, body: Any, dry_run: str
) -> None:
    old = await ended(client, node)
    with node.read() as store:
        row = run_rows.get(store, old)
    assert row is not None
    must(node, Purge(node.machine.state.epoch, row.job, old, 10))
    assert (await client.get(f"/v1/runs/{old}")).status_code == 404
    reply = await rerun(client, old, body, dry_run=dry_run)
    told = reply.json()
    assert (reply.status_code, told["type"]) == (404, "/problems/not-found")
    assert "cannot be taken over" in told["detail"]
    assert "job run NAME --plan-date" in told["hint"]
