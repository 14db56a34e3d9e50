"""Keeps SQLite's write-ahead log short without stopping the loop.

Usually SQLite moves the log to the database file itself, 1,000 pages at a commit: that was measured best. But
while a reader holds a snapshot the log grows, and the commit that follows the reader's end would move all of
it at once: 140 MB held a loop up for a second. Rules:

1. Beyond `LONG_BYTES` no commit moves anything; a helper thread does, over a connection of its own, beside
   the commits, until little is left. Then SQLite goes on as usual, and starts the log anew.
2. A failed checkpoint is raised on the loop: the node stops.
3. Over `ALARM_BYTES` somebody holds a snapshot for very long: it is said, with what to do, once until the log
   is shorter again, and the metric tells.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from cluster.copies import Spawn
from scheduler.store.connection import CHECKPOINT_PAGES, Store

LONG_BYTES = 8 << 20
ALARM_BYTES = 256 << 20
PAUSE_S = 0.2  #: while a reader still holds its snapshot

log = logging.getLogger("cronclave.core")


@dataclass(slots=True)
class _Draining:
    """One stay of the helper thread, which sets `finished` last."""

    finished: bool = False
    is_left: bool = False
    error: Exception | None = None


class WriteAhead:
    """Of one store. Used by the loop; `look` is called after each commit."""

    def __init__(self, store: Store, spawn: Spawn, pause: Callable[[float], None] = time.sleep) -> None:
        self._store, self._spawn, self._pause = store, spawn, pause
        self._draining: _Draining | None = None
        self._is_alarmed = False

    def look(self) -> None:
        """Raises what the helper thread met."""
        draining = self._draining
        size = self._store.wal_bytes()
        self._alarm(size)  # also while the helper works: it waits for the very reader that makes the log grow
        if draining is None:
            if size > LONG_BYTES:
                begun = self._draining = _Draining()
                self._store.checkpoint_at_commits(False)
                self._spawn(lambda: self._drain(begun))
        elif draining.finished:
            self._draining = None
            if draining.error is not None:
                raise draining.error
            self._store.checkpoint_at_commits(True)

    def close(self) -> None:
        """The store is about to be closed."""
        if self._draining is not None:
            self._draining.is_left = True

    def _drain(self, draining: _Draining) -> None:
        try:
            while not draining.is_left:
                frames, moved = self._store.checkpoint_aside()
                if frames - moved <= CHECKPOINT_PAGES:
                    break
                self._pause(PAUSE_S)
        except Exception as error:  # raised again on the loop, unless the store is gone
            draining.error = error
        finally:
            draining.finished = True

    def _alarm(self, size: int) -> None:
        if size > ALARM_BYTES and not self._is_alarmed:
            log.error(
                "the state's write-ahead log has %d MiB, and grows until a reader lets go of its snapshot:"
                " end programs that have %s open (fuser names them), or restart this node",
                size >> 20,
                self._store.path,
            )
        self._is_alarmed = size > ALARM_BYTES
