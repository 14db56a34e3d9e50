"""Whole states for peers that the log cannot serve: what this node gives. `pulls` is the other end.

Rules:
1. The receiver drives: it asks, pulls chunk after chunk and asks again where it stopped. The sender
   keeps nothing per receiver, so a broken connection costs only what was on its way.
2. The sender makes a copy on a helper thread; the loop never waits for it. One copy serves all who ask.
3. Each chunk has a checksum, the whole a SHA-256.
4. A finished copy outlives the process for as long as an unused one is kept, so that a restart of the sender
   costs the receiver nothing but the wait.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgpack

from cluster.machine import Applied, Position, StateMachine
from cluster.wire import Message

CHUNK_BYTES = 512 << 10
BLOCK_BYTES = 4 << 20  #: read at once: each one takes the interpreter's lock, which the loop needs
AHEAD_BYTES = 8 << 20  #: of the file are brought to memory beside the loop
KEEP_S = 30.0  #: an unused copy is deleted after this
KEEP_TAKEN_S = 5.0  #: and after this when a receiver has it all

_log = logging.getLogger(__name__)

Spawn = Callable[[Callable[[], None]], None]
"""Runs a job beside the loop. The simulation runs it at once."""

Send = Callable[[str, Message], bool]


def on_thread(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="copy", daemon=True).start()


def pack_applied(applied: Applied) -> bytes:
    position, previous = applied.position, applied.previous
    packed: bytes = msgpack.packb(
        [position.index, position.term, previous.index, previous.term, applied.members]
    )
    return packed


def unpack_applied(data: bytes) -> Applied:
    """Raises ValueError."""
    try:
        *numbers, members = msgpack.unpackb(data)
    except Exception as e:  # msgpack and unpacking raise many types
        raise ValueError(f"malformed position: {e}") from e
    if len(numbers) != 4 or not all(type(n) is int and n >= 0 for n in numbers) or type(members) is not bytes:
        raise ValueError("malformed position")
    index, term, previous_index, previous_term = numbers
    return Applied(Position(index, term), Position(previous_index, previous_term), members)


@dataclass(slots=True)
class _Copy:
    """One copy of this node's state. The thread that makes it sets `finished` last."""

    name: str
    path: Path
    applied: Applied | None = None
    size: int = 0
    sha256: bytes = b""
    error: str = ""
    finished: bool = False
    begun_s: float = 0.0
    file: BinaryIO | None = None

    def make(self, machine: StateMachine) -> None:
        try:
            self.applied = machine.copy_to(self.path)
            digest = hashlib.sha256()
            block = memoryview(bytearray(BLOCK_BYTES))
            with self.path.open("rb", buffering=0) as file:
                while count := file.readinto(block):
                    digest.update(block[:count])
            self.size = self.path.stat().st_size
            self.sha256 = digest.digest()
            note = msgpack.packb([self.name, self.size, self.sha256, pack_applied(self.applied)])
            _note_of(self.path).write_bytes(note)
        except Exception as e:  # told to whoever asked; this node goes on
            self.error = f"{type(e).__name__}: {e}"
        finally:
            self.finished = True


def _note_of(path: Path) -> Path:
    return path.with_suffix(".note")


def _left_over(directory: Path) -> _Copy | None:
    """The finished copy of an earlier life of the process. All else that it left is removed."""
    found: _Copy | None = None
    for path in sorted(directory.glob("copy-*.out")):
        try:
            name, size, sha256, applied = msgpack.unpackb(_note_of(path).read_bytes())
            if found is None and path.stat().st_size == size:
                found = _Copy(name, path, unpack_applied(applied), size, sha256, finished=True)
                continue
        except (OSError, ValueError, TypeError):  # no note, or one that a crash left half written
            pass
        path.unlink()
    for note in directory.glob("copy-*.note"):
        if found is None or note != _note_of(found.path):
            note.unlink()
    return found


class CopySource:
    """Serves copies of this node's state."""

    def __init__(
        self,
        machine: StateMachine,
        directory: Path,
        send: Send,
        clock: Callable[[], float],
        spawn: Spawn,
        unique: Callable[[], str],
    ) -> None:
        self._machine, self._directory, self._send = machine, directory, send
        self._clock, self._spawn, self._unique = clock, spawn, unique
        self._waiting: list[str] = []
        self._making: _Copy | None = None
        self._ready = _left_over(directory)
        self._used = clock()
        if self._ready is not None:
            self._ready.file = self._ready.path.open("rb")

    @property
    def is_busy(self) -> bool:
        return self._making is not None or self._ready is not None

    def ask(self, peer: str, oldest_index: int, applied_index: int) -> None:
        """A peer wants a copy of `oldest_index` or later: one that the log here can continue and the peer
        can use; `applied_index` is where the state is now."""
        if applied_index < oldest_index:
            reason = f"this node has not applied entry {oldest_index} yet"
            self._send(peer, {"type": "copy_gone", "copy": "", "reason": reason})
            return
        ready = self._ready
        if ready is not None and ready.applied is not None:
            if ready.applied.position.index >= oldest_index:
                self._offer(peer, ready, ready.applied)
                return
            self._delete()
        if peer not in self._waiting:
            self._waiting.append(peer)
        if self._making is None:
            unique = self._unique()
            copy = _Copy(unique, self._directory / f"copy-{unique}.out", begun_s=self._clock())
            self._making = copy
            self._spawn(lambda: copy.make(self._machine))
        self._send(peer, {"type": "copy_wait"})

    def pull(self, peer: str, name: str, offset: int) -> None:
        ready = self._ready
        if ready is None or name != ready.name or ready.file is None:
            self._send(peer, {"type": "copy_gone", "copy": name, "reason": "the copy was deleted"})
            return
        self._used = self._clock()
        if offset % AHEAD_BYTES == 0:
            os.posix_fadvise(ready.file.fileno(), offset, 2 * AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
        ready.file.seek(offset)
        data = ready.file.read(CHUNK_BYTES)
        self._send(
            peer,
            {"type": "copy_chunk", "copy": name, "offset": offset, "data": data, "crc": zlib.crc32(data)},
        )

    def done(self, peer: str, name: str) -> None:
        """A receiver has it all. Others may still pull, so it goes only when nobody used it for a while."""
        self._used = min(self._used, self._clock() - KEEP_S + KEEP_TAKEN_S)

    def poll(self) -> None:
        """Take over a finished copy, delete an unused one."""
        making = self._making
        if making is not None and making.finished:
            self._making = None
            waiting, self._waiting = self._waiting, []
            if making.applied is None or making.error:
                _log.error("copying the state failed: %s", making.error)
                for peer in waiting:
                    self._send(peer, {"type": "copy_gone", "copy": "", "reason": making.error[:500]})
                return
            self._ready = making
            took_s = self._clock() - making.begun_s
            _log.info("a copy of the state, %d MiB, was made in %.1f s", making.size >> 20, took_s)
            making.file = making.path.open("rb")
            for peer in waiting:
                self._offer(peer, making, making.applied)
        elif self._ready is not None and self._clock() - self._used > KEEP_S:
            self._delete()

    def close(self) -> None:
        """The copy stays for the next life of the process."""
        if self._ready is not None and self._ready.file is not None:
            self._ready.file.close()

    def _offer(self, peer: str, copy: _Copy, applied: Applied) -> None:
        self._used = self._clock()
        self._send(
            peer,
            {
                "type": "copy_offer",
                "copy": copy.name,
                "size": copy.size,
                "sha256": copy.sha256,
                "applied": pack_applied(applied),
            },
        )

    def _delete(self) -> None:
        """The note first: a file without one is removed at the next start. Freeing a large file takes a
        while, so not on the loop."""
        ready, self._ready = self._ready, None
        if ready is not None:
            if ready.file is not None:
                ready.file.close()
            _note_of(ready.path).unlink(missing_ok=True)
            self._spawn(lambda: ready.path.unlink(missing_ok=True))
