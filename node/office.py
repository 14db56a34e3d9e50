"""When a leader gives its office away of its own accord, and to whom.

Rules:

1. A leader whose front is silent hands over to a peer whose front lives: nobody would plan here. So does one
   whose disk is short, to a peer with room; one whose clock is wrong (node/clock.py, the planner asks); and
   one whose state is looked at because somebody met damage in it.
2. On a starved machine every front is silent for a second now and then, and an office that goes round helps
   nobody. So each office that was given up, here or on a peer, doubles the patience with the next silence,
   up to `PATIENCE_S_MAX`, until it is `CALM_S` ago (`patience_s`). A front that is dead, its connection
   broken, gets the first patience always.
3. None goes to a peer that gave the office up itself less than `REST_S` ago; for a front that is dead, or a
   state in doubt, such a peer is still better than none (`heir_of`).
4. Members know of each other's by their status: how long ago, never when, as clocks differ.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cluster.consensus import Consensus
from cluster.raft import Role
from node.bridge import FRONT_SILENCE_S
from node.front_socket import FrontSocket
from node.storage import Storage

GIVEN_UP = "given_up_ms"  #: in the status: how long ago each of the latest was
PATIENCE_S_MAX = 16.0
CALM_S = 120.0
REST_S = 30.0
GIVEN_UP_KEPT = 8
TRANSFER_PAUSE_S = 1.0
GIVING_UP_S = 5.0  #: a hand-over that came to nothing by then was none
STORAGE_PAUSE_S = 5.0

log = logging.getLogger("cronclave.core")


def patience_s(given_up_s: Sequence[float]) -> float:
    """How long a leader's front may be silent, when members gave the office up so many seconds ago."""
    recent = sum(1 for ago_s in given_up_s if ago_s < CALM_S)
    return float(min(PATIENCE_S_MAX, FRONT_SILENCE_S * 2**recent))


def heir_of(ranked: Sequence[str], given_up_s: Mapping[str, Sequence[float]], *, urgent: bool) -> str | None:
    """Of the peers that can lead, the best first, the one to hand over to; None: rather nobody."""
    rested = [name for name in ranked if all(ago_s >= REST_S for ago_s in given_up_s.get(name, ()))]
    return next(iter([*rested, *(ranked if urgent else ())]), None)


def told_ages_s(status: Mapping[str, Any]) -> list[float]:
    """What a peer tells under `GIVEN_UP`; nothing of what makes no sense."""
    told = status.get(GIVEN_UP)
    if not isinstance(told, list):
        return []
    return [age / 1000 for age in told[-GIVEN_UP_KEPT:] if type(age) is int and age >= 0]


class Office:
    """Of one core; `look` is called each turn."""

    def __init__(
        self, consensus: Consensus, front: FrontSocket, storage: Storage, *, in_doubt: Callable[[], bool]
    ) -> None:
        self._consensus, self._front, self._storage, self._in_doubt = consensus, front, storage, in_doubt
        self._given_up_s: list[float] = []  #: when this node gave it up for its front, on the monotonic clock
        self._giving_up_s: float | None = None  #: it was asked for, and this node leads still
        self.transferred_s = 0.0  #: the latest try, whoever wished it

    def ages_s(self, now_s: float) -> list[float]:
        self._given_up_s = [at_s for at_s in self._given_up_s if now_s - at_s < CALM_S][-GIVEN_UP_KEPT:]
        return [now_s - at_s for at_s in self._given_up_s]

    def status(self, now_s: float) -> list[int]:
        """For the peers, under `GIVEN_UP`."""
        return [int(age_s * 1000) for age_s in self.ages_s(now_s)]

    def hand_over(self, now_s: float, *, urgent: bool = True) -> str:
        """Raises ValueError with the reason why nobody can take over."""
        self.transferred_s = now_s
        peers = {p.name: told_ages_s(p.status) for p in self._consensus.peers()}
        heir = heir_of(self._consensus.heirs, peers, urgent=urgent)
        if heir is None:
            raise ValueError("no peer that can lead is reachable")
        self._transfer(heir)
        return heir

    def gives_up(self, now_s: float) -> None:
        """A hand-over that no person asked for is under way."""
        self.transferred_s = self._giving_up_s = now_s

    def look(self, now_s: float) -> None:
        giving_up_s = self._giving_up_s
        if self._consensus.role is not Role.LEADER:
            self._giving_up_s = None
            if giving_up_s is not None:
                self._given_up_s.append(giving_up_s)
            return
        if giving_up_s is not None and now_s - giving_up_s > GIVING_UP_S:
            self._giving_up_s = None  # nobody took it
        self._watch_front(now_s)
        self._watch_storage(now_s)

    def _watch_front(self, now_s: float) -> None:
        doubt = self._in_doubt()
        if not doubt and not self._is_silent(now_s):
            return
        if now_s - self.transferred_s <= TRANSFER_PAUSE_S:
            return
        urgent = doubt or self._front.is_dead
        with contextlib.suppress(ValueError):  # nobody else has a living front either: leading is no worse
            target = self.hand_over(now_s, urgent=urgent)
            why = "the state is looked at" if doubt else "the front is silent"
            log.warning("%s: handing leadership to %s", why, target)
            self.gives_up(now_s)

    def _is_silent(self, now_s: float) -> bool:
        """Longer than there is patience for."""
        if self._front.is_dead or self._front.lives(now_s):
            return not self._front.lives(now_s)
        ages_s = self.ages_s(now_s)
        for peer in self._consensus.peers():
            ages_s += told_ages_s(peer.status)
        return not self._front.lives(now_s, patience_s(ages_s))

    def _watch_storage(self, now_s: float) -> None:
        """A leader that is short of disk hands over to a peer that is not."""
        if not self._storage.look(now_s).low or now_s - self.transferred_s <= STORAGE_PAUSE_S:
            return
        roomy = [
            p.name
            for p in self._consensus.peers()
            if p.reachable and p.voter and p.status.get("low") is False
        ]
        self.transferred_s = now_s
        for target in roomy[:1]:
            with contextlib.suppress(ValueError):  # not caught up: again after the pause
                self._transfer(target)
                self.gives_up(now_s)
                log.warning("the disk is low: handing leadership to %s", target)

    def _transfer(self, heir: str) -> None:
        reason = self._consensus.hand_over(heir)
        if reason is not None:
            raise ValueError(reason)
