"""What a majority of the voters says of this node: that its state or rows are others, that disks are short.

Rules: only voters count, this node among them; who says nothing, or something that is not understood, agrees
with nobody. Without a majority that agrees nobody is wrong: of two halves either may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cluster.peers import PeerInfo

MARKS = "marks"
SLICES = "slices"
LOW = "low"


def differs_at(own: Mapping[int, bytes], peers: Sequence[PeerInfo], what: str = MARKS) -> int | None:
    """A log index at which a majority has another hash of the state than this node, or another digest of a
    slice of its rows; None: there is none that both sides know."""
    voters = [peer for peer in peers if peer.voter]
    told = [marks for peer in voters if isinstance(marks := peer.status.get(what), Mapping)]
    for index, mark in own.items():
        others = Counter(said for marks in told if isinstance(said := marks.get(str(index)), str))
        others.pop(mark.hex(), None)
        if any(_is_majority(count, voters) for count in others.values()):
            return index
    return None


def disputed_at(own: Mapping[int, bytes], peers: Sequence[PeerInfo], what: str) -> int | None:
    """A log index at which the voters differ and no majority agrees, once all that answer have told."""
    voters = [peer for peer in peers if peer.voter]
    answering = [peer.status.get(what) for peer in voters if peer.reachable]
    for index, mark in own.items():
        said = [told.get(str(index)) for told in answering if isinstance(told, Mapping)]
        values = Counter([mark.hex(), *(each for each in said if isinstance(each, str))])
        is_complete = values.total() == len(answering) + 1
        if is_complete and len(values) > 1 and not _is_majority(max(values.values()), voters):
            return index
    return None


def has_applied(index: int, peers: Sequence[PeerInfo]) -> bool:
    """Whether a majority has applied this log index, which this node has not."""
    voters = [peer for peer in peers if peer.voter]
    return _is_majority(sum(peer.applied >= index for peer in voters), voters)


def is_storage_low(own_low: bool, peers: Sequence[PeerInfo]) -> bool:
    """Whether a majority is short of disk."""
    voters = [peer for peer in peers if peer.voter]
    return _is_majority(own_low + sum(peer.status.get(LOW) is True for peer in voters), voters)


def _is_majority(count: int, voters: Sequence[PeerInfo]) -> bool:
    return 2 * count > len(voters) + 1
