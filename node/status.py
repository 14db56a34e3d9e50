"""What a core tells its front of itself, of the cluster and of the peers.

Rules: at once where what matters has changed; what costs something to look at is looked at every LOOK_S. Else
every STATUS_S while entries are applied, and every CALM_STATUS_S while none is: an idle node is quiet.
"""

from __future__ import annotations

import time
from typing import Any

from cluster.consensus import Consensus
from cluster.reactor import Reactor
from cluster.tcp import TcpLinks
from cluster.turns import BOUNDS_S
from node import bridge, majority
from node.clock import wall_base_ms
from node.config import NodeConfig
from node.damage import aside
from node.ending import Ending
from node.front_socket import FrontSocket
from node.identity import software_version
from node.scrub import Scrub
from node.state import ReplicatedState
from node.storage import Storage
from scheduler import formats
from scheduler.ticks import tzdata_version

BEHIND_MAX = 1_000  #: entries to apply; with more a node is not ready
LOOK_S = 0.1


class CoreStatus:
    """Of one core; `tell` is called each turn."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        uid: str,
        consensus: Consensus,
        state: ReplicatedState,
        storage: Storage,
        scrub: Scrub,
        ending: Ending,
        front: FrontSocket,
        reactor: Reactor,
        links: TcpLinks,
    ) -> None:
        self._config, self._uid = config, uid
        self._consensus, self._state, self._storage = consensus, state, storage
        self._scrub, self._ending, self._front = scrub, ending, front
        self._reactor, self._links = reactor, links
        self._version = software_version()
        self._states_aside = aside(config.data)
        self._started_s = time.monotonic()
        self._told: tuple[Any, ...] = ()  #: what mattered in the last one
        self._told_index = 0
        self._told_s = self._look_s = 0.0

    def hurry(self) -> None:
        """The next turn tells."""
        self._told_s = self._look_s = 0.0

    def tell(self, now_s: float) -> None:
        if not self._front.uid:
            return
        consensus, state = self._consensus, self._state.machine.state
        office = (
            consensus.role, consensus.leader, consensus.term, consensus.membership, consensus.clocks_known,
            state.epoch, state.format, state.target_format, self._ending.is_leaving,
        )  # fmt: skip
        if now_s < self._look_s and office == self._told[:-1]:
            return
        self._look_s = now_s + LOOK_S
        not_ready = self._why_not_ready()
        told = (*office, (consensus.has_quorum, not_ready, consensus.silent))
        period_s = bridge.CALM_STATUS_S if state.idx == self._told_index else bridge.STATUS_S
        if told == self._told and now_s - self._told_s < period_s:
            return
        self._told, self._told_s, self._told_index = told, now_s, state.idx
        self._front.tell(["status", self._fields(now_s, not_ready)])

    def _fields(self, now_s: float, not_ready: str) -> dict[str, Any]:
        consensus, state = self._consensus, self._state.machine.state
        space, turns = self._storage.look(now_s), self._reactor.turns
        peers = self._peers(now_s)
        ends_s = self._links.certificate_ends_s
        urls = {p["node"]: p["url"] for p in peers} | {self._config.name: self._config.url}
        return {
            "cluster": self._config.cluster,
            "node": self._config.name,
            "uid": self._uid,
            "restores": state.restores,
            "zone": self._config.zone,
            "state": self._state_word(),
            "leader": consensus.leader,
            "leader_url": urls.get(consensus.leader) if consensus.leader else None,
            "term": consensus.term,
            "epoch": state.epoch,
            "index": state.idx,
            "commit_lag_ms": consensus.leader_silent_ms,
            "quorum": consensus.has_quorum,
            "ready": not not_ready,
            "not_ready": not_ready,
            "states_aside": self._states_aside,
            "state_disputed": self._scrub.is_disputed,
            "slices_compared": self._state.slices_compared,
            "rounds_compared": self._state.rounds_compared,
            "state_hash": state.hash.hex(),
            "ledger_head": state.ledger_head.hex(),
            "format": state.format,
            "format_target": state.target_format,
            "format_min": formats.oldest(),
            "format_max": formats.newest(),
            "version": self._version,
            "tzdata": state.tzdata,
            "tzdata_installed": tzdata_version(),
            "free_bytes": space.free_bytes,
            "storage_low": majority.is_storage_low(space.low, consensus.peers()),
            "wal_bytes": self._state.wal_bytes(),
            "log_bytes": consensus.log_bytes,
            "log_entries": len(consensus.log),
            "wall_base_ms": wall_base_ms(),
            "turns": turns.counts,
            "turn_bounds_s": BOUNDS_S,
            "turns_s": turns.total_s,
            "work": self._reactor.work.counts,
            "work_s": self._reactor.work.total_s,
            "longest_turn_ms": int(turns.longest_s(now_s) * 1000),
            "address": str(self._config.raft_address),
            "url": self._config.url,
            "certificates": {} if ends_s is None else {"raft": int(ends_s * 1000)},
            "peers": peers,
        }

    def _peers(self, now_s: float) -> list[dict[str, Any]]:
        return [
            {
                "node": p.name,
                "zone": p.zone,
                "address": p.address,
                "url": p.url,
                "reachable": p.reachable,
                "voter": p.voter,
                "match": p.match,
                "silent_ms": int(now_s * 1000 - self._started_s * 1000)
                if p.silent_ms is None
                else p.silent_ms,
                "clock_offset_ms": p.offset_ms,
                "free_bytes": p.status.get("free_bytes"),
                "tzdata": p.status.get("tzdata"),
                "format_min": p.format_min,
                "format_max": p.format_max,
            }
            for p in self._consensus.peers()
        ]

    def _why_not_ready(self) -> str:
        """Empty: the node is ready."""
        consensus = self._consensus
        behind = consensus.commit - consensus.applied.index
        reasons = [
            (not consensus.has_quorum, "no quorum: no leader is heard, or no majority answers"),
            (consensus.is_joining, "it has no state or no vote yet"),
            (self._state.inspection.holds_back, "its state is looked at for damage"),
            (behind >= BEHIND_MAX, "it has not caught up with the log"),
            (self._ending.is_leaving, "it is ending"),
        ]
        return next((reason for holds, reason in reasons if holds), "")

    def _state_word(self) -> str:
        if self._ending.is_leaving:
            return "stopping"
        return "joining" if self._consensus.is_joining else self._consensus.role.value
