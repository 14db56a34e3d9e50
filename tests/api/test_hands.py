"""Hands on a live run, over HTTP: suspended, resumed, held, released."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from scheduler.words.commands import RunJob
from tests.api.single_node import SingleNode
from tests.api.working import connect, run_it

JOB: dict[str, Any] = {"noop": True}


async def made(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    assert (await client.put("/v1/jobs/j", json=JOB)).status_code in (200, 201)
    reply = await client.post("/v1/jobs/j/runs", json=body)
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


async def hand(client: httpx2.AsyncClient, run: int, name: str, body: Any = None, **query: str) -> Any:
    return await client.post(f"/v1/runs/{run}/{name}", json=body, params=query)


async def test_a_run_is_suspended_and_goes_on(client: httpx2.AsyncClient) -> None:
    run = (await made(client))["id"]
    reply = await hand(client, run, "suspend", {"reason": "the disk fills up"})
    told = reply.json()
    assert (reply.status_code, told["state"]) == (200, "suspended")
    assert (told["hold"]["by"], told["hold"]["reason"]) == ("admin", "the disk fills up")
    assert told["tasks"]["main"]["state"] == "blocked"

    listed = (await client.get("/v1/runs", params={"state": "suspended", "brief": "true"})).json()["items"]
    assert [(each["id"], each["hold"]) for each in listed] == [(run, told["hold"])]
    gates = (await client.get(f"/v1/runs/{run}/explain")).json()["gates"]
    said = next(gate for gate in gates if gate["gate"] == "suspended")
    assert (said["state"], said["opens"]) == ("waits", f"run resume {run}")
    assert said["reason"] == "its run is suspended by admin: the disk fills up"
    counted = (await client.get("/v1/overview")).json()["runs"]
    assert counted == {"pending": 0, "running": 0, "held": 0, "suspended": 1}

    told = (await hand(client, run, "resume")).json()
    assert (told["state"], told["hold"], told["tasks"]["main"]["state"]) == ("pending", None, "queued")


async def test_a_held_run_is_told_as_it_is_and_released(client: httpx2.AsyncClient, node: SingleNode) -> None:
    connect(node)
    run = await made(client, held=True, reason="after the audit")
    assert (run["state"], run["hold"]["reason"]) == ("held", "after the audit")
    assert run["tasks"]["main"]["attempts"] == []
    told = (await hand(client, run["id"], "release", {})).json()
    assert (told["state"], told["hold"]) == ("pending", None)


async def test_a_dry_run_judges_and_changes_nothing(client: httpx2.AsyncClient) -> None:
    run = (await made(client))["id"]
    reply = await hand(client, run, "suspend", {"reason": "x"}, dry_run="true")
    assert (reply.status_code, reply.json()["state"]) == (200, "pending")
    await hand(client, run, "suspend")
    for name, status in (("suspend", 200), ("resume", 200), ("release", 409)):
        assert (await hand(client, run, name, dry_run="true")).status_code == status
    assert (await hand(client, 999, "suspend", dry_run="true")).status_code == 404
    assert (await client.get(f"/v1/runs/{run}")).json()["state"] == "suspended"


async def test_what_is_not_restartable_is_not_suspended_in_a_dry_run_either(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    agent = connect(node)
    two = {"first": {"noop": True}, "second": {"noop": True, "needs": ["first"]}}
    await client.put("/v1/jobs/j", json={"tasks": two, "policies": {"not_restartable": True}})
    run = (await client.post("/v1/jobs/j/runs")).json()["id"]
    assert (await hand(client, run, "suspend", dry_run="true")).status_code == 200  # it has not begun
    run_it(node, run, agent)
    for query in ({}, {"dry_run": "true"}):
        told = (await hand(client, run, "suspend", **query)).json()
        assert (told["status"], told["detail"].partition(":")[0]) == (409, "default/j is not_restartable")


@pytest.mark.parametrize(
    ("name", "detail", "hint"),
    [
        ("resume", "run {run} is held, not suspended: release it", "/v1/runs/{run}/release"),
        ("suspend", "run {run} is held: nothing of it starts until it is released", "/v1/runs/{run}"),
    ],
)
async def test_the_wrong_word_is_refused_with_the_right_one(
    client: httpx2.AsyncClient, name: str, detail: str, hint: str
) -> None:
    run = (await made(client, held=True))["id"]
    for query in ({}, {"dry_run": "true"}):
        told = (await hand(client, run, name, **query)).json()
        assert (told["status"], told["detail"]) == (409, detail.format(run=run))
        assert hint.format(run=run) in told["hint"]


@pytest.mark.parametrize("name", ["suspend", "resume", "release"])
async def test_a_run_that_has_ended_and_one_that_is_none_are_refused(
    client: httpx2.AsyncClient, name: str
) -> None:
    run = (await made(client))["id"]
    await client.post(f"/v1/runs/{run}/cancel")
    reply = await hand(client, run, name)
    assert (reply.status_code, reply.json()["detail"]) == (409, f"run {run} ended: cancelled")
    assert (await hand(client, run + 1, name)).status_code == 404
    assert (await client.post(f"/v1/runs/nine/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": 7}, "/reason"),
        ({"reason": "x" * 501}, "/reason"),
        ({"why": "x"}, "/why"),
    ],
)
async def test_bad_bodies_are_refused_with_their_place(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    run = (await made(client))["id"]
    reply = await hand(client, run, "suspend", body)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize(("body", "pointer"), [({"held": "yes"}, "/held"), ({"reason": []}, "/reason")])
async def test_a_bad_wish_to_hold_is_refused_with_its_place(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    await made(client)
    reply = await client.post("/v1/jobs/j/runs", json=body)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)


# -- tasks ------------------------------------------------------------------------------------------


GRAPH: dict[str, Any] = {
    "tasks": {
        "first": {"noop": True},
        "second": {"noop": True, "needs": ["first"]},
        "third": {"noop": True, "needs": ["second"]},
    }
}


async def on_task(
    client: httpx2.AsyncClient, run: int, task: str, name: str, body: Any = None, **query: str
) -> Any:
    return await client.post(f"/v1/runs/{run}/tasks/{task}/{name}", json=body, params=query)


async def a_run(client: httpx2.AsyncClient) -> int:
    await client.put("/v1/jobs/graph", json=GRAPH)
    return int((await client.post("/v1/jobs/graph/runs")).json()["id"])


async def test_a_task_is_held_released_and_skipped(client: httpx2.AsyncClient) -> None:
    run = await a_run(client)
    told = (await on_task(client, run, "second", "hold", {"reason": "look first"})).json()["tasks"]["second"]
    assert (told["state"], told["hold"]["by"], told["hold"]["reason"]) == ("held", "admin", "look first")
    gates = (await client.get(f"/v1/runs/{run}/explain")).json()["tasks"][1]["gates"]
    said = next(gate for gate in gates if gate["gate"] == "held")
    assert (said["reason"], said["opens"]) == ("it is held by admin: look first", f"run release {run} second")
    told = (await on_task(client, run, "second", "release")).json()["tasks"]["second"]
    assert (told["state"], told["hold"]) == ("blocked", None)
    body = {"reason": "not today", "pass": True}
    told = (await on_task(client, run, "second", "skip", body)).json()["tasks"]
    assert (told["second"]["state"], told["second"]["reason"]) == ("skipped", "skipped by admin: not today")
    assert told["third"]["state"] == "queued"


async def test_a_dry_run_of_a_hand_on_a_task_judges_and_changes_nothing(client: httpx2.AsyncClient) -> None:
    run = await a_run(client)
    for name, status in (("hold", 200), ("release", 200), ("skip", 200), ("retry", 200), ("stop", 409)):
        reply = await on_task(client, run, "first", name, dry_run="true")
        assert (name, reply.status_code) == (name, status), reply.text
    assert (await client.get(f"/v1/runs/{run}")).json()["tasks"]["first"]["state"] == "queued"


@pytest.mark.parametrize("name", ["hold", "release", "skip", "retry", "stop"])
async def test_a_task_that_is_none_brings_the_near_miss(client: httpx2.AsyncClient, name: str) -> None:
    run = await a_run(client)
    for query in ({}, {"dry_run": "true"}):
        told = (await on_task(client, run, "secnd", name, **query)).json()
        assert (told["status"], told["detail"]) == (404, f"run {run} has no task 'secnd'")
        assert "did you mean second?" in told["hint"]
    assert (await on_task(client, run + 7, "first", name)).status_code == 404
    assert (await on_task(client, run, "first", name, {"reason": 1})).status_code == 422
    reply = await on_task(client, run, "first", name, {"pass": "yes"})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/pass")


# -- verdicts ---------------------------------------------------------------------------------------


async def test_a_run_that_has_ended_is_overridden_and_the_truth_stays(client: httpx2.AsyncClient) -> None:
    run = (await made(client))["id"]
    body = {"as": "succeeded", "reason": "done by hand"}
    reply = await hand(client, run, "override", body)
    assert (reply.status_code, reply.json()["detail"]) == (
        409, f"run {run} is pending: a verdict is laid over a run that has ended"
    )  # fmt: skip
    await client.post(f"/v1/runs/{run}/cancel")
    assert (await hand(client, run, "override", body, dry_run="true")).json()["override"] is None
    told = (await hand(client, run, "override", body)).json()
    assert (told["state"], told["override"]["as"]) == ("cancelled", "succeeded")
    assert told["override"]["by"] == "admin"
    listed = (await client.get("/v1/runs", params={"brief": "true"})).json()["items"][0]
    assert (listed["state"], listed["override"]["reason"]) == ("cancelled", "done by hand")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "why"}, "/as"),
        ({"as": "lost", "reason": "why"}, "/as"),
        ({"as": "failed"}, "/reason"),
        ({"as": "failed", "reason": " "}, "/reason"),
        ({"as": "failed", "reason": "why", "now": 1}, "/now"),
    ],
)
async def test_a_bad_verdict_is_refused_with_its_place(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    run = (await made(client))["id"]
    reply = await hand(client, run, "override", body)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_run_that_another_node_has_just_made_is_known_to_hands(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert (await client.put("/v1/jobs/j", json=JOB)).status_code == 201
    hands = [f"tasks/main/{hand}" for hand in ("hold", "skip", "release", "retry", "hold?dry_run=true")]
    asked = ["suspend", "resume", "release", "suspend?dry_run=true", "cancel?dry_run=true", *hands]
    refused = {
        "override": {"as": "failed", "reason": "why"}, "rerun": None, "tasks/main/stop": None,
        "resolve?dry_run=true": None,
    }  # fmt: skip
    found = {}
    for run, (path, body) in enumerate({**dict.fromkeys(asked), **refused}.items(), start=1):
        node.unheard.append(RunJob("default", "j", b"{}", node.now_ms()))
        found[path] = (await client.post(f"/v1/runs/{run}/{path}", json=body)).status_code
    expected = {**dict.fromkeys(asked, 200), **dict.fromkeys(refused, 409), "resolve?dry_run=true": 200}
    assert found == expected
