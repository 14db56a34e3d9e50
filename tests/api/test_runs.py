"""Runs: made, waited for, listed, cancelled; their tasks and tries."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from api.instants import rfc3339
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.words.commands import Finish, Grant, Place, Wake
from tests.api.served import DEADLINE_S
from tests.api.single_node import SingleNode
from tests.api.working import NOOP, connect, must, run_it


@pytest.mark.parametrize(
    ("exit_code", "number", "said"),
    [
        (None, 9, "killed by signal 9 (SIGKILL)"),
        (None, 34, "killed by signal 34 (SIGRTMIN)"),
        (None, 40, "killed by signal 40"),
        (137, None, "exit code 137: probably killed by signal 9 (SIGKILL)"),
        (143, None, "exit code 143: probably killed by signal 15 (SIGTERM)"),
        (128, None, None),
        (255, None, None),
        (1, None, None),
        (0, None, None),
    ],
)
async def test_a_death_by_signal_is_said_in_words(
    client: httpx2.AsyncClient, node: SingleNode, exit_code: int | None, number: int | None, said: str | None
) -> None:
    agent = connect(node)
    await client.put("/v1/jobs/job", json=NOOP)
    run = (await client.post("/v1/jobs/job/runs", json={})).json()["id"]
    with node.read() as store:
        attempt = attempt_reads.of_runs(store, [run])[-1].attempt.id
    must(node, Grant(attempt, agent, "s", "c"))
    now = node.now_ms()
    must(node, Finish(attempt, agent, now, now + 5, exit_code, "exit", signal=number))

    found = (await client.get(f"/v1/runs/{run}")).json()

    (told,) = found["tasks"]["main"]["attempts"]
    assert told["reason"] == said


async def test_run_now_waits_for_the_end_when_asked(client: httpx2.AsyncClient, node: SingleNode) -> None:
    agent = connect(node)
    await client.put("/v1/jobs/job", json=NOOP)
    made = await client.post("/v1/jobs/job/runs", headers={"Idempotency-Key": "once"})
    assert made.status_code == 201
    assert made.headers["location"] == f"/v1/runs/{made.json()['id']}"
    again = await client.post("/v1/jobs/job/runs", headers={"Idempotency-Key": "once"})
    assert again.json()["id"] == made.json()["id"]

    short = await client.post("/v1/jobs/job/runs?wait=20ms", json={"params": {}})
    assert (short.status_code, short.json()["state"]) == (201, "pending")
    waiting = asyncio.create_task(client.get(f"/v1/runs/{short.json()['id']}?wait=30s"))
    await asyncio.sleep(0)
    run = short.json()["id"]
    run_it(node, run, agent, exit_code=3)  # the only agent was named together with the run
    async with asyncio.timeout(DEADLINE_S):
        ended = (await waiting).json()
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    attempt = ended["tasks"]["main"]["attempts"][0]
    assert (attempt["agent"], attempt["zone"], attempt["number"]) == ("agent-1", "zone-a", 1)
    assert (attempt["state"], attempt["exit_code"]) == ("failed", 3)
    logs = await client.get(f"/v1/runs/{run}/logs")
    assert (logs.text, logs.headers["content-type"]) == ("bye\n", "text/plain; charset=utf-8")
    assert (await client.get(f"/v1/runs/{run}/logs?offset=1")).text == "ye\n"
    assert (await client.get(f"/v1/runs/{run}/logs?task=none")).status_code == 422


async def test_logs_of_a_run_with_many_tasks_and_tries_cost_some_steps_of_an_index(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tasks and tries were read in the loop, three times: 60 requests kept a leader 11 s."""
    agent = connect(node)
    tasks = {f"t{number}": NOOP for number in range(3)}
    await client.put("/v1/jobs/wide", json={"tasks": tasks})
    run = (await client.post("/v1/jobs/wide/runs", json={})).json()["id"]
    with node.read() as store:
        task, name = next((row.id, row.name) for row in task_reads.of_runs(store, [run]))
    attempt = must(node, Place(node.status().epoch, task, agent))["attempt"]
    must(node, Grant(attempt, agent, "s", "c"))
    must(node, Finish(attempt, agent, 1, 2, 0, "exit", tail=b"bye\n"))

    def whole(*_: object) -> None:
        raise AssertionError("the whole run was read")

    for noun in (task_reads, attempt_reads):
        monkeypatch.setattr(noun, "of_runs", whole)
    assert (await client.get(f"/v1/runs/{run}/logs?task={name}")).text == "bye\n"
    assert (await client.get(f"/v1/runs/{run}/logs?task={name}&attempt=1")).text == "bye\n"
    assert "no attempt 2" in (await client.get(f"/v1/runs/{run}/logs?task={name}&attempt=2")).text
    assert "t0, t1, t2" in (await client.get(f"/v1/runs/{run}/logs")).text
    assert "it has: t0, t1, t2" in (await client.get(f"/v1/runs/{run}/logs?task=none")).text
    assert (await client.get("/v1/runs/99/logs")).status_code == 404


async def test_a_sleep_is_active_without_attempt_until_its_instant(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    made = await client.put("/v1/jobs/nap", json={"sleep": "10m"})
    assert made.json()["state"] == "active"  # it needs no agent
    found = (await client.post("/v1/jobs/nap/runs", json={})).json()
    task = found["tasks"]["main"]
    assert (found["state"], task["state"], task["attempts"]) == ("running", "active", [])
    with node.read() as store:
        row = task_reads.of_runs(store, [found["id"]])[0]
    assert row.wake_ms is not None
    assert row.started_ms is not None
    assert (task["started"], task["until"]) == (rfc3339(row.started_ms), rfc3339(row.started_ms + 600_000))
    assert (await client.get(f"/v1/runs/{found['id']}/logs")).headers["x-cronclave-log-source"] == "none"
    must(node, Wake(node.status().epoch, row.id, row.wake_ms))
    task = (await client.get(f"/v1/runs/{found['id']}")).json()["tasks"]["main"]
    assert (task["state"], task["until"]) == ("succeeded", None)
    assert (await client.get("/v1/jobs/nap")).json()["state"] == "active"


async def test_members_and_rounds_of_a_task_are_shown_under_its_name(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    agent = connect(node)
    await client.put("/v1/jobs/wide", json=NOOP)
    run = (await client.post("/v1/jobs/wide/runs", json={})).json()["id"]
    run_it(node, run, agent)
    with node.read() as store:
        whole = task_reads.of_runs(store, [run])[0].id
    for task, member, number in ((901, "a", 0), (902, "b", 0), (903, "", 1), (904, "a", 1)):
        copy_row(node, "tasks", whole, id=task, member=member, round=number, exit_code=task)
        copy_row(node, "attempts", 1, id=task, task=task, tail=f"{task}".encode(), output_bytes=3)
    found = (await client.get(f"/v1/runs/{run}")).json()["tasks"]
    assert list(found) == ["main"]
    assert found["main"]["exit_code"] == 903  # of the whole, in its newest round
    shown = [(each["member"], each["round"]) for each in found["main"]["attempts"]]
    assert shown == [(None, 0), ("a", 0), ("b", 0), (None, 1), ("a", 1)]
    for query, text in (("", "903"), ("?task=main&member=b", "902"), ("?member=a", "904")):
        assert (await client.get(f"/v1/runs/{run}/logs{query}")).text == text
    refused = await client.get(f"/v1/runs/{run}/logs?task=main&member=c")
    assert (refused.status_code, "has no member 'c'" in refused.text) == (422, True)


def copy_row(node: SingleNode, table: str, row: int, **changes: object) -> None:
    """A row like that one, with these columns changed."""
    columns = [name for _, name, *_ in node.store.rows(f"PRAGMA table_info({table})")]
    taken = ", ".join("?" if name in changes else name for name in columns)
    values = [changes[name] for name in columns if name in changes]
    node.store.execute(f"INSERT INTO {table} SELECT {taken} FROM {table} WHERE id = {row}", values)


async def test_the_newest_tries_are_shown_of_a_run_that_has_more(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_reads, "LISTED_MAX", 2)
    agent = connect(node)
    retry = {"max": 4, "first": "1ms", "cap": "1ms", "backoff": "constant"}
    await client.put("/v1/jobs/again", json={"run": "false", "retry": retry})
    run = (await client.post("/v1/jobs/again/runs", json={})).json()["id"]
    with node.read() as store:
        task = task_reads.of_runs(store, [run])[0].id
    for number in range(4):
        if number:
            with node.read() as store:
                wake_ms = task_reads.of_runs(store, [run])[0].wake_ms
            must(node, Wake(node.status().epoch, task, wake_ms or 0))
            must(node, Place(node.status().epoch, task, agent))
        run_it(node, run, agent, exit_code=1)
    tries = (await client.get(f"/v1/runs/{run}")).json()["tasks"]["main"]["attempts"]
    assert [attempt["number"] for attempt in tries] == [3, 4]


async def test_runs_are_listed_newest_first_and_filtered(client: httpx2.AsyncClient) -> None:
    for name in ("a", "b"):
        await client.put(f"/v1/jobs/{name}", json=NOOP)
    ids = [(await client.post(f"/v1/jobs/{name}/runs")).json()["id"] for name in "ababa"]
    page = (await client.get("/v1/runs?limit=2")).json()
    await client.post("/v1/jobs/a/runs")  # comes in before the cursor: not shown, nothing doubled
    rest = (await client.get(f"/v1/runs?limit=10&cursor={page['next_cursor']}")).json()
    assert [run["id"] for run in page["items"] + rest["items"]] == ids[::-1]
    of_a = (await client.get("/v1/runs?job=a")).json()["items"]
    assert {run["job"] for run in of_a} == {"a"}
    assert (await client.get("/v1/runs?state=succeeded")).json()["items"] == []
    assert len((await client.get("/v1/runs?since=2001-01-01T00:00:00Z")).json()["items"]) == 6
    assert (await client.get("/v1/runs?since=2200-01-01T00:00:00Z")).json()["items"] == []


async def test_a_run_with_a_warning_says_so_and_is_found(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    agent = connect(node)
    await client.put("/v1/jobs/job", json={"run": "x", "exit": {"warn": [4]}})
    for exit_code in (4, 0):
        run = (await client.post("/v1/jobs/job/runs", json={})).json()["id"]
        with node.read() as store:
            attempt = attempt_reads.of_runs(store, [run])[-1].attempt.id
        must(node, Grant(attempt, agent, "s", "c"))
        must(node, Finish(attempt, agent, node.now_ms(), node.now_ms(), exit_code, "exit"))

    warned, clean = (await client.get("/v1/runs")).json()["items"][::-1]
    assert (warned["warned"], warned["state"], warned["tasks"]["main"]["warned"]) == (True, "succeeded", True)
    assert warned["tasks"]["main"]["reason"] == "exit code 4 is a warning"
    assert (clean["warned"], clean["tasks"]["main"]["warned"]) == (False, False)
    for asked, found in (("true", [warned["id"]]), ("false", [clean["id"]])):
        listed = (await client.get(f"/v1/runs?warned={asked}&brief=true")).json()["items"]
        assert [each["id"] for each in listed] == found
    assert (await client.get("/v1/runs?warned=maybe")).status_code == 422
    assert (await client.get("/v1/jobs/job")).json()["last_run"]["warned"] is False
    assert "cronclave_runs_warned_total 1.0" in (await client.get("/metrics")).text


async def test_cancel_and_resolve(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    run = (await client.post("/v1/jobs/job/runs")).json()["id"]
    assert (await client.post(f"/v1/runs/{run}/resolve")).status_code == 422
    dry = await client.post(f"/v1/runs/{run}/cancel?dry_run=true")
    assert dry.json()["state"] == "pending"
    cancelled = await client.post(f"/v1/runs/{run}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    again = await client.post(f"/v1/runs/{run}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/conflict")
    assert (await client.post("/v1/runs/4711/cancel")).status_code == 404


async def test_a_job_that_no_agent_can_take_says_so(client: httpx2.AsyncClient, node: SingleNode) -> None:
    made = await client.put("/v1/jobs/job", json={**NOOP, "on": {"pool": "gpu"}})
    assert (made.status_code, made.json()["state"]) == (201, "unplaceable")
    connect(node, "other", pool="default")
    assert (await client.get("/v1/jobs/job")).json()["state"] == "unplaceable"
    connect(node, "gpu-1", pool="gpu")
    async with asyncio.timeout(DEADLINE_S):
        while (await client.get("/v1/jobs/job")).json()["state"] != "active":
            await asyncio.sleep(0.05)
