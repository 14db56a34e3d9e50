"""What became of calendars' dates."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(58, wakes=SOON)
class CalendarMoved(Event):
    """A calendar has other dates than triggers hold; `live`: all of them have taken those over."""

    namespace: str
    name: str
    live: bool


@event(54, wakes=SOON)
class ScheduleMoved(Event):
    """A schedule means something else than jobs hold of it; `live`: all of them have taken that over."""

    namespace: str
    name: str
    live: bool
