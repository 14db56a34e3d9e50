"""The one row of `state`: where the state is and who decides.

The machine keeps it in memory while it applies an entry and writes it once per transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from scheduler.formats import oldest

LEDGER_START = bytes(32)
"""What the first entry of the ledger is chained to."""


class Database(Protocol):
    """As much of a store as its one row needs: the store makes this row, so it is not known here."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> object: ...

    def row(self, sql: str, parameters: Sequence[Any] = ..., /) -> tuple[Any, ...] | None: ...

    def value(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any: ...


@dataclass(slots=True)
class State:
    """Not frozen: the machine counts in it. Everybody else reads."""

    format: int
    target_format: int
    migration_cursor: str
    idx: int
    stamp_ms: int
    before_ms: int
    epoch: int
    leader: str
    leader_term: int
    ledger_seq: int
    ledger_head: bytes
    hash: bytes
    tzdata: str
    zones: str
    retimed_ms: int
    cluster: str
    overload_ms: int | None
    overload_late_ms: int
    overload_due: int
    changed_ticks: int
    reserves: int
    closed_dates: int
    paused_through_ms: int
    restores: int
    last_job: int
    last_trigger: int
    last_run: int
    last_task: int
    last_attempt: int
    last_agent: int
    last_effect: int
    last_audit: int
    last_unmet: int
    outbox_waiting: int
    stage: int
    redates: int
    delays: int
    locks: int
    refused: int
    raft_index: int
    raft_term: int
    previous_index: int
    previous_term: int
    members: bytes


_NAMES = tuple(f.name for f in fields(State))
_values = attrgetter(*_NAMES)
_SELECT = f"SELECT {', '.join(_NAMES)} FROM state WHERE id = 1"
_INSERT = f"INSERT INTO state (id, {', '.join(_NAMES)}) VALUES (1, {', '.join('?' * len(_NAMES))})"
_UPDATE = f"UPDATE state SET {', '.join(f'{name} = ?' for name in _NAMES)} WHERE id = 1"


def create(store: Database, cluster: str) -> None:
    empty = State(
        format=oldest(), target_format=oldest(), migration_cursor="",
        idx=0, stamp_ms=0, before_ms=0, epoch=0, leader="", leader_term=0,
        ledger_seq=0, ledger_head=LEDGER_START, hash=hashlib.sha256(cluster.encode()).digest(),
        tzdata="", zones="", retimed_ms=0, cluster=cluster, overload_ms=None, overload_late_ms=0,
        overload_due=0, changed_ticks=0, reserves=0, closed_dates=0, paused_through_ms=0, restores=0,
        last_job=0, last_trigger=0, last_run=0, last_task=0, last_attempt=0, last_agent=0,
        last_effect=0, last_audit=0, last_unmet=0, outbox_waiting=0, stage=0, redates=0, delays=0, locks=0,
        refused=0,
        raft_index=0, raft_term=0, previous_index=0, previous_term=0, members=b"",
    )  # fmt: skip
    store.execute(_INSERT, _values(empty))


def load(store: Database) -> State:
    row = store.row(_SELECT)
    if row is None:
        raise LookupError("the state has no row")
    return State(*row)


class Overload(NamedTuple):
    """More is due than can be started, as the leader's planner saw it."""

    since_ms: int
    late_ms: int  #: how late the tick was that was due longest
    due: int  #: triggers that were due


def format_of(store: Database) -> int:
    found: int = store.value("SELECT format FROM state WHERE id = 1")
    return found


def overload(store: Database) -> Overload | None:
    row = store.row("SELECT overload_ms, overload_late_ms, overload_due FROM state WHERE id = 1")
    return None if row is None or row[0] is None else Overload._make(row)


def migration_cursor(store: Database) -> str | None:
    """How far the migration to an activated format is; None: none is under way."""
    cursor: str | None = store.value(
        "SELECT migration_cursor FROM state WHERE id = 1 AND target_format > format"
    )
    return cursor


def save(store: Database, state: State) -> None:
    store.execute(_UPDATE, _values(state))
