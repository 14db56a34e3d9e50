"""What namespaces give to their jobs, as it was read, until a commit tells of a change: each put asks.

As in `api.known_jobs`: what is kept is what a read of this node would have given when it was made, or since.
A job that was sent under other defaults than are in force follows them yet (`machine.namespaces`). Large
bodies ask beside the loop, where a commit may come between the read and what is kept of it: then nothing is.
"""

from __future__ import annotations

from api.ports import Committed, Scheduler
from scheduler.model.given import Given
from scheduler.store.tables import namespaces
from scheduler.words.events import ObjectDeleted, ObjectPut

NAMES_MAX = 1_000


class KnownDefaults:
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._kept: dict[str, tuple[int, str] | None] = {}  #: revision and text; None: none
        self._changes = 0

    def of(self, namespace: str) -> Given | None:
        """None: it never gave any."""
        try:
            kept = self._kept[namespace]
        except KeyError:
            kept = self._read(namespace)
        return None if kept is None else Given.of(*kept)

    def _read(self, namespace: str) -> tuple[int, str] | None:
        changes = self._changes
        with self._scheduler.read() as store:
            row = namespaces.allowance(store, namespace)
        found = (row.defaults_revision, row.defaults) if row and row.defaults_revision > 0 else None
        if len(self._kept) >= NAMES_MAX:
            self._kept.clear()
        self._kept[namespace] = found
        if self._changes != changes:
            self._kept.pop(namespace, None)
        return found

    def on_commit(self, commit: Committed) -> None:
        told: list[ObjectPut | ObjectDeleted] = [*commit.of(ObjectPut), *commit.of(ObjectDeleted)]
        for event in told:
            if event.kind == namespaces.KIND:
                self._changes += 1
                self._kept.pop(event.namespace, None)

    def on_gap(self) -> None:
        self._changes += 1
        self._kept.clear()
