"""What became of calendars' dates."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(58, wakes=SOON)
class CalendarMoved(Event):
    """A calendar has other dates than triggers hold; `live`: all of them have taken those over."""

    namespace: str
    name: str
    live: bool
