"""What became of the zone data."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(59)
class ZonesKept(Event):
    """The first zone data is in force."""

    version: str


@event(56)
class Retimed(Event):
    """Other zone data is in force; `moving`: zones of which triggers are yet to take over the new rules."""

    before: str
    version: str
    moving: int


@event(57, wakes=SOON)
class ZoneMoved(Event):
    """A zone has other rules than triggers are due by; `live`: all of them have taken those over."""

    zone: str
    live: bool
