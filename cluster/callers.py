"""Who really calls, on a port without certificates: it is asked back where the membership says that it is.

Rules:
1. A name in a hello proves nothing. Each of our calls carries a random number, and whoever takes one asks
   the node at that name's own address, over the connection that it dialled there itself: did you call with
   this number? Nothing that the caller sends counts before a yes; a no ends the connection.
2. So without certificates a liar has to answer at a member's address, or read what passes there. Against
   that only TLS helps (docs/guides/security.md).
3. Few wait under one name, the oldest makes room: the true one calls again in a moment.
"""

from __future__ import annotations

import hmac
import secrets

from cluster.stream import Stream
from cluster.wire import Message

WAITING_MAX = 4  #: under one name
QUESTIONS_MAX = 64  #: of a caller that is not believed yet


def new_call() -> str:
    """The number of a call of ours."""
    return secrets.token_hex(16)


def question(call: str) -> Message:
    return {"type": "did_you_call", "call": call}


def answer(asked: str, ours: str | None) -> Message:
    """`ours`: the number of our call to whoever asks."""
    is_ours = bool(ours) and hmac.compare_digest(asked.encode(), str(ours).encode())
    return {"type": "called", "call": asked, "is_mine": is_ours}


class Callers:
    """Accepted connections with a good hello that are asked back."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, Stream]] = {}

    def add(self, name: str, call: str, stream: Stream) -> Stream | None:
        """Let it wait; who has to make room for it."""
        waiting = self._waiting.setdefault(name, {})
        same = waiting.pop(call, None)
        oldest = waiting.pop(next(iter(waiting))) if len(waiting) >= WAITING_MAX else None
        waiting[call] = stream
        return same or oldest

    def calls(self, name: str) -> list[str]:
        return list(self._waiting.get(name, ()))

    def take(self, name: str, call: str) -> Stream | None:
        """The one that called so; it waits no longer."""
        stream = self._waiting.get(name, {}).pop(call, None)
        if not self._waiting.get(name):
            self._waiting.pop(name, None)
        return stream

    def drop(self, stream: Stream) -> None:
        """Its connection has ended."""
        for call, waiting in list(self._waiting.get(stream.peer, {}).items()):
            if waiting is stream:
                self.take(stream.peer, call)

    def all(self) -> list[Stream]:
        return [stream for waiting in self._waiting.values() for stream in waiting.values()]
