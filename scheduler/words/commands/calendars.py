"""Triggers take over other dates of a calendar."""

from __future__ import annotations

from scheduler.words.record import ByPlanner, Record, command, part


@part
class Redated(Record):
    """One trigger by the new dates."""

    trigger: int
    spec: bytes
    first_due_ms: int | None  #: its first instant after the edit of the calendar; None: nothing comes


@command(104)
class Redate(ByPlanner):
    """The next triggers of a calendar that was edited: their eras by its former dates end. At most 50; none:
    there are no more."""

    redate: int  #: which edit
    triggers: tuple[Redated, ...]
