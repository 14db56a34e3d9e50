"""Who holds a resource and who waits for it, over HTTP; a job that asks for what is not there."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.schemas import holders
from scheduler.words.commands import Place
from tests.api.single_node import SingleNode
from tests.api.test_namespaces import token
from tests.api.working import connect, must

POOL = "/v1/resources/licences"


@pytest.fixture
async def pool(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    assert (await client.put(POOL, json={"count": 2})).status_code == 201
    for name, locks in (("one", ["licences"]), ("both", [{"resource": "licences", "amount": 2}])):
        made = await client.put(f"/v1/jobs/{name}", json={"noop": True, "locks": locks})
        assert made.status_code == 201, made.text
    whole = {"noop": True, "policies": {"locks": ["licences"]}}
    assert (await client.put("/v1/jobs/whole", json=whole)).status_code == 201
    return client


async def run(client: httpx2.AsyncClient, job: str) -> int:
    made = await client.post(f"/v1/jobs/{job}/runs", json={})
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


def place(node: SingleNode, run: int, agent: int) -> None:
    with node.read() as store:
        task = store.value("SELECT id FROM tasks WHERE run = ?", (run,))
        epoch = store.value("SELECT epoch FROM state")
    must(node, Place(epoch, task, agent))


async def test_who_holds_and_who_waits_is_told_in_order(pool: httpx2.AsyncClient, node: SingleNode) -> None:
    agent = connect(node)
    first, second = await run(pool, "one"), await run(pool, "whole")
    waiting = [await run(pool, "both"), *[await run(pool, "one") for _ in range(3)]]
    place(node, first, agent)
    place(node, second, agent)

    told = holders.HolderList.model_validate((await pool.get(f"{POOL}/holders")).json())
    assert (told.amount, told.period, told.held, told.free) == (2, None, 2, 0)
    assert {(each.run, each.job, each.task, each.amount) for each in told.items} == {
        (first, "one", "main", 1), (second, "whole", None, 1),
    }  # fmt: skip
    waiters = holders.WaiterList.model_validate((await pool.get(f"{POOL}/waiters")).json())
    assert [(each.run, each.amount) for each in waiters.items] == [
        (number, 2 if number == waiting[0] else 1) for number in waiting
    ]
    for what, everybody in (("holders", {first, second}), ("waiters", set(waiting))):
        found: list[int] = []
        cursor: str | None = None
        while cursor is not None or not found:
            page = (await pool.get(f"{POOL}/{what}", params={"limit": 1, "cursor": cursor or ""})).json()
            found += [each["run"] for each in page["items"]]
            cursor = page["next_cursor"]
        assert (len(found), set(found)) == (len(everybody), everybody)


async def test_an_explanation_tells_who_is_in_the_way(pool: httpx2.AsyncClient, node: SingleNode) -> None:
    agent = connect(node)
    first, both, last = await run(pool, "one"), await run(pool, "both"), await run(pool, "one")
    place(node, first, agent)

    async def gate(number: int) -> dict[str, Any]:
        (task,) = (await pool.get(f"/v1/runs/{number}/explain")).json()["tasks"]
        (found,) = [each for each in task["gates"] if each["gate"] == "locks"]
        return dict(found)

    told = await gate(both)
    assert told["state"] == "waits"
    said = "it asks for 2 of resource default/licences: 1 of 2 free, held by"
    assert told["reason"].startswith(f"{said} run {first} of default/one (for ")
    behind = await gate(last)
    assert behind["state"] == "waits", "there is one, and it is for who has waited longer"
    assert behind["reason"].endswith(", and 1 task waits before it; it has priority 50")
    await pool.put(POOL, json={"count": 1}, headers={"If-Match": '"1"'})
    assert (await gate(both))["reason"] == "it asks for 2 of resource default/licences, of which there are 1"


async def test_what_runs_in_other_namespaces_is_told_to_those_who_may_read_there(
    pool: httpx2.AsyncClient, node: SingleNode
) -> None:
    theirs = {"noop": True, "locks": ["default/licences"], "namespace": "web"}
    assert (await pool.put("/v1/jobs/theirs", json=theirs)).status_code == 201
    made = await pool.post("/v1/jobs/theirs/runs", params={"namespace": "web"}, json={})
    place(node, made.json()["id"], connect(node))
    reader = token(node, "reader", default="viewer")
    told = (await pool.get(f"{POOL}/holders", headers=reader)).json()
    assert (told["held"], told["items"]) == (1, [])
    everything = (await pool.get(f"{POOL}/holders")).json()
    assert [each["namespace"] for each in everything["items"]] == ["web"]
    waits = await run(pool, "both")
    told = (await pool.get(f"/v1/runs/{waits}/explain", headers=reader)).text
    assert f"held by run {made.json()['id']} of another namespace (for " in told
    assert "theirs" not in told


async def test_a_resource_that_is_not_there_is_refused_with_the_near_miss(pool: httpx2.AsyncClient) -> None:
    reply = await pool.put("/v1/jobs/wrong", json={"noop": True, "locks": ["licenses"]})
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error["pointer"]) == (422, "/locks/0")
    assert "licences" in error["hint"]
    tasks = {"a": {"noop": True, "locks": ["licenses"]}}
    for body, pointer in (
        ({"noop": True, "policies": {"locks": ["licenses"]}}, "/policies/locks/0"),
        ({"tasks": tasks}, "/tasks/a/locks/0"),
    ):
        for dry_run in ("true", "false"):
            refused = await pool.put("/v1/jobs/wrong", json=body, params={"dry_run": dry_run})
            assert refused.json()["errors"][0]["pointer"] == pointer
    kept = await pool.delete(POOL)
    assert kept.status_code == 409
    assert {each["name"] for each in kept.json()["referrers"]} == {"one", "both", "whole"}
    for path in (f"{POOL}x/holders", f"{POOL}x/waiters"):
        assert (await pool.get(path)).status_code == 404


async def test_more_than_there_is_is_refused_when_the_job_is_put(pool: httpx2.AsyncClient) -> None:
    three = [{"resource": "licences", "amount": 3}]
    detail = "of resource default/licences there are 2: 3 are never free"
    for body, place in (
        ({"job": "much", "noop": True, "locks": three}, "/locks/0/amount"),
        ({"job": "much", "noop": True, "policies": {"locks": three}}, "/policies/locks/0/amount"),
        ({"job": "much", "tasks": {"a": {"noop": True, "locks": three}}}, "/tasks/a/locks/0/amount"),
    ):
        for path, above, sent in (
            ("/v1/jobs/much", "", body),
            ("/v1/jobs/much?dry_run=true", "", body),
            ("/v1/apply", "/objects/0", {"objects": [body]}),
        ):
            reply = await pool.request("PUT" if not above else "POST", path, json=sent)
            assert reply.status_code == 422, reply.text
            (error,) = reply.json()["errors"]
            assert (error["pointer"], error["detail"]) == (above + place, detail)
            assert error["hint"]
    much = {"job": "much", "noop": True, "locks": three}
    larger = {"objects": [much, {"resource": "licences", "count": 3}]}
    assert (await pool.post("/v1/apply", json=larger)).status_code == 200
    less = await pool.put(POOL, json={"count": 2}, headers={"If-Match": '"2"'})
    assert less.status_code == 200, "what becomes of it later refuses nothing"
