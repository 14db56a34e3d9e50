"""What waits for a person, and the answers, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.api.single_node import SingleNode
from tests.api.test_namespaces import session, token

ASKS: dict[str, Any] = {"by": ["ann", "bob"], "expires": "1d", "text": "Pay?"}


@pytest.fixture
def people(node: SingleNode) -> dict[str, dict[str, str]]:
    roles = {"ann": "approver", "bob": "viewer", "carl": "submitter", "dora": "approver"}
    return {name: token(node, name, role) for name, role in roles.items()}


async def asking(client: httpx2.AsyncClient, headers: dict[str, str], **asks: Any) -> int:
    tasks = {"approve": {"approval": {**ASKS, **asks}}, "pay": {"noop": True, "needs": ["approve"]}}
    put = await client.put("/v1/jobs/j", json={"tasks": tasks}, headers=headers)
    assert put.status_code in (200, 201), put.text
    reply = await client.post("/v1/jobs/j/runs", headers=headers)
    assert reply.status_code == 201, reply.text
    return int(reply.json()["id"])


async def answer(
    client: httpx2.AsyncClient, run: int, word: str, headers: dict[str, str], body: Any = None, **query: str
) -> httpx2.Response:
    path = f"/v1/runs/{run}/tasks/approve/{word}"
    return await client.post(path, json=body, headers=headers, params=query)


async def waiting(client: httpx2.AsyncClient, headers: dict[str, str], **query: str) -> list[dict[str, Any]]:
    reply = await client.get("/v1/approvals", headers=headers, params=query)
    assert reply.status_code == 200, reply.text
    return list(reply.json()["items"])


async def test_what_waits_is_listed_told_and_approved(
    client: httpx2.AsyncClient, people: dict[str, dict[str, str]]
) -> None:
    run = await asking(client, people["carl"])
    (item,) = await waiting(client, people["ann"])
    assert (item["run"], item["task"], item["by"], item["text"]) == (run, "approve", ["ann", "bob"], "Pay?")
    told = (await client.get(f"/v1/runs/{run}")).json()["tasks"]["approve"]
    assert (told["state"], told["until"]) == ("active", item["expires"])
    assert told["approval"]["answer"] is None
    gates = (await client.get(f"/v1/runs/{run}/explain")).json()["tasks"][0]["gates"]
    gate = next(each for each in gates if each["gate"] == "approval")
    assert gate["reason"] == "it asks: Pay?"
    assert gate["opens"].startswith("the answer of ann or bob, with the role approver in default")
    assert gate["opens_at"] == item["expires"]

    reply = await answer(client, run, "approve", people["ann"], {"reason": "it is right"})
    task = reply.json()["tasks"]["approve"]
    assert (reply.status_code, task["state"]) == (200, "succeeded")
    assert task["reason"] == "approved by ann: it is right"
    known = task["approval"]
    assert (known["answer"], known["answered_by"], known["reason"]) == ("approved", "ann", "it is right")
    assert await waiting(client, people["ann"]) == []


async def test_the_role_and_the_name_are_both_needed(
    client: httpx2.AsyncClient, people: dict[str, dict[str, str]]
) -> None:
    run = await asking(client, people["carl"])
    for name, said in (("bob", "has the role 'viewer'"), ("dora", "dora is not asked: ann or bob")):
        for query in ({}, {"dry_run": "true"}):
            reply = await answer(client, run, "approve", people[name], **query)
            assert (reply.status_code, said in reply.json()["detail"]) == (403, True), reply.text
    may = {name: [each["may"] for each in await waiting(client, people[name])] for name in people}
    assert may == {"ann": [True], "bob": [False], "carl": [False], "dora": [False]}
    mine = {name: len(await waiting(client, people[name], mine="true")) for name in people}
    assert mine == {"ann": 1, "bob": 0, "carl": 0, "dora": 0}


async def test_four_eyes_keep_out_who_ran_it(client: httpx2.AsyncClient, node: SingleNode) -> None:
    ann, carl = token(node, "ann", "admin"), token(node, "carl", "admin")
    run = await asking(client, ann, by=[], four_eyes=True)
    reply = await answer(client, run, "approve", ann)
    assert (reply.status_code, "four eyes" in reply.json()["detail"]) == (403, True)
    assert (await waiting(client, ann, mine="true"), len(await waiting(client, carl, mine="true"))) == ([], 1)
    assert (await waiting(client, ann))[0]["not"] == "ann"
    assert (await answer(client, run, "approve", carl)).status_code == 200


async def test_the_same_answer_twice_and_another(
    client: httpx2.AsyncClient, people: dict[str, dict[str, str]], node: SingleNode
) -> None:
    run = await asking(client, people["carl"])
    for query in ({"dry_run": "true"}, {}, {}, {"dry_run": "true"}):
        assert (await answer(client, run, "reject", people["ann"], **query)).status_code == 200
    assert (await client.get(f"/v1/runs/{run}")).json()["state"] == "failed"
    boss = token(node, "boss", "admin")
    for query in ({}, {"dry_run": "true"}):
        reply = await answer(client, run, "approve", boss, **query)
        assert (reply.status_code, reply.json()["detail"]) == (
            409, f"task approve of run {run} was rejected by ann",
        )  # fmt: skip
        assert f"cronclave run rerun {run}" in reply.json()["hint"]


async def test_a_dry_run_answers_nothing(
    client: httpx2.AsyncClient, people: dict[str, dict[str, str]]
) -> None:
    run = await asking(client, people["carl"])
    reply = await answer(client, run, "approve", people["ann"], dry_run="true")
    assert (reply.status_code, reply.json()["tasks"]["approve"]["state"]) == (200, "active")
    assert len(await waiting(client, people["ann"])) == 1


@pytest.mark.parametrize("query", [{}, {"dry_run": "true"}])
async def test_what_asks_nobody_is_refused_with_the_right_word(
    client: httpx2.AsyncClient, people: dict[str, dict[str, str]], query: dict[str, str]
) -> None:
    run, ann = await asking(client, people["carl"]), people["ann"]
    for task, status, said in (
        ("pay", 409, f"task pay of run {run} asks nobody: it is blocked"),
        ("aprove", 404, f"run {run} has no task 'aprove'"),
    ):
        path = f"/v1/runs/{run}/tasks/{task}/approve"
        reply = await client.post(path, headers=ann, params=query)
        assert (reply.status_code, reply.json()["detail"]) == (status, said)
    assert "approve" in reply.json()["hint"]
    reply = await answer(client, run, "approve", ann, round="1", **query)
    assert (reply.status_code, "did you mean" in reply.json()["hint"]) == (404, False)
    assert (await answer(client, run + 1, "approve", ann, **query)).status_code == 404
    assert (await answer(client, run, "approve", ann, {"why": 1}, **query)).status_code == 422


async def test_a_session_answers_as_its_token(client: httpx2.AsyncClient, node: SingleNode) -> None:
    ann = token(node, "ann", "approver")
    run = await asking(client, token(node, "carl", "submitter"))
    browser = await session(client, ann)
    assert (await answer(client, run, "approve", browser)).status_code == 200


async def test_who_may_in_one_namespace_sees_and_answers_there_alone(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    ann = token(node, "ann", **{"theirs": "approver"})
    run = await asking(client, token(node, "carl", "submitter"))
    assert await waiting(client, ann) == []
    assert (await answer(client, run, "approve", ann)).status_code == 404


async def test_the_list_goes_on_page_by_page(
    client: httpx2.AsyncClient, people: dict[str, dict[str, str]]
) -> None:
    runs = [await asking(client, people["carl"]) for _ in range(1)]
    tasks: dict[str, Any] = {f"t{number}": {"approval": {}} for number in range(3)}
    await client.put("/v1/jobs/k", json={"tasks": tasks}, headers=people["carl"])
    await client.post("/v1/jobs/k/runs", headers=people["carl"])
    reply = (await client.get("/v1/approvals", params={"limit": "3"})).json()
    rest = (await client.get("/v1/approvals", params={"limit": "3", "cursor": reply["next_cursor"]})).json()
    assert [each["task"] for each in (*reply["items"], *rest["items"])] == ["t2", "t1", "t0", "approve"]
    assert (rest["items"][0]["run"], rest["next_cursor"]) == (runs[0], None)


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_who_operates_runs_does_not_say_yes_by_a_pass(
    client: httpx2.AsyncClient, people: dict[str, dict[str, str]], query: str
) -> None:
    tasks = {"load": {"sleep": "1h"}, "approve": {"needs": ["load"], "approval": {}}}
    assert (await client.put("/v1/jobs/k", json={"tasks": tasks})).status_code == 201
    run = (await client.post("/v1/jobs/k/runs")).json()["id"]
    path = f"/v1/runs/{run}/tasks/approve/skip{query}"

    reply = await client.post(path, json={"pass": True})
    assert (reply.status_code, "asks a person" in reply.json()["detail"]) == (409, True)
    assert (await client.post(path)).status_code == 200
