"""The end of a node in good order, step by step (rule 6 of node/core.py). It decides; the core acts.

Rules: leadership goes first, while the front still plans; then the front sends its agents away, while
proposals are still taken; then the node ends. From the first moment on it takes no office any more, and
tells so: nodes that end together hand over to one that stays. Each step has a limit. A hand-over that came to
nothing is tried again; where nobody can take over, ending costs the others an election at most.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from cluster.consensus import Consensus
from cluster.raft import Role

log = logging.getLogger("cronclave.core")

HAND_OVER_S = 3.0  #: a node that ends leads no longer than this
FRONT_LEAVES_S = 4.0  #: its front has so long to send the agents away and to end what it answers
AGAIN_S = 1.0
NOBODY_S = 0.5  #: without anybody to hand over to; a leader that is new has not heard everybody yet


class Ending:
    """Nothing until `begin`; from then on the owner calls `step` every turn until it is done."""

    def __init__(
        self, consensus: Consensus, *, hand_over: Callable[[], str], dismiss: Callable[[], None]
    ) -> None:
        """`hand_over` gives leadership to the best peer or raises ValueError; `dismiss` has the front
        leave."""
        self._consensus, self._hand_over, self._dismiss = consensus, hand_over, dismiss
        self._began_s: float | None = None
        self._transferred_s: float | None = None
        self._heir = ""
        self._nobody_s: float | None = None
        self._dismissed_s: float | None = None

    @property
    def has_begun(self) -> bool:
        return self._began_s is not None

    @property
    def is_leaving(self) -> bool:
        """It has begun, and the front plans no more."""
        return self.has_begun and (self._dismissed_s is not None or self._consensus.role is not Role.LEADER)

    def begin(self) -> None:
        if self._began_s is None:
            self._began_s = time.monotonic()
            self._consensus.retire()

    def step(self, now_s: float, *, front_is_there: bool) -> bool:
        """Whether the node may end now."""
        if self._began_s is None:
            return False
        if self._dismissed_s is None:
            if now_s - self._began_s < HAND_OVER_S and self._still_leads(now_s):
                return False
            self._dismissed_s = now_s
            self._dismiss()
        return not front_is_there or now_s - self._dismissed_s > FRONT_LEAVES_S

    def _still_leads(self, now_s: float) -> bool:
        """Leads, or handed over and does not know yet who leads instead."""
        if self._consensus.role is not Role.LEADER:
            return self._transferred_s is not None and self._consensus.leader is None
        is_under_way = (
            self._transferred_s is not None
            and now_s - self._transferred_s <= AGAIN_S
            and self._consensus.may_take_over(self._heir)
        )
        if is_under_way:
            return True
        try:
            self._heir = self._hand_over()
        except ValueError as error:
            self._nobody_s = self._nobody_s or now_s
            if now_s - self._nobody_s < NOBODY_S:
                return True
            log.warning("this node ends and nobody takes over: %s", error)
            return False
        log.info("this node ends: handing leadership to %s", self._heir)
        self._transferred_s, self._nobody_s = now_s, None
        return True
