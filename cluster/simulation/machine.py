"""The smallest state: every entry that was applied. Commits are lazy, as in SQLite under a journal that
is synced."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import msgpack

from cluster.copies import pack_applied, unpack_applied
from cluster.machine import Applied, Entry

Row = tuple[Applied, int, tuple[bytes, ...]]  #: applied, stamp, proposals


class SimulatedMachine:
    """Outlives the node's process; `crash` takes it back to a transaction behind the last checkpoint."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._durable = 0
        self.rows: list[Row] = []
        self.on_apply: Callable[[Row], None] = lambda row: None

    def stored(self) -> Applied | None:
        return self.rows[-1][0] if self.rows else None

    def apply(self, entry: Entry) -> None:
        expected = self.rows[-1][0].position.index + 1 if self.rows else 2
        if entry.applied.position.index != expected:
            raise AssertionError(f"entry {entry.applied.position.index} applied where {expected} was due")
        row = (entry.applied, entry.stamp_ms, tuple(entry.proposals))
        self.rows.append(row)
        self.on_apply(row)

    def checkpoint(self) -> None:
        self._durable = len(self.rows)

    def copy_to(self, path: Path) -> Applied:
        if not self.rows:
            raise ValueError("an empty state")
        rows = [(pack_applied(applied), stamp, proposals) for applied, stamp, proposals in self.rows]
        path.write_bytes(msgpack.packb(rows))
        return self.rows[-1][0]

    def install(self, path: Path, applied: Applied) -> None:
        rows = msgpack.unpackb(path.read_bytes())
        path.unlink()
        self.rows = [(unpack_applied(a), stamp, tuple(proposals)) for a, stamp, proposals in rows]
        self._durable = len(self.rows)
        if self.rows[-1][0] != applied:
            raise AssertionError("a copy that is not what it was offered as")

    def crash(self) -> None:
        del self.rows[self._rng.randrange(self._durable, len(self.rows) + 1) :]
