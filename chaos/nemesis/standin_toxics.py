"""What the stand-in for toxiproxy-server does to bytes: the seven toxics, one chunk at a time.

Rules, as of toxiproxy 2.12:
1. Toxics of a direction work in the order in which they were added. One that touches a connection with
   toxicity p decides so once for each connection.
2. latency counts from the arrival of a chunk, so that chunks sent together arrive together.
3. A timeout toxic swallows; when it is removed, or its time is over without a byte, the connection is
   closed.
4. A change of toxics wakes whoever sleeps in one; nothing that was read is lost by it. The toxic before the
   one that came or went starts anew, and so decides anew whether it touches a connection.
5. A bandwidth of 0 is silence: from the first byte on nothing passes, the end of the connection neither.
6. A stream may be written in any case; it is told as it was written.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

ATTRIBUTES: dict[str, dict[str, int]] = {
    "latency": {"latency": 0, "jitter": 0},
    "bandwidth": {"rate": 0},
    "slow_close": {"delay": 0},
    "timeout": {"timeout": 0},
    "reset_peer": {"timeout": 0},
    "slicer": {"average_size": 0, "size_variation": 0, "delay": 0},
    "limit_data": {"bytes": 0},
    "noop": {},
}
_SLICE_MS = 100  #: of bandwidth
_FOR_GOOD_S = 1e9


@dataclass(eq=False, slots=True)
class Toxic:
    """One toxic of a proxy; two with equal values are two."""

    name: str
    kind: str
    stream: str
    toxicity: float = 1.0
    attributes: dict[str, int] = field(default_factory=dict)

    @property
    def direction(self) -> str:
        return self.stream.lower()

    def json(self) -> dict[str, Any]:
        return {
            "attributes": self.attributes,
            "name": self.name,
            "type": self.kind,
            "stream": self.stream,
            "toxicity": self.toxicity,
        }


class ClosedByToxic(Exception):
    """The connection ends here."""


class ResetByToxic(Exception):
    """The connection ends here, by a reset."""


@dataclass(slots=True)
class Chunk:
    arrived_s: float
    data: bytes


class Passage(Protocol):
    """One direction of one connection, as a toxic sees it."""

    sent: dict[Toxic, int]  #: bytes that passed a toxic, of those that count
    owed_s: dict[Toxic, float]

    async def nap(self, seconds: float) -> bool:
        """Sleep; False: the toxics changed meanwhile."""
        ...

    async def write(self, data: bytes) -> None: ...

    def dice(self) -> random.Random: ...


async def apply(
    passage: Passage, toxic: Toxic, chunk: Chunk, onward: Callable[[Chunk], Awaitable[None]]
) -> None:
    """Let the toxic do what it does to this chunk; what passes goes `onward`."""
    values = toxic.attributes
    match toxic.kind:
        case "timeout":
            return
        case "reset_peer":
            await asyncio.sleep(values["timeout"] / 1000)
            raise ResetByToxic
        case "latency":
            jitter = values["jitter"]
            delay_ms = values["latency"] + (passage.dice().randrange(-jitter, jitter) if jitter > 0 else 0)
            left_s = delay_ms / 1000 - (time.monotonic() - chunk.arrived_s)
            if await passage.nap(left_s):
                chunk.arrived_s += max(0.0, left_s)
            await onward(chunk)
        case "slicer" if values["average_size"] > 0:
            await _slice(passage, values, chunk, onward)
        case "bandwidth" if values["rate"] > 0:
            await _throttle(passage, toxic, chunk, onward)
        case "bandwidth":
            await passage.nap(_FOR_GOOD_S)
            await onward(chunk)
        case "limit_data":
            left = values["bytes"] - passage.sent.get(toxic, 0)
            data = chunk.data[: max(0, left)]
            passage.sent[toxic] = passage.sent.get(toxic, 0) + len(data)
            if data:
                await onward(Chunk(chunk.arrived_s, data))
            if left <= len(chunk.data):
                raise ClosedByToxic
        case _:
            await onward(chunk)


async def _slice(
    passage: Passage, values: dict[str, int], chunk: Chunk, onward: Callable[[Chunk], Awaitable[None]]
) -> None:
    rest, vary = chunk.data, values["size_variation"]
    while rest:
        size = max(1, values["average_size"] + (passage.dice().randrange(-vary, vary) if vary > 0 else 0))
        await onward(Chunk(chunk.arrived_s, rest[:size]))
        rest = rest[size:]
        await passage.nap(values["delay"] / 1e6)  # microseconds


async def _throttle(
    passage: Passage, toxic: Toxic, chunk: Chunk, onward: Callable[[Chunk], Awaitable[None]]
) -> None:
    rest = chunk.data
    while rest:
        rate = max(1, toxic.attributes["rate"])  # bytes in a millisecond; it may be changed meanwhile
        piece, rest = rest[: rate * _SLICE_MS], rest[rate * _SLICE_MS :]
        began_s = time.monotonic()
        owed_s = passage.owed_s.get(toxic, 0.0) + len(piece) / rate / 1000
        if await passage.nap(owed_s):
            owed_s -= time.monotonic() - began_s  # what the clock overslept is not slept again
        else:
            owed_s = 0.0
        passage.owed_s[toxic] = owed_s
        await onward(Chunk(chunk.arrived_s, piece))
