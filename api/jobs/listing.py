"""Lists of jobs: which are wanted, in which order, page by page. A page looks at a bounded number of jobs:
where few of them fit it is short, and its cursor goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from api.cursors import make_cursor, read_cursor
from api.jobs.reading import states_of
from api.problems import query_problem
from api.services import Services
from scheduler.model.criticality import CRITICALITIES
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads.jobs import ORDERS, Key, Wanted
from scheduler.store.tables.jobs import Job
from scheduler.words.lifecycle import RUN_ENDS

STATES = ("active", "paused", "disabled", "unplaceable")
STORED = {"paused": "paused", "active": "active", "disabled": "active", "unplaceable": "active"}
LAST_STATES = tuple(sorted(RUN_ENDS))
JUDGED_MAX = 400  #: whose tasks are compared with the agents for one page: some of them are compiled for it
_LABEL_KEY = re.compile(r"[a-zA-Z0-9._/-]{1,128}")


class Page(NamedTuple):
    jobs: list[Job]
    next_cursor: str | None


class Listing(NamedTuple):
    """One list, as it was asked for."""

    wanted: Wanted
    state: str | None  #: as it is told: active | paused | disabled | unplaceable
    order: str

    def cursor_kind(self) -> str:
        return "jobs" if self.order == "name" else f"jobs by {self.order}"

    def place(self, cursor: str | None) -> list[str | int] | None:
        """Raises Problem for a cursor of another list."""
        return read_cursor(self.cursor_kind(), cursor, *ORDERS[self.order].types)

    def page(
        self, store: Store, services: Services, *, after: Sequence[str | int] | None, limit: int
    ) -> Page:
        derived = self.state in ("active", "disabled", "unplaceable")
        take = max(limit, JUDGED_MAX) if derived else limit
        rows, keys, key = job_reads.page(store, self.wanted, order=self.order, after=after, limit=take)
        if derived:
            rows, key = self._judged(store, services, rows, keys, key, limit)
        return Page(rows, None if key is None else make_cursor(self.cursor_kind(), *key))

    def _judged(
        self, store: Store, services: Services, rows: list[Job], keys: list[Key], key: Key | None, limit: int
    ) -> tuple[list[Job], Key | None]:
        """Those that are in the wanted state, by what their tasks ask for."""
        found: list[Job] = []
        for place, row in enumerate(rows):
            if states_of(store, services, row)[0] == self.state:
                found.append(row)
                if len(found) == limit:
                    return found, keys[place] if place + 1 < len(rows) else key
        return found, key


def listing(
    namespaces: Sequence[str] | None,
    *,
    labels: str | None = None,
    state: str | None = None,
    text: str | None = None,
    failing: bool = False,
    last: str | None = None,
    sort: str | None = None,
    criticality: str | None = None,
) -> Listing:
    """Raises Problem for what no list has."""
    for name, value, known in (("state", state, STATES), ("last", last, LAST_STATES), ("sort", sort, ORDERS)):
        if value is not None and value not in known:
            raise query_problem(name, f"{value[:64]!r} is not one of {', '.join(known)}")
    words = None if criticality is None else tuple(dict.fromkeys(criticality.split(",")))
    for word in words or ():
        if word not in CRITICALITIES:
            raise query_problem("criticality", f"{word[:64]!r} is not one of {', '.join(CRITICALITIES)}")
    wanted = Wanted(namespaces, STORED.get(state or ""), text, parse_labels(labels), failing, last, words)
    return Listing(wanted, state, sort or ("failing" if failing else "name"))


def parse_labels(text: str | None) -> list[tuple[str, str | None]]:
    wanted: list[tuple[str, str | None]] = []
    for part in (text or "").split(","):
        key, equals, value = part.strip().partition("=")
        if key and not _LABEL_KEY.fullmatch(key):
            raise query_problem("labels", f"{key[:64]!r} is no label's key", "Write it as team=data,tier.")
        if key:
            wanted.append((key, value if equals else None))
        elif equals:
            raise query_problem("labels", f"{part[:64]!r} has no key", "Write it as team=data,tier.")
    if len(wanted) > 20:
        raise query_problem("labels", "more than 20 labels")
    return wanted


def items_json(documents: Sequence[bytes], next_cursor: str | None) -> bytes:
    """A page of documents that are JSON already."""
    cursor = "null" if next_cursor is None else f'"{next_cursor}"'
    return b'{"items":[' + b",".join(documents) + b'],"next_cursor":' + cursor.encode() + b"}"


def filter_facts(listing: Listing) -> dict[str, Any]:
    """What the list was asked for, for whoever is told of it."""
    wanted = listing.wanted
    labels = ",".join(key if value is None else f"{key}={value}" for key, value in wanted.labels)
    facts = {
        "namespace": wanted.namespaces and ",".join(wanted.namespaces), "state": listing.state,
        "q": wanted.text, "labels": labels or None, "failing": wanted.failing or None, "last": wanted.last,
        "criticality": wanted.criticality and ",".join(wanted.criticality),
    }  # fmt: skip
    return {name: value for name, value in facts.items() if value is not None}
