"""What fronts proposed, until it is applied here.

Rules: a frame that nobody answered is sent again after RESEND_S, and at once to another leader, since the
last may be gone with it; the state drops what it has seen. What no log could hold is refused and not kept.
"""

from __future__ import annotations

import time

from cluster.consensus import Consensus
from cluster.settings import PROPOSAL_BYTES_MAX

RESEND_S = 1.0


class Pending:
    def __init__(self, consensus: Consensus) -> None:
        self._consensus = consensus
        self._frames: dict[tuple[str, int], tuple[bytes, float]] = {}  # (front, seq) -> frame, last sent
        self._sent_to: tuple[str | None, int] = (None, 0)

    def __len__(self) -> int:
        return len(self._frames)

    def propose(self, front: str, sequence: int, frame: bytes) -> str | None:
        """None when it is on its way, else why it can never be. The front measures too: what slipped through
        there must not end what it was proposed to."""
        if len(frame) > PROPOSAL_BYTES_MAX:
            return f"a proposal of {len(frame)} bytes, {PROPOSAL_BYTES_MAX} at most"
        sent = self._consensus.propose(frame)
        self._frames[front, sequence] = (frame, time.monotonic() if sent else 0.0)
        return None

    def drop(self, front: str, sequence: int) -> None:
        """It is applied, or nobody waits for it any more."""
        self._frames.pop((front, sequence), None)

    def forget(self, front: str) -> None:
        """Nobody waits any more for what this front proposed."""
        for key in [key for key in self._frames if key[0] == front]:
            del self._frames[key]

    def resend(self, now_s: float) -> None:
        """Every turn."""
        leadership = (self._consensus.leader, self._consensus.term)
        if leadership != self._sent_to and leadership[0] is not None:
            self._sent_to = leadership
            for key, (frame, _) in self._frames.items():
                self._frames[key] = (frame, 0.0)
        for key, (frame, sent_s) in self._frames.items():
            if now_s - sent_s >= RESEND_S and self._consensus.propose(frame):
                self._frames[key] = (frame, now_s)
