"""The replicated state as consensus sees it: SQLite generations behind cluster.machine.StateMachine.

The live file is DATA/state/<generation>/state.db; DATA/state/CURRENT names the generation. Installing a copy
writes a new generation and switches CURRENT: renaming over an open database corrupts its readers. Readers are
told to reopen; the old generation is removed when the next one is installed, or at the next start.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from cluster.copies import Spawn, on_thread
from cluster.machine import Applied, Entry, Position
from cluster.restore import unpack_members
from durable.files import replace_file, sync_folder
from node.inspection import Inspection
from node.storage import LOW_BYTES
from node.write_ahead import WriteAhead
from scheduler.formats import NewerFormatError
from scheduler.machine import AppliedEntry, Machine
from scheduler.machine.context import ROOM
from scheduler.store import row_digests, soundness
from scheduler.store.connection import Error, Store, is_damage, is_of_disk

FILE = "state.db"
MARK_EVERY = 64  #: log indices at which the state's hash is noted, the same on all nodes
MARKS_KEPT = 32
SLICES_KEPT = 32


class ApplyError(Exception):
    """An entry met an error that no entry should: a defect, or a state that holds what was never written."""

    def __init__(self, index: int, error: Exception) -> None:
        super().__init__(f"log entry {index} cannot be applied: {type(error).__name__}: {error}")
        self.index = index


class ReplicatedState:
    """One node's state machine. Used by the core's loop alone, but for `copy_to` and `checkpoint`."""

    def __init__(
        self,
        data: Path,
        cluster: str,
        on_applied: Callable[[AppliedEntry], None],
        on_reopened: Callable[[Path], None],
        spawn: Spawn = on_thread,
        room: int = ROOM,
    ) -> None:
        """`room`: as of the Machine."""
        self._directory = data / "state"
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cluster = cluster
        self._on_applied = on_applied
        self._on_reopened = on_reopened
        self._spawn = spawn
        self._room = room
        self.marks: dict[int, bytes] = {}  #: log index → hash of the state there
        self.slices: dict[int, bytes] = {}  #: log index → digest of the rows that a Compare named there
        self.slice_names: dict[int, str] = {}  #: log index → what rows these are
        self.next_slice = row_digests.BEGIN  #: where the next Compare goes on
        self.slices_compared = self.rounds_compared = 0  #: since the start; one for each Compare
        self._rows: row_digests.Reader | None = None
        self._met_by_a_copy = ""  #: damage, by a helper thread
        self.inspection = Inspection(spawn)
        self._generation = self._current()
        self._open()

    @property
    def path(self) -> Path:
        return self._directory / str(self._generation) / FILE

    @property
    def machine(self) -> Machine:
        return self._machine

    def wal_bytes(self) -> int:
        return self._store.wal_bytes()

    def stored(self) -> Applied | None:
        state = self._machine.state
        if state.raft_index == 0:
            return None
        return Applied(
            Position(state.raft_index, state.raft_term),
            Position(state.previous_index, state.previous_term),
            state.members,
        )

    def apply(self, entry: Entry) -> None:
        """Raises ApplyError beside the errors of disk, file and format."""
        applied = entry.applied
        try:
            result = self._machine.apply_entry(
                applied=(
                    applied.position.index,
                    applied.position.term,
                    applied.previous.index,
                    applied.previous.term,
                    applied.members,
                ),
                stamp_ms=entry.stamp_ms,
                frames=entry.proposals,
            )
        except NewerFormatError:
            raise
        except Exception as error:
            if is_damage(error) or is_of_disk(error):
                raise
            raise ApplyError(applied.position.index, error) from error
        if applied.position.index % MARK_EVERY == 0:
            self.marks[applied.position.index] = self._machine.state.hash
            if len(self.marks) > MARKS_KEPT:
                del self.marks[min(self.marks)]
        if result.compared is not None:
            self._compare(applied.position.index, result.compared)
        self._write_ahead.look()
        self._on_applied(result)

    def settle(self) -> None:
        """Every turn: what the helper threads found. Raises DamagedError."""
        if self._met_by_a_copy:
            met, self._met_by_a_copy = self._met_by_a_copy, ""
            self.inspection.begin(self.path, suspected=met)
        self.inspection.settle()

    @property
    def format(self) -> int:
        return self._machine.state.target_format

    @property
    def restores(self) -> int:
        return self._machine.state.restores

    def checkpoint(self) -> None:
        """On a helper thread."""
        store = self._store
        try:
            store.checkpoint()
        except (Error, OSError):
            if store is self._store:
                raise
            # A copy took the place of that state, and its file is gone: nothing of it needs to last.

    def copy_to(self, path: Path) -> Applied:
        """On a helper thread. Raises OSError when the disk has no room for it, and DamagedError: what is
        given to a peer is whole."""
        needed = self.path.stat().st_size + LOW_BYTES
        free = shutil.disk_usage(self._directory).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"a copy needs {needed} bytes, {free} are free", str(path))
        copied = self._store.copy_to(path)
        try:
            soundness.refuse_damaged(path)
        except Error as error:
            if is_damage(error):
                self._met_by_a_copy = str(error)
            raise
        return Applied(
            Position(copied.raft_index, copied.raft_term),
            Position(copied.previous_index, copied.previous_term),
            copied.members,
        )

    def install(self, path: Path, applied: Applied) -> None:
        generation = self._generation + 1
        target = self._directory / str(generation)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        os.replace(path, target / FILE)
        sync_folder(target)
        previous = self._generation
        self._close_store()
        replace_file(self._directory / "CURRENT", str(generation).encode())
        self._generation = generation
        self._open()
        if self.stored() != applied:
            raise ValueError(
                f"{self.path}: the installed copy says {self.stored()}, its sender said {applied}"
            )
        self._on_reopened(self.path)
        self._spawn(lambda: self._remove_before(previous))  # freeing a large file takes a while

    def close(self) -> None:
        self._close_store()

    def _compare(self, index: int, place: bytes) -> None:
        """Read the slice as it is at this entry: nothing else is applied meanwhile."""
        if self._rows is None:
            self._rows = row_digests.Reader(self.path)
        found = self._rows.slice(place)
        self.next_slice = found.next
        self.slices_compared += 1
        self.rounds_compared += found.next == row_digests.BEGIN
        self.slices[index] = found.digest
        self.slice_names[index] = f"{found.first} to {found.last}" if found.last else f"from {found.first} on"
        if len(self.slices) > SLICES_KEPT:
            oldest = min(self.slices)
            del self.slices[oldest], self.slice_names[oldest]

    def _close_store(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None
        self.inspection.forget()
        self._write_ahead.close()
        self._store.close()

    def _current(self) -> int:
        pointer = self._directory / "CURRENT"
        if not pointer.exists():
            replace_file(pointer, b"1")
            return 1
        generation = current_generation(self._directory)
        self._remove_before(generation)
        return generation

    def _remove_before(self, generation: int) -> None:
        for entry in self._directory.iterdir():
            if entry.name.isascii() and entry.name.isdigit() and int(entry.name) < generation:
                shutil.rmtree(entry, ignore_errors=True)

    def _open(self) -> None:
        self.path.parent.mkdir(exist_ok=True, mode=0o700)
        self._store = Store.create_or_open(self.path, cluster=self._cluster)
        self._machine = Machine(self._store, _member_names, room=self._room)
        self._write_ahead = WriteAhead(self._store, self._spawn)
        if self._machine.state.raft_index > 0:  # not one that was made this moment
            self.inspection.begin(self.path)


def _member_names(members: bytes) -> list[str]:
    return [member.name for member in unpack_members(members)[0].members]


def current_generation(directory: Path) -> int:
    """Which one is live; the first where none was ever noted. Raises ValueError for a note that is none."""
    try:
        return int((directory / "CURRENT").read_text())
    except FileNotFoundError:
        return 1
