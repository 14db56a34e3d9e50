"""The smallest state: every entry that was applied. Commits are lazy, as in SQLite under a journal that
is synced."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgpack

from cluster.copies import pack_applied, unpack_applied
from cluster.machine import Applied, Entry, StateMachine
from cluster.simulation.disk import Death

Row = tuple[Applied, int, tuple[bytes, ...]]  #: applied, stamp, proposals


DEATHS = ("apply", "applied", "checkpoint", "checkpointed", "copy", "install", "installed")
"""Where a process can be told to die in its state, the next time that it comes there."""
DEATH_WEIGHTS = (1, 1, 2, 2, 4, 4, 4)  #: a story applies all the time, and installs a copy now and then


class SimulatedState(StateMachine, Protocol):
    """What a story needs of a state machine beside the product's contract."""

    on_apply: Callable[[Row], None]
    dies_at: str  #: one of DEATHS, or empty

    def start(self) -> None:
        """A process begins."""

    def stop(self, *, lossy: bool) -> None:
        """The process is gone; `lossy`: and with it what was not durable."""

    def fingerprint(self) -> object:
        """Equal for equal states."""


class SimulatedMachine:
    """Outlives the node's process; a loss of power takes it back to a transaction behind the last
    checkpoint."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._durable = 0
        self.rows: list[Row] = []
        self.on_apply: Callable[[Row], None] = lambda row: None
        self.dies_at = ""

    def start(self) -> None: ...

    def stop(self, *, lossy: bool) -> None:
        if lossy:
            del self.rows[self._rng.randrange(self._durable, len(self.rows) + 1) :]

    def fingerprint(self) -> object:
        return self.rows

    def _pass(self, place: str) -> None:
        if self.dies_at == place:
            self.dies_at = ""
            raise Death(place, lossy=self._rng.random() < 0.5)

    def stored(self) -> Applied | None:
        return self.rows[-1][0] if self.rows else None

    def apply(self, entry: Entry) -> None:
        expected = self.rows[-1][0].position.index + 1 if self.rows else 2
        if entry.applied.position.index != expected:
            raise AssertionError(f"entry {entry.applied.position.index} applied where {expected} was due")
        row = (entry.applied, entry.stamp_ms, tuple(entry.proposals))
        self._pass("apply")
        self.rows.append(row)
        self._pass("applied")
        self.on_apply(row)

    @property
    def format(self) -> int:
        return 0

    @property
    def restores(self) -> int:
        return 0

    def checkpoint(self) -> None:
        self._pass("checkpoint")
        self._durable = len(self.rows)
        self._pass("checkpointed")

    def copy_to(self, path: Path) -> Applied:
        if not self.rows:
            raise ValueError("an empty state")
        self._pass("copy")
        rows = [(pack_applied(applied), stamp, proposals) for applied, stamp, proposals in self.rows]
        path.write_bytes(msgpack.packb(rows))
        return self.rows[-1][0]

    def install(self, path: Path, applied: Applied) -> None:
        self._pass("install")
        rows = msgpack.unpackb(path.read_bytes())
        path.unlink()
        self.rows = [(unpack_applied(a), stamp, tuple(proposals)) for a, stamp, proposals in rows]
        self._durable = len(self.rows)
        if self.rows[-1][0] != applied:
            raise AssertionError("a copy that is not what it was offered as")
        self._pass("installed")
