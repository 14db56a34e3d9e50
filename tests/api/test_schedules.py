"""Schedules over HTTP: named by jobs, moved by an edit, what took whose place explained."""

from __future__ import annotations

from typing import Any

import httpx2

from scheduler.plan import plan
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.api.test_calendars import coming
from tests.api.test_objects import problem

YEARLY = {"schedule": "s", "triggers": [{"cron": "0 9 24-26 12 *", "id": "t"}]}
INSTEAD = {
    "schedule": "x", "substitute": "s", "triggers": [{"cron": "0 12 25 12 *", "id": "noon"}],
    "valid": {"from": "2050-12-25T00:00:00Z", "until": "2050-12-27T00:00:00Z"},
}  # fmt: skip


def user(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"job": name, "noop": True, "triggers": [{"schedule": "s", **fields}]}


async def go_on(node: SingleNode) -> None:
    while True:
        with node.read() as store:
            found = plan(store, node.now_ms(), epoch=node.status().epoch, lead_ms=0)
        commands = [each for each in found if isinstance(each, c.Reschedule)]
        if not commands:
            return
        for command in commands:
            assert (await node.propose(command)).ok


async def test_a_job_and_its_schedule_are_put_together_and_moved_by_an_edit(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert (await client.post("/v1/apply", json={"objects": [user(), YEARLY]})).status_code == 200
    first = await coming(client)
    assert [at[5:] for at in first] == ["12-24T09:00:00Z", "12-25T09:00:00Z", "12-26T09:00:00Z"]
    reply = await client.get("/v1/jobs/a/next", params={"count": 1})
    (item,) = reply.json()["items"]
    assert (item["trigger"], item["schedule"]) == ("s:t", "default/s")

    other = {**YEARLY, "triggers": [{"cron": "0 9 25-27 12 *", "id": "t"}]}
    told = (await client.put("/v1/schedules/s?dry_run=true", json=other)).json()
    (move,) = told["moves"]
    assert (move["job"], move["trigger"], told["moves_cut"]) == ("a", "s:t", False)
    assert {at[5:] for at in move["gone"]} == {"12-24T09:00:00Z"}
    assert {at[5:] for at in move["come"]} == {"12-27T09:00:00Z"}
    whole = (await client.post("/v1/apply?dry_run=true", json={"objects": [other]})).json()
    assert whole["moves"] == told["moves"]
    with_it = (await client.post("/v1/apply?dry_run=true", json={"objects": [other, user()]})).json()
    assert with_it["moves"] == told["moves"], "a folder holds all of them, and the job itself is as it was"
    edited = {**user(), "description": "another"}
    with_it = (await client.post("/v1/apply?dry_run=true", json={"objects": [other, edited]})).json()
    assert with_it["moves"] == []
    assert await coming(client) == first

    assert (await client.put("/v1/schedules/s", json=other)).status_code == 200
    await go_on(node)
    assert [at[5:10] for at in await coming(client)] == ["12-25", "12-26", "12-27"]


async def test_a_substitute_says_what_it_moves_and_what_it_takes_away(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await client.post("/v1/apply", json={"objects": [user(), YEARLY]})
    soon = {**INSTEAD, "valid": {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}}
    told = (await client.put("/v1/schedules/x?dry_run=true", json=soon)).json()
    assert {(move["trigger"], bool(move["gone"]), bool(move["come"])) for move in told["moves"]} == {
        ("s:t", True, False), ("s:x:noon", False, True),
    }  # fmt: skip
    assert (await client.put("/v1/schedules/x", json=INSTEAD)).status_code == 201
    await go_on(node)

    explained = (await client.get("/v1/jobs/a/explain?at=2050-12-26T09:00:00Z")).json()
    assert explained["ticks"] == []
    said = "trigger s:t has no tick then: schedule x takes the place of schedule default/s then"
    assert explained["said"] == said
    explained = (await client.get("/v1/jobs/a/explain?at=2050-12-25T12:00:00Z")).json()
    (tick,) = explained["ticks"]
    assert (tick["trigger"], tick["schedule"], tick["substitute"]) == ("s:x:noon", "default/s", "x")


async def test_a_schedule_says_what_comes_of_it_and_of_a_substitute(client: httpx2.AsyncClient) -> None:
    soon = {**INSTEAD, "valid": {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}}
    assert (await client.get("/v1/schedules/s/next")).status_code == 404
    jittery = {"cron": "0 9 24-26 12 *", "id": "t", "jitter": "1h"}
    await client.put("/v1/schedules/s", json={**YEARLY, "triggers": [jittery]})
    items = (await client.get("/v1/schedules/s/next", params={"count": 2})).json()["items"]
    assert [(item["at"][5:], item["trigger"]) for item in items] == [
        ("12-24T09:00:00Z", "s:t"), ("12-25T09:00:00Z", "s:t"),
    ]  # fmt: skip
    await client.put("/v1/schedules/x", json=soon)
    (item,) = (await client.get("/v1/schedules/s/next", params={"count": 1})).json()["items"]
    assert (item["at"][5:], item["trigger"], item["substitute"]) == ("12-25T12:00:00Z", "s:x:noon", "x")
    assert problem(await client.get("/v1/schedules/s/next", params={"count": 0}), 422)


async def test_each_refusal_says_where_and_what_to_do(client: httpx2.AsyncClient) -> None:
    reply = await client.put("/v1/jobs/a", json=user())
    assert problem(reply, 422)["errors"][0]["pointer"] == "/triggers/0/schedule"
    await client.post("/v1/apply", json={"objects": [user(), YEARLY, INSTEAD]})
    near = user()
    near["triggers"][0]["schedule"] = "S"
    found = problem(await client.put("/v1/jobs/a", json=near), 422)
    assert "no schedule 'S'" in found["detail"]
    for dry_run in ("true", "false"):
        reply = await client.put(
            f"/v1/schedules/y?dry_run={dry_run}", json={**INSTEAD, "schedule": "y"}
        )
        (error,) = problem(reply, 422)["errors"]
        assert error == {
            "pointer": "/valid",
            "detail": "schedule y: x takes the place of s in a part of this time",
            "hint": "let one end where the other begins",
        }
    told = problem(await client.delete("/v1/schedules/s"), 409)
    assert [each["name"] for each in told["referrers"]] == ["a", "x"]
