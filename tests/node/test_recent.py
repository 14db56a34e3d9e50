"""What a core keeps for a front that comes later, and what that front can tell of it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.history import AFTER_ALL
from api.ports import NodeStatus
from node import bridge
from node.link import CoreLink
from node.recent import RECENT_BYTES_MAX, RecentEvents
from scheduler.words import codec
from scheduler.words.events import JobResumed
from tests.node.lone_core import Alone


def test_what_is_kept_is_bounded_and_says_since_when() -> None:
    recent = RecentEvents(7)
    assert (recent.since, recent.commits()) == (7, [])
    third = RECENT_BYTES_MAX // 3
    for index in (9, 12, 13):
        recent.add(index, 1_000, [b"x" * third])
    assert (recent.since, [index for index, _, _ in recent.commits()]) == (7, [9, 12, 13])
    recent.add(14, 1_000, [b"y" * third, b"z" * third])
    assert (recent.since, [index for index, _, _ in recent.commits()]) == (12, [13, 14])
    recent.begin(20)
    assert (recent.since, recent.commits()) == (20, [])
    for index in (21, 22, 23):
        recent.add(index, 1_000, [b"x" * third])
    assert (recent.since, len(recent.commits())) == (20, 3)  # nothing of the former state counts any more


# ---- the core


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    alone = Alone(tmp_path)
    yield alone
    alone.close()


def test_a_front_hears_what_was_applied_before_it_came_and_while_there_was_none(alone: Alone) -> None:
    alone.until(lambda: alone.index > 0)
    assert alone.welcome() == (0, {1: ["Led"]})

    alone.put_job("while-no-front-was-there")
    alone.put_job("another")

    assert alone.welcome() == (0, {1: ["Led"], 2: ["JobPut"], 3: ["JobPut"]})


def test_a_front_hears_nothing_of_a_state_that_a_copy_replaced(alone: Alone, tmp_path: Path) -> None:
    alone.until(lambda: alone.index > 0)
    alone.put_job("kept")
    state = alone.core._state
    state.install(tmp_path / "copy", state.copy_to(tmp_path / "copy"))
    assert alone.welcome() == (2, {})


# ---- the front


async def front_after(directory: Path, messages: list[list[Any]]) -> CoreLink:
    """A front that a core has told this."""

    async def core(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)  # its hello
        for message in messages:
            writer.write(bridge.encode(message))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(core, bridge.socket_path(directory))
    required = {
        f.name: ""
        for f in dataclasses.fields(NodeStatus)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    front = CoreLink(directory, NodeStatus(**required))  # type: ignore[arg-type]  # none of it is looked at
    await front.connect()
    await front.run()
    assert front._writer is not None
    front._writer.close()
    server.close()
    return front


def resumed(index: int) -> list[Any]:
    return [index, 1_000, [codec.encode_events([(index, 0, JobResumed(1, "default", f"job-{index}"))])]]


def welcome(since: int, *indices: int) -> list[Any]:
    facts = {"path": "state.db", "index": indices[-1], "since": since}
    return ["welcome", facts, [resumed(index) for index in indices]]


def told(front: CoreLink, after: int) -> list[int] | None:
    history = front.history.behind((after, AFTER_ALL))
    return None if history is None else [index for index, _, _, _ in history]


async def test_a_front_tells_what_came_before_it_and_admits_what_it_does_not_know(tmp_path: Path) -> None:
    commit = ["commit", 15, 1_000, [], resumed(15)[2]]
    front = await front_after(tmp_path, [welcome(7, 9, 12), commit])
    assert front.history.since == (7, AFTER_ALL)
    assert told(front, 7) == [9, 12, 15]
    assert told(front, 12) == [15]
    assert told(front, 6) is None  # a command 7 may have had events


async def test_a_front_knows_nothing_of_the_way_to_a_copied_state(tmp_path: Path) -> None:
    front = await front_after(
        tmp_path, [welcome(7, 9), ["reopen", "other.db", 50], ["commit", 51, 1, [], []]]
    )
    assert front.history.since == (50, AFTER_ALL)
    assert (told(front, 49), told(front, 50)) == (None, [])
