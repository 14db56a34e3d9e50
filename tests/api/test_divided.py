"""A divided task over HTTP: counts in its run, members in pages, hands on one, output of one."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from scheduler.explain import runs
from scheduler.words.commands import Finish, Grant, Place
from tests.api.single_node import SingleNode
from tests.api.working import connect, go_on, must

ITEMS = ["eu", "us", "ap", 4, 5]
JOB: dict[str, Any] = {
    "tasks": {"many": {"run": "x", "fanout": {"foreach": ITEMS, "max_parallel": 3}, "join": "50%"}}
}


@pytest.fixture
async def divided(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """A run with five members: the first failed, the second was granted, the third is queued."""
    agent = connect(node)
    assert (await client.put("/v1/jobs/j", json=JOB)).status_code == 201
    run = int((await client.post("/v1/jobs/j/runs")).json()["id"])
    go_on(node)
    for code in (3, None):
        task = node.store.value("SELECT id FROM tasks WHERE state = 'queued' ORDER BY id LIMIT 1")
        attempt = must(node, Place(node.machine.state.epoch, task, agent))["attempt"]
        must(node, Grant(attempt, agent, "s", "c"))
        if code is not None:
            must(node, Finish(attempt, agent, 1, 2, code, "exit", tail=b"no room\n"))
    return run


async def test_a_run_counts_members_and_lists_none(client: httpx2.AsyncClient, divided: int) -> None:
    for told in (
        (await client.get(f"/v1/runs/{divided}")).json(),
        (await client.get("/v1/runs")).json()["items"][0],
    ):
        task = told["tasks"]["many"]
        assert task["members"] == {"all": 5, "going": 3, "succeeded": 0, "failed": 1, "skipped": 0}
        assert (task["state"], task["attempts"], task["until"]) == ("active", [], None)


async def test_pages_of_members(client: httpx2.AsyncClient, divided: int) -> None:
    path, found, cursor = f"/v1/runs/{divided}/tasks/many/members", list[dict[str, Any]](), ""
    while cursor is not None:
        page = (await client.get(path, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        found += page["items"]
        cursor = page["next_cursor"]
    assert [(each["member"], each["item"], each["state"]) for each in found] == [
        ("0", "eu", "failed"), ("1", "us", "active"), ("2", "ap", "queued"), ("3", "4", "queued"),
        ("4", "5", "blocked"),
    ]  # fmt: skip
    assert (found[0]["exit_code"], found[0]["attempt"]["agent"], found[2]["attempt"]) == (3, "agent-1", None)
    odd = (await client.get(path, params={"state": "failed,blocked"})).json()
    assert ([each["member"] for each in odd["items"]], odd["next_cursor"]) == (["0", "4"], None)
    for asked, names in (("member=2", ["2"]), ("member=9", []), ("member=2&state=held", [])):
        one = (await client.get(f"{path}?{asked}")).json()
        assert ([each["member"] for each in one["items"]], one["next_cursor"]) == (names, None)
    listed = (await client.get("/v1/attempts", params={"run": divided})).json()["items"]
    assert [each["member"] for each in listed] == ["1", "0"]
    log = await client.get(f"/v1/runs/{divided}/logs", params={"task": "many", "member": "0"})
    assert log.text == "no room\n"


async def test_what_is_not_there(client: httpx2.AsyncClient, divided: int) -> None:
    for path, status, said in (
        (f"/v1/runs/{divided}/tasks/mny/members", 404, "did you mean many?"),
        ("/v1/runs/999/tasks/many/members", 404, ""),
        (f"/v1/runs/{divided}/tasks/many/members?state=faild", 422, "did you mean failed?"),
    ):
        reply = await client.get(path)
        assert (reply.status_code, said in reply.text) == (status, True), reply.text
    for query in ({"member": "9"}, {"member": "9", "dry_run": "true"}):
        reply = await client.post(f"/v1/runs/{divided}/tasks/many/stop", params=query)
        assert (reply.status_code, f"run members {divided} many" in reply.json()["hint"]) == (404, True)


async def test_a_hand_on_a_member_that_is_not_made_yet_is_too_early_in_a_dry_run_too(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    tasks = {"first": {"run": "x"}, "many": {**JOB["tasks"]["many"], "needs": ["first"]}}
    assert (await client.put("/v1/jobs/j", json={"tasks": tasks})).status_code == 201
    run = int((await client.post("/v1/jobs/j/runs")).json()["id"])

    async def answers(verb: str, task: str, member: str) -> list[tuple[int, str]]:
        path = f"/v1/runs/{run}/tasks/{task}/{verb}"
        asked = [{"member": member}, {"member": member, "dry_run": "true"}]
        replies = [await client.post(path, params=query) for query in asked]
        return [(reply.status_code, reply.json()["detail"]) for reply in replies]

    for verb in ("hold", "release", "skip", "retry", "stop"):
        real, dry = await answers(verb, "many", "0")
        assert (real[0], "has no members yet" in real[1]) == (409, True)
        assert dry == real
    real, dry = await answers("stop", "first", "0")
    assert dry == real == (404, f"run {run} has no task 'first' with a member '0'")
    go_on(node)
    real, dry = await answers("stop", "many", "7")
    assert dry == real
    assert real[0] == 409, "the first has not ended"


async def test_hands_on_a_member(client: httpx2.AsyncClient, divided: int) -> None:
    path = f"/v1/runs/{divided}/tasks/many"
    dry = await client.post(f"{path}/skip", params={"member": "4", "dry_run": "true"})
    assert (dry.status_code, dry.json()["tasks"]["many"]["members"]["skipped"]) == (200, 0)
    reply = await client.post(f"{path}/skip", params={"member": "4"}, json={"reason": "not this one"})
    assert reply.json()["tasks"]["many"]["members"]["skipped"] == 1
    assert (await client.post(f"{path}/hold", params={"member": "2"})).status_code == 200
    assert (await client.post(f"{path}/hold", params={"member": "1"})).status_code == 409
    held = (await client.get(f"{path}/members", params={"state": "held"})).json()["items"]
    assert [(each["member"], each["hold"]["by"]) for each in held] == [("2", "admin")]
    audit = (await client.get("/v1/audit", params={"kind": "task"})).json()["items"]
    assert [each["name"] for each in audit] == ["j/many/2", "j/many/4"]


async def test_explain_names_members(client: httpx2.AsyncClient, divided: int) -> None:
    told = (await client.get(f"/v1/runs/{divided}/explain")).json()["tasks"]
    assert [(each["task"], each["member"], each["state"]) for each in told] == [
        ("many", None, "active"), ("many", "1", "active"), ("many", "2", "queued"), ("many", "3", "queued"),
        ("many", "4", "blocked"),
    ]  # fmt: skip
    assert told[0]["gates"][-1]["reason"] == "4 of its 5 members have not ended; of the others 1 failed"


async def test_any_member_is_explained_however_many_come_before_it(
    client: httpx2.AsyncClient, divided: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "TASKS_MAX", 2)
    path = f"/v1/runs/{divided}/explain"
    first = (await client.get(path)).json()
    assert ([each["member"] for each in first["tasks"]], first["more"]) == ([None, "1"], True)
    for member, state, verdict, said in (
        ("4", "blocked", "waits", "3 members of many go, 3 may at a time"),
        ("0", "failed", "never", "it ended: failed"),
    ):
        told = (await client.get(path, params={"task": "many", "member": member})).json()
        (one,) = told["tasks"]
        assert (one["member"], one["state"], one["verdict"], told["more"]) == (member, state, verdict, False)
        assert said in [gate["reason"] for gate in one["gates"]]
    (whole,) = (await client.get(path, params={"task": "many"})).json()["tasks"]
    assert (whole["member"], whole["state"]) == (None, "active")
    for query, status, word in (
        ({"task": "many", "member": "9"}, 404, f"run members {divided} many"),
        ({"task": "mny"}, 404, "did you mean many?"),
        ({"member": "4"}, 422, "task=NAME"),
    ):
        reply = await client.get(path, params=query)
        assert (reply.status_code, word in reply.json()["hint"]) == (status, True), reply.text
    assert (await client.post(f"/v1/runs/{divided}/cancel")).status_code == 200
    (one,) = (await client.get(path, params={"task": "many", "member": "4"})).json()["tasks"]
    assert one["gates"][0]["reason"].startswith("it ended: cancelled")
