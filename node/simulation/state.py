"""The product's state on real files, which may die anywhere and lose what SQLite did not sync.

A kill keeps the files as they are. A loss of power also cuts the write-ahead log, anywhere behind the frames
that a checkpoint moved to the database file: SQLite syncs those before it moves them, and no others.
"""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

from cluster.machine import Applied, Entry
from cluster.simulation.disk import Death
from cluster.simulation.machine import Row
from node.state import FILE, ReplicatedState
from scheduler.machine import AppliedEntry
from scheduler.machine.context import ROW
from scheduler.store.connection import Store

CLUSTER = "simulation"
#: Of so many nodes each compares what it keeps in memory with its tables at entries of its own, so that one
#: does at each. To do so on all of them took a fourth of a story, and what is kept is the same.
COMPARED_BY = 3


def _moved_bytes(database: Path) -> int:
    """How much of the write-ahead log is in the database file: the `nBackfill` of the shared index
    (sqlite.org/walformat.html, section 2.1)."""
    index = database.with_name(database.name + "-shm").read_bytes()
    (frames,) = struct.unpack_from("=I", index, 96)
    (page_bytes,) = struct.unpack_from("=H", index, 14)
    return int(32 + frames * (24 + (page_bytes or 65_536)))


def _salt(log: Path) -> bytes:
    with log.open("rb") as file:
        return file.read(24)[16:]


class MortalState:
    """The `SimulatedState` of one node over `ReplicatedState`; it outlives the node's processes."""

    def __init__(self, directory: Path, rng: random.Random, *, number: int) -> None:
        self._directory, self._rng, self._number = directory, rng, number
        self._replica: ReplicatedState | None = None
        self.on_apply: Callable[[Row], None] = lambda row: None
        self.on_applied: Callable[[AppliedEntry], None] = lambda entry: None
        self.on_reopened: Callable[[], None] = lambda: None
        self.dies_at = ""
        self._synced = (b"", 0)  #: salt of the write-ahead log, and how much of it survived

    @property
    def replica(self) -> ReplicatedState:
        assert self._replica is not None
        return self._replica

    @property
    def store(self) -> Store:
        return self.replica.machine.store

    # ---- processes

    def start(self) -> None:
        self._replica = ReplicatedState(
            self._directory,
            CLUSTER,
            lambda entry: self.on_applied(entry),
            lambda path: self.on_reopened(),
            spawn=lambda job: job(),
            room=2 * ROW,  # so that ordinary graphs go in slices
        )

    def stop(self, *, lossy: bool) -> None:
        if self._replica is None:
            return
        database = self._replica.path
        synced_bytes = self._synced_bytes(database)
        live, kept = self._directory / "state", self._directory / "kept"
        shutil.copytree(live, kept, ignore=shutil.ignore_patterns("*-shm"))
        self._replica.close()  # which tidies up as no killed process does: on the files that are thrown away
        self._replica = None
        shutil.rmtree(live)
        kept.rename(live)
        log = database.with_name(FILE + "-wal")
        if lossy:
            synced_bytes = self._rng.randrange(synced_bytes, log.stat().st_size + 1)
            with log.open("r+b") as file:
                file.truncate(synced_bytes)
        self._synced = (_salt(log), synced_bytes)

    def _synced_bytes(self, database: Path) -> int:
        """How much of the write-ahead log no loss of power takes: what a checkpoint moved to the database
        file, and what an earlier life left there, until the log starts anew with another salt."""
        log = database.with_name(FILE + "-wal")
        salt, left_bytes = self._synced
        if salt != _salt(log):
            left_bytes = 0
        return min(max(left_bytes, _moved_bytes(database)), log.stat().st_size)

    def fingerprint(self) -> object:
        if self._replica is None:
            return None
        state = self._replica.machine.state
        return state.raft_index, state.idx, state.hash, state.ledger_head

    # ---- StateMachine

    def stored(self) -> Applied | None:
        return self.replica.stored()

    def apply(self, entry: Entry) -> None:
        self._pass("apply")
        self.replica.apply(entry)
        if entry.applied.position.index % COMPARED_BY == self._number % COMPARED_BY:
            differing = self.store.kept.differences()
            assert not differing, differing
        self._pass("applied")
        self.on_apply((entry.applied, entry.stamp_ms, tuple(entry.proposals)))

    @property
    def format(self) -> int:
        return self.replica.format

    @property
    def restores(self) -> int:
        return self.replica.restores

    def checkpoint(self) -> None:
        self._pass("checkpoint")
        self.replica.checkpoint()
        self._pass("checkpointed")

    def copy_to(self, path: Path) -> Applied:
        self._pass("copy")
        return self.replica.copy_to(path)

    def install(self, path: Path, applied: Applied) -> None:
        self._pass("install")
        self.replica.install(path, applied)
        self._pass("installed")

    def _pass(self, place: str) -> None:
        if self.dies_at == place:
            self.dies_at = ""
            raise Death(place, lossy=self._rng.random() < 0.5)
