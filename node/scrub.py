"""The slow comparison of all rows with the peers': it finds what flipped in a state at rest (decision 0016).

Rules:

1. Who leads proposes a Compare `PERIOD_S` after the latest, its own or another's; `STRAINED_S` after it where
   its loop was away for longer than an election timeout of late: each entry may cost a leader its office
   there. Each node reads the slice that it names at exactly that entry (node/state.py) and knows where the
   next one begins, so that a new leader goes on there.
2. A node whose digest differs from a majority's is wrong (node/majority.py). Where no majority agrees nobody
   is: it is said once, and every node looks at its own file, as one that finds damage there is the wrong one.
3. The pace is the same whatever the size: 1,500 rows or 256 KiB every 10 s. A small state is compared within
   a minute, 1 GiB in 21 hours, and an idle cluster writes a log entry every 10 s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from cluster.peers import PeerInfo
from node import majority
from node.damage import DivergedError
from node.state import ReplicatedState
from scheduler.words.commands import Compare

PERIOD_S = 10.0
STRAINED_S = 60.0
LOOK_S = 1.0  #: between two comparisons of what the peers tell
TOLD = 8  #: of the latest marks and digests, in the status

log = logging.getLogger("cronclave.core")


class Scrub:
    """Of one core; `look` is called each turn."""

    def __init__(self, state: ReplicatedState, propose: Callable[[Compare], object]) -> None:
        self._state, self._propose = state, propose
        self._proposed_s = self._looked_s = 0.0
        self._seen = 0  #: of the slices compared
        self.is_disputed = False  #: some rows differ, and no majority says whose are wrong

    def look(
        self,
        now_s: float,
        peers: Callable[[], Sequence[PeerInfo]],
        *,
        leads: bool,
        is_strained: bool = False,
    ) -> None:
        """Raises DivergedError when a majority has another state than this node."""
        if self._state.slices_compared != self._seen and not leads:
            self._seen, self._proposed_s = self._state.slices_compared, now_s
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        known = peers()
        self.judge(known)
        period_s = STRAINED_S if is_strained else PERIOD_S
        if leads and known and now_s - self._proposed_s >= period_s:
            self._proposed_s = now_s
            self._propose(Compare(self._state.next_slice))

    def judge(self, peers: Sequence[PeerInfo]) -> None:
        index = majority.differs_at(self._state.marks, peers)
        if index is not None:
            raise DivergedError(f"the state of this node differs from the majority's at log index {index}")
        index = majority.differs_at(self._state.slices, peers, majority.SLICES)
        if index is not None:
            raise DivergedError(
                "rows in the state of this node differ from the majority's: the slice that was compared at"
                f" log index {index}, {self._state.slice_names.get(index, '')}"
            )
        index = majority.disputed_at(self._state.slices, peers, majority.SLICES)
        if index is not None and not self.is_disputed:
            self.is_disputed = True
            log.critical(
                "the nodes have different rows in %s (compared at log index %d), and no majority agrees:"
                " nobody can say whose are wrong. docs/guides/damage.md says what to do",
                self._state.slice_names.get(index, "the state"),
                index,
            )
            self._state.inspection.begin(
                self._state.path, suspected="peers have other rows", holds_back=False
            )

    def status(self) -> dict[str, dict[str, str]]:
        """For the peers."""
        return {
            majority.MARKS: _latest(self._state.marks),
            majority.SLICES: _latest(self._state.slices),
        }


def _latest(found: dict[int, bytes]) -> dict[str, str]:
    return {str(index): digest.hex() for index, digest in sorted(found.items())[-TOLD:]}
