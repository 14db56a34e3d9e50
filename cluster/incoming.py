"""A copy on its way to this node: a file that grows, and a note beside it that says which copy it is.

Rules:
1. The loop only keeps what comes. Writing, syncing and hashing it happens on a helper thread, a stretch at a
   time; no more is asked for while two stretches wait for the disk.
2. The note tells how much of the file is on disk, never more; the next life of the process goes on from
   there, whatever ended the last: kill -9 or power. What the file holds beyond is asked for again.
3. A copy is whole when its size and its SHA-256, over the file as it was read back, are those of the offer.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from cluster.copies import Spawn

STRETCH_BYTES = 8 << 20  #: written and noted at once: up to three are sent again after a kill
SYNCED_BYTES = 1 << 20  #: a sync of the Raft log waits for what is written and not synced
BLOCK_BYTES = 4 << 20
FILE = "copy.in"
NOTE = "copy.in.note"


@dataclass(frozen=True, slots=True)
class Offer:
    """A copy as its sender described it."""

    name: str
    size: int
    sha256: bytes
    applied: bytes  #: cluster.copies.pack_applied
    peer: str


class Incoming:
    def __init__(self, directory: Path, offer: Offer, spawn: Spawn, *, received: int = 0) -> None:
        """`received`: how much of it the directory holds already; else it begins anew. Raises OSError."""
        self.offer = offer
        self.path = directory / FILE
        self.received = received
        self.requested = received
        self.begun_s = 0.0
        self.error = ""  #: why it can never become whole
        self.is_whole = False  #: all of it came and was found right
        self._note = directory / NOTE
        self._spawn = spawn
        self._hash: Any = hashlib.sha256()
        self._hashed = 0
        self._kept: list[bytes] = []  #: what came and is not yet with the helper thread
        self._unwritten: OSError | None = None
        self._working = False
        self._is_left = False
        self._lock = threading.Lock()  #: over what follows the end of a stretch, and leaving the file
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._descriptor, received)
        os.lseek(self._descriptor, received, os.SEEK_SET)

    @classmethod
    def left_over(cls, directory: Path, spawn: Spawn) -> Incoming | None:
        """What an earlier life of the process had begun."""
        try:
            name, size, sha256, applied, peer, synced = msgpack.unpackb((directory / NOTE).read_bytes())
            if 0 < synced <= min(size, (directory / FILE).stat().st_size):
                return cls(directory, Offer(name, size, sha256, applied, peer), spawn, received=synced)
        except (OSError, ValueError, TypeError):  # none, or one that a crash left half written
            pass
        return None

    def append(self, data: bytes) -> None:
        """The next bytes. Raises OSError when the helper thread could not write what came before: a full disk
        ends this node as it does for any other write."""
        self._kept.append(data)
        self.received += len(data)
        self.work()

    @property
    def is_full(self) -> bool:
        """The disk is so far behind that no more should come."""
        return self.received - self._hashed >= 2 * STRETCH_BYTES

    def work(self) -> None:
        """Have the helper thread write, sync and hash what came, when it is idle and there is enough. Raises
        OSError as `append` does."""
        if self._unwritten is not None:
            raise self._unwritten
        is_last = self.received == self.offer.size
        if self._working or self.is_whole or self.error:
            return
        if is_last or self.received - self._hashed >= STRETCH_BYTES:
            self._working = True
            kept, self._kept = self._kept, []
            until = self.received
            self._spawn(lambda: self._take_in(kept, until))

    def _take_in(self, kept: list[bytes], until: int) -> None:
        """On the helper thread."""
        try:
            unsynced = 0
            for data in kept:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
                unsynced += len(data)
                if unsynced >= SYNCED_BYTES:
                    os.fdatasync(self._descriptor)
                    unsynced = 0
        except OSError as error:
            self._unwritten = error
            self._settle(0)
        else:
            self._digest(until)

    def _digest(self, until: int) -> None:
        """The file as it is read back; what a kill left of an unfinished stretch is written again."""
        buffer = bytearray(BLOCK_BYTES)
        try:
            while self._hashed < until:
                with memoryview(buffer)[: until - self._hashed] as view:
                    count = os.preadv(self._descriptor, [view], self._hashed)
                    if not count:
                        raise OSError(f"{self.path} is shorter than what was written to it")
                    self._hash.update(view[:count])
                self._hashed += count
            os.fdatasync(self._descriptor)
            if until == self.offer.size and self._hash.digest() != self.offer.sha256:
                raise OSError("the whole copy has a wrong checksum")
            self._settle(until)
        except OSError as error:
            self.error = str(error)
            self._settle(0)

    def _settle(self, synced: int) -> None:
        with self._lock:
            if self._is_left:
                os.close(self._descriptor)
                return
            self.is_whole = synced == self.offer.size
            if 0 < synced < self.offer.size:
                self._write_note(synced)
            self._working = False

    def _write_note(self, synced: int) -> None:
        """Not synced itself: a crash leaves this one, the one before, or none; a torn one is none."""
        o = self.offer
        packed = msgpack.packb([o.name, o.size, o.sha256, o.applied, o.peer, synced])
        temporary = self._note.with_suffix(".new")
        temporary.write_bytes(packed)
        os.replace(temporary, self._note)

    def leave(self, *, keep: bool) -> None:
        """Touch the file no more. `keep`: another life of the process may go on with it."""
        with self._lock:
            self._is_left = True
            if not keep:
                self._note.unlink(missing_ok=True)
            if not self._working:
                os.close(self._descriptor)


def remove_left_over(directory: Path) -> None:
    """What an earlier life of the process had begun and this one does not need."""
    for name in (NOTE, FILE):
        (directory / name).unlink(missing_ok=True)
