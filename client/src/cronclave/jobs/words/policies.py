"""How its runs behave beside each other, what they wait for, and what is told of them.

Made by client/words.py of the published JSON Schemas: not to be edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from cronclave.jobs.word import Duration, Instant, Word
from cronclave.jobs.words.tasks import (
    Autonomy,
    Lock,
    Placement,
)


@dataclass
class Admission(Word):
    """When its runs may start."""

    _: KW_ONLY
    windows: Sequence[str]  #: such as `Mon-Fri 20:00-06:00`, by the wall
    #: terminate: what still runs ends as timed_out when the window does
    at_end: Literal["let_run", "terminate"] | None = None
    #: a run waits for the next window, or a firing is skipped
    outside: Literal["wait", "skip"] | None = None
    tz: str | None = None  #: IANA zone of cron, iso8601 or at_least; default UTC


@dataclass
class AtLeast(Word):
    """How many runs succeed in each period."""

    _: KW_ONLY
    per: Duration  #: 1m to 24h; 1d is a plan date of the namespace, 7d seven from Monday
    n: int | None = None  #: so many at least


@dataclass
class Blackout(Word):
    """[from, until): nothing of the job fires by itself."""

    _: KW_ONLY
    from_: Instant  #: the first instant at which nothing fires
    until: Instant  #: fires again from here on
    reason: str | None = None  #: why, for people


@dataclass
class Catchup(Word):
    """What becomes of ticks that are more than `grace` overdue."""

    _: KW_ONLY
    grace: Duration | None = None  #: a duration such as 90s, 15m, 1h30m or 7d, longer than zero
    max: int | None = None  #: under all: the newest so many are kept
    #: latest: the newest missed tick runs; all: each runs; none: they are missed
    mode: Literal["none", "latest", "all"] | None = None
    window: Duration | None = None  #: a duration such as 90s, 15m, 1h30m or 7d, longer than zero


@dataclass
class Check(Word):
    """A command that agents run until it ends well."""

    _: KW_ONLY
    run: str  #: a line for a shell
    every: Duration | None = None  #: from one to the next; default 30s
    max: int | None = None  #: so often; then on_timeout says; default 1000
    on: Placement | None = None  #: agents that may be asked; default: any of default
    timeout: Duration | None = None  #: of one; default 1m


@dataclass
class Expect(Word):
    """What is told where it does not hold; nothing is stopped for it."""

    _: KW_ONLY
    at_least: AtLeast | None = None  #: too_few: fewer runs succeeded
    duration: ExpectedDuration | None = None  #: how long a run takes, from its first start to its end
    end_by: str | None = None  #: late_end: by then it has succeeded; at_risk: it is not likely to
    output_within: Duration | None = None  #: stalled: an attempt wrote nothing for so long
    start_by: str | None = None  #: late_start: the first 02:30 after its tick, or so long after it is due
    tz: str | None = None  #: IANA zone of times of the day; default that of the trigger


@dataclass
class ExpectedDuration(Word):
    """How long a run takes, from its first start to its end."""

    _: KW_ONLY
    max: str | None = None  #: long: it takes more; a duration, or a share of what is usual as 200%
    min: str | None = None  #: short: it succeeded in less; a duration, or a share of what is usual as 50%


@dataclass
class Notice(Word):
    """Notice."""

    _: KW_ONLY
    #: failed: a run failed, timed out or was lost; warned: one succeeded with a warning; recovered: the
    #: first that succeeded after; missed, skipped: ticks that ended so; late, at_risk, long, short,
    #: stalled, too_few: what `expect` says does not hold; waiting: a run was made that waits; held: a run
    #: or a task waits for a person; output: a run ended that wrote something, with the end of it
    on: Sequence[Literal[
        "failed", "warned", "recovered", "missed", "skipped", "late", "at_risk", "long", "short",
        "stalled", "too_few", "waiting", "held", "output"
    ]]
    channel: str | None = None  #: the channel of this name, or of `other/name` in another namespace
    #: it is for jobs of these alone; default any
    criticality: Sequence[Literal["minor", "normal", "major", "critical"]] | None = None
    email: Sequence[str] | None = None  #: a mail to each of these addresses
    webhook: str | None = None  #: POST to this URL


@dataclass
class OverlapLimit(Word):
    """So many runs of the job, or of each key, may be active, before what fires is judged by `then`."""

    _: KW_ONLY
    key: str | None = None  #: those runs alone count that have the same one: text with "{params.NAME}"
    max: int | None = None  #: runs that may be active at once
    #: of what fires beyond; default skip
    then: Literal["skip", "queue_one", "queue_all", "cancel_running", "terminate_running"] | None = None


@dataclass
class Policies(Word):
    """Policies."""

    _: KW_ONLY
    admission: Admission | None = None  #: windows of the week in which its runs may start
    #: an agent has its coming ticks, and starts them where it reaches no node
    autonomy: Autonomy | None = None
    blackout: Sequence[Blackout] | None = None  #: spans in which nothing fires by itself: skipped(blackout)
    calendar: str | None = None  #: of triggers that ask for working days and name no calendar
    catchup: Catchup | None = None  #: what becomes of ticks that were missed, in an outage say
    #: failed runs in a row, and how long the next waits then; `pause`: the job is paused
    failures: Mapping[str, str] | None = None
    #: true: the same work may be done twice, so what was lost may be tried again
    idempotent: bool | None = None
    #: resources of which it takes one, or an amount, before it starts: all of them or none
    locks: Sequence[str | Lock] | None = None
    #: on_lost is wait, and what has begun is not suspended nor begun in the middle
    not_restartable: bool | None = None
    #: hold: a task whose last try failed waits for a person
    on_failure: Literal["end", "hold"] | None = None
    #: of an attempt whose agent is out of reach: wait for it, fail, or retry it elsewhere
    on_lost: Literal["wait", "fail", "retry"] | None = None
    #: what a tick does while an earlier run goes on
    overlap: Literal[
        "skip", "queue_one", "queue_all", "cancel_running", "terminate_running", "allow"
    ] | OverlapLimit | None = None
    pause_after_failures: int | None = None  #: the job is paused after so many failed runs in a row
    priority: int | None = None  #: 0 to 100: who starts first where there is not room for all
    retention: Retention | None = None  #: what is kept of runs that have ended
    #: what has not begun by then, counted from when it was due, is given up
    start_deadline: Duration | None = None
    timeout: Duration | None = None  #: of the whole run


@dataclass
class Requirement(Word):
    """One of them: exactly one of `job`, `notice`, `exists` and `check`."""

    _: KW_ONLY
    check: Check | None = None  #: this command ends well, on an agent
    consume: bool | None = None  #: it is used up by the run, and meets no other; default false
    count: int | Literal["all"] | None = None  #: how many; default 1; all: each tick of the plan date
    every: Duration | None = None  #: from one to the next; default 30s
    #: this path is there, on an agent's host; or this object: s3://bucket/key, gs://, az://
    exists: str | None = None
    job: str | None = None  #: runs of this job have ended
    key: str | None = None  #: of it; plan_date: the run's own plan date; default any
    max: int | None = None  #: so often; then on_timeout says; default 1000
    notice: str | None = None  #: a notice stands on this board
    on: Placement | None = None  #: agents that may be asked; default: any of default
    #: which of its runs count: ended after the job's own last run was created (default), of the same plan
    #: date, or ended so long before the due instant
    since: Literal["last_run", "plan_date"] | Duration | None = None
    state: Literal["succeeded", "failed", "ended"] | None = None  #: how they ended; default succeeded
    timeout: Duration | None = None  #: of one; default 1m


@dataclass
class RequiresPolicy(Word):
    """How many of them, and what if they never come."""

    _: KW_ONLY
    #: of since: plan_date, where the other job has no tick on that date
    if_not_planned: Literal["wait", "skip", "go"] | None = None
    need: int | Literal["all", "any"] | None = None  #: how many of them
    #: then: missed(requires), skipped(requires), or it goes on
    on_timeout: Literal["fail", "skip", "go"] | None = None
    timeout: Duration | None = None  #: the longest wait; default without end


@dataclass
class Retention(Word):
    """What is kept of ended runs: the newest `runs` of them, none older than `age`."""

    _: KW_ONLY
    age: Duration | None = None  #: a duration such as 90s, 15m, 1h30m or 7d, longer than zero
    runs: int | None = None  #: the newest this many
