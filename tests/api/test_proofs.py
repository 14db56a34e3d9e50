"""Proofs of the ledger are few at a time, shared, left when nobody waits, and no longer than they may be."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from api import proofs
from api.app import Api
from api.threads import LONG_READS
from tests.api.single_node import SingleNode

DEADLINE_S = 60.0
JOB = {"job": "often", "noop": True, "triggers": [{"every": "100ms"}]}
BEFORE, HOUR, AGES = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2126-01-01T00:00:00Z"


@contextlib.asynccontextmanager
async def line_held() -> AsyncIterator[None]:
    """Something else has the thread that proofs stand in line for."""
    gate = threading.Event()
    holder = asyncio.create_task(LONG_READS.run(lambda: gate.wait(DEADLINE_S)))
    try:
        await asyncio.sleep(0)
        yield
    finally:
        gate.set()
        await holder


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def ask(client: httpx2.AsyncClient, end: str) -> asyncio.Task[httpx2.Response]:
    query = {"from": BEFORE, "to": end}
    return asyncio.create_task(client.get("/v1/ledger/verify", params=query, timeout=DEADLINE_S))


async def test_ten_who_ask_the_same_are_one_proof(client: httpx2.AsyncClient, api: Api) -> None:
    async with line_held():
        asked = [ask(client, HOUR) for _ in range(10)]
        await until(lambda: sum(p.readers for _, p in api.services.proofs._present) == 10)
    replies = await asyncio.gather(*asked)

    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.content for reply in replies}) == 1
    assert api.services.proofs.begun == 1


async def test_who_comes_beyond_the_line_is_told_when_to_come_again(
    client: httpx2.AsyncClient, api: Api
) -> None:
    ends = [f"2026-01-01T{hour:02}:00:00Z" for hour in range(1, 11)]
    async with line_held():
        asked = [ask(client, end) for end in ends]
        await until(lambda: sum(task.done() for task in asked) == len(ends) - proofs.PROOFS_MAX)
        told = [task.result() for task in asked if task.done()]
        healthy = await client.get("/healthz")
        listed = await client.get("/v1/jobs")
    served = await asyncio.gather(*asked)

    assert {(reply.status_code, reply.headers["retry-after"]) for reply in told} == {(429, "10")}
    assert {reply.json()["type"] for reply in told} == {"/problems/too-many-requests"}
    assert (healthy.status_code, listed.status_code) == (200, 200)
    assert sorted(reply.status_code for reply in served) == [200] * 4 + [429] * 6


async def test_a_proof_that_began_before_the_state_moved_serves_no_later_question(
    client: httpx2.AsyncClient, api: Api, node: SingleNode
) -> None:
    proof = proofs.Proof()
    assert proof.serves(node.index)
    proof.index = node.index
    assert proof.serves(node.index)
    await client.put("/v1/jobs/often", json=JOB)
    assert not proof.serves(node.index)


async def test_a_proof_ends_with_the_last_who_waits_for_it(client: httpx2.AsyncClient, api: Api) -> None:
    await client.put("/v1/jobs/often", json=JOB)
    asked = [ask(client, AGES), ask(client, AGES)]
    await until(lambda: api.services.proofs.begun == 1)

    asked[0].cancel()
    await asyncio.gather(asked[0], return_exceptions=True)
    assert [p.readers for _, p in api.services.proofs._present] == [1]
    asked[1].cancel()
    await until(lambda: not api.services.proofs._present)

    assert (await ask(client, HOUR)).status_code == 200


async def test_who_leaves_the_line_is_not_worked_for(client: httpx2.AsyncClient, api: Api) -> None:
    async with line_held():
        asked = ask(client, HOUR)
        await until(lambda: bool(api.services.proofs._present))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    await until(lambda: not api.services.proofs._present)

    assert api.services.proofs.begun == 0


async def test_a_range_without_an_end_is_refused(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of ten ticks a second until the year 2126 has 3 * 10**10 of them."""
    monkeypatch.setattr(proofs, "TICKS_MAX", 20_000)
    await client.put("/v1/jobs/often", json=JOB)

    reply = await ask(client, AGES)

    assert reply.status_code == 422
    assert "more than 20000 ticks and ledger entries" in reply.json()["detail"]


async def test_a_proof_says_how_far_it_is(client: httpx2.AsyncClient, api: Api) -> None:
    async with line_held():
        asked = ask(client, HOUR)
        await until(lambda: bool(api.services.proofs.present()))
        waiting = (await client.get("/v1/ledger/proofs")).json()["items"]
    assert (await asked).status_code == 200

    assert waiting == [
        {"from": BEFORE, "to": HOUR, "began": False, "checked": 0, "entries": 0, "due": 0}
    ]
    assert (await client.get("/v1/ledger/proofs")).json()["items"] == []
