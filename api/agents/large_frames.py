"""Large frames of agents on their way: who may send one now.

Rules:

1. A frame that came in one piece of SMALL_BYTES needs nobody's leave. One that is larger needs a place before
   more of it is read: without one its socket is not read, and waits in line. Nothing is lost by that, and no
   more than `most` frames are in memory, whoever sends them.
2. A place is had until the frame was decoded. Whoever keeps one without sending is closed as silent
   (`scheduler.protocol.AGENT_SILENCE_MS`); who waits in line is not.
3. One token has half of the places. Of the tokens that wait, each has its turn.
4. A socket whose token is not judged yet has no place.
"""

from __future__ import annotations

from typing import Protocol

from scheduler.protocol import FRAME_BYTES_MAX

BYTES_ALL_MAX = 64 << 20
PLACES = BYTES_ALL_MAX // FRAME_BYTES_MAX
SMALL_BYTES = 64 << 10


class Reader(Protocol):
    """A socket, as its frames are read."""

    def read_on(self) -> None:
        """It has a place now."""


class Socket(Protocol):
    """What the agents' side tells the server of a socket, and asks."""

    @property
    def is_in_line(self) -> bool:
        """It is not read: its frame waits for a place. No silence is its own."""

    def proved(self) -> None: ...

    def admitted(self, frames: LargeFrames, token: str) -> None:
        """Its token is right: large frames may come, one after the other."""

    def greeted(self) -> None:
        """Its Hello was sound: frames may be as large as they ever are."""

    def decoded(self) -> None:
        """Nothing of the last frame is kept."""

    def left(self) -> None:
        """Nobody takes its frames any more."""


class LargeFrames:
    """The places of one node."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._share = max(places // 2, 1)
        self._reading: dict[Reader, str] = {}
        self._of_token: dict[str, int] = {}
        self._line: dict[str, dict[Reader, None]] = {}  #: by token; who had a turn goes behind

    @property
    def reading(self) -> int:
        return len(self._reading)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._line.values()))

    def ask(self, reader: Reader, token: str) -> bool:
        """Whether it has a place. If not it stands in line, and is told."""
        if reader in self._reading:
            return True
        if token not in self._line and self._is_room(token):
            self._take(reader, token)
            return True
        self._line.setdefault(token, {})[reader] = None
        return False

    def leave(self, reader: Reader, token: str) -> None:
        """It needs no place, and is in no line."""
        waiting = self._line.get(token, {})
        if reader in waiting:
            del waiting[reader]
            if not waiting:
                del self._line[token]
        if self._reading.pop(reader, None) is None:
            return
        self._of_token[token] -= 1
        if not self._of_token[token]:
            del self._of_token[token]
        self._next()

    def _is_room(self, token: str) -> bool:
        return len(self._reading) < self._places and self._of_token.get(token, 0) < self._share

    def _take(self, reader: Reader, token: str) -> None:
        self._reading[reader] = token
        self._of_token[token] = self._of_token.get(token, 0) + 1

    def _next(self) -> None:
        token = next((token for token in self._line if self._is_room(token)), None)
        if token is None:
            return
        waiting = self._line.pop(token)
        reader = next(iter(waiting))
        del waiting[reader]
        if waiting:
            self._line[token] = waiting
        self._take(reader, token)
        reader.read_on()
