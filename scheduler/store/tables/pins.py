"""Which dates live triggers hold, of which calendars, and which rules, of which zones (with an empty
namespace); and the calendars, zones and schedules that say something else since an instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store


class Redate(NamedTuple):
    """A calendar or zone whose triggers take over its dates or rules, or a schedule whose jobs take over its
    triggers."""

    id: int
    kind: str
    namespace: str
    name: str
    pin: str  #: of the dates that they take over
    at_ms: int  #: the stamp of the edit: eras by the former dates end there


COLUMNS = ", ".join(Redate._fields)
_OF_LATER = (
    "FROM pins p JOIN redates r ON r.kind IN ('calendar', 'zone') AND r.namespace = p.namespace"
    " AND r.name = p.name AND r.pin <> p.pin WHERE p.trigger = ?"
)


def hold(store: Store, trigger: int, pins: Sequence[tuple[str, str]]) -> None:
    """A live trigger holds these: `namespace/name` and pin."""
    for of, pin in pins:
        namespace, _, name = of.partition("/")
        store.write(
            "INSERT INTO pins (trigger, namespace, name, pin) VALUES (?, ?, ?, ?)",
            (trigger, namespace, name, pin),
        )


def let_go(store: Store, trigger: int) -> None:
    store.write("DELETE FROM pins WHERE trigger = ?", (trigger,))


def holders(store: Store, namespace: str, name: str, pin: str, limit: int) -> list[int]:
    """Triggers that hold other dates of the calendar than these."""
    found: list[int] = []
    for beyond in ("<", ">"):  # each a range of the index
        rows = store.rows(
            f"SELECT trigger FROM pins WHERE namespace = ? AND name = ? AND pin {beyond} ?"
            " ORDER BY pin, trigger LIMIT ?",
            (namespace, name, pin, limit - len(found)),
        )
        found += [row[0] for row in rows]
    return found


def zones(store: Store) -> list[str]:
    """Zones by which live triggers are due, by name: a step of the index each."""
    found: list[str] = []
    while name := store.value(
        "SELECT min(name) FROM pins WHERE namespace = '' AND name > ?", (found[-1] if found else "",)
    ):
        found.append(name)
    return found


def holding(store: Store, namespace: str, name: str, after: tuple[str, int], limit: int) -> list[tuple[str,
int]]:
    """Pin and trigger of those that hold any of it, after these."""
    rows = store.rows(
        "SELECT pin, trigger FROM pins WHERE namespace = ? AND name = ? AND (pin, trigger) > (?, ?)"
        " ORDER BY pin, trigger LIMIT ?",
        (namespace, name, *after, limit),
    )
    return [(pin, trigger) for pin, trigger in rows]


def stale_since(store: Store, trigger: int) -> int | None:
    """From when on the trigger holds dates that are the calendar's no more; None: it holds none of these."""
    since_ms: int | None = store.value(f"SELECT min(r.at_ms) {_OF_LATER}", (trigger,))
    return since_ms


def begin(store: Store, kind: str, namespace: str, name: str, pin: str, at_ms: int, idx: int) -> None:
    """`idx`: of the command. No id comes twice, since each end takes a command of its own: so nothing that
    was prepared for an earlier edit is taken for this one."""
    number = max(store.value("SELECT coalesce(max(id), 0) + 1 FROM redates"), idx)
    store.write(
        f"INSERT INTO redates ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        Redate(int(number), kind, namespace, name, pin, at_ms),
    )


def say(store: Store, redate: int, pin: str) -> None:
    """What is taken over is this."""
    store.write("UPDATE redates SET pin = ? WHERE id = ?", (pin, redate))


def first(store: Store) -> Redate | None:
    row = store.row(f"SELECT {COLUMNS} FROM redates ORDER BY id LIMIT 1")
    return None if row is None else Redate._make(row)


def of(store: Store, kind: str, namespace: str, name: str) -> Redate | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM redates WHERE kind = ? AND namespace = ? AND name = ? ORDER BY id LIMIT 1",
        (kind, namespace, name),
    )
    return None if row is None else Redate._make(row)


def waits_for(store: Store, kind: str) -> bool:
    """Whether any of this kind is not taken over yet."""
    return store.value("SELECT 1 FROM redates WHERE kind = ? LIMIT 1", (kind,)) is not None


def end(store: Store, redate: int) -> None:
    store.write("DELETE FROM redates WHERE id = ?", (redate,))
