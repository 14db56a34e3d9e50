"""The leader's batcher: many proposals become one log entry.

At once while nothing is in flight; else every 4 ms or 64 KiB, so that a round carries more when rounds
are slow. What can wait does so for others that were sent at the same instant.
"""

from __future__ import annotations

from collections import deque

import msgpack

BATCH_WAIT_S = 0.004
GATHER_S = 0.006  #: for what can wait, while nothing is in flight: so far apart do members send
BATCH_BYTES = 64 << 10
ENTRY_BYTES_MAX = 1 << 20  #: of proposals in one entry, unless one alone is larger


class Batcher:
    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._oldest = 0.0
        self._hurries = False

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, proposal: bytes, now: float, *, can_wait: bool = False) -> bool:
        """False when too much waits already."""
        if self._bytes + len(proposal) > self._bytes_max:
            return False
        if not self._queue:
            self._oldest = now
            self._hurries = False
        self._hurries = self._hurries or not can_wait
        self._queue.append(proposal)
        self._bytes += len(proposal)
        return True

    def due_in_s(self, now: float, *, idle: bool) -> float | None:
        """Seconds until something should be flushed; None while nothing waits."""
        if not self._queue:
            return None
        if (idle and self._hurries) or self._bytes >= BATCH_BYTES:
            return 0.0
        return max(0.0, self._oldest + (GATHER_S if idle else BATCH_WAIT_S) - now)

    def take(self) -> list[bytes]:
        """The proposals of the next entry."""
        batch: list[bytes] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0]) <= ENTRY_BYTES_MAX):
            proposal = self._queue.popleft()
            size += len(proposal)
            batch.append(proposal)
        self._bytes -= size
        return batch

    def clear(self) -> None:
        self._queue.clear()
        self._bytes = 0


def pack_entry(stamp_ms: int, proposals: list[bytes]) -> bytes:
    packed: bytes = msgpack.packb([stamp_ms, proposals], use_bin_type=True)
    return packed


def unpack_entry(data: bytes) -> tuple[int, list[bytes]]:
    stamp_ms, proposals = msgpack.unpackb(data)
    return stamp_ms, proposals
