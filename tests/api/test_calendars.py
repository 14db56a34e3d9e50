"""Jobs by calendars over HTTP: put together, moved by an edit, explained."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2

from api.tick_pages import ticks_page
from scheduler.plan import plan
from scheduler.words import commands as c
from tests.api.planning import planning
from tests.api.single_node import SingleNode
from tests.api.test_objects import problem

OFF = {"calendar": "off", "weekend": [], "exclude": ["12-24"]}


def dated(name: str = "a", *, cron: str = "0 9 * * *", **fields: Any) -> dict[str, Any]:
    trigger = {"cron": cron, "id": "t", "calendar": {"exclude": ["off"], **fields}}
    return {"job": name, "noop": True, "triggers": [trigger]}


async def go_on(node: SingleNode) -> None:
    """All that is left of edits of calendars."""
    while True:
        with node.read() as store:
            found = plan(store, node.now_ms(), epoch=node.status().epoch, lead_ms=0)
        commands = [each for each in found if isinstance(each, c.Redate)]
        if not commands:
            return
        for command in commands:
            assert (await node.propose(command)).ok


async def coming(client: httpx2.AsyncClient, name: str = "a", count: int = 3) -> list[str]:
    reply = await client.get(f"/v1/jobs/{name}/next", params={"count": count})
    return [item["at"] for item in reply.json()["items"]]


async def test_a_job_and_its_calendar_are_put_together_and_moved_by_an_edit(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    yearly = dated(cron="0 9 24-26 12 *")
    assert (await client.post("/v1/apply", json={"objects": [yearly, OFF]})).status_code == 200
    first = await coming(client)
    assert [at[5:] for at in first] == ["12-25T09:00:00Z", "12-26T09:00:00Z", "12-25T09:00:00Z"]

    other = {**OFF, "exclude": ["12-25"]}
    told = (await client.put("/v1/calendars/off?dry_run=true", json=other)).json()
    (move,) = told["moves"]
    assert (move["job"], move["trigger"], told["moves_cut"]) == ("a", "t", False)
    assert {at[5:] for at in move["gone"]} == {"12-25T09:00:00Z"}
    assert {at[5:] for at in move["come"]} == {"12-24T09:00:00Z"}
    whole = (await client.post("/v1/apply?dry_run=true", json={"objects": [other]})).json()
    assert whole["moves"] == told["moves"]
    with_it = (await client.post("/v1/apply?dry_run=true", json={"objects": [other, dated()]})).json()
    assert with_it["moves"] == [], "what becomes of a job that the apply changes is told of the job"
    with_it = (await client.post("/v1/apply?dry_run=true", json={"objects": [other, yearly]})).json()
    assert with_it["moves"] == told["moves"], "a folder holds all of them, and the job itself is as it was"
    assert await coming(client) == first

    assert (await client.put("/v1/calendars/off", json=other)).status_code == 200
    await go_on(node)
    assert [at[5:10] for at in await coming(client)] == ["12-24", "12-26", "12-24"]
    same = (await client.put("/v1/calendars/off?dry_run=true", json={**other, "owner": "ann"})).json()
    assert same["moves"] == []


async def test_what_is_wrong_of_days_is_told_with_its_place(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/calendars/off", json=OFF)
    told = problem(await client.put("/v1/jobs/a", json=dated(exclude=["of"])), 422)
    (error,) = told["errors"]
    assert (error["pointer"], error["hint"]) == ("/triggers/0/calendar/exclude/0", "did you mean off?")
    everything = {"calendar": "none", "weekend": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    await client.put("/v1/calendars/none", json=everything)
    told = problem(await client.put("/v1/jobs/a", json=dated(exclude=["none"], nonworking="suppress")), 422)
    (error,) = told["errors"]
    assert error["pointer"] == "/triggers/0/calendar"
    assert error["detail"] == "its calendars leave none of its instants that are still to come"
    dry = await client.put("/v1/jobs/a?dry_run=true", json=dated(exclude=["none"], nonworking="suppress"))
    assert problem(dry, 422)["errors"] == told["errors"]
    assert (await client.put("/v1/jobs/a", json=dated())).status_code == 201
    assert problem(await client.delete("/v1/calendars/off"), 409)["referrers"][0]["name"] == "a"


async def test_a_dry_run_shows_ticks_by_the_calendar(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/calendars/off", json=OFF)
    told = (await client.put("/v1/jobs/a?dry_run=true", json=dated(cron="0 9 24,25 12 *"))).json()
    assert [tick["at"][5:10] for tick in told["next_ticks"][:3]] == ["12-25"] * 3


async def test_explain_says_which_calendar_takes_an_instant_away(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/calendars/off", json=OFF)
    await client.put("/v1/jobs/a", json=dated())
    await client.put("/v1/jobs/b", json=dated("b", nonworking="after"))
    year = int((await coming(client))[0][:4]) + 1
    told = (await client.get(f"/v1/jobs/a/explain?at={year}-12-24T09:00:00Z")).json()
    assert told["said"] == "trigger t has no tick then: it is off in calendar default/off"
    told = (await client.get(f"/v1/jobs/b/explain?at={year}-12-24T09:00:00Z")).json()
    assert told["said"].endswith(f"calendar default/off, and what is due on it goes to {year}-12-25")


async def test_a_slice_is_prepared_by_the_calendars_of_slices_before_it(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert (await client.post("/v1/apply?stage=s&slice=0", json={"objects": [OFF]})).status_code == 200
    yearly = dated(cron="0 9 24,25 12 *")
    assert (await client.post("/v1/apply?stage=s&slice=1", json={"objects": [yearly]})).status_code == 200
    async with planning(node):
        done = await client.post("/v1/apply?stage=s&slices=2&commit=true")
    assert (done.status_code, done.json()["created"]) == (200, 2), done.text
    assert [at[5:10] for at in await coming(client)] == ["12-25"] * 3


async def test_a_slice_before_its_calendar_is_told_of(client: httpx2.AsyncClient, node: SingleNode) -> None:
    assert (await client.post("/v1/apply?stage=s&slice=0", json={"objects": [dated()]})).status_code == 200
    assert (await client.post("/v1/apply?stage=s&slice=1", json={"objects": [OFF]})).status_code == 200
    async with planning(node):
        told = problem(await client.post("/v1/apply?stage=s&slices=2&commit=true"), 409)
    assert "by other dates than calendar default/off has: lay its calendar down" in told["detail"]


async def test_ticks_behind_what_a_calendar_knows_say_so(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await client.put("/v1/calendars/off", json=OFF)
    trigger = {"at": "2099-12-23T09:00:00Z", "id": "t", "calendar": {"exclude": ["off"]}}
    await client.put("/v1/jobs/a", json={"job": "a", "noop": True, "triggers": [trigger]})
    live = {"every": "1h", "id": "now", "calendar": {"exclude": ["off"]}}
    await client.put("/v1/jobs/b", json={"job": "b", "noop": True, "triggers": [live]})
    to_ms = int(datetime(2099, 12, 23, 10, tzinfo=UTC).timestamp() * 1000)
    asked: dict[str, Any] = {"from_ms": to_ms - 7_200_000, "to_ms": to_ms, "now_ms": to_ms, "after": None}
    with node.read() as store:
        for name, count in (("a", 1), ("b", 2)):
            items = ticks_page(store, "default", name, **asked, limit=10)["items"]
            assert [item["calendar_unknown"] for item in items] == [True] * count
        near = asked | {"from_ms": node.now_ms(), "to_ms": node.now_ms() + 86_400_000}
        items = ticks_page(store, "default", "b", **near, limit=10)["items"]
        assert not any("calendar_unknown" in item for item in items)
