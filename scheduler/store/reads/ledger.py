"""The ledger, read in order: entries with their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Row, Store
from scheduler.store.reads.bounds import LOOKED_MAX, among, asked, marks
from scheduler.store.reads.newest import Way, newest, span
from scheduler.store.state import LEDGER_START
from scheduler.store.tables.ledger import COLUMNS, Entry

Written = tuple[Entry, bytes]  #: an entry and its hash

LOOKED_BACK_MAX = 1_000
_SELECT = f"SELECT {COLUMNS}, hash FROM ledger"

IN_THE_WAY = ("overlap", "buffer_full")
"""Reasons with which an entry names another run: the one that was in the way."""


def _written(rows: list[Row]) -> list[Written]:
    return [(Entry._make(row[:-1]), row[-1]) for row in rows]


def of_trigger(store: Store, trigger: int, from_ms: int, to_ms: int, *, limit: int) -> list[Written]:
    """Entries that meet (from, to], oldest first; the first may begin before it (a range)."""
    before = store.rows(
        f"{_SELECT} WHERE trigger = ? AND first_ms <= ? ORDER BY first_ms DESC, seq DESC LIMIT 1",
        (trigger, from_ms),
    )
    rows = store.rows(
        f"{_SELECT} WHERE trigger = ? AND first_ms > ? AND first_ms <= ? ORDER BY first_ms, seq LIMIT ?",
        (trigger, from_ms, to_ms, limit),
    )
    return [each for each in _written(before) if each[0].last_ms > from_ms] + _written(rows)


def ran_since(store: Store, trigger: int, since_ms: int, before_ms: int) -> bool:
    """Whether one of the ticks before this instant was due, and ran, after that one; by the last of them."""
    rows = store.rows(
        "SELECT outcome, decided_ms FROM ledger WHERE trigger = ? AND first_ms > ? AND first_ms < ?"
        " ORDER BY first_ms DESC LIMIT ?",
        (trigger, since_ms, before_ms, LOOKED_BACK_MAX),
    )
    return any(outcome == "ran" and decided_ms > since_ms for outcome, decided_ms in rows)


def of_events(store: Store, trigger: int, after: tuple[int, int], to_ms: int, limit: int) -> list[Written]:
    """Entries of a trigger without instants after (instant, seq), oldest first."""
    return _written(
        store.rows(
            f"{_SELECT} WHERE trigger = ? AND (first_ms, seq) > (?, ?) AND first_ms <= ?"
            " ORDER BY first_ms, seq LIMIT ?",
            (trigger, *after, to_ms, limit),
        )
    )


# -- of whoever looks at it -------------------------------------------------------------------------


class Wanted(NamedTuple):
    """Which entries of a list."""

    namespaces: Sequence[str] | None = None  #: of the job, also once that is deleted; None: of all
    outcomes: Sequence[str] = ()
    reason: str | None = None
    since_ms: int | None = None  #: decided at or after
    until_ms: int | None = None  #: and before

    def ways(self) -> list[Way]:
        if self.outcomes and "ran" not in self.outcomes:
            source = "FROM ledger INDEXED BY ledger_unran WHERE outcome = ? AND outcome <> 'ran'"
            return [Way(source, (outcome,)) for outcome in self.outcomes]
        return [Way("FROM ledger WHERE 1")]

    def conditions(self) -> tuple[str, list[object]]:
        where, values = asked(("reason = ?", self.reason))
        # A result is of no era: any of its job's tells its namespace.
        within, names = among(
            "(SELECT namespace FROM triggers t WHERE t.id = ledger.trigger UNION ALL"
            " SELECT namespace FROM triggers t WHERE ledger.trigger = 0 AND t.job = ledger.job LIMIT 1)",
            self.namespaces,
        )
        if self.outcomes:
            where += f" AND outcome IN ({marks(len(self.outcomes))})"
            values += self.outcomes
        return where + within, values + names


def page(
    store: Store, wanted: Wanted, *, limit: int, before: int | None = None, looked_max: int = LOOKED_MAX
) -> tuple[list[Written], int | None]:
    """The latest first, and the seq to go on from: as `newest`."""
    within = span(
        store, "ledger", "seq", "decided_ms", since_ms=wanted.since_ms, until_ms=wanted.until_ms,
        before=before,
    )  # fmt: skip
    rows, after = newest(
        store, f"{COLUMNS}, hash", wanted.ways(), within, *wanted.conditions(), key="seq", limit=limit,
        looked_max=looked_max,
    )  # fmt: skip
    return _written(rows), after


# -- of whoever proves it ---------------------------------------------------------------------------


def after(store: Store, seq: int, *, limit: int) -> list[Written]:
    """Entries behind `seq`, in order."""
    return _written(store.rows(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)))


def of_other_causes(store: Store, seq: int, last_seq: int) -> list[tuple[Entry, str, str]]:
    """Entries in (seq, last_seq] whose run tells another cause than they do, with that (kind, key)."""
    rows = store.rows(
        f"SELECT {', '.join(f'l.{name}' for name in COLUMNS.split(', '))}, r.cause, r.cause_key"
        " FROM ledger l CROSS JOIN runs r ON r.id = l.run"
        f" WHERE l.seq > ? AND l.seq <= ? AND l.reason NOT IN {IN_THE_WAY} AND l.trigger > 0"
        " AND NOT (r.job = l.job AND r.trigger = l.trigger AND"
        " CASE WHEN l.key = '' THEN r.tick_ms IS l.first_ms AND r.cause IN (l.kind, 'orphan')"
        " ELSE r.cause = l.kind AND r.cause_key = l.key END)"
        " ORDER BY l.seq",
        (seq, last_seq),
    )
    return [(Entry._make(row[:-2]), row[-2], row[-1]) for row in rows]


def of_other_ends(store: Store, seq: int, last_seq: int) -> list[tuple[Entry, str]]:
    """Results in (seq, last_seq] whose run ended otherwise, and no person's verdict says so; with its
    state."""
    rows = store.rows(
        f"SELECT {', '.join(f'l.{name}' for name in COLUMNS.split(', '))}, r.state"
        " FROM ledger l CROSS JOIN runs r ON r.id = l.run"
        " WHERE l.seq > ? AND l.seq <= ? AND l.trigger = 0 AND r.state <> l.reason"
        " AND NOT EXISTS (SELECT 1 FROM overrides o WHERE o.run = l.run) ORDER BY l.seq",
        (seq, last_seq),
    )
    return [(Entry._make(row[:-1]), row[-1]) for row in rows]


def hash_of(store: Store, seq: int) -> bytes:
    """The hash of an entry; of the one before the first: what the chain starts from."""
    head: bytes | None = store.value("SELECT hash FROM ledger WHERE seq = ?", (seq,))
    return LEDGER_START if head is None else head


def newest_seq(store: Store) -> int:
    return store.value("SELECT max(seq) FROM ledger") or 0


def decided_ms(store: Store, seq: int) -> int | None:
    stamp_ms: int | None = store.value("SELECT decided_ms FROM ledger WHERE seq = ?", (seq,))
    return stamp_ms
