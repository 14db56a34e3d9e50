"""The plan of a day over HTTP: past, present and to come."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx2
import pytest

from api.day_plan import JOBS_MAX
from scheduler.store.tables import closed_dates
from scheduler.ticks import plan_days
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.api.working import connect, every_second, must, run_it

NOOP: dict[str, Any] = {"noop": True}
DAY = "2099-12-25"  # a Friday


async def put(client: httpx2.AsyncClient, name: str, **fields: Any) -> None:
    reply = await client.put(f"/v1/jobs/{name}", json={**NOOP, **fields})
    assert reply.status_code in (200, 201), reply.text


async def plan(client: httpx2.AsyncClient, date: str = DAY, **asked: Any) -> list[dict[str, Any]]:
    reply = await client.get("/v1/plan", params={"date": date, **asked})
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_what_is_to_come_by_job_and_instant(client: httpx2.AsyncClient) -> None:
    await put(client, "b", triggers=[{"cron": "30 6,18 * * *", "id": "t"}])
    await put(client, "a", triggers=[{"at": f"{DAY}T12:00:00Z", "id": "noon"}])
    await put(client, "c", triggers=[{"cron": "0 0 * * 1", "id": "mondays"}])

    items = await plan(client)

    assert [(each["job"], each["at"], each["forecast"]) for each in items] == [
        ("a", f"{DAY}T12:00:00Z", "runs"),
        ("b", f"{DAY}T06:30:00Z", "runs"),
        ("b", f"{DAY}T18:30:00Z", "runs"),
    ]
    assert items[0]["expected"] == {"start": f"{DAY}T12:00:00Z", "end": None}
    assert (items[0]["outcome"], items[0]["plan_date"]) == ("pending", DAY)


async def test_how_it_stands_with_a_tick_to_come(client: httpx2.AsyncClient) -> None:
    tick = [{"at": f"{DAY}T12:00:00Z", "id": "t"}]
    span = {"from": f"{DAY}T11:00:00Z", "until": f"{DAY}T13:00:00Z", "reason": "freeze"}
    windows = {"windows": ["20:00-22:00"], "outside": "wait"}
    await put(client, "blacked-out", triggers=tick, policies={"blackout": [span]})
    await put(client, "disabled", triggers=tick, enabled=False)
    await put(client, "paused", triggers=tick)
    assert (await client.post("/v1/jobs/paused/pause")).status_code == 200
    await put(client, "waits", triggers=tick, policies={"admission": windows}, requires=[{"job": "paused"}])
    await put(client, "listens", triggers=[{"after": "paused.succeeded", "id": "end"}])

    told = {each["job"]: each for each in await plan(client)}

    assert told["blacked-out"]["forecast"] == "skipped(blackout)"
    assert "freeze" in told["blacked-out"]["said"]
    assert told["blacked-out"]["expected"] is None
    assert told["paused"]["forecast"] == "skipped(paused)"
    assert told["disabled"]["at"] is None
    assert told["disabled"]["said"] == "the job is disabled (enabled: false)"
    assert told["waits"]["expected"]["start"] == f"{DAY}T20:00:00Z"
    assert told["waits"]["waits"] == [
        "a run of paused succeeded since the last run", "an admission window: 20:00-22:00",
    ]  # fmt: skip
    assert (told["listens"]["at"], told["listens"]["trigger"]) == (None, "end")
    assert "event" in told["listens"]["said"]


async def test_a_calendar_takes_a_day_away_and_moves_another(client: httpx2.AsyncClient) -> None:
    closed = {"calendar": "bank", "exclude": [DAY]}
    assert (await client.put("/v1/calendars/bank", json=closed)).status_code == 201
    left_out = {"cron": "0 9 * * *", "id": "t", "calendar": {"exclude": ["bank"], "nonworking": "suppress"}}
    moved = {"cron": "0 9 25 12 *", "id": "t", "calendar": {"exclude": ["bank"], "nonworking": "after"}}
    last = {"cron": "0 9 * * *", "id": "t", "calendar": {"exclude": ["bank"]},
            "workday": {"nth": -1, "of": "month"}}  # fmt: skip
    await put(client, "left-out", triggers=[left_out])
    await put(client, "month-end", triggers=[last])
    await put(client, "moved", triggers=[moved])

    on_the_day = await plan(client)
    later = await plan(client, "2099-12-28")

    assert [(each["job"], each["at"]) for each in on_the_day] == [
        ("left-out", None), ("month-end", None), ("moved", "2099-12-28T09:00:00Z"),
    ]  # fmt: skip
    assert on_the_day[0]["said"] == "it is off in calendar default/bank"
    assert on_the_day[1]["said"] == "it is off in calendar default/bank"
    assert on_the_day[2]["plan_date"] == DAY
    assert [each["job"] for each in later if each["at"]] == ["left-out"]
    last_day = await plan(client, "2099-12-31")
    assert [each["job"] for each in last_day if each["at"]] == ["left-out", "month-end"]
    (told,) = [each for each in later if not each["at"]]
    assert (told["job"], told["said"]) == ("month-end", "it is not working day 1 last of its month")


async def test_what_became_of_ticks_and_how_long_runs_take(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    trigger, first = await every_second(client, node, overlap="allow")
    agent, epoch = connect(node), node.machine.state.epoch
    ran = must(node, c.Fire(epoch, trigger.id, first, first + 1_000, agent))["run"]
    run_it(node, ran, agent)
    second, third, fourth = (first + 1_000 * more for more in (1, 2, 3))
    must(node, c.Account(epoch, trigger.id, second, third, 2, fourth, "missed", "window"))
    going = must(node, c.Fire(epoch, trigger.id, fourth, fourth + 1_000, agent))["run"]

    date = plan_days.text_of(first // 86_400_000)
    items = await plan(client, date, each=6)

    assert [(each["outcome"], each["run"]) for each in items[:5]] == [
        ("ran", ran), ("missed", None), ("missed", None), ("pending", going), ("pending", None),
    ]  # fmt: skip
    assert items[0]["state"] == "succeeded"
    assert items[0]["finished"] is not None
    assert items[0]["usual"]["runs"] == 1
    assert items[0]["expected"] is None
    assert items[3]["forecast"] is None  # it has its run
    assert items[3]["expected"]["end"] is not None
    assert items[4]["forecast"] == "runs"
    assert [each["more"] for each in items] == [False] * 6 + [True]

    await client.delete("/v1/jobs/job")  # what was stays in the plan of its day
    past = await plan(client, date, each=2)
    assert [each["run"] for each in past] == [ran, None, None]


async def test_a_tick_that_another_run_was_in_the_way_of_has_no_course_of_its_own(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    trigger, first = await every_second(client, node)
    agent, epoch = connect(node), node.machine.state.epoch
    going = must(node, c.Fire(epoch, trigger.id, first, first + 1_000, agent))["run"]
    must(node, c.Fire(epoch, trigger.id, first + 1_000, first + 2_000, agent))

    waits, skipped, *_ = await plan(client, plan_days.text_of(first // 86_400_000), each=3)

    assert (skipped["outcome"], skipped["reason"], skipped["run"]) == ("skipped", "overlap", going)
    assert (skipped["state"], skipped["started"], skipped["expected"]) == (None, None, None)
    assert (waits["outcome"], waits["state"]) == ("pending", "pending")
    assert waits["expected"]["start"] > waits["due"], "its time has passed: it starts now at the soonest"


async def test_pages_follow_each_other_by_job(client: httpx2.AsyncClient) -> None:
    for number in range(5):
        await put(client, f"job-{number}", triggers=[{"cron": "0 6,18 * * *", "id": "t"}])
    seen: list[str] = []
    cursor, pages = None, 0
    while True:
        asked: dict[str, Any] = {"date": DAY, "limit": 3} | ({"cursor": cursor} if cursor else {})
        document = (await client.get("/v1/plan", params=asked)).json()
        seen += [each["job"] for each in document["items"]]
        pages += 1
        cursor = document["next_cursor"]
        if cursor is None:
            break

    assert seen == [f"job-{number}" for number in range(5) for _ in range(2)]
    assert pages == 3
    assert JOBS_MAX < 1_000


async def test_dates_are_those_of_the_namespace(client: httpx2.AsyncClient) -> None:
    told = await client.put(
        "/v1/namespaces/night", json={"plan": {"tz": "Europe/Berlin", "begin": "06:00"}}
    )
    assert told.status_code == 201, told.text
    reply = await client.put(
        "/v1/jobs/late?namespace=night", json={**NOOP, "triggers": [{"cron": "0 2 * * *", "id": "t"}]}
    )
    assert reply.status_code == 201, reply.text

    document = (await client.get("/v1/plan", params={"date": "2030-12-24", "namespace": "night"})).json()

    assert (document["from"], document["until"]) == ("2030-12-24T05:00:00Z", "2030-12-25T05:00:00Z")
    assert [each["at"] for each in document["items"]] == ["2030-12-25T02:00:00Z"]


@pytest.mark.parametrize(
    "asked", ["date=tomorrow", "date=2026-02-30", "date=1969-12-31", "cursor=x", "each=0"]
)
async def test_what_is_no_date_is_refused(client: httpx2.AsyncClient, asked: str) -> None:
    reply = await client.get(f"/v1/plan?{asked}")

    assert reply.status_code == 422
    assert reply.json()["type"] == "/problems/validation"


# -- closed dates ------------------------------------------------------------------------------------------


async def test_a_date_is_closed_shown_and_opened(client: httpx2.AsyncClient) -> None:
    await put(client, "a", triggers=[{"at": f"{DAY}T12:00:00Z", "id": "noon"}])

    dry = await client.post(f"/v1/plan/{DAY}/close?dry_run=true", json={"reason": "bank holiday"})
    closed = await client.post(f"/v1/plan/{DAY}/close", json={"reason": "bank holiday"})
    shown = (await client.get("/v1/plan", params={"date": DAY})).json()
    refused = await client.post("/v1/jobs/a/runs", json={"plan_date": DAY})
    foretold = await client.post("/v1/jobs/a/runs?dry_run=true", json={"plan_date": DAY})
    meant = await client.post("/v1/jobs/a/runs", json={"plan_date": DAY, "closed": True})
    opened = await client.post(f"/v1/plan/{DAY}/open")

    assert closed.json()["closed"]["reason"] == dry.json()["closed"]["reason"] == "bank holiday"
    assert shown["closed"]["actor"] == "admin"
    (line,) = shown["items"]
    assert (line["forecast"], line["expected"]) == ("skipped(plan_closed)", None)
    assert line["said"] == f"plan date {DAY} is closed by admin: bank holiday"
    assert refused.status_code == foretold.status_code == 409
    assert refused.json()["detail"] == foretold.json()["detail"] == f"plan date {DAY} is closed: bank holiday"
    assert "--closed" in refused.json()["hint"]
    assert meant.status_code == 201
    assert opened.json() == {"namespace": "default", "date": DAY, "closed": None}
    assert (await plan(client))[0]["forecast"] == "runs"
    audit = (await client.get("/v1/audit")).json()["items"]
    assert [(each["action"], each["name"]) for each in audit if each["kind"] == "plan"] == [
        ("open", DAY), ("close", DAY),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/v1/plan/{DAY}/close", {}, 422),
        (f"/v1/plan/{DAY}/close", {"reason": " "}, 422),
        (f"/v1/plan/{DAY}/close", {"reason": "why", "until": "x"}, 422),
        ("/v1/plan/tomorrow/close", {"reason": "why"}, 422),
        (f"/v1/plan/{DAY}/close?namespace=nobody", {"reason": "why"}, 404),
        (f"/v1/plan/{DAY}/close?namespace=nobody&dry_run=true", {"reason": "why"}, 404),
    ],
)
async def test_what_cannot_be_closed_is_refused(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], status: int
) -> None:
    await put(client, "a")

    reply = await client.post(path, json=body)

    assert reply.status_code == status
    assert reply.json()["hint"]


async def test_one_more_than_may_be_closed_is_refused_by_dry_runs_too(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_dates, "KEPT_MAX", 1)
    await put(client, "a")
    assert (await client.post(f"/v1/plan/{DAY}/close", json={"reason": "why"})).status_code == 200

    for query in ("", "?dry_run=true"):
        reply = await client.post(f"/v1/plan/2099-12-26/close{query}", json={"reason": "why"})
        assert reply.status_code == 429
        assert "plan open" in reply.json()["hint"]
    assert (await client.get(f"/v1/plan?date={DAY}")).json()["closed"]


# -- single ticks ------------------------------------------------------------------------------------------

NOON = f"{DAY}T12:00:00Z"


async def change(client: httpx2.AsyncClient, body: dict[str, Any], at: str = NOON) -> httpx2.Response:
    return await client.patch(f"/v1/jobs/a/ticks/{at}", json=body)


async def test_a_coming_tick_is_held_moved_and_shown_in_the_plan(client: httpx2.AsyncClient) -> None:
    params = {"region": {"type": "string", "default": "eu"}}
    trigger = {"at": NOON, "id": "noon", "params": {"region": "us"}}
    await put(client, "a", triggers=[trigger], params=params)

    held = await change(client, {"hold": True, "reason": "late figures"})
    (line,) = await plan(client)
    moved = await change(client, {"move_to": f"{DAY}T20:00:00Z"})
    given = await change(client, {"params": {"region": "asia"}})
    (later,) = await plan(client)
    explained = (await client.get(f"/v1/jobs/a/explain?at={NOON}")).json()["ticks"][0]["gates"]
    earlier = await change(client, {"move_to": f"{DAY}T08:00:00Z"})
    (brought,) = await plan(client)
    released = await change(client, {"release": True})

    assert held.status_code == 200, held.text
    assert (held.json()["trigger"], held.json()["changed"]["act"]) == ("noon", "held")
    assert (line["forecast"], line["expected"]) == ("waits", None)
    assert line["said"] == "it is held by admin: late figures"
    assert moved.json()["changed"]["to"] == f"{DAY}T20:00:00Z"
    assert given.json()["changed"]["act"] == "moved"
    assert later["changed"]["params"] == {"region": "asia"}
    assert (later["at"], later["expected"]["start"]) == (NOON, f"{DAY}T20:00:00Z")
    assert (later["forecast"], later["said"]) == ("runs", "it was moved by admin")
    assert [gate["opens_at"] for gate in explained if gate["gate"] == "person"] == [f"{DAY}T20:00:00Z"]
    assert earlier.json()["changed"]["to"] == f"{DAY}T08:00:00Z"
    assert (brought["at"], brought["expected"]["start"]) == (NOON, f"{DAY}T08:00:00Z")
    assert released.json()["changed"] | {"since": None} == {
        "act": "go", "to": None, "params": {"region": "asia"}, "since": None, "reason": None,
        "actor": "admin",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "at", "status", "says"),
    [
        ({}, NOON, 422, "one thing"),
        ({"hold": True, "skip": True}, NOON, 422, "one thing"),
        ({"hold": False}, NOON, 422, "true"),
        ({"hold": True, "until": "x"}, NOON, 422, "unknown field"),
        ({"move_to": "tomorrow"}, NOON, 422, "RFC 3339"),
        ({"move_to": NOON}, NOON, 422, "that is its instant"),
        ({"move_to": "2020-01-01T00:00:00Z"}, NOON, 422, "to come"),
        ({"move_to": "2100-12-25T12:00:00Z"}, NOON, 422, "35 days"),
        ({"params": {"n": 1}}, NOON, 422, "parameter"),
        ({"params": []}, NOON, 422, "object"),
        ({"release": True}, NOON, 409, "nothing was said"),
        ({"hold": True}, f"{DAY}T12:00:01Z", 404, "no tick"),
        ({"hold": True, "trigger": "night"}, NOON, 404, "no trigger"),
        ({"hold": True}, "noon", 422, "RFC 3339"),
        ({"hold": True}, f"{DAY}T18:00:00Z", 422, "say which"),
    ],
)
async def test_what_cannot_be_said_of_a_tick_is_refused_by_dry_runs_too(
    client: httpx2.AsyncClient, body: dict[str, Any], at: str, status: int, says: str
) -> None:
    evening = {"at": f"{DAY}T18:00:00Z"}
    noon = {"at": NOON, "id": "noon"}
    await put(client, "a", triggers=[noon, evening | {"id": "b"}, evening | {"id": "c"}])

    reply = await change(client, body, at)
    dry = await client.patch(f"/v1/jobs/a/ticks/{at}?dry_run=true", json=body)

    assert reply.status_code == dry.status_code == status, reply.text
    assert says in reply.json()["detail"]
    assert reply.json()["detail"] == dry.json()["detail"]
    assert all(each["changed"] is None for each in await plan(client))


@pytest.mark.parametrize("instant", ["noon", "2099-12-26T12:00:00", "1969-12-31T23:00:00Z"])
async def test_an_instant_that_is_none_is_named_where_it_stands(
    client: httpx2.AsyncClient, instant: str
) -> None:
    await put(client, "a", triggers=[{"at": NOON, "id": "noon"}])

    in_path = await change(client, {"hold": True}, instant)
    in_body = await change(client, {"move_to": instant})

    assert in_path.json()["detail"].startswith("at, in the path: ")
    assert in_body.json()["detail"].startswith("/move_to: ")
    assert [each["pointer"] for each in in_body.json()["errors"]] == ["/move_to"]
    assert in_path.status_code == in_body.status_code == 422


async def test_a_dry_run_tells_what_was_said_of_ticks_that_are_none_any_more(
    client: httpx2.AsyncClient,
) -> None:
    daily = [{"cron": "0 12 * * *", "id": "noon"}, {"cron": "0 18 * * *", "id": "late"}]
    await put(client, "a", triggers=daily)
    tomorrow = (await client.get("/v1/jobs/a/next?count=4")).json()["items"]
    noon = next(each["at"] for each in tomorrow if each["trigger"] == "noon")
    late = next(each["at"] for each in tomorrow if each["trigger"] == "late")
    for at in (noon, late):
        held = await client.patch(f"/v1/jobs/a/ticks/{at}", json={"hold": True, "reason": "figures"})
        assert held.status_code == 200, held.text
    moved = {"job": "a", **NOOP, "triggers": [{"cron": "0 13 * * *", "id": "noon"}, daily[1]]}

    async def told(body: dict[str, Any]) -> list[tuple[str, str, str]]:
        dry = (await client.post("/v1/apply?dry_run=true", json=body)).json()
        return [(each["trigger"], each["at"], each["changed"]["act"]) for each in dry.get("dropped", [])]

    assert await told({"jobs": [moved]}) == [("noon", noon, "held")]
    assert await told({"jobs": [{"job": "a", **NOOP, "triggers": daily[:1]}]}) == [("late", late, "held")]
    assert await told({"jobs": [{"job": "a", **NOOP, "triggers": daily, "owner": "ops"}]}) == []
    dry = await client.put("/v1/jobs/a?dry_run=true", json={**NOOP, "triggers": daily, "enabled": False})
    assert {each["at"] for each in dry.json()["dropped"]} == {noon, late}
    same = await client.put("/v1/jobs/a?dry_run=true", json={**NOOP, "triggers": daily})
    assert "dropped" not in same.json()


async def test_dates_close_by_themselves_and_the_plan_tells_when(client: httpx2.AsyncClient) -> None:
    await put(client, "a", triggers=[{"at": f"{DAY}T12:00:00Z", "id": "noon"}])
    today = (await client.get("/v1/plan")).json()
    before = (date.fromisoformat(today["date"]) - timedelta(days=1)).isoformat()
    body, path = {"plan": {"auto_close": "1m"}}, "/v1/namespaces/default"

    dry = (await client.put(f"{path}?dry_run=true", json=body)).json()
    declared = (await client.put(path, json=body)).json()
    again = (await client.put(f"{path}?dry_run=true", json=body)).json()
    shown = (await client.get("/v1/plan", params={"date": before})).json()
    coming = (await client.get("/v1/plan", params={"date": DAY})).json()
    refused = await client.post("/v1/jobs/a/runs", json={"plan_date": before})
    opened = await client.post(f"/v1/plan/{before}/open")

    assert today["closes"] is None
    assert declared["plan"] == {"tz": "UTC", "begin": "00:00", "auto_close": "1m"}
    assert dry["closes_through"] in (before, today["date"])
    assert again["closes_through"] in (None, today["date"])  # a new day may have begun
    assert shown["closed"] == {"since": None, "reason": "by itself (plan.auto_close)", "actor": ""}
    assert shown["closes"] is None
    assert (coming["closed"], coming["closes"]) == (None, coming["until"].replace("00:00Z", "01:00Z"))
    assert refused.status_code == 409
    assert opened.json()["closed"] is None
