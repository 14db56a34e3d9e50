"""What is expected and does not hold, over HTTP: listed, shown with its run, in the plan and the overview."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from scheduler.store.tables import runs as run_rows
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.api.test_namespaces import token
from tests.node.effects.parts import connect, fail_last

DAY = "2099-12-25"
UNTIL = "2199-01-31T23:00:00Z"


@pytest.fixture
async def run(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """A run that said nothing for a while, and then failed."""
    connect(node)
    put = await client.put("/v1/jobs/quiet", json={"noop": True, "expect": {"output_within": "1m"}})
    assert put.status_code == 201, put.text
    made = await client.post("/v1/jobs/quiet/runs")
    fail_last(node, silent=True)
    number: int = made.json()["id"]
    return number


async def listed(client: httpx2.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    reply = await client.get("/v1/expectations", params=asked)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_what_did_not_hold_is_listed_and_shown_with_its_run(
    client: httpx2.AsyncClient, run: int
) -> None:
    assert await listed(client) == []  # it has ended
    (item,) = await listed(client, state="all")
    assert (item["run"], item["job"], item["what"], item["attempt"]) == (run, "quiet", "stalled", 1)
    assert item["said"].startswith("attempt 1 had written nothing for 1m by ")
    assert item["over"] is not None
    shown = (await client.get(f"/v1/runs/{run}")).json()["expected"]
    assert shown["told"] == [item]
    told = (await client.get(f"/v1/runs/{run}/explain")).json()["expected"]
    assert [each.partition(":")[0] for each in told] == ["stalled"]
    assert [each["id"] for each in await listed(client, job="quiet", state="over")] == [item["id"]]
    assert [each["id"] for each in await listed(client, run=run, state="all")] == [item["id"]]
    assert await listed(client, what="long", state="all") == []


async def test_what_a_run_is_to_do_is_shown_while_it_is_to_come(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    expect = {"start_by": "10m", "end_by": "1h"}
    first = await client.put("/v1/jobs/first", json={"noop": True})
    assert first.status_code == 201
    document = {"noop": True, "triggers": {"after": "first.ended"}, "expect": expect}
    assert (await client.put("/v1/jobs/then", json=document)).status_code == 201
    connect(node)
    assert (await client.post("/v1/jobs/first/runs")).status_code == 201
    fail_last(node)
    number = node.machine.state.last_run
    shown = (await client.get(f"/v1/runs/{number}")).json()
    assert (shown["job"], shown["expected"]["told"]) == ("then", [])
    assert shown["expected"]["start_by"] < shown["expected"]["end_by"]
    told = (await client.get(f"/v1/runs/{number}/explain")).json()["expected"]
    assert told == [
        f"it is to start by {shown['expected']['start_by']}",
        f"it is to succeed by {shown['expected']['end_by']}",
    ]


async def test_the_plan_of_a_day_tells_what_is_at_risk(client: httpx2.AsyncClient, node: SingleNode) -> None:
    connect(node)
    tick = {"at": f"{DAY}T12:00:00Z", "id": "t"}
    document = {"noop": True, "triggers": tick, "expect": {"end_by": "12:30", "start_by": "5m"}}
    assert (await client.put("/v1/jobs/j", json=document)).status_code == 201
    (line,) = (await client.get("/v1/plan", params={"date": DAY})).json()["items"]
    assert (line["start_by"], line["end_by"]) == (f"{DAY}T12:05:00Z", f"{DAY}T12:30:00Z")
    assert line["at_risk"] is None  # nobody knows how long it takes
    assert (await client.post("/v1/jobs/j/runs")).status_code == 201
    made = run_rows.get(node.store, node.machine.state.last_run)
    assert made is not None
    took = made._replace(state="succeeded", started_ms=1_000, finished_ms=2_401_000)
    node.store.execute("BEGIN")
    for number in range(101, 104):
        node.store.execute(
            f"INSERT INTO runs ({run_rows.COLUMNS}) VALUES ({', '.join('?' * len(took))})",
            took._replace(id=number),
        )
    node.store.execute("COMMIT")
    (line,) = (await client.get("/v1/plan", params={"date": DAY})).json()["items"]
    assert line["expected"]["end"] == f"{DAY}T12:40:00Z"
    assert line["at_risk"] is True


async def test_who_has_seen_it_says_until_when(client: httpx2.AsyncClient, run: int) -> None:
    path = "/v1/expectations/1/acknowledge"
    dry = await client.post(path, json={"until": UNTIL}, params={"dry_run": "true"})
    assert dry.json()["acknowledged"]["until"] == UNTIL
    assert (await listed(client, state="all", acknowledged="false"))[0]["acknowledged"] is None

    reply = await client.post(path, json={"until": UNTIL, "reason": "the disk is changed"})

    assert reply.status_code == 200, reply.text
    seen = reply.json()["acknowledged"]
    assert (seen["by"], seen["until"], seen["reason"]) == ("admin", UNTIL, "the disk is changed")
    assert await listed(client, state="all", acknowledged="false") == []
    assert [each["id"] for each in await listed(client, state="all", acknowledged="true")] == [1]
    audit = (await client.get("/v1/audit", params={"action": "acknowledge"})).json()["items"]
    assert [(each["name"], each["run"], each["before"]) for each in audit] == [("quiet", run, "stalled")]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/until"), ({"until": "2001-01-01T00:00:00Z"}, "/until"), ({"until": "soon"}, "/until"),
        ({"until": UNTIL, "reason": ""}, "/reason"), ({"until": UNTIL, "why": "x"}, "/why"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_an_acknowledgement_is_told(
    client: httpx2.AsyncClient, run: int, body: dict[str, Any], pointer: str
) -> None:
    reply = await client.post("/v1/expectations/1/acknowledge", json=body)
    assert reply.status_code == 422, reply.text
    assert [each["pointer"] for each in reply.json()["errors"]] == [pointer]


async def test_what_is_not_there_is_not_found(client: httpx2.AsyncClient) -> None:
    for number in ("7", "x", "0"):
        reply = await client.post(f"/v1/expectations/{number}/acknowledge", json={"until": UNTIL})
        assert reply.status_code == 404, reply.text
    for asked in ({"what": "late"}, {"state": "open"}, {"run": "0"}, {"cursor": "x"}):
        assert (await client.get("/v1/expectations", params=asked)).status_code == 422
    assert (await client.get("/v1/expectations", params={"job": "none"})).status_code == 404


async def test_the_overview_shows_what_nobody_has_acknowledged(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    document = {"noop": True, "expect": {"output_within": "1m"}}
    assert (await client.put("/v1/jobs/quiet", json=document)).status_code == 201
    assert (await client.post("/v1/jobs/quiet/runs")).status_code == 201
    state = node.machine.state
    node.apply(c.Place(state.epoch, state.last_task, 1))
    node.apply(c.Grant(state.last_attempt, 1, "s", "claim"))
    node.apply(c.ReportRunning(state.last_attempt, 1, node.now_ms()))
    node.apply(c.ReportSilence(state.last_attempt, 1, node.now_ms() - 60_000, True))

    found = (await client.get("/v1/overview")).json()["unmet"]

    assert (found["count"], found["more"]) == (1, False)
    (item,) = found["items"]
    assert (item["job"], item["run"], item["what"]) == ("quiet", 1, "stalled")
    assert item["command"] == "cronclave run explain 1"
    metrics = (await client.get("/metrics")).text
    assert 'cronclave_expectations_unmet{what="stalled"} 1.0' in metrics
    assert (await client.post("/v1/expectations/1/acknowledge", json={"until": UNTIL})).status_code == 200
    assert (await client.get("/v1/overview")).json()["unmet"]["count"] == 0
    assert [each["id"] for each in await listed(client)] == [1]
    other = token(node, "ann", kitchen="viewer")
    reply = await client.get("/v1/expectations", headers=other)
    assert reply.json()["items"] == []
