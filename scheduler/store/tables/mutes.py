"""Mutes: of what a person wants nobody to be told for a while. An empty field means all."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Mute(NamedTuple):
    id: int  #: index of the command that made it
    namespace: str
    job: str
    about: str
    since_ms: int
    until_ms: int
    actor: str
    reason: str


COLUMNS = ", ".join(Mute._fields)


def insert(store: Store, mute: Mute) -> None:
    store.write(f"INSERT INTO mutes ({COLUMNS}) VALUES ({', '.join('?' * len(mute))})", mute)


def get(store: Store, mute: int) -> Mute | None:
    row = store.row(f"SELECT {COLUMNS} FROM mutes WHERE id = ?", (mute,))
    return None if row is None else Mute._make(row)


def drop(store: Store, mute: int) -> None:
    store.write("DELETE FROM mutes WHERE id = ?", (mute,))


def count(store: Store) -> int:
    """Bounded by the machine."""
    found: int = store.value("SELECT count(*) FROM mutes")
    return found


def covering(store: Store, namespace: str, job: str, about: str, at_ms: int) -> Mute | None:
    """The one that lasts longest of those by which nobody is told of this."""
    row = store.row(
        f"SELECT {COLUMNS} FROM mutes WHERE namespace IN ('', ?) AND job IN ('', ?) AND about IN ('', ?)"
        " AND until_ms > ? ORDER BY until_ms DESC, id LIMIT 1",
        (namespace, job, about, at_ms),
    )
    return None if row is None else Mute._make(row)


def sweep(store: Store, before_ms: int, limit: int) -> int:
    return store.write(
        "DELETE FROM mutes WHERE id IN"
        " (SELECT id FROM mutes WHERE until_ms <= ? ORDER BY until_ms, id LIMIT ?)",
        (before_ms, limit),
    )


def first_end_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(until_ms) FROM mutes")
    return first
