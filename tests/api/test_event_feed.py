"""What a thousand event streams may cost: encoded once, a few a turn, an end for who does not take it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from api import event_feed, streaming
from api.app import Api
from api.connection import UNREAD_MS, limit_unread
from api.event_feed import CHUNK_BYTES, STREAMS_A_TURN, EventFeed, Kinds, encode
from api.event_scope import RunNamespaces
from api.history import History, Id
from api.ports import Committed
from scheduler.words import events
from scheduler.words.events import Event, JobDeleted, JobResumed
from tests.api.served import DEADLINE_S, served
from tests.api.single_node import ADMIN_TOKEN, SingleNode

RESUMED = frozenset({"job_resumed"})


class Feed:
    """A feed whose history a test writes, and streams that take all they get."""

    def __init__(self) -> None:
        self.history = History()
        self.feed = EventFeed(self.history, RunNamespaces(lambda run: None))
        self.got: dict[int, bytes] = {}
        self.turn = 0
        self.went_on: Counter[int] = Counter()  #: turn of the loop → chunks that were given out in it
        self._tasks: set[asyncio.Task[None]] = set()

    def commit(self, *events: Event) -> None:
        index = self.history.last[0] + 1
        told = [(index, n, event) for n, event in enumerate(events)]
        self.history.add(1_000, told)
        self.feed.on_commit(Committed(index, 1_000, told))

    def open(self, number: int, kinds: Kinds = None, after: Id | None = None) -> None:
        task = asyncio.create_task(self._take(number, kinds, self.history.last if after is None else after))
        self._tasks.add(task)

    async def _take(self, number: int, kinds: Kinds, after: Id) -> None:
        self.got[number] = b""
        with self.feed.stream(after, kinds) as stream:
            while (data := await self.feed.next(stream)) is not None:
                self.got[number] += data
                self.went_on[self.turn] += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self.turn += 1
                await asyncio.sleep(0)

    async def end(self) -> None:
        self.feed.close()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*self._tasks)


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    found = Feed()
    yield found
    await found.end()


def test_an_event_tells_the_cause_with_its_key_as_people_read_it() -> None:
    def key(event: Event) -> object:
        return json.loads(encode(1, 0, 1_000, event).split(b"data: ")[1])["cause_key"]

    ticked = events.RunCreated(1, 2, "default", "a", "tick", "", 7, 60_000, 61_000)
    booted = events.RunCreated(1, 2, "default", "a", "startup", "web/i/b", 7, None, 61_000)
    asked = events.RunCreated(1, 2, "default", "a", "manual", "", 0, None, 61_000)
    nested = events.RunCreated(3, 2, "default", "a", "nested", "1/secret//0", 0, None, 61_000)
    # Whoever hears of it may not read where the task stands that began it.
    assert [key(event) for event in (ticked, booted, asked, nested)] == ["7@60000", "web/i/b", None, "1"]

    one = events.TickDecided(1, 2, "default", "a", 7, "tick", "", 60_000, 60_000, 1, "ran", "", 1)
    many = events.TickDecided(1, 2, "default", "a", 7, "tick", "", 1, 3, 3, "missed", "window", 0)
    boot = events.TickDecided(1, 2, "default", "a", 7, "startup", "web/i/b", 60_000, 60_000, 1, "ran", "", 1)
    assert [key(event) for event in (one, many, boot)] == ["7@60000", "7@1..3", "web/i/b"]


async def test_an_event_is_encoded_once_for_all_streams_and_all_their_choices(feed: Feed) -> None:
    for number in range(30):
        feed.open(number, (None, RESUMED, frozenset({"job_deleted"}))[number % 3])
    await feed.until(lambda: feed.feed.streams == 30)

    for number in range(20):
        feed.commit(JobResumed(1, "default", f"job-{number}"), JobDeleted(1, "default", f"job-{number}"))
        await asyncio.sleep(0)
    await feed.until(lambda: all(data.count(b"job-19") for data in feed.got.values()))

    assert feed.feed.pieces.encoded == 40
    every, resumed, deleted = (feed.got[number] for number in range(3))
    assert (every.count(b"event: "), resumed.count(b"event: "), deleted.count(b"event: ")) == (40, 20, 20)
    assert all(data == feed.got[number % 3] for number, data in feed.got.items())


async def test_streams_at_one_position_get_the_very_same_bytes(feed: Feed) -> None:
    start = feed.history.last
    feed.commit(JobResumed(1, "default", "a"))
    first, again = feed.feed.chunk(start, None), feed.feed.chunk(start, None)
    assert first is not None
    assert first is again

    feed.commit(
        JobResumed(1, "default", "b")
    )  # a chunk of the past stays right: its reader goes on after it
    late = feed.feed.chunk(start, None)
    assert late is not None
    rest = feed.feed.chunk(late.end, None)
    assert rest is not None
    assert (late.data + rest.data).count(b"event: ") == 2


async def test_few_streams_go_on_in_a_turn_of_the_loop_however_many_have_much_to_get(feed: Feed) -> None:
    for number in range(2_000):
        feed.commit(JobResumed(1, "default", f"job-{number}"))
    for number in range(200):
        feed.open(number, after=(0, -1))

    await feed.until(lambda: len(feed.got) == 200 and all(b"job-1999" in each for each in feed.got.values()))

    assert max(feed.went_on.values()) <= STREAMS_A_TURN
    assert feed.feed.pieces.encoded == 2_000


async def test_one_that_comes_back_after_a_long_time_gets_bounded_chunks(feed: Feed) -> None:
    for number in range(2_000):
        feed.commit(JobResumed(1, "default", f"job-{number}"))
    position, count = (0, -1), 0
    while position < feed.history.last:
        chunk = feed.feed.chunk(position, None)
        assert chunk is not None
        assert len(chunk.data) < CHUNK_BYTES + 1_000
        position, count = chunk.end, count + chunk.data.count(b"event: ")
    assert count == 2_000


async def test_a_stream_that_the_history_has_left_behind_is_over(feed: Feed) -> None:
    feed.commit(JobResumed(1, "default", "a"))
    with feed.feed.stream((1, 0), None) as stream:
        feed.history.begin((50, 0))
        async with asyncio.timeout(DEADLINE_S):
            assert await feed.feed.next(stream) is None


async def test_encoded_events_are_bounded(feed: Feed) -> None:
    pieces = event_feed.Pieces(bytes_max=1_000)
    for index in range(100):
        pieces.of((index, 0, 1_000, JobResumed(1, "default", f"job-{index}")))
    assert 0 < len(pieces._kept) < 10
    assert sum(map(len, pieces._kept.values())) == pieces._bytes <= 1_000


# ---- with a server


async def test_the_kernel_gives_up_a_peer_that_does_not_read() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit_unread(writer.transport)
        told.set_result(
            writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        )
        writer.close()

    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(DEADLINE_S):
            assert await told == UNREAD_MS
        writer.close()


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


@contextlib.asynccontextmanager
async def unread_streams(url: str, count: int, headers: str = "") -> AsyncIterator[list[socket.socket]]:
    """Streams whose client sends its request and reads nothing."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    opened: list[socket.socket] = []
    request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n{headers}\r\n"
    try:
        for _ in range(count):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)
            opened.append(client)
            await loop.sock_connect(client, (host, int(port)))
            await loop.sock_sendall(client, request.encode())
        yield opened
    finally:
        for client in opened:
            client.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def much_happens(node: SingleNode, events: int) -> None:
    """A long history."""
    start = node.history.last[0] + 1
    for index in range(start, start + events):
        node.history.add(1_000, [(index, 0, JobResumed(1, "default", "j" * 200))])


async def test_streams_end_with_their_clients_who_read_or_not(url: str, api: Api, node: SingleNode) -> None:
    much_happens(node, 20_000)
    async with unread_streams(url, 10), unread_streams(url, 10, "Last-Event-ID: 0.0\r\n"):
        await until(lambda: api.services.feed.streams == 20)
    await until(lambda: api.services.feed.streams == 0)


async def test_a_client_that_takes_nothing_is_cut_off(
    url: str, api: Api, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "STALL_S", 0.3)
    much_happens(node, 20_000)
    async with unread_streams(url, 3, "Last-Event-ID: 0.0\r\n") as clients:
        await until(lambda: api.services.feed.streams == 3)
        await until(lambda: api.services.feed.streams == 0)
        loop = asyncio.get_running_loop()
        for client in clients:
            async with asyncio.timeout(DEADLINE_S):
                with contextlib.suppress(ConnectionResetError):
                    while await loop.sock_recv(client, 1 << 20):
                        pass


async def test_a_silent_stream_has_heartbeats(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(event_feed, "LOOK_S", 0.05)
    loop = asyncio.get_running_loop()
    async with unread_streams(url, 1) as (client,):
        heard = b""
        async with asyncio.timeout(DEADLINE_S):
            while heard.count(b": heartbeat\n\n") < 3:
                heard += await loop.sock_recv(client, 1 << 16)
