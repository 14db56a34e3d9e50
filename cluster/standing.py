"""How a member stands, as its owner reads it: after any turn, at any moment, and nothing changes by it."""

from __future__ import annotations

from collections.abc import Callable

from cluster.changes import Changes
from cluster.exchange import Exchange
from cluster.journal import Journal, LogEntry
from cluster.machine import Position
from cluster.membership import Membership
from cluster.peers import STATUS_PERIOD_S, PeerInfo, Peers
from cluster.progress import Progress
from cluster.raft import Raft, Role
from cluster.roster import Roster
from cluster.settings import ClusterSettings, Timings


class Standing:
    """Of the parts that cluster.consensus puts together."""

    settings: ClusterSettings
    _clock: Callable[[], float]
    _timings: Timings
    _journal: Journal
    _raft: Raft
    _peers: Peers
    _roster: Roster
    _progress: Progress
    _changes: Changes
    _exchange: Exchange

    @property
    def role(self) -> Role:
        return self._raft.role()

    @property
    def is_joining(self) -> bool:
        """No vote yet, or no state yet."""
        return self._exchange.pulls or self.settings.name not in self._roster.current.voters

    @property
    def leader(self) -> str | None:
        return self._raft.leader()

    @property
    def term(self) -> int:
        return self._raft.term()

    @property
    def commit(self) -> int:
        return self._raft.commit()

    @property
    def applied(self) -> Position:
        return self._progress.position

    @property
    def log_bytes(self) -> int:
        return self._journal.size_bytes

    @property
    def last_index(self) -> int:
        return self._raft.last_index()

    @property
    def log(self) -> list[LogEntry]:
        """The log in memory, to look at."""
        return self._journal.entries

    @property
    def membership(self) -> Membership:
        return self._roster.current

    @property
    def committed_membership(self) -> Membership:
        return self._roster.committed

    @property
    def has_quorum(self) -> bool:
        """Leads with answers of a majority within the fallback time, or follows a leader heard of late."""
        if self.role is Role.LEADER:
            return self._changes.would_go_on(self._roster.current)
        heard_s = self._raft.elections.contact
        return self.leader is not None and self._clock() - heard_s <= self._timings.election_max_s

    @property
    def leader_silent_ms(self) -> int | None:
        """Age of the newest word of a leader, and so of the commit index here; None until one was heard."""
        return 0 if self.role is Role.LEADER else self._raft.elections.silent_ms

    @property
    def former_silent_ms(self) -> int | None:
        """The same of a leader other than this member: for one that has just taken over."""
        return self._raft.elections.silent_ms

    def peers(self) -> list[PeerInfo]:
        """All other members by name."""
        return self._peers.infos(
            self._roster.current, lambda name: self._raft.match(name) if self.role is Role.LEADER else 0
        )

    @property
    def silent(self) -> tuple[str, ...]:
        """Of the other members those without a connection, or not heard: whom heartbeats go to for five."""
        leads = self.role is Role.LEADER
        return self._peers.silent(5 * self._timings.heartbeat_s if leads else 3 * STATUS_PERIOD_S)

    @property
    def heirs(self) -> list[str]:
        """Leader: who could take over, the best first: they answer, and may lead by what they tell."""
        return self._changes.heirs()

    @property
    def clocks_known(self) -> int:
        """How many peers told their clock."""
        return self._peers.clocks_known()
