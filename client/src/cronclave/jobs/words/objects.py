"""What jobs refer to.

Made by client/words.py of the published JSON Schemas: not to be edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from cronclave.jobs.word import Condition, Document, Duration, Instant, Word
from cronclave.jobs.words.triggers import (
    Trigger,
)


@dataclass
class Board(Document):
    """Where tasks post notices by key, and others wait for them."""

    board: str
    _: KW_ONLY
    description: str | None = None  #: for people
    expires: Duration | None = None  #: how long a notice stays that does not say it itself
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it

    kind = "board"


@dataclass
class Bucket(Word):
    """What is below a prefix of an S3 bucket."""

    _: KW_ONLY
    url: str  #: s3://BUCKET/PREFIX
    access_key_id: str | None = None  #: a secret; without it what the node's host is allowed
    endpoint: str | None = None  #: the address of a server that is not AWS's
    region: str | None = None  #: of the bucket
    secret_access_key: str | None = None  #: a secret


@dataclass
class Calendar(Document):
    """Which days are working days: weekend, public holidays, days of one's own."""

    calendar: str
    _: KW_ONLY
    description: str | None = None  #: for people
    exclude: Sequence[str] | None = None  #: days off: a day, from/to, or a day of each year
    extra_working: Sequence[str] | None = None  #: days of the weekend that are worked
    #: of a country and its subdivision, or of several
    holidays: Sequence[Holidays] | Holidays | None = None
    #: iCalendar text (RFC 5545) whose events are days off, or of which `days` says so
    ical: Ical | None = None
    include: Sequence[str] | None = None  #: days that are not off, whatever says so
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it
    rules: Sequence[DayRule] | None = None  #: days that come again, such as the last Friday of a quarter
    #: days of the week that are not worked
    weekend: Sequence[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None = None

    kind = "calendar"


@dataclass
class Channel(Document):
    """Whom to tell and how, under a name that jobs and routes use."""

    channel: str
    _: KW_ONLY
    description: str | None = None  #: for people
    email: Sequence[str] | None = None  #: a mail to each of these addresses
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it
    #: name of the secret that its webhook is signed with, in place of the nodes' key
    secret: str | None = None
    webhook: str | None = None  #: POST to this URL

    kind = "channel"


@dataclass
class DayRule(Word):
    """Exactly one of weekday, day, easter, workday and every."""

    _: KW_ONLY
    church: Literal["western", "orthodox"] | None = None  #: of easter
    day: int | None = None  #: of the month; -1: its last one
    days: Literal["off", "working"] | None = None  #: what the days are: off, or worked though weekend
    easter: int | None = None  #: days after Easter Sunday; before it: negative
    every: int | None = None  #: days from one to the next
    from_: str | None = None  #: the first one of `every`
    months: Sequence[int] | None = None  #: in which this period begins; default any
    nth: int | None = None  #: of a weekday; -1: the last one of the period
    of: Literal["month", "quarter", "year"] | None = None  #: of which period; default month
    weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] | None = None  #: with nth: which
    workday: int | None = None  #: n-th working day by all else; -1: the last one


@dataclass
class Escalate(Word):
    """Escalate."""

    _: KW_ONLY
    after: Condition  #: so long after it was told, if nobody acknowledged it
    to: Sequence[str]  #: channels that are told then


@dataclass
class Git(Word):
    """A repository, read at a ref."""

    _: KW_ONLY
    url: str  #: https, ssh or file; without credentials
    known_hosts: str | None = None  #: a secret: lines of known_hosts; without it the node's own
    password: str | None = None  #: a secret, a token as well, for https
    path: str | None = None  #: the folder within it; empty: all of it
    ref: str | None = None  #: a full name, refs/heads/NAME or refs/tags/NAME, or a commit's id
    ssh_key: str | None = None  #: a secret: the private key, for ssh
    username: str | None = None  #: a secret, for https


@dataclass
class Holidays(Word):
    """Public holidays of a country."""

    _: KW_ONLY
    country: str  #: ISO 3166, such as DE
    subdivision: str | None = None  #: of the country, such as BE


@dataclass
class Hook(Document):
    """Where a webhook of another system comes in, and how its signature is checked."""

    hook: str
    _: KW_ONLY
    secret: str  #: name of the secret that signs what comes in
    description: str | None = None  #: for people
    enabled: bool | None = None  #: false: what comes in is refused
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it
    #: Standard Webhooks, GitHub's, or the secret itself in a header
    scheme: Literal["standard", "github", "token"] | None = None
    tolerance: Duration | None = None  #: how old a signed instant may be; of `standard`

    kind = "hook"


@dataclass
class Ical(Word):
    """Events, as iCalendar text."""

    _: KW_ONLY
    text: str  #: iCalendar text (RFC 5545)
    days: Literal["off", "working"] | None = None  #: what their days are: off, or worked though weekend


@dataclass
class Match(Word):
    """Of which jobs: all that is said must fit."""

    _: KW_ONLY
    #: how bad it is where they fail: one of these
    criticality: Sequence[Literal["minor", "normal", "major", "critical"]] | None = None
    jobs: Sequence[str] | None = None  #: their names: globs, or regex:…
    labels: Mapping[str, str] | None = None  #: that they have, all of them; values are patterns
    owners: Sequence[str] | None = None  #: who answers for them


@dataclass
class Most(Word):
    """Most."""

    _: KW_ONLY
    n: int  #: so many one by one
    per: Duration  #: within so long; what is beyond that comes together


@dataclass
class Resource(Document):
    """A named amount of which jobs take some: a lock, a count, or so many in a time."""

    resource: str
    _: KW_ONLY
    count: int | None = None  #: how much there is; without a rate 1, a lock
    description: str | None = None  #: for people
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it
    rate: str | None = None  #: how much may be taken in a time, such as 100 per 1m

    kind = "resource"


@dataclass
class Route(Document):
    """Who is told of what becomes of many jobs, without a word in them."""

    route: str
    _: KW_ONLY
    #: failed: a run failed, timed out or was lost; warned: one succeeded with a warning; recovered: the
    #: first that succeeded after; missed, skipped: ticks that ended so; late, at_risk, long, short,
    #: stalled, too_few: what `expect` says does not hold; waiting: a run was made that waits; held: a run
    #: or a task waits for a person; output: a run ended that wrote something, with the end of it
    on: Sequence[Literal[
        "failed", "warned", "recovered", "missed", "skipped", "late", "at_risk", "long", "short",
        "stalled", "too_few", "waiting", "held", "output"
    ]]
    to: Sequence[str]  #: channels that are told
    description: str | None = None  #: for people
    digest: Duration | None = None  #: what comes within so long is told together
    enabled: bool | None = None  #: false: it tells nobody
    escalate: Escalate | None = None  #: who is told where nobody says that they saw it
    everywhere: bool | None = None  #: of the jobs of all namespaces; who puts it may edit in all of them
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    match: Match | None = None  #: of which jobs; without it of all
    most: Most | None = None  #: a limit for floods
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it

    kind = "route"


@dataclass
class Schedule(Document):
    """Triggers that many jobs share, or what takes the place of another schedule for a time."""

    schedule: str
    _: KW_ONLY
    description: str | None = None  #: for people
    enabled: bool | None = None  #: false: its triggers never fire
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it
    substitute: str | None = None  #: the schedule in whose place this one comes while it is valid
    triggers: Sequence[Trigger] | None = None  #: as those of a job; a substitute may have none
    valid: Substituted | None = None  #: of a substitute

    kind = "schedule"


@dataclass
class Source(Document):
    """A folder, a git repository or a part of an object store that owns jobs and objects."""

    source: str
    _: KW_ONLY
    description: str | None = None  #: for people
    #: of edits by hand of what it owns: refused, undone at the next look, or shown
    drift: Literal["refuse", "heal", "tell"] | None = None
    enabled: bool | None = None  #: false: it is not looked at, and keeps what it owns
    every: Duration | None = None  #: how often it is looked at
    folder: str | None = None  #: on the host of whichever node leads
    git: Git | None = None  #: a repository
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    namespaces: Sequence[str] | None = None  #: those beside its own that it may edit
    owner: str | None = None  #: who answers for it
    #: delete what it no longer names, at most this share of what it owns, or so many, at once; without it
    #: that is shown and stays
    prune: str | int | None = None
    store: Bucket | None = None  #: what is below a prefix of an S3 bucket

    kind = "source"


@dataclass
class Substituted(Word):
    """Of a substitute: from when it counts, and from when no more."""

    _: KW_ONLY
    from_: Instant  #: the first instant at which it takes the place
    until: Instant  #: from here on the other one counts again


@dataclass
class Template(Document):
    """What jobs have in common that extend it: an edit revises all of them."""

    template: str
    _: KW_ONLY
    gives: Mapping[str, Any]  #: fields of a job, in its long or short form, that jobs need not say
    description: str | None = None  #: for people
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it

    kind = "template"


@dataclass
class Vars(Document):
    """Named values that jobs share; a run keeps those that it began with."""

    vars: str
    _: KW_ONLY
    values: Mapping[str, str | bool | int | float]  #: by name; numbers and Booleans as they are
    description: str | None = None  #: for people
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    owner: str | None = None  #: who answers for it

    kind = "vars"
