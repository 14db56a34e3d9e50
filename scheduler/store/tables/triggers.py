"""Eras of triggers: (from_ms, until_ms], with the watermark `next_due_ms`.

What was due in an era when it was closed is decided as its `closed` says:

edited     as if it were live: the job was edited, and what was due before that still runs
behind     what `catchup: all` runs of a gap, one at a time, each when nothing of the job is active
paused     skipped(paused): the job was resumed, nothing is caught up
deleted    skipped(cancelled), as all of a job that is no more
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from scheduler.store.connection import Row, Store
from scheduler.store.kept import Table, while_none
from scheduler.store.tables import jobs, zones

EDITED, BEHIND, PAUSED, DELETED = "edited", "behind", "paused", "deleted"
AHEAD = "ahead"
"""An era of one instant, which a person moved to an earlier one: it is of no other (`ahead`)."""
OVER = frozenset({PAUSED, DELETED})
"""What is left of these eras becomes skipped, at once."""


class Trigger(NamedTuple):
    id: int
    job: int
    key: str
    spec: bytes
    jitter_ms: int
    from_ms: int
    until_ms: int | None
    next_due_ms: int | None
    fire_ms: int | None
    namespace: str
    per_day: int
    share: int
    closed: str = ""
    event: str = ""


class Watermark(NamedTuple):
    """What applying asks of a trigger again and again: it is kept in memory."""

    id: int
    job: int
    jitter_ms: int
    from_ms: int
    until_ms: int | None
    next_due_ms: int | None
    fire_ms: int | None
    closed: str


class FiringTrigger(NamedTuple):
    """A trigger with what its job says at the moment of firing; `namespace` is None once the job is
    deleted.
    """

    id: int
    job: int
    jitter_ms: int
    from_ms: int
    until_ms: int | None
    next_due_ms: int | None
    namespace: str | None
    name: str
    revision: int
    state: str
    active_runs: int
    closed: str

    @property
    def is_over(self) -> bool:
        return self.namespace is None or self.closed in OVER


COLUMNS = ", ".join(Trigger._fields)
WATERMARK = Table("triggers", Watermark)
_INSERT = f"INSERT INTO triggers ({COLUMNS}) VALUES ({', '.join('?' * len(Trigger._fields))})"


def read(store: Store, row: Row) -> Trigger:
    """Of COLUMNS. The process knows the rules of its zone then."""
    found = Trigger._make(row)
    zones.ready(store, found.spec)
    return found


def get(store: Store, trigger: int) -> Trigger | None:
    row = store.row(f"SELECT {COLUMNS} FROM triggers WHERE id = ?", (trigger,))
    return None if row is None else read(store, row)


def key_of(store: Store, trigger: int) -> str:
    key: str | None = store.value("SELECT key FROM triggers WHERE id = ?", (trigger,))
    return key or ""


def era_of(store: Store, job: int, key: str, at_ms: int) -> int | None:
    """The era of a trigger that this instant belongs to."""
    era: int | None = store.value(
        "SELECT id FROM triggers WHERE job = ? AND key = ? AND from_ms < ?"
        f" AND (until_ms IS NULL OR until_ms >= ?) ORDER BY closed <> '{AHEAD}', id LIMIT 1",
        (job, key, at_ms, at_ms),
    )
    return era


def ahead(store: Store, job: int, key: str, after_ms: int, until_ms: int) -> list[int]:
    """The instants of (after_ms, until_ms] that came before their trigger did: each is an era of its own."""
    rows = store.rows(
        f"SELECT until_ms FROM triggers INDEXED BY triggers_ahead WHERE closed = '{AHEAD}' AND job = ?"
        " AND key = ? AND until_ms > ? AND until_ms <= ? ORDER BY until_ms",
        (job, key, after_ms, until_ms),
    )
    return [row[0] for row in rows]


def spec_of(store: Store, trigger: int) -> bytes:
    """Empty: there is no such trigger."""
    spec = store.value("SELECT spec FROM triggers WHERE id = ?", (trigger,))
    return b"" if spec is None else bytes(spec)


def firing(store: Store, trigger: int) -> FiringTrigger | None:
    row = store.kept.get(WATERMARK, trigger)
    if row is None:
        return None
    job = jobs.standing(store, row.job)
    own = (row.id, row.job, row.jitter_ms, row.from_ms, row.until_ms, row.next_due_ms)
    if job is None:
        return FiringTrigger(*own, None, "", 0, "", 0, row.closed)
    return FiringTrigger(
        *own, job.namespace, job.name, job.revision, job.state, job.active_runs, row.closed
    )


def insert(store: Store, trigger: Trigger) -> None:
    if trigger.closed == BEHIND:
        store.kept.unnote("triggers", _FIRST_BEHIND, (trigger.job,))
    store.kept.later("triggers", _INSERT, trigger)


def of_job(store: Store, job: int) -> list[Trigger]:
    """Every era of a job, oldest first."""
    rows = store.rows(f"SELECT {COLUMNS} FROM triggers WHERE job = ? ORDER BY id", (job,))
    return [read(store, row) for row in rows]


def live(store: Store, job: int) -> list[Trigger]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM triggers WHERE job = ? AND until_ms IS NULL ORDER BY id", (job,)
    )
    return [read(store, row) for row in rows]


def undecided(store: Store, job: int) -> list[Trigger]:
    """Eras of the job with an instant that is not decided."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM triggers WHERE job = ? AND event = '' AND next_due_ms IS NOT NULL"
        " ORDER BY id",
        (job,),
    )
    return [read(store, row) for row in rows]


_MOVES = b'"nonworking":"'


def may_move(spec: bytes) -> bool:
    """Whether a calendar may move an instant of it to another day."""
    return _MOVES in spec


def moving(store: Store, job: int, limit: int) -> dict[int, bytes]:
    """The specs of its newest eras of which a calendar may move an instant."""
    rows = store.rows(
        "SELECT id, spec FROM triggers WHERE job = ? AND instr(spec, ?) > 0 ORDER BY id DESC LIMIT ?",
        (job, _MOVES, limit),
    )
    return {id: bytes(spec) for id, spec in rows}


class Listening(NamedTuple):
    """A live trigger that waits for an event."""

    id: int
    key: str
    offset_ms: int  #: from the event to its firing


def listening(
    store: Store, event: str, after: tuple[int, int], since_ms: int, limit: int
) -> list[Listening]:
    """Triggers that waited for this event at `since_ms`, perhaps in an earlier era, and still do; those after
    (offset, id), by offset."""
    rows = store.rows(
        "SELECT t.id, t.key, t.jitter_ms FROM triggers t INDEXED BY triggers_event"
        " WHERE t.event = ? AND t.event <> '' AND t.until_ms IS NULL AND (t.jitter_ms, t.id) > (?, ?)"
        " AND EXISTS (SELECT 1 FROM triggers o WHERE o.job = t.job AND o.key = t.key AND o.from_ms <= ?)"
        " ORDER BY t.jitter_ms, t.id LIMIT ?",
        (event, *after, since_ms, limit),
    )
    return [Listening._make(row) for row in rows]


def awaiting(store: Store, event: str, limit: int) -> list[int]:
    """Live triggers that wait for this event."""
    rows = store.rows(
        "SELECT id FROM triggers INDEXED BY triggers_event WHERE event = ? AND event <> \'\'"
        " AND until_ms IS NULL ORDER BY jitter_ms, id LIMIT ?",
        (event, limit),
    )
    return [row[0] for row in rows]


def move(store: Store, trigger: int, *, next_due_ms: int | None, fire_ms: int | None) -> None:
    """Move the watermark."""
    row = store.kept.get(WATERMARK, trigger)
    if row is not None and row.closed == BEHIND:
        store.kept.unnote("triggers", _FIRST_BEHIND, (row.job,))
    told = (next_due_ms, fire_ms, trigger)
    store.kept.update(WATERMARK, trigger, told, next_due_ms=next_due_ms, fire_ms=fire_ms)


def sleep(store: Store, trigger: int) -> None:
    """Nothing is to be done of it until something wakes it."""
    store.kept.update(WATERMARK, trigger, (trigger,), fire_ms=None)


def close(
    store: Store, trigger: int, *, until_ms: int, next_due_ms: int | None, fire_ms: int | None, closed: str
) -> None:
    """End an era. With `next_due_ms`, what was due in it is yet to be decided."""
    store.write(
        "UPDATE triggers SET until_ms = ?, next_due_ms = ?, fire_ms = ?, closed = ? WHERE id = ?",
        (until_ms, next_due_ms, fire_ms, closed, trigger),
        row=("triggers", trigger),
    )


_LEFT = "job = ? AND until_ms IS NOT NULL AND next_due_ms IS NOT NULL"


def give_up_left(store: Store, job: int, stamp_ms: int) -> None:
    """What of the job's closed eras came due while it was paused, or waits to be caught up, is skipped."""
    store.write(
        f"UPDATE triggers SET closed = '{PAUSED}', fire_ms = next_due_ms WHERE {_LEFT}"
        f" AND (closed = '{BEHIND}' OR closed = '{EDITED}' AND fire_ms <= ?)",
        (job, stamp_ms),
    )


_FIRST_BEHIND = (
    f"SELECT id FROM triggers INDEXED BY triggers_left WHERE {_LEFT} AND closed = '{BEHIND}'"
    " ORDER BY next_due_ms, id LIMIT 1"
)


def oldest_behind(store: Store, job: int) -> Trigger | None:
    # Most jobs have none, and are asked at the end of each run: that is known until one comes.
    trigger = store.kept.note("triggers", _FIRST_BEHIND, (job,), keeps=while_none)
    return None if trigger is None else get(store, trigger)


def behind(store: Store, job: int, trigger: int, limit: int) -> list[Trigger]:
    """The job's gaps that wait to be caught up, newest first: those of this trigger, in any of its eras, and
    those of triggers that the job has no more."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM triggers INDEXED BY triggers_left WHERE {_LEFT} AND closed = '{BEHIND}'"
        " AND (key = (SELECT key FROM triggers WHERE id = ?)"
        " OR key NOT IN (SELECT key FROM triggers WHERE job = ? AND until_ms IS NULL))"
        " ORDER BY next_due_ms DESC, id DESC LIMIT ?",
        (job, trigger, job, limit),
    )
    return [read(store, row) for row in rows]


_CHANGED = frozenset({"changed_ticks"})  #: hardly any cluster has some
_RESERVED = frozenset({"reservations"})  #: the same


def last_decided(store: Store, trigger: int) -> int | None:
    """The newest instant of a trigger that was fired, accounted for, left behind for a person, or given to an
    agent in advance; None: none yet."""
    fired = store.value("SELECT max(tick_ms) FROM runs WHERE trigger = ? AND tick_ms IS NOT NULL", (trigger,))
    # Entries of one trigger do not overlap, so the one that begins last ends last.
    entered = store.value(
        "SELECT last_ms FROM ledger WHERE trigger = ? ORDER BY first_ms DESC LIMIT 1", (trigger,)
    )
    left = None
    if not store.kept.are_empty(_CHANGED):
        left = store.value(
            "SELECT max(c.at_ms) FROM triggers t JOIN changed_ticks c ON c.job = t.job AND c.key = t.key"
            " AND c.at_ms > t.from_ms AND (t.until_ms IS NULL OR c.at_ms <= t.until_ms) AND c.passed = 1"
            " WHERE t.id = ?",
            (trigger,),
        )
    reserved = None
    if not store.kept.are_empty(_RESERVED):
        reserved = store.value("SELECT max(at_ms) FROM reservations WHERE trigger = ?", (trigger,))
    return max((ms for ms in (fired, entered, left, reserved) if ms is not None), default=None)


def last_closed(store: Store, job: int) -> int | None:
    """The last instant of the job's closed eras, but for what came before its trigger did; None: it has
    none."""
    until_ms: int | None = store.value(
        f"SELECT max(until_ms) FROM triggers WHERE job = ? AND closed <> '{AHEAD}'", (job,)
    )
    return until_ms


class DueTrigger(NamedTuple):
    """A trigger that the planner has to look at, with its job's revision (None: deleted) and state."""

    id: int
    job: int
    spec: bytes
    jitter_ms: int
    from_ms: int
    until_ms: int | None
    next_due_ms: int
    namespace: str | None
    name: str | None
    revision: int | None
    state: str | None
    share: int
    closed: str = ""

    @property
    def is_over(self) -> bool:
        """Whether what is left of it is skipped, however old."""
        return self.revision is None or self.closed in OVER

    def end_ms(self, until_ms: int) -> int:
        """The last instant of this era up to `until_ms`."""
        return until_ms if self.until_ms is None else min(until_ms, self.until_ms)


DUE = (
    "SELECT t.id, t.job, t.spec, t.jitter_ms, t.from_ms, t.until_ms, t.next_due_ms,"
    " j.namespace, j.name, j.revision, j.state, t.share, t.closed"
    " FROM triggers t LEFT JOIN jobs j ON j.id = t.job"
)


def read_due(store: Store, row: Row) -> DueTrigger:
    """Of the columns of DUE."""
    found = DueTrigger._make(row)
    zones.ready(store, found.spec)
    return found


def due(
    store: Store, after_ms: int, fire_ms: int, limit: int, without: Collection[bytes] = ()
) -> list[DueTrigger]:
    """Triggers that fire in (after_ms, fire_ms], soonest first. `without`: none of these schedules."""
    clause, values = _of_others("t.", without)
    rows = store.rows(
        f"{DUE} WHERE t.fire_ms > ? AND t.fire_ms <= ?{clause} ORDER BY t.fire_ms, t.id LIMIT ?",
        (after_ms, fire_ms, *values, limit),
    )
    return [read_due(store, row) for row in rows]


def count_due(store: Store, fire_ms: int, limit: int) -> int:
    """How many triggers fire up to then; `limit`: it is not counted further."""
    counted: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM triggers WHERE fire_ms <= ? LIMIT ?)", (fire_ms, limit)
    )
    return counted


def count_late(store: Store, since_ms: int, now_ms: int, limit: int) -> int:
    """About how many ticks came due in (since_ms, now_ms] and are not decided, by how many a day has of them;
    `limit`: no more triggers are looked at."""
    counted: int | None = store.value(
        "SELECT sum(1 + (? - fire_ms) * per_day / 86400000) FROM (SELECT fire_ms, per_day FROM triggers"
        " WHERE fire_ms > ? AND fire_ms <= ? ORDER BY fire_ms, id LIMIT ?)",
        (now_ms, since_ms, now_ms, limit),
    )
    return counted or 0


def due_of_share(
    store: Store, namespace: str, share: int, after: tuple[int, int], fire_ms: int, limit: int
) -> list[tuple[int, DueTrigger]]:
    """Those of one namespace and share that fire behind `after` (instant, id) and not after `fire_ms`, each
    with its instant, soonest first."""
    rows = store.rows(
        DUE.replace("SELECT ", "SELECT t.fire_ms, ", 1)
        + " WHERE t.namespace = ? AND t.share = ? AND (t.fire_ms, t.id) > (?, ?) AND t.fire_ms <= ?"
        " ORDER BY t.fire_ms, t.id LIMIT ?",
        (namespace, share, *after, fire_ms, limit),
    )
    return [(row[0], read_due(store, row[1:])) for row in rows]


def next_share(store: Store, namespace: str, share: int) -> tuple[str, int] | None:
    """The namespace and share after this one of which a trigger waits for an instant; None: no more."""
    row = store.row(
        "SELECT namespace, share FROM triggers WHERE fire_ms IS NOT NULL AND (namespace, share) > (?, ?)"
        " ORDER BY namespace, share LIMIT 1",
        (namespace, share),
    )
    return None if row is None else (row[0], row[1])


def set_share(store: Store, trigger: int, share: int) -> None:
    store.write("UPDATE triggers SET share = ? WHERE id = ?", (share, trigger), row=("triggers", trigger))


def next_fire_ms(
    store: Store, after_ms: int | None = None, without: Collection[bytes] = ()
) -> int | None:
    """When the next tick fires; with `after_ms` the next that fires later than that. `without`: triggers of
    these schedules do not count."""
    clause, values = _of_others("", without)
    since = "fire_ms IS NOT NULL" if after_ms is None else "fire_ms > ?"
    first: int | None = store.value(
        f"SELECT fire_ms FROM triggers WHERE {since}{clause} ORDER BY fire_ms LIMIT 1",
        (*(() if after_ms is None else (after_ms,)), *values),
    )
    return first


def _of_others(table: str, without: Collection[bytes]) -> tuple[str, tuple[bytes, ...]]:
    """What a query adds to leave triggers of these schedules out."""
    if not without:
        return "", ()
    return f" AND {table}spec NOT IN ({', '.join('?' * len(without))})", tuple(without)


def overlapping(store: Store, from_ms: int, to_ms: int, after: int, limit: int) -> list[Trigger]:
    """Eras that have a part of (from_ms, to_ms], after the id `after`."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM triggers WHERE id > ? AND from_ms < ? AND (until_ms IS NULL OR until_ms > ?)"
        " ORDER BY id LIMIT ?",
        (after, to_ms, from_ms, limit),
    )
    return [read(store, row) for row in rows]
