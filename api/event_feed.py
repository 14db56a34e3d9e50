"""What all event streams of a front share, so that a thousand of them cost little more than one.

Rules:

* A stream is a position in the front's history of events and a choice of kinds and namespaces, nothing
  else: nothing is queued for it. What it has to get lies in the history, which is bounded; where that has
  moved on past a stream, the stream is over, and its client comes back with its last id.
* An event is encoded once, whatever the number of streams and choices (`Pieces`); streams at the same
  position with the same choice get the same bytes (`chunk`).
* In one turn of the loop STREAMS_A_TURN streams go on, with CHUNK_BYTES each; then the loop has its turn,
  and after a slow slice a pause as long as the slice: all streams together take half of the loop at most. A
  stream that does not take what it was given is not waited for: it is out of the round until it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.event_scope import RunNamespaces, is_for
from api.history import Entry, History, Id
from api.instants import rfc3339
from api.ports import Committed
from scheduler.words import causes, events
from scheduler.words.causes import Kind
from scheduler.words.events import Event

STREAMS_A_TURN = 25
CHUNK_BYTES = 16 << 10  #: given to a stream at a time
EVENTS_A_CHUNK = 500  #: looked at for one chunk
PIECES_BYTES_MAX = 16 << 20  #: encoded events that are kept
CHUNKS_MAX = 256  #: joined chunks that are kept, for each choice of kinds and position
PAUSE_LEAST_S = 0.001
PAUSE_MOST_S = 0.25
HEARTBEAT_S = 10.0
LOOK_S = 1.0  #: between two looks for heartbeats that are due

Kinds = frozenset[str] | None  #: names of events that a client wants; None: all
Namespaces = frozenset[str] | None  #: in which a client reads; None: in all

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
NAMES: dict[type[Any], str] = {cls: _WORD.sub("_", cls.__name__).lower() for cls in events.ALL}
FIELDS: dict[type[Any], tuple[tuple[str, str, bool], ...]] = {
    cls: tuple((name, name.removesuffix("_ms"), name.endswith("_ms")) for name in cls.__struct_fields__)
    for cls in events.ALL
}


def encode(index: int, n: int, stamp_ms: int, event: Event) -> bytes:
    """One event on the wire."""
    kind = type(event)
    document: dict[str, Any] = {"index": index, "at": rfc3339(stamp_ms)}
    for field, public, instant in FIELDS[kind]:
        value = getattr(event, field)
        document[public] = rfc3339(value) if instant else value
    if isinstance(event, events.RunCreated):
        key = causes.text(event.cause_key, event.trigger, event.tick_ms)
        # The task that began it may be of another namespace; all streams get the same bytes.
        document["cause_key"] = (key.partition("/")[0] if event.cause == Kind.NESTED else key) or None
    elif isinstance(event, events.TickDecided):
        document["cause_key"] = causes.text(event.cause_key, event.trigger, event.first_ms, event.last_ms)
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return f"id: {index}.{n}\nevent: {NAMES[kind]}\ndata: {data}\n\n".encode()


class Pieces:
    """Encoded events by id, the latest used ones up to a number of bytes."""

    def __init__(self, bytes_max: int = PIECES_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[Id, bytes] = OrderedDict()
        self._bytes = 0
        self.encoded = 0  #: events that were encoded, for the tests and nobody else

    def of(self, entry: Entry) -> bytes:
        identity = entry[:2]
        piece = self._kept.get(identity)
        if piece is None:
            piece = self._kept[identity] = encode(*entry)
            self.encoded += 1
            self._bytes += len(piece)
            while self._bytes > self._bytes_max:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return piece

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a stream gets at once, and where it stands then."""

    data: bytes
    end: Id


class Stream:
    """One client's stream. It is in the round while its client takes what it is given."""

    __slots__ = ("_place", "kinds", "namespaces", "position", "sent_s")

    def __init__(self, position: Id, kinds: Kinds, namespaces: Namespaces) -> None:
        self.position = position
        self.kinds = kinds
        self.namespaces = namespaces
        self.sent_s = time.monotonic()
        self._place: asyncio.Future[None] | None = None

    @property
    def waits(self) -> bool:
        return self._place is not None

    async def turn(self) -> None:
        self._place = asyncio.get_running_loop().create_future()
        try:
            await self._place
        finally:
            self._place = None

    def go_on(self) -> None:
        if self._place is not None and not self._place.done():
            self._place.set_result(None)


class EventFeed:
    """All streams of a front, and the round in which they go on. A listener to commits."""

    def __init__(self, history: History, runs: RunNamespaces) -> None:
        self.history = history
        self._runs = runs
        self.pieces = Pieces()
        self._chunks: OrderedDict[tuple[Id, Kinds, Namespaces], Chunk] = OrderedDict()
        self._streams: set[Stream] = set()
        self._news = asyncio.Event()
        self._round: asyncio.Task[None] | None = None
        self.closed = False

    # -- a listener to commits

    def on_commit(self, commit: Committed) -> None:
        if commit.events:
            self._news.set()

    def on_gap(self) -> None:
        """The state may be another one, with other events of the same ids."""
        self._forget()
        self._runs.forget()
        self._news.set()

    def _forget(self) -> None:
        self.pieces.clear()
        self._chunks.clear()

    # -- streams

    @property
    def streams(self) -> int:
        return len(self._streams)

    @contextlib.contextmanager
    def stream(self, position: Id, kinds: Kinds, namespaces: Namespaces = None) -> Iterator[Stream]:
        """A stream for as long as the block lasts."""
        found = Stream(position, kinds, namespaces)
        self._streams.add(found)
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._go_round(), name="event-streams")
        try:
            yield found
        finally:
            self._streams.discard(found)
            if not self._streams:
                self._forget()

    async def next(self, stream: Stream) -> bytes | None:
        """What the stream gets next; empty: a heartbeat is due; None: it is over."""
        while not self.closed:
            if stream.position < self.history.last:
                self._news.set()
            await stream.turn()
            chunk = self.chunk(stream.position, stream.kinds, stream.namespaces)
            if chunk is None:
                break
            stream.position = chunk.end
            now_s = time.monotonic()
            if chunk.data or now_s - stream.sent_s >= HEARTBEAT_S:
                stream.sent_s = now_s
                return chunk.data
        return None

    def chunk(self, position: Id, kinds: Kinds, namespaces: Namespaces = None) -> Chunk | None:
        """What is behind the position, bounded; None: that is forgotten.

        One that ended with the history of its time stays right: who has got it goes on after its end.
        """
        if position < self.history.since:
            return None
        if position >= self.history.last:
            return Chunk(b"", position)
        kept = self._chunks.get((position, kinds, namespaces))
        if kept is None:
            kept = self._chunks[position, kinds, namespaces] = self._join(position, kinds, namespaces)
            if len(self._chunks) > CHUNKS_MAX:
                self._chunks.popitem(last=False)
        return kept

    def _join(self, position: Id, kinds: Kinds, namespaces: Namespaces) -> Chunk:
        pieces: list[bytes] = []
        size = 0
        for entry in self.history.behind(position, EVENTS_A_CHUNK) or ():
            position = entry[:2]
            chosen = kinds is None or NAMES[type(entry[3])] in kinds
            if chosen and (namespaces is None or is_for(entry[3], namespaces, self._runs)):
                piece = self.pieces.of(entry)
                pieces.append(piece)
                size += len(piece)
                if size >= CHUNK_BYTES:
                    break
        return Chunk(b"".join(pieces), position)

    def close(self) -> None:
        """All streams end, now."""
        self.closed = True
        if self._round is not None:
            self._round.cancel()
        for stream in self._streams:
            stream.go_on()

    # -- the round

    async def _go_round(self) -> None:
        while self._streams:
            self._news.clear()
            due = self._due()
            if not due:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._news.wait()
                continue
            for first in range(0, len(due), STREAMS_A_TURN):
                started_s = time.monotonic()
                for stream in due[first : first + STREAMS_A_TURN]:
                    stream.go_on()
                await asyncio.sleep(0)  # they run, and then whoever else is awake
                took_s = time.monotonic() - started_s
                if took_s >= PAUSE_LEAST_S:
                    await asyncio.sleep(min(took_s, PAUSE_MOST_S))

    def _due(self) -> list[Stream]:
        """Everybody who waits and has something to get: events, or a heartbeat."""
        silent_s = time.monotonic() - HEARTBEAT_S
        last = self.history.last
        return [
            stream
            for stream in self._streams
            if stream.waits and (stream.position < last or stream.sent_s <= silent_s)
        ]
