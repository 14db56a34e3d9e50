"""Runs, ticks, the proof of the ledger, agents, the cluster, health, sessions: the rest of the routes."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx2
import pytest

from api.instants import rfc3339
from api.routes import cluster
from cli.word import shown_at
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words.commands import (
    Account,
    Command,
    ConnectAgent,
    Finish,
    Fire,
    FireStartups,
    Grant,
    PauseJob,
    Place,
    SetAside,
    Wake,
)
from tests.api.served import DEADLINE_S
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

NOOP: dict[str, Any] = {"noop": True}


def connect(node: SingleNode, name: str = "agent-1", pool: str = "default") -> int:
    command = ConnectAgent(
        name=name, installation=name, session="s", boot_id="b", zone="zone-a", pool=pool,
        labels=b'{"os":"linux"}', slots=4, version="0.1.0", node="node-1", kinds=KINDS,
    )  # fmt: skip
    value = must(node, command)
    agent = value["agent"]
    assert isinstance(agent, int)
    return agent


def must(node: SingleNode, command: Command) -> dict[str, Any]:
    outcome = node.apply(command)[0]
    assert outcome.ok, outcome
    return dict(outcome.value or {})


def run_it(node: SingleNode, run: int, agent: int, exit_code: int = 0) -> None:
    """What the agent would report of the run's first task."""
    with node.read() as store:
        attempt = attempt_reads.of_runs(store, [run])[-1].attempt.id
    must(node, Grant(attempt, agent, "s", "c"))
    now = node.now_ms()
    must(node, Finish(attempt, agent, now, now + 5, exit_code, "exit", tail=b"bye\n"))


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


async def test_ticks_have_one_outcome_each_and_pending_ones_are_shown(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.skew_ms = -60_000
    await client.put(
        "/v1/jobs/job",
        json={**NOOP, "triggers": {"every": "1s", "id": "t"}, "policies": {"overlap": "allow"}},
    )
    node.skew_ms = 0
    agent = connect(node)
    with node.read() as store:
        trigger = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])[0]
    first = trigger.next_due_ms
    assert first is not None
    epoch = node.machine.state.epoch
    ran = must(node, Fire(epoch, trigger.id, first, first + 1_000, agent))["run"]
    must(
        node,
        Account(epoch, trigger.id, first + 1_000, first + 20_000, 20, first + 21_000, "missed", "window"),
    )
    pending = must(node, Fire(epoch, trigger.id, first + 21_000, first + 22_000, agent))["run"]
    run_it(node, ran, agent)

    query = {"from": rfc3339(first - 1), "to": rfc3339(first + 25_000)}
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        reply = await client.get("/v1/jobs/job/ticks", params={**query, **cursor, "limit": 4})
        assert reply.status_code == 200, reply.text
        seen += reply.json()["items"]
        if reply.json()["next_cursor"] is None:
            break
        cursor = {"cursor": reply.json()["next_cursor"]}
    assert [tick["at"] for tick in seen] == [rfc3339(first + 1_000 * n) for n in range(26)]
    assert [tick["outcome"] for tick in seen] == ["ran"] + ["missed"] * 20 + ["pending"] * 5
    assert (seen[0]["run"], seen[21]["run"], seen[22]["run"]) == (ran, pending, None)
    assert seen[1]["reason"] == "window"
    assert len(seen[0]["hash"]) == 64
    whole = (await client.get("/v1/jobs/job/ticks", params=query)).json()["items"]
    assert whole == seen
    # (from, to]: the first instant is out when it is `from`, the last in when it is `to`.
    edge = {"from": rfc3339(first), "to": rfc3339(first + 2_000)}
    assert len((await client.get("/v1/jobs/job/ticks", params=edge)).json()["items"]) == 2
    missed = (
        await client.get("/v1/jobs/job/ticks", params={**query, "outcome": "missed", "limit": 3})
    ).json()
    assert len(missed["items"]) == 3

    verdict = (await client.get("/v1/ledger/verify", params=query)).json()
    assert verdict["ok"] is True, verdict
    assert verdict["outcomes"]["ran"] == 1
    listed = (await client.get("/v1/jobs/job")).json()
    assert (listed["state"], listed["last_tick"]["outcome"]) == ("active", "missed")
    assert listed["last_run"]["id"] == pending

    await client.delete("/v1/jobs/job")
    after = (await client.get("/v1/jobs/job/ticks", params=query)).json()["items"]
    assert [tick["outcome"] for tick in after][:21] == ["ran"] + ["missed"] * 20


async def test_ticks_of_a_gap_that_wait_to_be_caught_up_are_pending_each_by_itself(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.skew_ms = -60_000
    policies = {"overlap": "skip", "catchup": {"mode": "all"}}
    await client.put(
        "/v1/jobs/job", json={**NOOP, "triggers": {"every": "1s", "id": "t"}, "policies": policies}
    )
    node.skew_ms = 0
    agent = connect(node)
    with node.read() as store:
        trigger = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])[0]
    first = trigger.next_due_ms
    assert first is not None
    epoch = node.machine.state.epoch

    def at(number: int) -> int:
        return first + number * 1_000

    must(node, SetAside(epoch, trigger.id, first, at(9), at(10)))
    with node.read() as store:
        (after,) = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])
    live = must(node, Fire(epoch, after.id, at(10), at(11), agent))["run"]
    run_it(node, live, agent)
    caught_up = must(node, Fire(epoch, trigger.id, first, at(1), agent, True))["run"]
    run_it(node, caught_up, agent)
    fired = must(node, Fire(epoch, trigger.id, at(1), at(2), agent, True))["run"]

    query = {"from": rfc3339(first - 1), "to": rfc3339(at(12))}
    expected = [("ran", caught_up), ("pending", fired), *[("pending", None)] * 8, ("ran", live)]
    expected += [("pending", None)] * 2
    for limit in (1, 2, 3, 100):
        seen: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        for _ in range(20):
            page = (
                await client.get("/v1/jobs/job/ticks", params={**query, **cursor, "limit": str(limit)})
            ).json()
            seen += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [(tick["outcome"], tick["run"]) for tick in seen] == expected
        assert [tick["at"] for tick in seen] == [rfc3339(at(number)) for number in range(13)]
        assert {tick["trigger"] for tick in seen} == {"t"}
    waiting = {**query, "outcome": "pending", "limit": "3"}
    some = (await client.get("/v1/jobs/job/ticks", params=waiting)).json()["items"]
    assert [tick["at"] for tick in some] == [rfc3339(at(number)) for number in (1, 2, 3)]


async def test_a_forged_ledger_is_found_out(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.skew_ms = -10_000
    await client.put("/v1/jobs/job", json={**NOOP, "triggers": {"every": "1s"}})
    node.skew_ms = 0
    with node.read() as store:
        trigger = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])[0]
    first = trigger.next_due_ms
    assert first is not None
    epoch = node.machine.state.epoch
    must(node, Account(epoch, trigger.id, first, first + 3_000, 4, first + 4_000, "missed", "window"))
    node.store.execute("UPDATE ledger SET outcome = 'skipped'")
    verdict = (await client.get("/v1/ledger/verify")).json()
    assert verdict["ok"] is False
    assert "chain" in {problem["kind"] for problem in verdict["problems"]}


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


async def test_agents_and_cluster(client: httpx2.AsyncClient, node: SingleNode) -> None:
    connect(node)
    agents = (await client.get("/v1/agents")).json()["items"]
    assert [(a["name"], a["zone"], a["pool"], a["slots"], a["busy"], a["node"]) for a in agents] == [
        ("agent-1", "zone-a", "default", 4, 0, "node-1")
    ]
    cluster = (await client.get("/v1/cluster")).json()
    assert (cluster["node"], cluster["leader"], cluster["quorum"]) == ("node-1", "node-1", True)
    assert [peer["node"] for peer in cluster["peers"]] == ["node-2", "node-3"]
    assert cluster["index"] == node.index
    node.quorum = False
    assert (await client.get("/v1/cluster")).json()["quorum"] is False


async def test_members_and_transfer(client: httpx2.AsyncClient, node: SingleNode) -> None:
    member = {"name": "node-4", "address": "127.0.0.1:1", "zone": "zone-a", "url": "http://127.0.0.1:2"}
    node.answers["127.0.0.1:1"] = "node-4"
    assert (await client.post("/v1/cluster/members", json=member)).status_code == 201
    assert "node-4" in [peer["node"] for peer in (await client.get("/v1/cluster")).json()["peers"]]
    assert (await client.post("/v1/cluster/members", json={**member, "name": "node-1"})).status_code == 409
    assert (await client.post("/v1/cluster/members", json={"name": "x"})).status_code == 422
    assert (await client.delete("/v1/cluster/members/node-2")).status_code == 204
    unknown = await client.delete("/v1/cluster/members/node-2")
    assert unknown.status_code == 404
    assert "node-1, node-3, node-4" in unknown.json()["hint"]
    moved = await client.post("/v1/cluster/transfer", json={"node": "node-3"})
    assert moved.json() == {"leader": "node-3", "before": "node-1"}
    assert (await client.post("/v1/cluster/transfer", json={"node": "nobody"})).status_code == 404
    assert [what for what, _ in node.calls] == ["add_member", "remove_member", "transfer"]
    noted = (await client.get("/v1/audit?action=add,remove,transfer")).json()["items"]
    assert [(each["action"], each["name"], each["actor"]) for each in noted] == [
        ("transfer", None, "admin"), ("remove", "node-2", "admin"), ("add", "node-4", "admin"),
    ]  # fmt: skip


async def test_a_node_is_asked_at_its_address_before_it_is_admitted(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    member = {"name": "node-4", "address": "127.0.0.1:1", "zone": "zone-a", "url": "http://127.0.0.1:2"}
    for answers in ({}, {"127.0.0.1:1": "node-5"}):
        node.answers = answers
        for query in ("", "?dry_run=true"):
            refused = await client.post(f"/v1/cluster/members{query}", json=member)
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
            assert "nobody answers as a node at 127.0.0.1:1" in refused.json()["detail"]
            assert "unasked" in refused.json()["hint"]
    assert node.calls == [], "nothing half"
    node.answers = {"127.0.0.1:1": "node-4"}
    assert (await client.post("/v1/cluster/members?dry_run=1", json=member)).status_code == 200
    assert node.calls == []
    assert (await client.post("/v1/cluster/members", json=member)).status_code == 201
    assert node.calls == [("add_member", (*member.values(), "uid-of-node-4"))]


async def test_a_node_that_does_not_run_yet_is_admitted_when_that_is_said(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    member = {"name": "node-4", "address": "127.0.0.1:1", "zone": "zone-a", "url": "http://127.0.0.1:2"}
    assert (await client.post("/v1/cluster/members?unasked=true", json=member)).status_code == 201
    assert node.calls == [("add_member", (*member.values(), ""))]


async def test_whoever_joins_by_command_is_known_by_the_word_at_its_address(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    member = {"name": "node-4", "address": address, "zone": "zone-a", "url": "http://127.0.0.1:2"}
    nobody = await client.post("/v1/cluster/members", json={**member, "word": "w" * 32})
    assert (nobody.status_code, f"nobody answers at {address}" in nobody.json()["detail"]) == (409, True)
    with shown_at(address) as word:
        for wrong, status in (("short", 422), ("w" * 32, 409)):
            reply = await client.post("/v1/cluster/members", json={**member, "word": wrong})
            assert reply.status_code == status
        assert "somebody else answers" in reply.json()["detail"]
        assert node.calls == []
        made = await client.post("/v1/cluster/members", json={**member, "word": word})
        assert made.status_code == 201
        assert "word" not in made.json()


async def test_a_change_that_the_leader_drops_is_asked_again_and_then_refused(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "AGAIN_S", 0.05)
    monkeypatch.setattr(cluster, "SETTLE_S", 2.0)
    node.deaf = 2
    reply = await client.post("/v1/cluster/transfer", json={"node": "node-2"})
    assert reply.json() == {"leader": "node-2", "before": "node-1"}
    assert len(node.calls) == 3

    monkeypatch.setattr(cluster, "SETTLE_S", 0.1)
    node.deaf = 1_000
    refused = await client.delete("/v1/cluster/members/node-3")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert "node-3 is not removed" in refused.json()["detail"]


async def test_the_answering_node_says_where_it_is_itself(client: httpx2.AsyncClient) -> None:
    view = (await client.get("/v1/cluster")).json()
    assert (view["url"], view["address"]) == ("http://127.0.0.1:1", "127.0.0.1:1")
    assert [peer["tzdata"] for peer in view["peers"]] == ["2025b", "2025b"]


async def test_one_agent_by_its_name(client: httpx2.AsyncClient, node: SingleNode) -> None:
    connect(node)
    found = (await client.get("/v1/agents/agent-1")).json()
    assert (found["zone"], found["slots"], found["connected"]) == ("zone-a", 4, True)
    assert found == (await client.get("/v1/agents")).json()["items"][0]
    assert (await client.get("/v1/agents/agent-9")).status_code == 404


async def test_health_is_alive_without_a_quorum_and_ready_only_with_one(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    node.quorum = False
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/healthy.html")).status_code == 200
    assert (await client.get("/readyz")).status_code == 503


async def test_metrics(client: httpx2.AsyncClient, node: SingleNode) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    text = (await client.get("/metrics")).text
    assert f"cronclave_index {float(node.index)}" in text
    assert 'cronclave_http_requests{method="PUT",status="201"} 1.0' in text
    assert 'cronclave_peer_reachable{peer="node-2",zone="zone-b"} 1.0' in text


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_have_a_strict_policy_and_ask_for_nothing_elsewhere(
    client: httpx2.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


async def test_the_description_names_every_route_of_the_reference(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    page = (await client.get("/docs")).text
    identities = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(identities) == len(set(identities))
    assert "putJob" in identities
    for path in document["paths"]:
        assert path in page


async def test_boots_stand_among_the_ticks_page_by_page(client: httpx2.AsyncClient, node: SingleNode) -> None:
    triggers = [{"startup": {"pool": "web"}, "id": "boot"}, {"at": "2999-01-01T00:00:00Z", "id": "once"}]
    await client.put("/v1/jobs/warm", json={"noop": True, "on": {"pool": "web"}, "triggers": triggers})
    agents = [connect(node, f"web-{n}", "web") for n in range(3)]
    for agent in agents[:2]:
        must(node, FireStartups(node.status().epoch, agent, "b", 0))
    must(node, PauseJob("default", "warm"))
    must(node, FireStartups(node.status().epoch, agents[2], "b", 0))
    run_it(node, 1, agents[0])

    found: list[dict[str, Any]] = []
    query: dict[str, Any] | None = {"limit": 1}
    while query is not None:
        page = (await client.get("/v1/jobs/warm/ticks", params=query)).json()
        found += page["items"]
        query = {"limit": 1, "cursor": page["next_cursor"]} if page["next_cursor"] else None
    told = {(t["trigger"], t["cause"], t["cause_key"], t["outcome"], t["reason"], t["run"]) for t in found}
    assert len(found) == 3
    assert told == {
        ("boot", "startup", "boot/web-0/b", "ran", None, 1),
        ("boot", None, "boot/web-1/b", "pending", None, 2),
        ("boot", "startup", "boot/web-2/b", "skipped", "paused", None),
    }
    run = (await client.get("/v1/runs/1")).json()
    assert (run["cause"], run["cause_key"], run["tick"]) == ("startup", "boot/web-0/b", None)
    proof = (await client.get("/v1/ledger/verify")).json()
    assert (proof["ok"], proof["events"], proof["due"]) == (True, 2, 0)
    coming = (await client.get("/v1/jobs/warm/next")).json()
    assert [tick["trigger"] for tick in coming["items"]] == ["once"]
