"""An executor of somebody else: `custom: {kind: waiting, with: {seconds: 0.1}}` waits, in the agent itself.

Nothing of it outlives the agent's process: what was waiting then is gone, and said so by the agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from agent.clock import wall_ms
from agent.executors.contract import Capabilities, Host, Launch
from agent.exits import Exit


class Waiting:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._timers: dict[int, tuple[asyncio.TimerHandle, int]] = {}

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"waiting"}), outlives=False)

    def launch(self, launches: Sequence[Launch]) -> None:
        loop = asyncio.get_running_loop()
        for launch in launches:
            attempt, asked = launch.assign.attempt, launch.assign.work.get("with")
            seconds = asked.get("seconds") if isinstance(asked, dict) else None
            if not isinstance(seconds, int | float):
                said = "with: {seconds: …} is a number"
                self._host.finished(Exit.unstarted(attempt, "start_failed", said, at_ms=wall_ms()))
                continue
            started_ms = wall_ms()
            self._timers[attempt] = loop.call_later(seconds, self._end, attempt, "exit", 0), started_ms
            self._host.started(attempt, started_ms)

    def cancel(self, attempt: int) -> None:
        if attempt in self._timers:
            self._end(attempt, "cancelled", None)

    def recover(self, attempts: Collection[int]) -> frozenset[int]:
        return frozenset(self._timers.keys() & set(attempts))

    def _end(self, attempt: int, reason: str, code: int | None) -> None:
        timer, started_ms = self._timers.pop(attempt)
        timer.cancel()
        self._host.finished(Exit(attempt, started_ms, wall_ms(), code, None, reason, "", b"", 0))
