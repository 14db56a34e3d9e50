"""What this agent ran: kept after its cluster acknowledged it, since that cluster may be lost.

1. One record for each attempt that was started and has ended. A cluster that was restored from a backup asks
   for those since (agent/recount.py).
2. Bounded: two files of FILE_BYTES; when the newer is full the older goes.
3. Written along with the journal's batches, in its thread, and synced once a second at most: no work waits
   for it. A host that loses power together with the cluster may lose the last second of it; a full disk too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import NamedTuple

import msgpack

from agent.records import DiskFull, RecordFile, SyncFailed, frame, parse

log = logging.getLogger("agent.history")
FILE_BYTES = 16 << 20
SYNC_S = 1.0


class Work(NamedTuple):
    """What an attempt is. In the journal from its claim on, for a cluster that does not know it."""

    run: int
    namespace: str
    job: str
    task: str
    member: str
    round: int
    number: int
    tick_ms: int | None
    due_ms: int


class RanRow(NamedTuple):
    """What was run: the fields of scheduler.words.commands.RanAttempt, in order."""

    attempt: int
    run: int
    namespace: str
    job: str
    task: str
    member: str
    round: int
    number: int
    tick_ms: int | None
    due_ms: int
    ended: bool
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    reason: str
    signal: int | None
    detail: str
    wrote_stderr: bool | None = None

    @classmethod
    def running(cls, attempt: int, work: Work, started_ms: int | None) -> RanRow:
        """One that has not ended, or whose end is not acknowledged."""
        return cls(attempt, *work, False, started_ms, 0, None, "", None, "")


class History:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "history"
        self._older = folder / "history.older"
        self._file = self._open()
        self._pending: list[bytes] = []
        self._synced_s = 0.0
        self._complained = False

    def _open(self) -> RecordFile:
        opened = RecordFile(self._path)
        opened.records = []
        return opened

    def add(self, row: RanRow) -> None:
        self._pending.append(frame(msgpack.packb(row, use_bin_type=True)))

    def take(self) -> bytes:
        """What was added since the last call, for `write`."""
        pending, self._pending = self._pending, []
        return b"".join(pending)

    # -- in the journal's thread

    def write(self, frames: bytes) -> None:
        """Never raises: evidence for a disaster must not hold up what goes on."""
        if not frames:
            return
        try:
            if self._file.size > FILE_BYTES:
                self._file.sync()
                self._file.close()
                os.replace(self._path, self._older)
                self._file = self._open()
            self._file.write(frames)
            if time.monotonic() - self._synced_s > SYNC_S:
                self._file.sync()
                self._synced_s = time.monotonic()
            self._complained = False
        except (DiskFull, SyncFailed, OSError) as error:
            if not self._complained:
                log.error("what ran is not noted for a restore: %s", error)
            self._complained = True

    def read(self) -> list[RanRow]:
        """All that is on disk, oldest first."""
        rows: list[RanRow] = []
        for path in (self._older, self._path):
            with contextlib.suppress(FileNotFoundError):
                records = parse(path.read_bytes())[0]
                rows += [RanRow(*msgpack.unpackb(record, raw=False)) for record in records]
        return rows

    def close(self) -> None:
        with contextlib.suppress(SyncFailed, OSError):
            self._file.sync()
        self._file.close()
