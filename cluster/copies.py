"""Whole states for peers that the log cannot serve: pulled, in chunks, resumable, checked.

Rules:
1. The receiver drives: it asks, pulls chunk after chunk and asks again where it stopped. The sender
   keeps nothing per receiver, so a broken connection costs only what was on its way.
2. The sender makes a copy on a helper thread; the loop never waits for it. One copy serves all who ask.
3. Each chunk has a checksum, the whole a SHA-256; only a whole and right copy is installed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgpack

from cluster.machine import Applied, Position, StateMachine
from cluster.wire import Message

CHUNK_BYTES = 512 << 10
WINDOW_CHUNKS = 4  #: requested ahead
STALL_S = 2.0  #: without progress, ask again
STALLS_MAX = 3  #: then another peer
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
    file: BinaryIO | None = None

    def make(self, machine: StateMachine) -> None:
        try:
            self.applied = machine.copy_to(self.path)
            digest = hashlib.sha256()
            with self.path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            self.size = self.path.stat().st_size
            self.sha256 = digest.digest()
        except Exception as e:  # told to whoever asked; this node goes on
            self.error = f"{type(e).__name__}: {e}"
        finally:
            self.finished = True


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
        self._ready: _Copy | None = None
        self._used = 0.0

    @property
    def is_busy(self) -> bool:
        return self._making is not None or self._ready is not None

    def ask(self, peer: str, name: str, oldest_index: int, applied_index: int) -> None:
        """A peer wants a copy of `oldest_index` or later: one that the log here can continue and the peer
        can use; `name` is one that it has begun; `applied_index` is where the state is now."""
        if applied_index < oldest_index:
            reason = f"this node has not applied entry {oldest_index} yet"
            self._send(peer, {"type": "copy_gone", "copy": "", "reason": reason})
            return
        ready = self._ready
        if ready is not None and ready.applied is not None:
            if name == ready.name or ready.applied.position.index >= oldest_index:
                self._offer(peer, ready, ready.applied)
                return
            self._delete()
        if peer not in self._waiting:
            self._waiting.append(peer)
        if self._making is None:
            unique = self._unique()
            copy = self._making = _Copy(unique, self._directory / f"copy-{unique}.out")
            self._spawn(lambda: copy.make(self._machine))

    def pull(self, peer: str, name: str, offset: int) -> None:
        ready = self._ready
        if ready is None or name != ready.name or ready.file is None:
            self._send(peer, {"type": "copy_gone", "copy": name, "reason": "the copy was deleted"})
            return
        self._used = self._clock()
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
            making.file = making.path.open("rb")
            for peer in waiting:
                self._offer(peer, making, making.applied)
        elif self._ready is not None and self._clock() - self._used > KEEP_S:
            self._delete()

    def close(self) -> None:
        self._delete()

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
        if self._ready is not None:
            if self._ready.file is not None:
                self._ready.file.close()
            self._ready.path.unlink(missing_ok=True)
            self._ready = None


@dataclass(slots=True)
class _Pull:
    """A copy on its way to this node."""

    name: str
    size: int
    sha256: bytes
    applied: Applied
    path: Path
    file: BinaryIO
    hash: Any = field(default_factory=hashlib.sha256)
    received: int = 0
    requested: int = 0


class CopyTarget:
    """Pulls a copy for this node. `candidates()` are the peers to ask, the best first; `install` says
    whether the copy could be used; a copy below log index `needed()` cannot."""

    def __init__(
        self,
        directory: Path,
        send: Send,
        clock: Callable[[], float],
        candidates: Callable[[], list[str]],
        install: Callable[[Path, Applied], bool],
        needed: Callable[[], int] = lambda: 0,
    ) -> None:
        self._directory, self._send, self._clock = directory, send, clock
        self._candidates, self._install, self._needed = candidates, install, needed
        self.is_active = False
        self._asked = 0
        self._stalls = 0
        self._peer = ""
        self._pull: _Pull | None = None
        self._progress = clock()

    def start(self) -> None:
        if not self.is_active:
            self.is_active = True
            self._asked = 0
            self._forget()
            self._ask()

    def poll(self) -> None:
        if not self.is_active:
            return
        if not self._peer:
            self._ask()
        elif self._clock() - self._progress > STALL_S:
            self._stalls += 1
            if self._stalls >= STALLS_MAX:
                self._asked += 1
                self._forget()
            self._ask()

    def offer(self, peer: str, message: Message) -> None:
        if not self.is_active or peer != self._peer:
            return
        try:
            applied = unpack_applied(message["applied"])
        except ValueError as e:
            self._fail(str(e))
            return
        pull = self._pull
        if pull is None or message["copy"] != pull.name:
            self._forget()
            path = self._directory / "copy.in"
            pull = _Pull(message["copy"], message["size"], message["sha256"], applied, path, path.open("wb"))
            self._pull = pull
        self._progress = self._clock()
        pull.requested = pull.received
        self._request(pull)

    def chunk(self, peer: str, message: Message) -> None:
        pull = self._pull
        if not self.is_active or pull is None or peer != self._peer or message["copy"] != pull.name:
            return
        data = message["data"]
        if message["offset"] != pull.received or not data:
            return
        if zlib.crc32(data) != message["crc"] or pull.received + len(data) > pull.size:
            self._fail("a damaged chunk")
            return
        pull.file.write(data)
        pull.hash.update(data)
        pull.received += len(data)
        self._progress = self._clock()
        self._stalls = 0
        self._request(pull)

    def gone(self, peer: str, message: Message) -> None:
        if self.is_active and peer == self._peer:
            self._fail(message["reason"])

    def close(self) -> None:
        self._forget()

    def _request(self, pull: _Pull) -> None:
        if pull.received >= pull.size:
            self._finish(pull)
            return
        while pull.requested < min(pull.size, pull.received + WINDOW_CHUNKS * CHUNK_BYTES):
            self._send(self._peer, {"type": "copy_pull", "copy": pull.name, "offset": pull.requested})
            pull.requested += CHUNK_BYTES

    def _finish(self, pull: _Pull) -> None:
        pull.file.flush()
        os.fsync(pull.file.fileno())
        if pull.hash.digest() != pull.sha256:
            self._fail("the whole copy has a wrong checksum")
            return
        self._send(self._peer, {"type": "copy_done", "copy": pull.name})
        self._forget()
        if self._install(pull.path, pull.applied):
            self.is_active = False
        else:
            self._fail("it is older than this node's own state or log")

    def _ask(self) -> None:
        self._progress = self._clock()
        candidates = self._candidates()
        self._peer = candidates[self._asked % len(candidates)] if candidates else ""
        if self._peer:
            name = self._pull.name if self._pull is not None else ""
            self._send(self._peer, {"type": "copy_ask", "copy": name, "needed": self._needed()})

    def _fail(self, reason: str) -> None:
        """The next peer is asked after the stall time."""
        _log.warning("pulling a copy from %s: %s", self._peer, reason)
        self._asked += 1
        self._forget()
        self._stalls = 0
        self._progress = self._clock()

    def _forget(self) -> None:
        if self._pull is not None:
            self._pull.file.close()
            self._pull = None
        self._stalls = 0
