"""What is known of sources, beside what they say of themselves: a row each, from its first look on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scheduler.store.connection import Store

KIND = "source"
REFUSE = "refuse"

SYNCED = "synced"  #: what is live is what it says
DRIFTED = "drifted"  #: something that it owns is otherwise
REFUSED = "refused"  #: something in it is wrong, or more would go than may: what was live stays
UNREACHABLE = "unreachable"  #: it could not be read: nothing is known of it, and what was live stays
STATES = (SYNCED, DRIFTED, REFUSED, UNREACHABLE)


class Source(NamedTuple):
    namespace: str
    name: str
    state: str = ""
    revision: str = ""
    live_idx: int = 0
    live_ms: int = 0
    documents: int = 0
    created: int = 0
    changed: int = 0
    deleted: int = 0
    seen: str = ""
    looked_ms: int = 0
    of_revision: int = 0
    detail: str = ""
    problems: str = "[]"
    drift: str = "[]"
    drifted: int = 0
    asked: int = 0
    answered: int = 0
    dry_run: int = 0
    prune_max: int | None = None


COLUMNS = ", ".join(Source._fields)
MARKS = ", ".join("?" * len(Source._fields))


def owner(namespace: str, name: str) -> str:
    """As what comes from it is marked: no source that a person only names (`apply --source`) has a slash
    between two names that belong to one that is there."""
    return f"{namespace}/{name}"


def get(store: Store, namespace: str, name: str) -> Source:
    """As nobody looked at it yet, where nobody has."""
    row = store.row(f"SELECT {COLUMNS} FROM sources WHERE namespace = ? AND name = ?", (namespace, name))
    return Source(namespace, name) if row is None else Source._make(row)


def become(row: Source, state: str) -> Source:
    """As whoever looked at it tells: the state of a source has no table of what may follow."""
    return row._replace(state=state)


def put(store: Store, row: Source) -> None:
    store.write(f"INSERT OR REPLACE INTO sources ({COLUMNS}) VALUES ({MARKS})", row)


def drop(store: Store, namespace: str, name: str) -> None:
    store.write("DELETE FROM sources WHERE namespace = ? AND name = ?", (namespace, name))


def place_of(spec: Mapping[str, Any]) -> str:
    """Where it is, in a word for people."""
    if "git" in spec:
        git = spec["git"]
        return f"{git['url']} {git['ref']}" + (f" {git['path']}" if git["path"] else "")
    return str(spec["store"]["url"] if "store" in spec else spec["folder"])
