"""What a core keeps for a front that comes later, and what that front can tell of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.history import AFTER_ALL
from api.ports import NodeStatus
from node import bridge
from node.config import load_config
from node.core import Core
from node.identity import load_identity
from node.link import CoreLink
from node.recent import RECENT_BYTES_MAX, RecentEvents
from scheduler import codec
from scheduler.commands import PutJobs
from scheduler.events import JobResumed
from scheduler.model import parse_job, seed
from tests.cluster.members import free_port
from tests.node.test_config import GOOD, write
from tests.scheduler.story import START_MS, job

DEADLINE_S = 20.0


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


class Alone:
    """The core of a cluster of one node, turn by turn; fronts come and go."""

    def __init__(self, directory: Path) -> None:
        text = GOOD.replace("127.0.0.1:8322", f"127.0.0.1:{free_port()}")
        self.config = load_config(write(directory, text), {})
        self.config.data.mkdir()
        self.core = Core(self.config, load_identity(self.config))
        self.proposed = 0

    @property
    def index(self) -> int:
        return self.core._state.machine.state.idx

    def until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline_s
            self.core._reactor.step(0.01)
            self.core._turn()

    def put_job(self, name: str) -> None:
        before = self.index
        self.proposed += 1
        put = PutJobs((seed(parse_job(job(name), now_ms=START_MS), START_MS),), START_MS)
        frame = codec.Frame("a-front", self.proposed, self.proposed, (codec.encode_command(put),))
        self.until(lambda: self.core._consensus.propose(codec.encode_frame(frame)))
        self.until(lambda: self.index > before)

    def welcome(self) -> tuple[int, dict[int, list[str]]]:
        """What a new front hears first: since when, and the events' names by the index of their commit."""
        heard: list[list[Any]] = []
        decoder = bridge.Decoder()
        with socket.socket(socket.AF_UNIX) as front:
            front.connect(bridge.socket_path(self.config.data))
            front.setblocking(False)
            front.sendall(bridge.encode(["hello", "front"]))

            def read() -> bool:
                with contextlib.suppress(BlockingIOError):
                    heard.extend(decoder.feed(front.recv(1 << 20)))
                return bool(heard)

            self.until(read)
        assert heard[0][0] == "welcome"
        _, facts, commits = heard[0]
        names = {
            index: [type(e).__name__ for part in packed for _, _, e in codec.decode_events(part)]
            for index, _, packed in commits
        }
        assert facts["index"] == self.index
        return facts["since"], names

    def close(self) -> None:
        self.core.close()
        self.core._reactor.close()


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
