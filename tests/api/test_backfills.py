"""Backfills over HTTP: asked for, told of, refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from scheduler.plan import plan
from tests.api.single_node import SingleNode
from tests.api.working import connect, run_it

DAILY = {"cron": "0 3 * * *", "id": "nightly"}


def day(back: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=back)).isoformat()


async def put(client: httpx2.AsyncClient, **fields: Any) -> None:
    reply = await client.put("/v1/jobs/j", json={"noop": True, "triggers": [DAILY], **fields})
    assert reply.status_code in (200, 201), reply.text


async def fill(client: httpx2.AsyncClient, dry: bool = False, **body: Any) -> httpx2.Response:
    body = {"from": day(3), "to": day(1), **body}
    return await client.post("/v1/jobs/j/backfill", json=body, params={"dry_run": "true"} if dry else {})


async def test_plan_dates_are_filled_one_after_the_other(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await put(client)
    dry = (await fill(client, dry=True)).json()
    assert (dry["instants"], dry["runs"], dry["left_out"]) == (3, 3, {})
    assert dry["first"] == [f"{day(back)}T03:00:00Z" for back in (3, 2, 1)]

    begun = await fill(client, reason="the host was new")
    assert begun.status_code == 201, begun.text
    path = begun.headers["location"]
    agent = connect(node)
    for _ in range(3):
        _plan(node)
        with node.read() as store:
            (run,) = [row[0] for row in store.rows("SELECT id FROM runs WHERE finished_ms IS NULL")]
        run_it(node, run, agent)
    told = (await client.get(path)).json()
    assert (told["state"], told["runs"], told["succeeded"], told["left_out"]) == ("done", 3, 3, 0)
    runs = (await client.get("/v1/runs?job=j")).json()["items"]
    assert [(run["cause"], run["tick"], run["plan_date"]) for run in reversed(runs)] == [
        ("backfill", f"{day(back)}T03:00:00Z", day(back)) for back in (3, 2, 1)
    ]

    again = (await fill(client, dry=True, missing_only=True)).json()
    assert (again["runs"], again["left_out"]) == (0, {"succeeded": 3})
    listed = (await client.get("/v1/jobs/j/backfills")).json()["items"]
    assert [(each["id"], each["reason"]) for each in listed] == [(told["id"], "the host was new")]
    verified = (await client.get("/v1/ledger/verify")).json()
    assert verified["ok"], verified
    entries = (await client.get("/v1/ledger")).json()["items"]
    assert [(each["cause"], each["outcome"], each["reason"]) for each in entries] == [
        ("backfill", "ran", "succeeded")
    ] * 3


def _plan(node: SingleNode) -> None:
    while True:
        with node.read() as store:
            commands = plan(store, node.now_ms(), epoch=node.machine.state.epoch, lead_ms=0)
        if not commands:
            return
        node.apply(*commands)


async def test_a_plan_date_has_the_tick_that_a_calendar_moved_from_it(client: httpx2.AsyncClient) -> None:
    today = datetime.now(UTC).date()
    saturday = today - timedelta(days=(today.weekday() - 5) % 7 + 7)
    monday = (saturday + timedelta(days=2)).isoformat()
    assert (await client.put("/v1/calendars/free", json={"calendar": "free"})).status_code == 201
    calendar = {"exclude": ["free"], "nonworking": "after"}
    await put(client, triggers=[{"cron": "0 3 * * 6", "id": "nightly", "calendar": calendar}])
    span: dict[str, Any] = {"from": saturday.isoformat(), "to": saturday.isoformat()}

    dry = (await fill(client, dry=True, **span)).json()
    begun = (await fill(client, **span)).json()
    elsewhere: dict[str, Any] = dict.fromkeys(span, monday)
    other = await fill(client, **elsewhere)

    assert (dry["first"], dry["dates"]) == ([f"{monday}T03:00:00Z"], span)
    assert (begun["instants"], begun["dates"]) == (1, span)
    assert "no instant in this range" in other.json()["detail"]


async def test_one_is_cancelled_with_its_runs(client: httpx2.AsyncClient, node: SingleNode) -> None:
    await put(client)
    path = (await fill(client)).headers["location"].partition("?")[0]
    dry = await client.post(f"{path}/cancel?dry_run=true", json={"runs": True})
    assert dry.json()["state"] == "going"
    told = (await client.post(f"{path}/cancel", json={"runs": True})).json()
    assert (told["state"], told["why"][:9]) == ("cancelled", "cancelled")
    other = await client.post("/v1/jobs/j/backfills/99999/cancel")
    assert other.status_code == 404
    assert (await client.get("/v1/jobs/j/backfills/x")).status_code == 404


async def test_the_same_key_is_the_same_backfill(client: httpx2.AsyncClient) -> None:
    await put(client)
    headers = {"Idempotency-Key": "once"}
    body = {"from": day(3), "to": day(1)}
    first, second = [await client.post("/v1/jobs/j/backfill", json=body, headers=headers) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"from": "yesterday"}, 422, "/from: 'yesterday' is not an RFC 3339 instant"),
        ({"from": None}, 422, "/from: a plan date, such as 2026-03-01, or an instant"),
        ({"to": "2099-01-01T00:00:00Z"}, 422, "/to: it is yet to come"),
        ({"from": "2099-01-01", "to": "2099-01-02"}, 422, "/from: that date is yet to come"),
        ({"to": "2099-01-02"}, 422, "/to: that date is yet to come"),
        ({"from": day(1), "to": day(3)}, 422, "/to: it lies before `from`"),
        ({"trigger": "other"}, 422, "/trigger: the job has no trigger 'other' with instants; it has nightly"),
        ({"max_active": 0}, 422, "/max_active: a whole number from 1 to 100"),
        ({"max_active": True}, 422, "/max_active: a whole number from 1 to 100"),
        ({"missing_only": 1}, 422, "/missing_only: true or false"),
        ({"reason": "x" * 501}, 422, "/reason: a text of at most 500 letters"),
        ({"params": {"x": "1"}}, 422, "/params"),
        ({"params": []}, 422, "/params: parameters are an object"),
        ({"since": "x"}, 422, "/since: unknown field"),
        ({"from": f"{day(1)}T04:00:00Z", "to": f"{day(1)}T05:00:00Z"}, 422, "/from: trigger nightly has no"),
        ({"from": "1980-01-01"}, 429, "a backfill is of 1 to 10000 instants"),
    ],
)
async def test_what_is_wrong_is_said(
    client: httpx2.AsyncClient, body: dict[str, Any], status: int, said: str
) -> None:
    await put(client)
    reply = await fill(client, **body)
    assert (reply.status_code, said in reply.text) == (status, True), reply.text
    assert reply.json()["hint"]


async def test_which_trigger_is_asked_where_there_are_several(client: httpx2.AsyncClient) -> None:
    await put(client, triggers=[DAILY, {"cron": "0 4 * * *", "id": "late"}])
    reply = await fill(client)
    assert "/trigger: the job has several triggers, say which: late, nightly" in reply.text
    await put(client, triggers=[])
    assert "/trigger: the job has no trigger with instants" in (await fill(client)).text


async def test_a_closed_date_is_refused_unless_it_is_meant(client: httpx2.AsyncClient) -> None:
    await put(client)
    closed = await client.post(f"/v1/plan/{day(2)}/close", json={"reason": "done"})
    assert closed.status_code == 200
    for dry in (True, False):
        reply = await fill(client, dry=dry)
        assert (reply.status_code, f"plan date {day(2)} is closed" in reply.text) == (409, True), reply.text
    assert (await fill(client, closed=True)).status_code == 201
