"""What the agent remembers of one attempt from its claim to its end."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from agent.executors.contract import Executor
from agent.spool.wire import Secret
from scheduler.protocol import GRANT_VALID_MS, Assign, Reserved, Silent


class Phase(enum.Enum):
    """claimed → granted → started → (ended: forgotten here)."""

    CLAIMED = "claimed"  #: the claim is in the journal, or on its way there; no grant yet
    GRANTED = "granted"  #: waits for its due instant
    STARTED = "started"  #: given to its executor, or found running by a new session


@dataclass(slots=True, eq=False)
class Claimed:
    """One attempt that was claimed and has not ended."""

    attempt: int
    assign: Assign | None  #: None: found in the spooler by a new session
    claim: str
    phase: Phase
    safe: bool = False  #: the claim is on disk
    journal: str = ""  #: the spooler's, that would know of its start; empty: nothing surely does
    cancelled: bool = False
    at_once: bool = False  #: and without its grace
    spooled: bool = False  #: the spooler has to be told when its record may go
    fence: int = 0
    environment: dict[str, str] = field(default_factory=dict)  #: as the Grant says; never on disk
    secrets: tuple[Secret, ...] = field(default=(), repr=False)  #: the same; forgotten at the start
    before: str = ""  #: the namespace's words around the work, as the Grant says
    after: str = ""
    first_sent_ms: float | None = None  #: boot time of the claim's first unanswered sending to this node
    latest_sent_ms: float = 0.0
    valid_until_ms: float = 0.0  #: boot time after which the grant is void
    started_ms: int | None = None
    running_event: int | None = None  #: number of its Running message
    running_acknowledged: bool = False
    silence: Silent | None = None  #: what was told of its output last, until that is acknowledged
    silence_sent_ms: float = 0.0
    reserved: Reserved | None = None  #: it is this agent's by right: without a node it needs no grant
    executor: Executor | None = None  #: whose it is; None: not started, or the spooler's

    def sent(self, now_ms: float) -> None:
        """The claim is being sent."""
        if self.first_sent_ms is None:
            self.first_sent_ms = now_ms
        self.latest_sent_ms = now_ms

    def granted(self, asked_ms: float) -> None:
        """A grant was read. `asked_ms`: boot time of the Ping whose Pong was the last one read before it.

        It counts from the latest sending that it surely answers. After a sleep the claim may have been
        sent once more before an old grant is read from the socket: this one may answer the first sending
        alone. A grant that follows the Pong of a later Ping was sent after that Ping.
        """
        first_ms = self.first_sent_ms if self.first_sent_ms is not None else self.latest_sent_ms
        answered_ms = max(first_ms, min(self.latest_sent_ms, asked_ms))
        self.valid_until_ms = answered_ms + GRANT_VALID_MS
        self.first_sent_ms = None
