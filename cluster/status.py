"""This node's own word to its peers, and what it takes of theirs.

Rules: every connected peer gets it once a second, and at once when a connection or an office is new; a peer
that asks for an echo is answered at once (cluster.peers). A peer that is behind may not know who came since,
and takes nobody's own word for it: it is told who belongs by those that it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster.exchange import Exchange
from cluster.peers import STATUS_PERIOD_S, Peers
from cluster.progress import Progress
from cluster.roster import Roster
from cluster.wire import Message


class Statuses:
    def __init__(
        self,
        *,
        peers: Peers,
        roster: Roster,
        progress: Progress,
        exchange: Exchange,
        owner: Callable[[], dict[str, Any]],
        clock: Callable[[], float],
        send: Callable[[str, Message], bool],
        refresh: Callable[[], None],
    ) -> None:
        """`owner`: what the owner adds to this node's word."""
        self._peers, self._roster, self._progress, self._exchange = peers, roster, progress, exchange
        self._owner, self._clock, self._send, self._refresh = owner, clock, send, refresh
        self.due_s = clock()  #: when the next is due, on the clock

    def hurry(self, delay_s: float = 0.0) -> None:
        self.due_s = min(self.due_s, self._clock() + delay_s)

    def tell_all(self, now: float) -> None:
        self.due_s = now + STATUS_PERIOD_S
        status = self._own()
        for name in self._peers.reachable():
            self._tell(name, status)

    def received(self, peer: str, message: Message) -> None:
        if self._peers.take_status(peer, message):
            self._tell(peer, self._own())
        members = message["status"].get("members")
        if type(members) is bytes and self._peers.get(peer).applied > self._progress.position.index:
            self._roster.tell(peer, members)
            self._refresh()

    def _tell(self, name: str, status: dict[str, Any]) -> None:
        if self._peers.get(name).applied < self._progress.position.index:
            status = {**status, "members": self._roster.committed_bytes}
        self._send(name, self._peers.status_message(name, status))

    def _own(self) -> dict[str, Any]:
        status = {"applied": self._progress.position.index, "owner": self._owner()}
        if self._exchange.pulls:
            status["pulls"] = self._exchange.pulled_index
        return status
