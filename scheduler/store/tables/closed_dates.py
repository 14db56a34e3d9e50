"""Plan dates of namespaces that are closed: by people, a row each, or by themselves, all before a date.
`State.closed_dates` says whether there are any, so that who asks while there are none reads nothing here."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

KEPT_MAX = 1_000  #: of a namespace, that people closed
REOPENED_MAX = 1_000  #: and opened again
BY_ITSELF = "by itself (plan.auto_close)"  #: the reason of those that no person closed


class ClosedDate(NamedTuple):
    namespace: str
    day: int
    at_ms: int | None  #: None: it closed by itself
    reason: str
    actor: str


class Closing(NamedTuple):
    """How those of one namespace close by themselves."""

    namespace: str
    after_ms: int  #: so long after the end of a date it closes
    before_day: int  #: all before this date are closed, but those that are open again
    at_ms: int | None  #: when this one closes; None: no more closes by itself


class Closed(NamedTuple):
    """Those of one namespace."""

    days: frozenset[int]  #: that people closed
    before_day: int  #: all before this one closed by themselves
    reopened: frozenset[int]  #: but these

    @property
    def is_any(self) -> bool:
        return bool(self.days) or self.before_day > 0

    def has(self, day: int | None) -> bool:
        return day is not None and (
            day in self.days or (day < self.before_day and day not in self.reopened)
        )

    def first_of(self, first: int, last: int) -> int | None:
        """The first of these days that is closed."""
        until = min(last + 1, self.before_day)
        by_itself = next((day for day in range(first, until) if day not in self.reopened), None)
        by_people = min((day for day in self.days if first <= day <= last), default=None)
        return min((day for day in (by_itself, by_people) if day is not None), default=None)


COLUMNS = ", ".join(ClosedDate._fields)
_OF = "SELECT day FROM closed_dates WHERE namespace = ? ORDER BY day"
_CLOSING = ", ".join(Closing._fields)
_CLOSINGS = frozenset({"closings"})
_DUE = f"SELECT {_CLOSING} FROM closings WHERE at_ms <= ? ORDER BY at_ms, namespace LIMIT ?"


def get(store: Store, namespace: str, day: int) -> ClosedDate | None:
    row = store.row(f"SELECT {COLUMNS} FROM closed_dates WHERE namespace = ? AND day = ?", (namespace, day))
    if row is not None:
        return ClosedDate._make(row)
    itself = closing(store, namespace)
    if itself is None or day >= itself.before_day or _is_reopened(store, namespace, day):
        return None
    return ClosedDate(namespace, day, None, BY_ITSELF, "")


def forgotten_by(store: Store, namespace: str, day: int) -> int | None:
    """The day that is forgotten when this one is closed too; None: none is."""
    closed = _by_people(store, namespace)
    return None if day in closed or len(closed) < KEPT_MAX else min(*closed, day)


def put(store: Store, row: ClosedDate) -> None:
    """Of its namespace the latest KEPT_MAX stay."""
    store.write(f"INSERT OR REPLACE INTO closed_dates ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)
    store.write(
        "DELETE FROM closed_dates WHERE namespace = ? AND day IN (SELECT day FROM closed_dates"
        " WHERE namespace = ? ORDER BY day DESC LIMIT -1 OFFSET ?)",
        (row.namespace, row.namespace, KEPT_MAX),
    )
    _close_again(store, row.namespace, row.day)


def drop(store: Store, namespace: str, day: int) -> None:
    """It is open again, whoever or whatever closed it."""
    store.write("DELETE FROM closed_dates WHERE namespace = ? AND day = ?", (namespace, day))
    itself = closing(store, namespace)
    if itself is not None and day < itself.before_day:
        _reopen(store, namespace, day)


def of(store: Store, namespace: str) -> Closed:
    itself = closing(store, namespace)
    if itself is None:
        return Closed(_by_people(store, namespace), 0, frozenset())
    reopened = frozenset(_reopened(store, namespace))
    return Closed(_by_people(store, namespace), itself.before_day, reopened)


def _by_people(store: Store, namespace: str) -> frozenset[int]:
    return frozenset([row[0] for row in store.rows(_OF, (namespace,))])


def any_of_all(store: Store) -> bool:
    """Of any namespace."""
    return store.value("SELECT 1 FROM closed_dates UNION ALL SELECT 1 FROM closings LIMIT 1") is not None


def closing(store: Store, namespace: str) -> Closing | None:
    if store.kept.are_empty(_CLOSINGS):
        return None
    row = store.row(f"SELECT {_CLOSING} FROM closings WHERE namespace = ?", (namespace,))
    return None if row is None else Closing._make(row)


def put_closing(store: Store, row: Closing) -> None:
    store.write(f"INSERT OR REPLACE INTO closings ({_CLOSING}) VALUES (?, ?, ?, ?)", row)


def due_closings(store: Store, now_ms: int, limit: int) -> list[Closing]:
    return [Closing._make(row) for row in store.rows(_DUE, (now_ms, limit))]


def next_closing_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM closings WHERE at_ms IS NOT NULL")
    return first


def _is_reopened(store: Store, namespace: str, day: int) -> bool:
    found = store.value(
        "SELECT 1 FROM reopened_dates WHERE namespace = ? AND day = ?", (namespace, day)
    )
    return found is not None


def _reopened(store: Store, namespace: str) -> list[int]:
    rows = store.rows("SELECT day FROM reopened_dates WHERE namespace = ? ORDER BY day", (namespace,))
    return [row[0] for row in rows]


def _reopen(store: Store, namespace: str, day: int) -> None:
    """Of its namespace the latest REOPENED_MAX stay open."""
    store.write("INSERT OR REPLACE INTO reopened_dates (namespace, day) VALUES (?, ?)", (namespace, day))
    store.write(
        "DELETE FROM reopened_dates WHERE namespace = ? AND day IN (SELECT day FROM reopened_dates"
        " WHERE namespace = ? ORDER BY day DESC LIMIT -1 OFFSET ?)",
        (namespace, namespace, REOPENED_MAX),
    )


def _close_again(store: Store, namespace: str, day: int) -> None:
    store.write("DELETE FROM reopened_dates WHERE namespace = ? AND day = ?", (namespace, day))
