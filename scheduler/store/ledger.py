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
from scheduler.store.state import LEDGER_START


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
    store.write(_INSERT, (*entry, head))
    return head


def of_trigger(store: Store, trigger: int, from_ms: int, to_ms: int, *, limit: int) -> list[Entry]:
    """Entries that touch (from_ms, to_ms], oldest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM ledger WHERE trigger = ? AND first_ms > ? AND first_ms <= ?"
        " ORDER BY first_ms, seq LIMIT ?",
        (trigger, from_ms, to_ms, limit),
    )
    before = store.row(
        f"SELECT {COLUMNS} FROM ledger WHERE trigger = ? AND first_ms <= ?"
        " ORDER BY first_ms DESC, seq DESC LIMIT 1",
        (trigger, from_ms),
    )
    if before is not None and before[6] > from_ms:
        rows.insert(0, before)
    return [Entry._make(row) for row in rows]


def of_cause(store: Store, job: int, kind: str, key: str) -> Entry | None:
    """The entry of a cause that has a key."""
    row = store.row(
        f"SELECT {COLUMNS} FROM ledger WHERE job = ? AND kind = ? AND key = ? AND key <> ''", (job, kind, key)
    )
    return None if row is None else Entry._make(row)


def after(store: Store, seq: int, *, limit: int) -> list[tuple[Entry, bytes]]:
    """Entries behind `seq` with their hashes, in order."""
    rows = store.rows(f"SELECT {COLUMNS}, hash FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [(Entry._make(row[:-1]), row[-1]) for row in rows]


IN_THE_WAY = ("overlap", "buffer_full")
"""Reasons with which an entry names another run: the one that was in the way."""


def of_other_causes(store: Store, seq: int, last_seq: int) -> list[tuple[Entry, str, str]]:
    """Entries in (seq, last_seq] whose run tells another cause than they do, with that (kind, key)."""
    rows = store.rows(
        f"SELECT {', '.join(f'l.{name}' for name in COLUMNS.split(', '))}, r.cause, r.cause_key"
        " FROM ledger l CROSS JOIN runs r ON r.id = l.run"
        f" WHERE l.seq > ? AND l.seq <= ? AND l.reason NOT IN {IN_THE_WAY} AND NOT"
        " (r.job = l.job AND r.trigger = l.trigger AND"
        " CASE WHEN l.key = '' THEN r.tick_ms IS l.first_ms AND r.cause IN (l.kind, 'orphan')"
        " ELSE r.cause = l.kind AND r.cause_key = l.key END)"
        " ORDER BY l.seq",
        (seq, last_seq),
    )
    return [(Entry._make(row[:-2]), row[-2], row[-1]) for row in rows]


def hash_of(store: Store, seq: int) -> bytes:
    """The hash of an entry; of the one before the first: what the chain starts from."""
    head: bytes | None = store.value("SELECT hash FROM ledger WHERE seq = ?", (seq,))
    return LEDGER_START if head is None else head


def newest_seq(store: Store) -> int:
    return store.value("SELECT max(seq) FROM ledger") or 0


def decided_ms(store: Store, seq: int) -> int | None:
    stamp_ms: int | None = store.value("SELECT decided_ms FROM ledger WHERE seq = ?", (seq,))
    return stamp_ms
