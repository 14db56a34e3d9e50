"""What became of tokens and sessions."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(22)
class TokenWithdrawn(Event):
    """Nobody is anybody by this token any more."""

    name: str


@event(23)
class SessionClosed(Event):
    """A browser's session was ended by whoever had it."""

    token: str  #: name of the one that had opened it
