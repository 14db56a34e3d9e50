"""Reading bodies: counted while they come, in time, and within what all of them may take together.

Rules: nobody's body is read before its token is judged, except the small ones of `POST /v1/session`
and of deliveries to hooks, which are signed as a whole and count as of one token together, and by the
address that they come from; a body counts against the budget until its request has ended, since it stays in
memory so long; half of the budget is the most that one token gets, an eighth what one address of those
without a token does; small bodies need none of it, so that nobody's large ones keep them out.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from starlette.types import Receive

from api.crowd import origin
from api.problems import Problem

BODY_S = 30.0
READING_MAX = 2_000  #: bodies that are on their way at one time
BYTES_ALL_MAX = 64 << 20
SMALL_BYTES = 16 << 10
_SHARES = {"token": 2, "address": 8}
Owners = tuple[tuple[str, str], ...]
"""Whose bodies it counts among, kind and name."""
DRAIN_TIMES = 16  #: what is allowed is read and thrown away, so that the client gets to read its 413


class Reading:
    """The bodies of one node."""

    def __init__(self) -> None:
        self.count = 0
        self._bytes = 0
        self._of: dict[tuple[str, str], int] = {}  #: by token, and by address of those without

    @property
    def bytes_held(self) -> int:
        return self._bytes

    def of(self, token: str, address: str) -> Share:
        """What one request holds, given back at the end of the block. `token`: empty where none was asked
        for: then what comes from this address has a share of its own in that of all of these."""
        return Share(self, (("token", token), *([] if token else [("address", origin(address))])))

    def _take(self, owners: Owners, size: int) -> None:
        self._bytes += size
        for owner in owners:
            left = self._of.get(owner, 0) + size
            if left:
                self._of[owner] = left
            else:
                self._of.pop(owner, None)

    def _grow(self, owners: Owners, size: int) -> None:
        is_full = self._bytes + size > BYTES_ALL_MAX
        if is_full or any(self._of.get(of, 0) + size > BYTES_ALL_MAX // _SHARES[of[0]] for of in owners):
            raise Problem(
                "overloaded",
                f"the bodies of all requests take {BYTES_ALL_MAX >> 20} MiB, or those of one token or address"
                " their share of that",
                headers={"Retry-After": "1", "Connection": "close"},
            )
        self._take(owners, size)


class Share:
    """One request's part of the budget."""

    __slots__ = ("_owners", "_reading", "held")

    def __init__(self, reading: Reading, owners: Owners) -> None:
        self._reading, self._owners = reading, owners
        self.held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.held:
            self._reading._take(self._owners, -self.held)

    def take(self, body: bytes, most: int) -> bytes:
        """A body that has come already. Raises Problem: too-large, overloaded."""
        if len(body) > most:
            raise body_too_large(most)
        self._hold(len(body))
        return body

    async def read(self, headers: dict[str, str], receive: Receive, most: int) -> bytes:
        """The whole body. Raises Problem: too-large, too-slow, overloaded."""
        if self._reading.count >= READING_MAX:
            raise Problem(
                "overloaded",
                f"more than {READING_MAX} bodies are on their way",
                headers={"Retry-After": "1", "Connection": "close"},
            )
        self._reading.count += 1
        try:
            async with asyncio.timeout(BODY_S):
                return await self._read(headers, receive, most)
        except TimeoutError:
            raise Problem(
                "too-slow",
                f"the body was not complete within {BODY_S:.0f} s",
                headers={"Connection": "close"},
            ) from None
        finally:
            self._reading.count -= 1

    async def _read(self, headers: dict[str, str], receive: Receive, most: int) -> bytes:
        declared = headers.get("content-length", "")
        too_large = declared.isascii() and declared.isdigit() and int(declared[:20]) > most
        if too_large and int(declared[:20]) > most * DRAIN_TIMES:
            raise body_too_large(most)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem("http", "the client went away in the middle of the body")
            chunk = message.get("body", b"")
            size += len(chunk)
            too_large = too_large or size > most
            if size > most * DRAIN_TIMES:
                raise body_too_large(most)
            if too_large:
                chunks.clear()
            elif chunk:
                self._hold(size)
                chunks.append(chunk)
            if not message.get("more_body", False):
                break
        if too_large:
            raise body_too_large(most)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _hold(self, size: int) -> None:
        if size > SMALL_BYTES:
            self._reading._grow(self._owners, size - self.held)
            self.held = size


def body_too_large(most: int) -> Problem:
    return Problem("too-large", f"a body may have {most} bytes at most", headers={"Connection": "close"})


def replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives out the body that was read already, then whatever comes (the disconnect)."""
    given = False

    async def again() -> dict[str, Any]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return dict(await receive())

    return again
