"""Triggers take over other dates of a calendar, jobs other triggers of a schedule."""

from __future__ import annotations

from scheduler.words.commands.jobs import PreparedTrigger
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


@part
class Rescheduled(Record):
    """One job by what its schedule means."""

    job: int
    triggers: tuple[PreparedTrigger, ...]  #: all that it has of the schedule, counted from the edit on


@command(83)
class Reschedule(ByPlanner):
    """The next jobs of a schedule that was edited: the eras of what it meant before end. At most 200 triggers
    and 50 jobs, one job at least; none: there are no more."""

    redate: int  #: which edit
    jobs: tuple[Rescheduled, ...]
