"""noop: succeeds at once, without a process. For benchmarks: everything else of the path is real."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent.clock import wall_ms
from agent.executors.contract import Capabilities, Host, Launch
from agent.exits import Exit
from scheduler.protocol import AROUND

_CAPABILITIES = Capabilities(frozenset({"noop"}), outlives=False, features=frozenset({AROUND}))


class NoopExecutor:
    def __init__(self, host: Host) -> None:
        self._host = host

    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def recover(self, attempts: Collection[int]) -> frozenset[int]:
        return frozenset()

    def launch(self, launches: Sequence[Launch]) -> None:
        now_ms = wall_ms()
        for launch in launches:
            self._host.finished(Exit(launch.assign.attempt, now_ms, now_ms, 0, None, "exit", "", b"", 0))

    def cancel(self, attempt: int) -> None:
        """It has ended already."""
