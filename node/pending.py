"""What fronts proposed, until it is applied here.

Rules: a frame that nobody answered is sent again after a while that grows with the time of commits, and at
once to another leader, since the last may be gone with it; the state drops what it has seen. What this node's
log holds in the present term is not sent again: a starved machine would be the slower for it. What no log
could hold is refused and not kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cluster.intake import held
from cluster.journal import LogEntry
from cluster.machine import Position
from cluster.settings import PROPOSAL_BYTES_MAX

RESEND_S = 1.0  #: at least
RESEND_COMMITS = 8
LOOK_S = 0.25  #: between two looks into the log


@dataclass(slots=True)
class _Frame:
    data: bytes
    since_s: float
    sent_s: float  #: last; 0: to nobody, or to a leader that was


class Consensus(Protocol):
    """What it asks of cluster.consensus."""

    @property
    def leader(self) -> str | None: ...

    @property
    def term(self) -> int: ...

    @property
    def log(self) -> Sequence[LogEntry]: ...

    @property
    def applied(self) -> Position: ...

    def propose(self, proposal: bytes, *, can_wait: bool = False) -> bool: ...


class Pending:
    def __init__(self, consensus: Consensus, clock: Callable[[], float] = time.monotonic) -> None:
        self._consensus = consensus
        self._clock = clock
        self._frames: dict[tuple[str, int], _Frame] = {}
        self._sent_to: tuple[str | None, int] = (None, 0)
        self._commit_s = 0.0  #: moving average of the time until a frame is applied
        self._looked_s = 0.0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def resend_s(self) -> float:
        return max(RESEND_S, RESEND_COMMITS * self._commit_s)

    def propose(self, front: str, sequence: int, frame: bytes, *, can_wait: bool) -> str | None:
        """None when it is on its way, else why it can never be. The front measures too: what slipped through
        there must not end what it was proposed to."""
        if len(frame) > PROPOSAL_BYTES_MAX:
            return f"a proposal of {len(frame)} bytes, {PROPOSAL_BYTES_MAX} at most"
        sent = self._consensus.propose(frame, can_wait=can_wait)
        now_s = self._clock()
        self._frames[front, sequence] = _Frame(frame, now_s, now_s if sent else 0.0)
        return None

    def applied(self, front: str, sequence: int) -> None:
        frame = self._frames.pop((front, sequence), None)
        if frame is not None:
            self._commit_s += (self._clock() - frame.since_s - self._commit_s) * 0.1

    def abandon(self, front: str, sequence: int) -> None:
        """Nobody waits for it any more."""
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
            for frame in self._frames.values():
                frame.sent_s = 0.0
        due = [frame for frame in self._frames.values() if now_s - frame.sent_s >= self.resend_s]
        lost = [frame for frame in due if not frame.sent_s]
        if len(lost) < len(due) and now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            consensus = self._consensus
            here = held(consensus.log, consensus.applied.index, consensus.term)
            for frame in due:
                if frame.sent_s and frame.data in here:
                    frame.sent_s = now_s
                elif frame.sent_s:
                    lost.append(frame)
        for frame in lost:
            if self._consensus.propose(frame.data):
                frame.sent_s = now_s
