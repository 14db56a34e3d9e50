"""Whom a commit wakes by the hundred goes on turn by turn, and ends with its client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from api.app import Api
from api.commits import STEPS, RunWatch
from api.ports import Committed, OverloadedError
from api.threads import LARGE_BYTES, Line, encode, write_of
from api.turns import Turns
from node.index_watch import IndexWatch
from scheduler.words.events import AttemptAssigned, Event
from tests.api.served import DEADLINE_S, served
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.api.working import NOOP

AUTHORIZATION = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


async def test_those_who_are_woken_together_go_on_one_a_turn_in_order() -> None:
    turns, woken = Turns(turn_s=0.0), asyncio.Event()
    turn = 0
    went_on: list[int] = []
    in_turn: Counter[int] = Counter()

    async def wait(number: int) -> None:
        await woken.wait()
        await turns.mine()
        went_on.append(number)
        in_turn[turn] += 1

    tasks = [asyncio.create_task(wait(number)) for number in range(100)]
    await asyncio.sleep(0)
    woken.set()
    async with asyncio.timeout(DEADLINE_S):
        while len(went_on) < 100:
            turn += 1
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert went_on == list(range(100))
    assert max(in_turn.values()) == 1


async def test_nobody_waits_while_the_turn_is_short_and_nobody_is_in_line() -> None:
    turns = Turns(turn_s=60.0)
    for _ in range(100):
        before = asyncio.current_task()
        await asyncio.wait_for(turns.mine(), DEADLINE_S)
        assert asyncio.current_task() is before
    assert turns.waiting == 0


async def test_who_is_cancelled_in_line_is_not_waited_for() -> None:
    turns = Turns(turn_s=0.0)
    first, gone, waits = (asyncio.create_task(turns.mine()) for _ in range(3))
    await asyncio.sleep(0)
    assert (first.done(), turns.waiting) == (True, 2)
    gone.cancel()
    async with asyncio.timeout(DEADLINE_S):
        await waits
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert turns.waiting == 0


async def test_threads_work_a_few_at_a_time() -> None:
    line = Line("test", 2)
    lock = threading.Lock()
    at_work, most = 0, 0

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.005)  # long enough that all twenty would be at work together
        with lock:
            at_work -= 1

    await asyncio.gather(*(line.run(work) for _ in range(20)))
    assert most <= 2


async def test_who_finds_too_many_waiting_is_sent_away() -> None:
    line = Line("bodies", 1, waiting_max=2)
    go = threading.Event()

    works = [asyncio.create_task(line.run(lambda: go.wait(DEADLINE_S))) for _ in range(4)]
    async with asyncio.timeout(DEADLINE_S):
        while not works[3].done():
            await asyncio.sleep(0)
    go.set()

    assert await asyncio.gather(*works[:3]) == [True] * 3
    with pytest.raises(OverloadedError, match="2 bodies wait already"):
        await works[3]


async def test_large_writes_go_one_after_the_other_and_small_ones_at_once() -> None:
    order: list[str] = []
    go = asyncio.Event()

    async def write(name: str, command_bytes: int) -> None:
        async with write_of(command_bytes):
            order.append(f"{name} begins")
            await go.wait()
            order.append(f"{name} ends")

    works = [asyncio.create_task(write(name, LARGE_BYTES + 1)) for name in ("one", "two")]
    works.append(asyncio.create_task(write("small", LARGE_BYTES)))
    async with asyncio.timeout(DEADLINE_S):
        while len(order) < 2:
            await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*works)

    assert set(order[:2]) == {"one begins", "small begins"}
    assert order.index("one ends") < order.index("two begins")


async def test_who_finds_too_many_large_writes_is_sent_away() -> None:
    gate = Line("writes", 1, waiting_max=2)
    go = asyncio.Event()

    async def write() -> None:
        async with gate.passed():
            await go.wait()

    works = [asyncio.create_task(write()) for _ in range(4)]
    async with asyncio.timeout(DEADLINE_S):
        while not works[3].done():
            await asyncio.sleep(0)
    go.set()

    with pytest.raises(OverloadedError, match="2 writes wait already"):
        await works[3]
    await asyncio.gather(*works[:3])


def test_a_document_that_is_encoded_piece_by_piece_is_the_same() -> None:
    document = {
        "items": [{"a": 1, "b": [None, "é"]}, 2],
        "next_cursor": None,
        'odd"name': {"x": [1.5]},
        "none": [],
    }
    assert encode(document) == json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


async def test_who_waits_for_an_index_is_woken_once_it_is_reached_and_leaves_nothing_behind() -> None:
    watch = IndexWatch()
    early, late, gone = (asyncio.create_task(watch.wait(index)) for index in (5, 9, 1 << 61))
    await asyncio.sleep(0)
    watch.reached(4)
    await asyncio.sleep(0)
    assert not early.done()
    watch.reached(7)
    gone.cancel()
    await asyncio.gather(early, gone, return_exceptions=True)
    assert not late.done()
    watch.reached(9)
    await late
    assert watch._waiting == {}


def test_a_run_is_watched_by_its_own_events_alone() -> None:
    watch = RunWatch(STEPS)
    mine: Event = AttemptAssigned(attempt=1, task=1, run=7, agent=1, due_ms=0)
    other: Event = AttemptAssigned(attempt=2, task=2, run=8, agent=1, due_ms=0)
    with watch.watch(7) as happened:
        watch.on_commit(Committed(1, 0, [(1, 0, other)]))
        assert not happened.is_set()
        watch.on_commit(Committed(2, 0, [(2, 0, mine)]))
        assert happened.is_set()
    assert watch._waiting == {}


async def test_who_waits_for_what_comes_after_an_index_is_not_woken_before(
    api: Api, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    """A thousand blocking queries of a later index cost nothing at each commit until then."""
    commits = api.services.commits
    with commits.beyond(node.index + 1_000) as far, commits.beyond(node.index) as near:
        await client.put("/v1/jobs/job", json=NOOP)
        await until(near.is_set)
        assert not far.is_set()
        commits.end()
        assert far.is_set()
    assert commits._beyond == {}


# ---- with a server


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


async def test_a_blocking_query_and_a_wait_for_a_run_end_with_their_clients(
    url: str, api: Api, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/job", json={**NOOP, "on": {"pool": "none"}})
    run = (await client.post("/v1/jobs/job/runs")).json()["id"]
    index = node.index + 1_000
    paths = (
        f"/v1/jobs?index={index}&wait=300s",
        f"/v1/jobs?min_index={index}&wait=300s",
        f"/v1/runs/{run}?wait=300s",
        f"/v1/runs/{run}/logs?follow=true",
    )
    async with httpx2.AsyncClient(base_url=url, headers=AUTHORIZATION, timeout=DEADLINE_S) as impatient:
        asked = [asyncio.create_task(impatient.get(path)) for path in paths]
        await until(lambda: api._door._waiting == len(paths))
        for each in asked:
            each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*asked)
    await until(lambda: api._door._waiting == 0)


async def test_whoever_waits_is_answered_when_the_node_stops(
    api: Api, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/job", json={**NOOP, "on": {"pool": "none"}})
    run = (await client.post("/v1/jobs/job/runs")).json()["id"]
    paths = (f"/v1/jobs?index={node.index + 1_000}&wait=300s", f"/v1/runs/{run}?wait=300s")
    asked = [asyncio.create_task(client.get(path)) for path in paths]
    await until(lambda: api._door._waiting == len(paths))
    api.services.gateway.close()
    async with asyncio.timeout(DEADLINE_S):
        assert [(await each).status_code for each in asked] == [200, 200]
