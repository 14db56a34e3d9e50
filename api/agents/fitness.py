"""Whether this node may speak for the cluster to its agents.

Rules: a Pong renews leases, so it does so only while this node has a quorum and is not behind (`why_not`).
Without, for `GRACE_S`, its agents are sent away (`overdue`); an election is shorter, and sending agents round
the nodes would only delay them (`why_not_soon`). A leader change alone touches no socket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from api.ports import NodeStatus

GRACE_S = 1.0
LAG_MS_MAX = 1_000
POLL_S = 0.02


class Fitness:
    """As the node's status tells it: asked, never told."""

    def __init__(self, status: Callable[[], NodeStatus]) -> None:
        self._status = status
        self._bad_since_s: float | None = None
        self._stopping = False

    def stop(self) -> None:
        """The node stops: nobody waits for better days."""
        self._stopping = True

    def why_not(self) -> str | None:
        """None: it may. Else the reason to leave it: no_quorum | behind."""
        status = self._status()
        if not status.quorum:
            return "no_quorum"
        lag_ms = status.commit_lag_ms
        return "behind" if lag_ms is None or lag_ms > LAG_MS_MAX else None

    async def why_not_soon(self) -> str | None:
        """As `why_not`, once an election is over."""
        end_s = time.monotonic() + GRACE_S
        while (reason := self.why_not()) is not None and time.monotonic() < end_s and not self._stopping:
            await asyncio.sleep(POLL_S)
        return reason

    def overdue(self, now_s: float) -> str | None:
        """Asked now and then, with the monotonic time: the reason for which all agents have to go now."""
        reason = self.why_not()
        if reason is None:
            self._bad_since_s = None
        elif self._bad_since_s is None:
            self._bad_since_s = now_s
        elif now_s - self._bad_since_s >= GRACE_S:
            return reason
        return None
