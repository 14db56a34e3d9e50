"""What a conversation asks of the world. Whoever talks performs these and nothing else: two small loops, one
that blocks (`client.py`) and one for asyncio (`aio.py`).

A talk is a generator of effects; each is answered by what it gives, or by an OSError that is thrown into it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")


class Wire(Protocol):
    """An open connection, as its loop holds it."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Connect:
    """Gives a Wire to the node at this URL."""

    url: str
    within_s: float


@dataclass(frozen=True, slots=True)
class Send:
    """Gives nothing, once the bytes are on their way."""

    wire: Wire
    data: bytes
    within_s: float


@dataclass(frozen=True, slots=True)
class Receive:
    """Gives some bytes; none: the other end has closed it."""

    wire: Wire
    within_s: float


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


@dataclass(frozen=True, slots=True)
class Give:
    """One item of what the caller iterates over."""

    item: Any


Effect = Connect | Send | Receive | Sleep | Give
Talk = Generator[Effect, Any, Result]
