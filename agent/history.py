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
from typing import Any

import msgpack

from agent.records import DiskFull, RecordFile, SyncFailed, frame, parse

log = logging.getLogger("agent.history")
FILE_BYTES = 16 << 20
SYNC_S = 1.0
Row = list[Any]
"""The fields of scheduler.words.commands.RanAttempt, in order."""


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

    def add(self, row: Row) -> None:
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

    def read(self) -> list[Row]:
        """All that is on disk, oldest first."""
        rows: list[Row] = []
        for path in (self._older, self._path):
            with contextlib.suppress(FileNotFoundError):
                rows += [msgpack.unpackb(record, raw=False) for record in parse(path.read_bytes())[0]]
        return rows

    def close(self) -> None:
        with contextlib.suppress(SyncFailed, OSError):
            self._file.sync()
        self._file.close()
