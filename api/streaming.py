"""Replies that are made while they are sent: event streams, followed logs, copies of the state.

Rules: a reply ends with its client, and what it holds is freed then, not when the interpreter finds the time;
a client that takes nothing for STALL_S is cut off, with what waits for it. A reply that ends in good order is
whole: where the rest cannot be had (`CutError`), its connection breaks instead.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.connection import abort_of

log = logging.getLogger("cronclave.api")

STALL_S = 15.0


class _StalledError(Exception):
    """The client takes nothing any more."""


class CutError(Exception):
    """Raised by a body: there is more, and it cannot be had here and now."""


class Streaming(StreamingResponse):
    """As StreamingResponse, by the rules above. Its body is an async generator."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(STALL_S) as limit:
                    await send(message)
            except TimeoutError:
                if limit.expired():
                    raise _StalledError from None
                raise

        try:
            await super().__call__(scope, receive, in_time)
        except (_StalledError, CutError) as error:
            if isinstance(error, _StalledError):
                log.info("%s: its client takes nothing, cut off", scope["path"])
            abort = abort_of(scope)
            if abort is None:
                raise
            abort()
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                await close()
