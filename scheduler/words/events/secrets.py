"""What became of secrets. None says anything of a value."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(60)
class SecretChanged(Event):
    """It has another value, or other jobs may use it."""

    namespace: str
    name: str
    version: int
    actor: str


@event(61)
class SecretDeleted(Event):
    namespace: str
    name: str
    actor: str
