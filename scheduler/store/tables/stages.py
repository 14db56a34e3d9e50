"""Staged applies: their rows, and which slices have come."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table
from scheduler.words.lifecycle import STAGE, STAGE_ENDS, START, StageEvent
from scheduler.words.record import Actor

STAGES_MAX = 64  #: of any state
MOVING = frozenset({"checking", "switching"})
"""The planner goes on with a stage in one of these. Edits wait for it, unless it is a dry run."""


class Stage(NamedTuple):
    id: int
    name: str
    actor: str
    address: str
    by_session: int
    source: str
    state: str
    reason: str
    created_ms: int
    until_ms: int
    after_ms: int
    slices: int = 0
    items: int = 0
    bytes: int = 0
    left_items: int = 0
    turn: int = -1
    place: int = 0
    soonest_ms: int | None = None
    at_ms: int | None = None
    at_idx: int | None = None
    dry_run: int = 0
    walked: str | None = None
    prune_max: int | None = None
    prune_in: str | None = None
    owned: int = 0
    pruned: int = 0
    referrer: str | None = None
    diff: str = "{}"
    names: str = "{}"
    problems: str = "[]"

    @property
    def opened_by(self) -> Actor:
        return Actor(self.actor, self.address, bool(self.by_session))

    @property
    def has_ended(self) -> bool:
        return self.state in STAGE_ENDS

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many of a kind would be created, changed, deleted, or stay."""
        found: dict[str, dict[str, int]] = json.loads(self.diff)
        return found

    def total(self, word: str) -> int:
        return sum(counts.get(word, 0) for counts in self.counts.values())


class Brief(NamedTuple):
    """What there is to do with one; its names and problems may be long."""

    id: int
    state: str
    actor: str
    dry_run: int
    left_items: int
    until_ms: int
    bytes: int

    @property
    def has_ended(self) -> bool:
        return self.state in STAGE_ENDS


TABLE = Table("stages", Stage)


def get(store: Store, stage: int) -> Stage | None:
    return store.kept.get(TABLE, stage)


def named(store: Store, name: str) -> Stage | None:
    stage: int | None = store.value("SELECT id FROM stages WHERE name = ?", (name,))
    return None if stage is None else get(store, stage)


def all_of(store: Store) -> list[Brief]:
    """Oldest first."""
    rows = store.rows(f"SELECT {', '.join(Brief._fields)} FROM stages ORDER BY id LIMIT ?", (STAGES_MAX,))
    return [Brief._make(row) for row in rows]


def open_one(
    store: Store, *, name: str, actor: Actor, source: str, now_ms: int, until_ms: int, after_ms: int
) -> Stage:
    stage = int(store.value("SELECT coalesce(max(id), 0) + 1 FROM stages"))
    who = (actor.name, actor.address, int(actor.by_session))
    row = Stage(
        stage, name, *who, source, STAGE.after(START, StageEvent.OPENED), "", now_ms, until_ms, after_ms
    )
    store.kept.insert(TABLE, row)
    return row


def change(store: Store, stage: Stage, **changes: Any) -> Stage:
    """As it is then."""
    store.kept.update(TABLE, stage.id, (*changes.values(), stage.id), **changes)
    return stage._replace(**changes)


def move(store: Store, stage: Stage, event: StageEvent, **changes: Any) -> Stage:
    return change(store, stage, state=STAGE.after(stage.state, event), **changes)


def forget(store: Store, stage: int) -> None:
    store.write("DELETE FROM slices WHERE stage = ?", (stage,))
    store.write("DELETE FROM stages WHERE id = ?", (stage,), row=("stages", stage))


# -- slices ---------------------------------------------------------------------------------------


def slice_body(store: Store, stage: int, number: int) -> bytes | None:
    """The hash of the request that laid it down."""
    body: bytes | None = store.value(
        "SELECT body FROM slices WHERE stage = ? AND number = ?", (stage, number)
    )
    return body


def add_slice(store: Store, stage: int, number: int, body: bytes) -> None:
    store.write("INSERT INTO slices (stage, number, body) VALUES (?, ?, ?)", (stage, number, body))
