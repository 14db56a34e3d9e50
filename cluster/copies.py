"""Whole states for peers that the log cannot serve: pulled, in chunks, resumable, checked.

Rules:
1. The receiver drives: it asks, pulls chunk after chunk and asks again where it stopped. The sender keeps nothing
   per receiver, so a broken connection costs only what was on its way.
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
from pathlib import Path
from typing import BinaryIO

import msgpack

from cluster.machine import Applied, Position, StateMachine
from cluster.wire import Message

CHUNK_BYTES = 512 << 10
WINDOW_CHUNKS = 4  #: requested ahead
STALL_S = 2.0  #: without progress, ask again
STALLS_MAX = 3  #: then another peer
KEEP_S = 30.0  #: an unused copy is deleted after this

_log = logging.getLogger(__name__)

Spawn = Callable[[Callable[[], None]], None]
"""Runs a job beside the loop. The simulation runs it at once."""


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
        index, term, previous_index, previous_term, members = msgpack.unpackb(data)
        if not all(type(n) is int and n >= 0 for n in (index, term, previous_index, previous_term)):
            raise ValueError("malformed position")
        if type(members) is not bytes:
            raise ValueError("malformed membership")
        return Applied(Position(index, term), Position(previous_index, previous_term), members)
    except ValueError:
        raise
    except Exception as e:  # msgpack and unpacking raise many types
        raise ValueError(str(e)) from e


class CopySource:
    """Serves copies of this node's state."""

    def __init__(
        self,
        machine: StateMachine,
        directory: Path,
        send: Callable[[str, Message], bool],
        clock: Callable[[], float],
        spawn: Spawn,
        unique: Callable[[], str],
    ) -> None:
        self._machine, self._directory, self._send = machine, directory, send
        self._clock, self._spawn, self._unique = clock, spawn, unique
        self._waiting: dict[str, None] = {}
        self._making: dict[str, object] | None = None
        self._ready: dict[str, object] | None = None
        self._file: BinaryIO | None = None
        self._used = 0.0

    @property
    def is_busy(self) -> bool:
        return self._making is not None or self._ready is not None

    def ask(self, peer: str, copy: str, oldest_index: int) -> None:
        """A peer wants a copy that the log from `oldest_index` can continue; `copy` names one that it has begun."""
        if self._ready is not None:
            applied = self._ready["applied"]
            assert isinstance(applied, Applied)
            if copy == self._ready["copy"] or applied.position.index >= oldest_index:
                self._offer(peer)
                return
            self._delete()
        self._waiting[peer] = None
        if self._making is None:
            self._make()

    def pull(self, peer: str, copy: str, offset: int) -> None:
        if self._ready is None or copy != self._ready["copy"] or self._file is None:
            self._send(peer, {"type": "copy_gone", "copy": copy, "reason": "the copy was deleted"})
            return
        self._used = self._clock()
        self._file.seek(offset)
        data = self._file.read(CHUNK_BYTES)
        self._send(
            peer,
            {"type": "copy_chunk", "copy": copy, "offset": offset, "data": data, "crc": zlib.crc32(data)},
        )

    def done(self, peer: str, copy: str) -> None:
        """A receiver has it all. Others may still pull: it goes when nobody used it for a while."""
        self._waiting.pop(peer, None)
        self._used = min(self._used, self._clock() - KEEP_S + 5.0)

    def poll(self) -> None:
        """Take over a finished copy, delete an unused one."""
        making = self._making
        if making is not None and making.get("finished"):
            self._making = None
            if making.get("error"):
                _log.error("copying the state failed: %s", making["error"])
                for peer in self._waiting:
                    self._send(peer, {"type": "copy_gone", "copy": "", "reason": str(making["error"])[:500]})
                self._waiting.clear()
                return
            self._ready = making
            self._used = self._clock()
            path = making["path"]
            assert isinstance(path, Path)
            self._file = path.open("rb")
            waiting, self._waiting = self._waiting, {}
            for peer in waiting:
                self._offer(peer)
        elif self._ready is not None and self._clock() - self._used > KEEP_S:
            self._delete()

    def close(self) -> None:
        self._delete()

    def _make(self) -> None:
        copy = self._unique()
        path = self._directory / f"copy-{copy}.out"
        making: dict[str, object] = {"copy": copy, "path": path}
        self._making = making

        def job() -> None:
            try:
                making["applied"] = self._machine.copy_to(path)
                digest = hashlib.sha256()
                with path.open("rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
                making["size"] = path.stat().st_size
                making["sha256"] = digest.digest()
            except Exception as e:  # told to whoever asked; this node goes on
                making["error"] = f"{type(e).__name__}: {e}"
            finally:
                making["finished"] = True

        self._spawn(job)

    def _offer(self, peer: str) -> None:
        ready = self._ready
        assert ready is not None
        applied = ready["applied"]
        assert isinstance(applied, Applied)
        self._used = self._clock()
        self._send(
            peer,
            {
                "type": "copy_offer",
                "copy": ready["copy"],
                "size": ready["size"],
                "sha256": ready["sha256"],
                "applied": pack_applied(applied),
            },
        )

    def _delete(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._ready is not None:
            path = self._ready["path"]
            assert isinstance(path, Path)
            path.unlink(missing_ok=True)
            self._ready = None


class CopyTarget:
    """Pulls a copy for this node. `candidates()` are the peers to ask, the best first."""

    def __init__(
        self,
        directory: Path,
        send: Callable[[str, Message], bool],
        clock: Callable[[], float],
        candidates: Callable[[], list[str]],
        install: Callable[[Path, Applied], bool],
    ) -> None:
        self._directory, self._send, self._clock = directory, send, clock
        self._candidates, self._install = candidates, install
        self.is_active = False
        self._asked = 0
        self._peer = ""
        self._forget()

    def start(self) -> None:
        if not self.is_active:
            self.is_active = True
            self._asked = 0
            self._forget()
            self._ask()

    def poll(self) -> None:
        if self.is_active and self._clock() - self._progress > STALL_S:
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
            self._fail(f"offer of {peer}: {e}")
            return
        if message["copy"] != self._copy or self._file is None:
            self._forget()
            self._copy, self._size, self._digest = message["copy"], message["size"], message["sha256"]
            self._applied = applied
            self._path = self._directory / "copy.in"
            self._file = self._path.open("wb")
        self._progress = self._clock()
        self._requested = self._received
        self._request()

    def chunk(self, peer: str, message: Message) -> None:
        if not self.is_active or message["copy"] != self._copy or self._file is None or peer != self._peer:
            return
        data = message["data"]
        if message["offset"] != self._received or (not data and self._received < self._size):
            return
        if zlib.crc32(data) != message["crc"] or self._received + len(data) > self._size:
            self._fail("a damaged chunk")
            return
        self._file.write(data)
        self._hash.update(data)
        self._received += len(data)
        self._progress = self._clock()
        self._stalls = 0
        self._request()

    def gone(self, peer: str, message: Message) -> None:
        if self.is_active and peer == self._peer:
            self._fail(message["reason"])

    def _request(self) -> None:
        if self._received >= self._size:
            self._finish()
            return
        while self._requested < min(self._size, self._received + WINDOW_CHUNKS * CHUNK_BYTES):
            self._send(self._peer, {"type": "copy_pull", "copy": self._copy, "offset": self._requested})
            self._requested += CHUNK_BYTES

    def _finish(self) -> None:
        assert self._file is not None and self._path is not None and self._applied is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        if self._hash.digest() != self._digest:
            self._fail("the whole copy has a wrong checksum")
            return
        self._send(self._peer, {"type": "copy_done", "copy": self._copy})
        path, applied = self._path, self._applied
        if self._install(path, applied):
            self.is_active = False
        else:
            self._asked += 1
        self._forget()

    def _ask(self) -> None:
        self._progress = self._clock()
        candidates = self._candidates()
        if candidates:
            self._peer = candidates[self._asked % len(candidates)]
            self._send(self._peer, {"type": "copy_ask", "copy": self._copy})

    def _fail(self, reason: str) -> None:
        _log.warning("pulling a copy from %s: %s", self._peer, reason)
        self._asked += 1
        self._forget()
        self._progress = self._clock()  # the next peer is asked after the stall time

    def _forget(self) -> None:
        file: BinaryIO | None = getattr(self, "_file", None)
        if file is not None:
            file.close()
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._applied: Applied | None = None
        self._copy = ""
        self._digest = b""
        self._size = self._received = self._requested = 0
        self._hash = hashlib.sha256()
        self._stalls = 0
        self._progress = self._clock()
