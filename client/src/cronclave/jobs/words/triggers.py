"""When a job runs.

Made by client/words.py of the published JSON Schemas: not to be edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from cronclave.jobs.word import Condition, Duration, Instant, Word


@dataclass
class AllOf(Word):
    """AllOf."""

    _: KW_ONLY
    of: Sequence[Member]  #: all that has to come
    within: Duration | None = None  #: from the first that comes; then it is missed


@dataclass
class Delay(Word):
    """Delay."""

    _: KW_ONLY
    delay: Duration  #: from the end of the job's last run


@dataclass
class File(Word):
    """File."""

    _: KW_ONLY
    dir: str  #: the folder, without those in it
    #: the param that takes its path, or params by fact: one of path, name, size, modified
    as_: str | Mapping[str, Any] | None = None
    match: str | None = None  #: of the names that are meant: a glob, or regex:…
    max_rate: str | None = None  #: so many runs in a time; what is more waits its turn
    on: Seen | None = None  #: the agents that look
    #: batch: one run of all that is there, once nothing has changed for that long
    per: Literal["file", "batch"] | None = None
    #: agent: each has its own folder, and runs what comes there; shared: all see one
    scope: Literal["agent", "shared"] | None = None
    stable: Duration | None = None  #: it is complete once it stood still for so long
    then: Then | None = None  #: what becomes of it after a run that succeeded


@dataclass
class Member(Word):
    """One thing that has to come."""

    _: KW_ONLY
    #: a condition over ends of other jobs, as `after`, of runs of the plan date
    after: Condition | None = None
    at_least: str | None = None  #: a time of the day, within the plan date
    notice: Noticed | None = None  #: a notice of the plan date


@dataclass
class Noticed(Word):
    """Noticed."""

    _: KW_ONLY
    board: str  #: a board: a name, or namespace/name
    #: of the notices that are meant; plan_date: each one's own plan date; default any
    key: str | None = None


@dataclass
class Seen(Word):
    """The agents that look."""

    _: KW_ONLY
    labels: Mapping[str, str] | None = None  #: that they have
    pool: str | None = None  #: the pool of the agents on whose hosts the folder is


@dataclass
class Startup(Word):
    """Startup."""

    _: KW_ONLY
    delay: Duration | None = None  #: from when the cluster hears of the boot
    pool: str | None = None  #: the pool of the agents on whose hosts it runs


@dataclass
class Then(Word):
    """What becomes of a file once its run has succeeded."""

    _: KW_ONLY
    delete: Literal[True] | None = None  #: it is deleted
    move: str | None = None  #: a folder that it is moved to, under its name


@dataclass
class Trigger(Word):
    """Trigger."""

    _: KW_ONLY
    #: a condition over ends of other jobs: JOB.succeeded, .failed, .timed_out, .lost, .cancelled, .expired,
    #: .ended, .warned, .exit_code; and, or, not, comparisons, in, parentheses
    after: Condition | None = None
    all_of: AllOf | None = None  #: once a plan date, when all of several things have come
    allow_cycle: bool | None = None  #: the job may, over others, wait for its own end; default false
    at: Instant | None = None  #: once, at this instant
    calendar: TriggerDays | None = None  #: on which days it is due, by calendars; default any
    cron: str | None = None  #: 5 fields, 6 with seconds first, names, steps, L, W, #, H, @daily…
    #: how day of month and day of week are joined; default debian: cron's rule
    days: Literal["debian", "either", "both"] | None = None
    dst: Literal["cron", "skip", "literal"] | None = None  #: for cron; default cron
    #: elapsed time from one tick to the next; or `delay`, from the end of the last run
    every: Duration | Delay | None = None
    file: File | None = None  #: each file that is complete in a folder that agents look at
    id: str | None = None  #: names the trigger; else a hash of its schedule
    iso8601: str | None = None  #: R5/2026-01-31T00:00:00Z/P1M, R/start/end or R5/period/end
    jitter: Duration | None = None  #: upper limit of a constant offset
    notice: Noticed | None = None  #: each notice that is posted on a board
    #: of its runs, over policies.overlap: what becomes of them
    overlap: Literal[
        "skip", "queue_one", "queue_all", "cancel_running", "terminate_running", "allow"
    ] | None = None
    #: values of its runs, over the defaults of the job's params
    params: Mapping[str, str | bool | int | float | Sequence[Any] | Mapping[str, Any]] | None = None
    schedule: str | None = None  #: a schedule whose triggers it has: a name, or namespace/name
    start: Instant | None = None  #: anchor of `every`
    startup: Startup | None = None  #: each boot of a host in a pool of agents
    tz: str | None = None  #: IANA zone of cron, iso8601 or at_least; default UTC
    valid: Valid | None = None  #: when it is due at all; default always
    #: a hook of the job's namespace: each delivery makes a run, and what its body says of declared params
    webhook: str | None = None
    workday: Workday | None = None  #: of the days, which working day of a month, quarter or year alone


@dataclass
class TriggerDays(Word):
    """Days by calendars."""

    _: KW_ONLY
    exclude: Sequence[str] | None = None  #: no day off of any of these
    include: Sequence[str] | None = None  #: working days of any of these alone
    #: what becomes of instants on days that are no working days; default ignore
    nonworking: Literal["ignore", "before", "after", "modified", "suppress"] | None = None


@dataclass
class Valid(Word):
    """From when and until when: an instant that is `until` is out of it."""

    _: KW_ONLY
    from_: Instant | None = None  #: the first instant that may be due
    until: Instant | None = None  #: nothing is due from here on


@dataclass
class Workday(Word):
    """Which working day of a period."""

    _: KW_ONLY
    nth: int  #: 1: the first; -1: the last
    of: Literal["month", "quarter", "year"]  #: of each month, quarter or year
