"""The cluster: who leads, its format, its housekeeping."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByCore, ByPerson, ByPlanner, command


@command(60)
class Lead(ByCore):
    """The first command of every leadership: raises the epoch. `raft_term` orders rivals."""

    node: str
    zone: str
    raft_term: int
    tzdata: str = ""  #: version of the leader's zone data; taken only while the state names none
    silent_ms: int | None = None  #: since the leader before it was last heard; None: the node never heard one


@command(61)
class Barrier(ByCore):
    """No effect: its commit proves that whoever waits for it reads no stale state."""


@command(62)
class Compare(ByCore):
    """No effect: every node reads the rows from this place on at exactly this entry, so that they can be
    compared."""

    place: bytes  #: see scheduler.store.row_digests; empty: from the beginning


@command(94)
class Note(ByPerson):
    """No effect but its entry in the audit: what a person has decided that no other command says. It comes
    before the deed, which may fail then."""

    deed: str  #: add | remove a member, transfer the leadership, backup
    name: str
    before: str | None = None
    after: str | None = None
    actor: Actor = NOBODY


@command(9)
class Activate(ByPerson):
    """Raise the state's format for good. Refused unless `members` are the members when it is applied."""

    format: int
    members: tuple[tuple[str, int, int], ...]  #: by name: each member, its oldest and its newest format
    actor: Actor = NOBODY


@command(52)
class Migrate(ByPlanner):
    """Bring the next rows into the shape of the format that was activated: compare-and-set of the cursor."""

    cursor: str
    rows: int


@command(51)
class Sweep(ByPlanner):
    """Drop at most `limit` each of idempotency keys, fronts and agents that were last seen before
    `before_ms`, of browser sessions that had ended by then, of effects that were given up and are kept no
    longer, and of entries of the audit that are too many or too old."""

    before_ms: int
    limit: int
