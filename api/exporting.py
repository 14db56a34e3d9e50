"""Long tables as lines of JSON, the oldest row first: read in slices, so that no reply holds a snapshot
open or takes memory by its length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from api.streaming import Streaming
from api.threads import encode, in_thread

EXPORT_MAX = 100_000
"""Lines of one reply."""

Slice = tuple[Sequence[Mapping[str, Any]], int | None]
"""Rows, and the number to go on behind; None: there is nothing more."""


def export(read: Callable[[int], Slice], after: int) -> Response:
    """What `read` gives of the rows behind a number, again and again from the last one on."""
    return Streaming(_lines(read, after, EXPORT_MAX), media_type="application/jsonl")


async def _lines(read: Callable[[int], Slice], number: int, left: int) -> AsyncIterator[bytes]:
    def encoded() -> tuple[list[bytes], int | None]:
        rows, last = read(number)
        return [encode(row) + b"\n" for row in rows[:left]], last

    while left:
        lines, last = await in_thread(encoded)
        if last is None:
            return
        left, number = left - len(lines), last
        yield b"".join(lines)
