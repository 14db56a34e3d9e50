"""noop: succeeds at once, without a process. For benchmarks: everything else of the path is real."""

from __future__ import annotations

from collections.abc import Sequence

from agent.clock import wall_ms
from agent.executors import Host, Start
from agent.spool.wire import Exit


class NoopExecutor:
    def __init__(self, host: Host) -> None:
        self._host = host

    def start(self, starts: Sequence[Start]) -> None:
        now_ms = wall_ms()
        for start in starts:
            self._host.finished(Exit(start.assign.attempt, now_ms, now_ms, 0, None, "exit", "", b"", 0))

    def cancel(self, attempt: int) -> None:
        """It has ended already."""
