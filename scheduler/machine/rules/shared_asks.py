"""What a schedule asks of each job that names it, and how much more by an edit.

What its triggers ask for on a day, and those of all that takes its place: as a job that names it is counted.
A schedule that is disabled asks for nothing.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from scheduler.machine.rules import substitutes
from scheduler.machine.rules.substitutes import Beside, Stored
from scheduler.model.known_schedules import KIND
from scheduler.store.connection import Store
from scheduler.store.tables import refs
from scheduler.store.tables.refs import Named


class Change(NamedTuple):
    namespace: str
    name: str
    per_day: int  #: so much more than before of each job that names it; less than nothing: so much less


def changes(store: Store, beside: Beside) -> list[Change]:
    """By these edits, each schedule once."""
    found = [Change(*of, change_of(store, *of, beside)) for of in concerned(store, beside)]
    return [each for each in found if each.per_day]


def concerned(store: Store, beside: Beside) -> list[tuple[str, str]]:
    """The schedules that may ask for something else: these, and those whose place they take or took."""
    found: dict[tuple[str, str], None] = {}
    for (namespace, name), new in beside.items():
        found[namespace, name] = None
        for refers in (() if new is None else new.refers, refs.of(store, Named(KIND, namespace, name))):
            if base := substitutes.base_of(refers):
                found[namespace, base] = None
    return list(found)


def change_of(store: Store, namespace: str, name: str, beside: Beside) -> int:
    return _asks(store, namespace, name, beside) - _asks(store, namespace, name, None)


def _asks(store: Store, namespace: str, name: str, beside: Beside | None) -> int:
    own = substitutes.stored(store, namespace, name, beside)
    if own is None or not (shape := json.loads(own.spec)).get("enabled", True):
        return 0
    names = [] if shape.get("substitute") else substitutes.names_of(store, namespace, name, beside)
    taking = (substitutes.stored(store, namespace, each, beside) for each in names)
    return own.per_day + sum(each.per_day for each in taking if each is not None and _is_enabled(each))


def _is_enabled(told: Stored) -> bool:
    return bool(json.loads(told.spec).get("enabled", True))
