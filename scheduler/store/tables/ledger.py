"""The ledger: what became of every tick and of all else that fires by itself, each entry chained to the one
before it by its hash.

hash = sha256(hash of the entry before || msgpack of the entry's fields in the order of `Entry`), the first
one chained to 32 zero bytes.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgpack

from scheduler.store.connection import Store


class Entry(NamedTuple):
    seq: int
    job: int
    trigger: int
    kind: str  #: of the cause (`words.causes`)
    key: str  #: of the cause; empty: trigger and instants are the key of a tick
    first_ms: int
    last_ms: int
    ticks: int  #: column `count`; a tuple has a method of that name
    outcome: str
    reason: str
    run: int
    into_ms: int | None
    decided_ms: int
    epoch: int
    idx: int
    tzdata: str


COLUMNS = (
    "seq, job, trigger, kind, key, first_ms, last_ms, count, outcome, reason, run, into_ms, decided_ms,"
    " epoch, idx, tzdata"
)
BEFORE_MAX = 1_000  #: entries that may reach into a span from before it, newest first
_INSERT = f"INSERT INTO ledger ({COLUMNS}, hash) VALUES ({', '.join('?' * 17)})"

_packer = msgpack.Packer(use_bin_type=True)
"""One for all: a new one costs more than what it packs. Nothing of it runs Python, so a call is one step for
all threads."""


def chain(before: bytes, entry: Entry) -> bytes:
    packed: bytes = _packer.pack(entry)
    return hashlib.sha256(before + packed).digest()


def append(store: Store, entry: Entry, before: bytes) -> bytes:
    """Write the entry; returns its hash, the new head."""
    head = chain(before, entry)
    store.kept.later("ledger", _INSERT, (*entry, head))
    return head


def of_span(store: Store, job: int, from_ms: int, until_ms: int, limit: int) -> list[Entry]:
    """Entries of a job that begin in [from, until), and of the last ranges before those that end there."""
    before = store.rows(
        f"SELECT {COLUMNS} FROM (SELECT * FROM ledger WHERE job = ? AND first_ms < ?"
        " ORDER BY first_ms DESC, seq DESC LIMIT ?) WHERE last_ms >= ? ORDER BY first_ms, seq",
        (job, from_ms, BEFORE_MAX, from_ms),
    )
    rows = store.rows(
        f"SELECT {COLUMNS} FROM ledger WHERE job = ? AND first_ms >= ? AND first_ms < ?"
        " ORDER BY first_ms, seq LIMIT ?",
        (job, from_ms, until_ms, limit),
    )
    return [Entry._make(row) for row in (*before, *rows)]


def awaited_ms(store: Store, trigger: int) -> int | None:
    """The tick that runs for those which ended last, where they were coalesced: its turn comes yet."""
    into_ms: int | None = store.value(
        "SELECT into_ms FROM ledger WHERE trigger = ? ORDER BY first_ms DESC LIMIT 1", (trigger,)
    )
    return into_ms


_RESULTS = ("backfill", "result")
"""Kinds of entries that tell how the run of an instant ended (`words.causes`)."""


def newest_result(store: Store, job: int, instant: str) -> Entry | None:
    """What was written last of how a run of this instant (trigger / instant) ended."""
    row = store.row(
        f"SELECT {COLUMNS} FROM ledger INDEXED BY ledger_cause WHERE job = ? AND kind IN (?, ?) AND key > ?"
        " AND key < ? AND key <> '' ORDER BY seq DESC LIMIT 1",
        (job, *_RESULTS, f"{instant}/", f"{instant}0"),  # a 0 comes next to a slash
    )
    return None if row is None else Entry._make(row)


def of_instant(store: Store, trigger: int, at_ms: int) -> Entry | None:
    """The entry of a tick, or of the range that it lies in."""
    row = store.row(
        f"SELECT {COLUMNS} FROM ledger WHERE trigger = ? AND first_ms <= ? ORDER BY first_ms DESC LIMIT 1",
        (trigger, at_ms),
    )
    return None if row is None or row[6] < at_ms else Entry._make(row)


def of_cause(store: Store, job: int, kind: str, key: str) -> Entry | None:
    """The entry of a cause that has a key."""
    row = store.row(
        f"SELECT {COLUMNS} FROM ledger WHERE job = ? AND kind = ? AND key = ? AND key <> ''", (job, kind, key)
    )
    return None if row is None else Entry._make(row)
