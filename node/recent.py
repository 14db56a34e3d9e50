"""What happened of late, for a front that comes: the events that were applied while none was connected.

Rules: a node that starts applies what it missed before its front is there, and a front may die and come back;
clients that follow the events must not miss those in between (api.routes.events). Bounded by bytes; what is
behind `since` is gone, and who asks for it is told so.
"""

from __future__ import annotations

from collections import deque

RECENT_BYTES_MAX = 2 << 20

Commit = tuple[int, int, list[bytes]]  #: (index of the last command, stamp, events as packed frame by frame)


class RecentEvents:
    def __init__(self, index: int) -> None:
        """`index` of the state that is opened: nothing is known of how it came to be."""
        self.begin(index)

    def begin(self, index: int) -> None:
        """Another state took the place of the former one."""
        self.since = index  #: every event of a command after this index is here
        self._commits: deque[Commit] = deque()
        self._bytes = 0

    def add(self, index: int, stamp_ms: int, encoded: list[bytes]) -> None:
        self._commits.append((index, stamp_ms, encoded))
        self._bytes += sum(map(len, encoded))
        while self._bytes > RECENT_BYTES_MAX:
            self.since, _, dropped = self._commits.popleft()
            self._bytes -= sum(map(len, dropped))

    def commits(self) -> list[Commit]:
        return list(self._commits)
