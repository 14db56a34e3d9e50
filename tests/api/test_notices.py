"""Notices over HTTP: posted, heard, listed, taken down; what is wrong with one is told with its place."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.schemas import answers, explained
from scheduler.machine.rules.boards import STANDING_MAX
from scheduler.words.commands import Actor, PostNotice
from tests.api.single_node import SingleNode
from tests.api.test_namespaces import token

NOTICES = "/v1/boards/stock/notices"


@pytest.fixture
async def board(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    assert (await client.put("/v1/boards/stock", json={"expires": "2d"})).status_code == 201
    return client


async def test_a_notice_is_posted_listed_and_taken_down(board: httpx2.AsyncClient) -> None:
    made = await board.post(NOTICES, json={"key": "plan_date", "plan_date": "2026-12-31"})
    assert made.status_code == 201, made.text
    told = answers.Notice.model_validate(made.json())
    assert (told.serial, told.key, told.plan_date, told.poster) == (1, "2026-12-31", "2026-12-31", "admin")
    second = (await board.post(NOTICES, json={"key": "orders", "expires": "1h"})).json()
    listed = answers.NoticeList.model_validate((await board.get(NOTICES)).json())
    assert [each.key for each in listed.items] == ["orders", "2026-12-31"]
    page = (await board.get(NOTICES, params={"limit": 1})).json()
    rest = (await board.get(NOTICES, params={"cursor": page["next_cursor"]})).json()
    assert [each["serial"] for each in rest["items"]] == [1]
    gone = f"{NOTICES}/{second['serial']}"
    assert (await board.delete(gone, params={"dry_run": "true"})).status_code == 200
    assert [(await board.delete(gone)).status_code for _ in range(2)] == [204, 404]
    found = (await board.get("/v1/audit", params={"kind": "notice"})).json()["items"]
    assert [(x["action"], x["before"], x["after"]) for x in found[:3]] == [
        ("delete", "2 orders", None), ("post", None, "2 orders"), ("post", None, "1 2026-12-31"),
    ]  # fmt: skip


async def test_the_same_key_of_idempotency_posts_once(board: httpx2.AsyncClient, node: SingleNode) -> None:
    for _ in range(2):
        sent = await board.post(NOTICES, json={"key": "k"}, headers={"Idempotency-Key": "once"})
        assert (sent.status_code, sent.json()["serial"]) == (201, 1)
    with node.read() as store:
        assert store.value("SELECT count(*) FROM notices") == 1


@pytest.mark.parametrize(
    ("document", "pointer", "said"),
    [
        ({}, "/key", "a key is a text of 1 to 256 letters, not null"),
        ({"key": ""}, "/key", "a key is a text of 1 to 256 letters, not text"),
        ({"key": 5}, "/key", "a key is a text of 1 to 256 letters, not a number"),
        ({"key": "k", "expires": 5}, "/expires", "a duration is text with a unit, not a number"),
        ({"key": "k", "expires": "soon"}, "/expires", "soon"),
        ({"key": "k", "expires": "9000d"}, "/expires", "at most ten years"),
        ({"key": "k", "plan_date": "yesterday"}, "/plan_date", "is no date"),
        ({"key": "k", "plan_date": "9950-01-01"}, "/plan_date", "9950-01-01 is too far away"),
        ({"key": "k", "plan_date": 7}, "/plan_date", "a date is text, not a number"),
        ({"key": "k", "text": "x"}, "/text", "unknown field"),
    ],
)
async def test_each_mistake_has_its_place(
    board: httpx2.AsyncClient, document: dict[str, Any], pointer: str, said: str
) -> None:
    reply = await board.post(NOTICES, json=document)
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error["pointer"], said in error["detail"]) == (422, pointer, True)
    assert error["hint"]


async def test_a_board_that_is_not_there_and_one_that_is_waited_for(board: httpx2.AsyncClient) -> None:
    assert (await board.post("/v1/boards/nowhere/notices", json={"key": "k"})).status_code == 404
    job = {"noop": True, "triggers": {"notice": {"board": "stok"}}}
    reply = await board.put("/v1/jobs/j", json=job)
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error["pointer"]) == (422, "/triggers/0/notice/board")
    assert error["hint"] == "did you mean stock?"
    job["triggers"] = {"notice": {"board": "stock", "key": "k"}, "jitter": "1m"}
    assert (await board.put("/v1/jobs/j", json=job)).status_code == 422
    job["triggers"] = {"notice": {"board": "stock", "key": "k"}}
    assert (await board.put("/v1/jobs/j", json=job)).json()["triggers"][0]["overlap"] == "queue_all"
    assert (await board.delete("/v1/boards/stock")).status_code == 409


async def test_a_full_board_takes_none_in_a_dry_run_either(
    board: httpx2.AsyncClient, node: SingleNode
) -> None:
    for _ in range(STANDING_MAX):
        node.apply(PostNotice("default", "stock", "k", 60_000, None, Actor("somebody")))
    queries: tuple[dict[str, str], ...] = ({}, {"dry_run": "true"})
    told = [(await board.post(NOTICES, json={"key": "k"}, params=query)).json() for query in queries]
    assert told[0] == told[1]
    assert (told[0]["status"], told[0]["hint"][:14]) == (409, "Take some down")


async def test_a_dry_run_posts_nothing(board: httpx2.AsyncClient) -> None:
    reply = await board.post(NOTICES, json={"key": "k"}, params={"dry_run": "true"})
    answers.NoticeDryRun.model_validate(reply.json())
    assert (await board.get(NOTICES)).json()["items"] == []


async def test_explain_tells_how_many_it_has_not_heard_and_why(
    board: httpx2.AsyncClient, node: SingleNode
) -> None:
    async def awaits() -> dict[str, Any]:
        told = (await board.get("/v1/jobs/j/explain")).json()
        explained.InstantExplained.model_validate(told)
        (awaited,) = told["awaits"]
        return dict(awaited)

    trigger = {"notice": {"board": "stock", "key": "k"}, "overlap": "queue_one"}
    assert (await board.put("/v1/jobs/j", json={"noop": True, "triggers": trigger})).status_code == 201
    first = await awaits()
    assert (first["board"], first["hook"], first["left"], first["last"]) == ("default/stock", None, 0, None)
    assert first["said"] == "each notice on the board that has its key makes a run"
    assert (await board.post("/v1/jobs/j/pause")).status_code == 200
    for key in ("k", "other", "k"):
        assert (await board.post(NOTICES, json={"key": key})).status_code == 201
    told = await awaits()
    assert (told["left"], told["last"], told["said"]) == (2, "k", "notices wait for the end of the pause")


async def test_explain_tells_what_stands_on_a_board_to_who_may_read_there(
    board: httpx2.AsyncClient, node: SingleNode
) -> None:
    job = {"namespace": "other", "noop": True, "triggers": {"notice": {"board": "default/stock", "key": "k"}}}
    assert (await board.put("/v1/jobs/j", json=job)).status_code == 201
    assert (await board.post(NOTICES, json={"key": "merger-with-acme"})).status_code == 201
    path, other = "/v1/jobs/j/explain?namespace=other", token(node, "other", other="viewer")
    both = token(node, "both", other="viewer", default="viewer")
    told = [(await board.get(path, headers=headers)).json()["awaits"][0] for headers in (both, other)]
    assert [each["last"] for each in told] == ["merger-with-acme", None]
    assert [each["last_at"] is None for each in told] == [False, True]
