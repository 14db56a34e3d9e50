"""What the agent remembers of one attempt while it holds it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from scheduler.protocol import GRANT_VALID_MS, Assign


class Phase(enum.Enum):
    """claimed → granted → started → (ended: no longer held)."""

    CLAIMED = "claimed"  #: the claim is in the journal, or on its way there; no grant yet
    GRANTED = "granted"  #: waits for its due instant
    STARTED = "started"  #: given to its executor, or found running by a new session


@dataclass(slots=True, eq=False)
class Held:
    attempt: int
    assign: Assign | None  #: None: found in the spooler by a new session
    claim: str
    phase: Phase
    safe: bool = False  #: the claim is on disk
    cancelled: bool = False
    fence: int = 0
    claim_sent_ms: float | None = None  #: boot time of the sending that counts for the grant's validity
    asked_again_ms: float | None = None  #: boot time of the first refresh that was not answered
    started_ms: int | None = None
    running_event: int | None = None  #: number of its Running message
    running_acknowledged: bool = False

    def sent(self, now_ms: float) -> None:
        """The claim is being sent. A refresh of a grant counts from its first unanswered sending."""
        if self.phase is Phase.CLAIMED:
            self.claim_sent_ms = now_ms
        elif self.asked_again_ms is None:
            self.asked_again_ms = now_ms

    def refreshed(self) -> None:
        """The same grant came again: the cluster still means it."""
        if self.asked_again_ms is not None:
            self.claim_sent_ms, self.asked_again_ms = self.asked_again_ms, None

    @property
    def valid_until_ms(self) -> float:
        """Boot time after which the grant is void."""
        return (self.claim_sent_ms or 0.0) + GRANT_VALID_MS
