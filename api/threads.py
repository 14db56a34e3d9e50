"""Reads that may be long, and large bodies, in threads beside the loop.

Rules: a few at a time, the others wait in line. The threads share the interpreter with the loop: forty that
compute would leave it a fortieth. What may take many seconds (a proof of the ledger) has a line of its own,
so that pages do not wait for it; so have bodies, of which no more wait than are judged within some seconds.
A long document is encoded here, item by item: the encoder holds the interpreter from its beginning to its
end.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
from anyio.lowlevel import RunVar
from starlette.responses import Response

from api.connection import leave_if_gone
from api.ports import OverloadedError

LARGE_BYTES = 64 << 10  #: of a command: some milliseconds of each core at most
INLINE_BYTES = 8 << 10  #: a body up to this is judged in the loop: some milliseconds at most

_ENCODER = msgspec.json.Encoder()
"""One for all: to make one costs as much as a small document."""
_LONG_NUMBERS = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

T = TypeVar("T")


class Line:
    """So many at a time, and so many who wait; one such line in each event loop."""

    def __init__(self, name: str, most: int, *, waiting_max: int | None = None) -> None:
        self._name = name
        self._most = most
        self._waiting_max = waiting_max
        self._present = 0  #: at work and waiting
        self._limiter: RunVar[anyio.CapacityLimiter] = RunVar(f"cronclave.{name}")

    async def run(self, function: Callable[[], T]) -> T:
        """What `function` returns, run in a thread. Raises OverloadedError when too many wait already."""

        def work() -> T:
            leave_if_gone()
            return function()

        with self._entered() as limiter:
            return await anyio.to_thread.run_sync(work, limiter=limiter)

    @contextlib.asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """The block in its turn, in the loop. Raises OverloadedError when too many wait already."""
        with self._entered() as limiter:
            async with limiter:
                leave_if_gone()
                yield

    @contextlib.contextmanager
    def _entered(self) -> Iterator[anyio.CapacityLimiter]:
        if self._waiting_max is not None and self._present >= self._most + self._waiting_max:
            raise OverloadedError(f"{self._waiting_max} {self._name} wait already")
        try:
            limiter = self._limiter.get()
        except LookupError:
            limiter = anyio.CapacityLimiter(self._most)
            self._limiter.set(limiter)
        self._present += 1
        try:
            yield limiter
        finally:
            self._present -= 1


READS = Line("reads", 2)
LONG_READS = Line("long-reads", 1)
BODIES = Line("large bodies", 1, waiting_max=20)
COPIES = Line("copies", 20)  #: of the state, on their way to clients: they wait for the disk
_LARGE_WRITES = Line("large writes", 1, waiting_max=20)


def write_of(command_bytes: int) -> contextlib.AbstractAsyncContextManager[None]:
    """Around the proposal of a command of about this size. A large one costs every core a tenth of a second
    and more, so a node has one of them under way: what others send comes between them."""
    return contextlib.nullcontext() if command_bytes <= LARGE_BYTES else _LARGE_WRITES.passed()


async def in_thread(function: Callable[..., Any], *arguments: Any, line: Line = READS) -> Any:
    """Run a read that may be long where it does not hold up the loop."""
    return await line.run(lambda: function(*arguments))


async def judge_body(body_bytes: int, function: Callable[[], T]) -> T:
    """Read or judge a body of this size; a large one where it does not hold up the loop."""
    return function() if body_bytes <= INLINE_BYTES else await BODIES.run(function)


async def beside(size: int, function: Callable[[], T]) -> T:
    """Make an answer about a definition of so many bytes; a large one where it does not hold up the loop."""
    return function() if size <= INLINE_BYTES else await READS.run(function)


async def read_reply(read: Callable[[], Mapping[str, Any]], *, line: Line = READS) -> Response:
    """The reply of a read that may be long, encoded in the thread as well."""
    body = await line.run(lambda: encode(read()))
    return Response(body, media_type="application/json")


def encode(document: Mapping[str, Any]) -> bytes:
    """As JSON; what is in a list of several is encoded for itself, so that others have their turn between."""
    if all(len(value) < 2 for value in document.values() if isinstance(value, list)):
        return _json(document)
    fields = [
        b"%s:[%s]" % (_json(name), b",".join(map(_json, value)))
        if isinstance(value, list)
        else b"%s:%s" % (_json(name), _json(value))
        for name, value in document.items()
    ]
    return b"{" + b",".join(fields) + b"}"


def _json(value: object) -> bytes:
    try:
        return _ENCODER.encode(value)
    except OverflowError:  # a whole number of more than 64 bits, which a definition may have
        return _LONG_NUMBERS.encode(value).encode()
