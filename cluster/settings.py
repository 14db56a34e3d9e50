"""What consensus is told at start: who it is, whom it founds the cluster with, and its few numbers.

One setting, `election_timeout_s`, derives every Raft timing; a wide area network gets a larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROPOSAL_BYTES_MAX = 1 << 20
"""A larger proposal is refused: it would hold up everybody's commits."""


@dataclass(frozen=True, slots=True)
class Founder:
    """A member that the configuration names; its node uid is learned when it is first met."""

    name: str
    address: str  #: host:port of its Raft listener
    zone: str = ""
    url: str = ""  #: base URL of its API


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    cluster: str  #: uid of the cluster: the same on all members, checked in every handshake
    name: str
    uid: str  #: random uid of this node, kept in its data directory
    address: str  #: host:port under which the others reach this node
    members: Sequence[Founder]  #: founding members with this one; for a joining node: whom to ask
    journal_dir: Path
    copy_dir: Path  #: copies for and from peers
    zone: str = ""
    url: str = ""
    joining: bool = False  #: start without a vote and pull a copy of the state first
    format_min: int = 1
    format_max: int = 1
    election_timeout_s: float = 0.3
    log_bytes_max: int = 64 << 20  #: a larger log is trimmed after a checkpoint of the state
    log_entries_max: int = 100_000
    log_tail_bytes: int = 16 << 20  #: kept behind the checkpoint for followers that were away
    segment_bytes: int = 4 << 20
    queue_bytes_max: int = 64 << 20  #: proposals waiting at the leader


@dataclass(frozen=True, slots=True)
class Timings:
    """Raft's timings in seconds; the ratios are those that were measured at 0.3 s."""

    election_min_s: float
    election_max_s: float
    patience_min_s: float  #: with a leader that is silent and was never seen to stumble (cluster.patience)
    patience_max_s: float
    spread_s: float  #: between two ranks when all wait for the same silent leader
    heartbeat_s: float
    fallback_s: float  #: a leader without answers of a majority for this long steps down
    stagger_s: float  #: between two ranks when all hold an election for the same reason

    @classmethod
    def derive(cls, election_timeout_s: float) -> Timings:
        if election_timeout_s < 0.1:
            raise ValueError(
                "election_timeout must be 0.1 s or more: a garbage collection would cost the leadership"
            )
        return cls(
            election_min_s=election_timeout_s,
            election_max_s=2 * election_timeout_s,
            patience_min_s=election_timeout_s * 2 / 3,
            patience_max_s=election_timeout_s * 10 / 3,
            spread_s=election_timeout_s / 5,
            heartbeat_s=election_timeout_s / 6,
            fallback_s=election_timeout_s * 10 / 3,
            stagger_s=election_timeout_s / 3,
        )
