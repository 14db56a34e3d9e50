"""Copies the database file while it stands still.

In WAL mode a commit writes to the write-ahead log alone; only a checkpoint writes to the database file
(sqlite.org/wal.html). So from the end of a complete checkpoint to the beginning of the next the file is one
instant of the state, and can be read like any other: without SQLite, in large blocks, with no lock that a
commit could wait for. Rules:

1. While the file stands still no commit moves the log, and whoever else wants to move it waits: helper
   threads all of them, never the loop. What gathers in the log meanwhile is moved beside the commits.
2. Only a complete checkpoint will do. One that a reader's snapshot stops half way brings the latest version
   of each page or none, never the older one that the reader sees: the file is then of no instant at all.
3. All has a limit, `TRIES_MAX` and `LOG_BYTES_MAX`: beyond it the copy is given up, and the caller makes it
   in another way.
4. The descriptor that the file is read by is kept until the database is closed: closing it earlier would
   drop the locks that SQLite has on the file (rule 3 of `connection`).
5. A database that begins to be closed is called by nobody any more, and who calls it at that moment is waited
   for: at most for a few pages of a copy.

Rejected: copying page by page over the writer's connection (`sqlite3_backup`) as the usual way. Each step
takes the lock that the next commit needs, on a busy machine for as long as the system keeps the copying
thread from running; and each commit writes its pages twice.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

BLOCK_BYTES = 1 << 20  #: read, written and synced at once: a sync of the Raft log waits for as much
PAUSE_S = 0.001  #: behind each, for those syncs
LOG_BYTES_MAX = 128 << 20
TRIES_MAX = 40  #: to move all of the log, while readers come and go
TRY_PAUSE_S = 0.05


class Standstill:
    """Of one open database. `commits_move`: have commits move the log, or have them leave it alone."""

    def __init__(self, path: Path, commits_move: Callable[[bool], None]) -> None:
        self._path, self._commits_move = path, commits_move
        self.moving = threading.Lock()
        """Held by whoever moves the log beside the commits, and while the file stands still."""
        self.calling = threading.Lock()
        """Held by a helper thread that calls the database over the owner's connection; it looks at
        `is_closed` first and then often, since closing waits for it."""
        self._switch = threading.Lock()
        self._wanted = True
        self._stands = False
        self._descriptor = -1
        self._closed = False

    def at_commits(self, on: bool) -> None:
        """Whether commits move the log, once the file need not stand still."""
        with self._switch:
            self._wanted = on
            if not self._closed:
                self._commits_move(on and not self._stands)

    def copy(
        self,
        to: Path,
        *,
        move: Callable[[], tuple[int, int]],
        log_bytes: Callable[[], int],
        pause: Callable[[float], None],
    ) -> bool:
        """Copy the file, synced in stretches; on a helper thread. `move` brings what readers allow from the
        log to the file first, and gives how many pages there are and how many are moved. False: a reader held
        them back, the log grew beyond its limit, or the database was closed."""
        with self.moving:
            self._stand(True)
            try:
                return not self._closed and _all_moved(move, pause) and self._read(to, log_bytes, pause)
            finally:
                self._stand(False)

    def is_closed(self) -> bool:
        """Or begins to be, on another thread, at any moment."""
        return self._closed

    def close(self, close: Callable[[], None]) -> None:
        """Close the database by `close`: SQLite's connection must not be used by one thread while another
        closes it. Nobody here calls it meanwhile or afterwards."""
        with self._switch:
            self._closed = True
            with self.calling:
                close()
            self._leave()

    def _stand(self, still: bool) -> None:
        with self._switch:
            self._stands = still
            if self._closed:
                self._leave()
            else:
                self._commits_move(self._wanted and not still)

    def _leave(self) -> None:
        """The database is closed: the descriptor goes when no copy reads from it."""
        if not self._stands and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self, to: Path, log_bytes: Callable[[], int], pause: Callable[[float], None]) -> bool:
        with self._switch:
            if self._closed:
                return False
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        buffer = bytearray(BLOCK_BYTES)
        view = memoryview(buffer)
        written = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            offset = 0
            while count := os.preadv(self._descriptor, [buffer], offset):
                part = view[:count]
                while part:
                    part = part[os.write(written, part) :]
                offset += count
                os.fdatasync(written)
                pause(PAUSE_S)
                if self.is_closed() or log_bytes() > LOG_BYTES_MAX:
                    return False
            return True
        finally:
            os.close(written)


def _all_moved(move: Callable[[], tuple[int, int]], pause: Callable[[float], None]) -> bool:
    for _ in range(TRIES_MAX):
        frames, moved = move()
        if frames == moved:
            return True
        pause(TRY_PAUSE_S)
    return False
