"""Proposals on their way into the log: forwarded by a follower, stamped and joined to entries by the leader.

Rules:
1. Nothing here is promised: a change of the leader drops what waits, and whoever proposed sends again.
2. The first regular entry of a leadership is what `on_lead` returns. Nothing that was queued or forwarded
   before comes in front of it.
3. A stamp is never below the one before it, nor below any that this log holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from cluster.batcher import Batcher, pack_entry, unpack_entry
from cluster.journal import LogEntry
from cluster.library import REGULAR
from cluster.raft import Raft, Role
from cluster.settings import PROPOSAL_BYTES_MAX
from cluster.wire import Message

FORWARD_BYTES_MAX = 4 << 20  #: of proposals in one frame to the leader


def held(log: Sequence[LogEntry], applied: int, term: int) -> set[bytes]:
    """The proposals in entries of this log, of that term and after `applied`."""
    found: set[bytes] = set()
    for data, index, entered in reversed(log):
        if index <= applied or entered != term:
            break
        if data[0] == REGULAR:
            found.update(unpack_entry(data[1:])[1])
    return found


class Intake:
    def __init__(
        self,
        raft: Raft,
        *,
        name: str,
        queue_bytes_max: int,
        stamp_ms: int,
        wall_ms: Callable[[], int],
        on_lead: Callable[[], bytes | None],
        send: Callable[[str, Message], bool],
    ) -> None:
        self._raft, self._me = raft, name
        self._wall_ms, self._on_lead, self._send = wall_ms, on_lead, send
        self._batcher = Batcher(queue_bytes_max)
        self._stamp_ms = stamp_ms
        self._forward: list[bytes] = []
        self._forward_bytes = 0
        self._forward_hurries = False
        self._lead_due = False

    def propose(self, proposal: bytes, now: float, *, can_wait: bool = False) -> bool:
        """False: no leader is known, or too much waits; nothing was queued. Raises ValueError for one over
        1 MiB."""
        if len(proposal) > PROPOSAL_BYTES_MAX:
            raise ValueError(f"a proposal of {len(proposal)} bytes; {PROPOSAL_BYTES_MAX} at most")
        if self._raft.role() is Role.LEADER:
            return self._batcher.add(proposal, now, can_wait=can_wait)
        if self._raft.leader() is None or self._forward_bytes + len(proposal) > FORWARD_BYTES_MAX:
            return False
        self._forward.append(proposal)
        self._forward_bytes += len(proposal)
        self._forward_hurries = self._forward_hurries or not can_wait
        return True

    def take(self, proposals: list[bytes], now: float, *, can_wait: bool) -> None:
        """What a follower forwarded."""
        if self._raft.role() is Role.LEADER:
            for proposal in proposals:
                if 0 < len(proposal) <= PROPOSAL_BYTES_MAX:
                    self._batcher.add(proposal, now, can_wait=can_wait)

    def became(self, role: Role) -> None:
        self._lead_due = role is Role.LEADER
        self._batcher.clear()

    def lead(self, applied_stamp_ms: int) -> None:
        """At the start of a leadership: its first entry."""
        if not self._lead_due or self._raft.role() is not Role.LEADER:
            return
        self._lead_due = False
        self._stamp_ms = max(self._stamp_ms, applied_stamp_ms)
        regular = (data for data, _, _ in reversed(self._raft.log.journal.entries) if data[0] == REGULAR)
        for data in islice(regular, 1):
            self._stamp_ms = max(self._stamp_ms, unpack_entry(data[1:])[0])
        proposal = self._on_lead()
        if proposal is not None:
            self._append([proposal])
            self._raft.replicate()

    def forward(self) -> None:
        """Send the leader what was proposed here."""
        if not self._forward:
            return
        proposals, self._forward = self._forward, []
        self._forward_bytes = 0
        can_wait, self._forward_hurries = not self._forward_hurries, False
        leader = self._raft.leader()
        if leader is not None and leader != self._me:
            self._send(leader, {"type": "propose", "proposals": proposals, "can_wait": can_wait})

    def append(self, now: float) -> bool:
        """Leader: the batches that are due become entries, and leave. Whether there were any."""
        if self._raft.role() is not Role.LEADER:
            return False
        appended = False
        while self._batcher.due_in_s(now, idle=self._is_idle() and not appended) == 0.0:
            self._append(self._batcher.take())
            appended = True
        if appended:
            self._raft.replicate()
        return appended

    def due_in_s(self, now: float, *, paused: bool) -> float | None:
        """Seconds until there is something to do here."""
        if self._lead_due or self._forward:
            return 0.0
        if self._raft.role() is not Role.LEADER or paused:
            return None
        return self._batcher.due_in_s(now, idle=self._is_idle())

    def _is_idle(self) -> bool:
        return self._raft.commit() >= self._raft.last_index()

    def _append(self, proposals: list[bytes]) -> None:
        self._stamp_ms = max(self._stamp_ms, self._wall_ms())
        self._raft.append(bytes([REGULAR]) + pack_entry(self._stamp_ms, proposals))
