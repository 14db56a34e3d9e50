"""What a member knows of the others beside their membership: reachable, silent since, clock offset,
their own words.

Rules for clocks:
1. A peer's wall clock is kept against this node's monotonic clock, so a step of this node's own wall clock
   shows in all offsets at once, and not with the next word of the peers.
2. The clock of a peer that died is still a witness: clocks drift by milliseconds an hour.
3. Both clocks are known one round trip after both connections are up, before the first plan of an office:
   who has not heard a peer says so (`echo_ms` 0) and is answered at once, and a peer that has had no echo
   since our connection came up gets one for its next word. The first word often finds only one direction up:
   its answer could not leave, and waiting for the next second's word would hold a new office back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from cluster.membership import Membership
from cluster.wire import Hello, Message

STATUS_PERIOD_S = 1.0
ROUND_TRIP_MS_MAX = 1_000  #: a slower one says nothing of the clock
CLOCK_KEPT_S = 10.0  #: so long a quick word counts more than a slower, newer one
CLOCK_MEMORY_S = 600.0  #: an older word of a clock says nothing
DEVIATION_MS_MAX = 1_000  #: from the median of all clocks; beyond, a clock is wrong
_SENT_KEPT = 8  #: of the latest own words, to know when an echo left


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """Another member, as this node sees it."""

    name: str
    uid: str | None
    address: str
    zone: str
    url: str
    voter: bool
    reachable: bool  #: our connection to it is up and it was heard within 3 s
    silent_ms: int | None  #: since its last frame
    offset_ms: int | None  #: its wall clock minus ours; None when unknown
    match: int  #: log index known to be on it; leader only, else 0
    applied: int  #: log index that it had applied, by its last status
    refusal: str | None  #: why the two do not talk
    format_min: int
    format_max: int
    status: Mapping[str, Any]  #: what its owner told by `local_status`


@dataclass(slots=True)
class Peer:
    heard: float | None = None
    their_sent_ms: int = 0
    received_at: float = 0.0
    sent_at: dict[int, float] = field(default_factory=dict)  #: by the wall clock that the word told
    has_echo: bool = False  #: one of its words was answered since our connection came up
    clock_ms: float = 0.0  #: its wall clock minus our monotonic one
    clock_at: float | None = None  #: when that was learned
    round_trip_ms: float = 0.0  #: of the word that told it: it may be wrong by half of this
    applied: int = 0
    pulls: int | None = None
    connected: bool = False
    hello: Hello | None = None
    refusal: str | None = None
    status: dict[str, Any] = field(default_factory=dict)


class Peers:
    def __init__(self, clock: Callable[[], float], wall_ms: Callable[[], int]) -> None:
        self._clock, self._wall_ms = clock, wall_ms
        self._peers: dict[str, Peer] = {}

    def get(self, name: str) -> Peer:
        return self._peers.get(name) or Peer()

    def keep(self, names: Iterable[str]) -> None:
        """Exactly these from now on."""
        self._peers = {name: self.get(name) for name in sorted(names)}

    def connected(self, hello: Hello) -> None:
        peer = self._peers.get(hello.name)
        if peer is not None:
            peer.their_sent_ms = 0  # whatever it said was to another connection, and maybe by another clock
            peer.has_echo = False
            peer.connected, peer.hello, peer.refusal, peer.heard = True, hello, None, self._clock()

    def disconnected(self, name: str) -> None:
        self.get(name).connected = False

    def refused(self, name: str, reason: str) -> None:
        self.get(name).refusal = reason

    def heard(self, name: str) -> None:
        self.get(name).heard = self._clock()

    def reachable(self) -> list[str]:
        """Names to which our connection is up."""
        return [name for name, peer in self._peers.items() if peer.connected]

    def silent(self, for_s: float) -> tuple[str, ...]:
        """Names that are not connected, or were not heard for so long."""
        since = self._clock() - for_s
        return tuple(
            name for name, peer in self._peers.items()
            if not peer.connected or peer.heard is None or peer.heard <= since
        )  # fmt: skip

    def pulled_index(self) -> int | None:
        """The lowest log index of the copies that connected peers say they are pulling."""
        indices = [p.pulls for p in self._peers.values() if p.connected and p.pulls is not None]
        return min(indices, default=None)

    def met(self) -> dict[str, str]:
        """Node uids of the names that are connected now."""
        return {n: p.hello.uid for n, p in self._peers.items() if p.connected and p.hello is not None}

    def status_message(self, name: str, status: dict[str, Any]) -> Message:
        """This node's word to a connected peer, with the stamps that show it our clock."""
        peer, now, wall_ms = self.get(name), self._clock(), self._wall_ms()
        peer.has_echo = peer.has_echo or peer.their_sent_ms > 0
        kept = list(peer.sent_at.items())[1 - _SENT_KEPT :]
        peer.sent_at = {**dict(kept), wall_ms: now}
        return {
            "type": "status",
            "sent_ms": wall_ms,
            "echo_ms": peer.their_sent_ms,
            "hold_ms": int((now - peer.received_at) * 1000) if peer.their_sent_ms else 0,
            "status": status,
        }

    def take_status(self, name: str, message: Message) -> bool:
        """A peer's word; whether it wants to be answered at once, and can be."""
        peer, now = self.get(name), self._clock()
        peer.their_sent_ms, peer.received_at = message["sent_ms"], now
        owner = message["status"].get("owner")
        peer.status = owner if isinstance(owner, dict) else {}
        applied = message["status"].get("applied")
        peer.applied = applied if type(applied) is int else 0
        pulls = message["status"].get("pulls")
        peer.pulls = pulls if type(pulls) is int else None
        sent_at = peer.sent_at.get(message["echo_ms"])
        if sent_at is not None:
            # Cristian's algorithm: half of the way there and back, without the time that the peer held it.
            round_trip_ms = (now - sent_at) * 1000 - message["hold_ms"]
            if -1 <= round_trip_ms < ROUND_TRIP_MS_MAX:  # it rounds its part
                self._learn_clock(peer, message["sent_ms"] + round_trip_ms / 2 - now * 1000, round_trip_ms)
        return peer.connected and (not message["echo_ms"] or not peer.has_echo)

    def _learn_clock(self, peer: Peer, clock_ms: float, round_trip_ms: float) -> None:
        """The quickest word of late tells best, until the clock is seen to have stepped."""
        now = self._clock()
        is_old = peer.clock_at is None or now - peer.clock_at > CLOCK_KEPT_S
        has_stepped = abs(clock_ms - peer.clock_ms) > round_trip_ms + peer.round_trip_ms + 2
        if is_old or has_stepped or round_trip_ms <= peer.round_trip_ms:
            peer.clock_ms, peer.clock_at, peer.round_trip_ms = clock_ms, now, round_trip_ms

    def offset_ms(self, name: str) -> int | None:
        """A peer's wall clock minus ours, now."""
        peer, now = self.get(name), self._clock()
        if peer.clock_at is None or now - peer.clock_at > CLOCK_MEMORY_S:
            return None
        return round(peer.clock_ms + now * 1000 - self._wall_ms())

    def clocks_known(self) -> int:
        """How many peers told their clock to this life of the node."""
        return sum(1 for peer in self._peers.values() if peer.clock_at is not None)

    def correction_ms(self, voters: Iterable[str]) -> int:
        """What to add to our wall clock where it is wrong: more than a second from the median of all voters'
        clocks. Of two clocks nobody can say which is wrong: 0."""
        offsets = [o for name in voters if (o := self.offset_ms(name)) is not None]
        deviation_ms = median([0, *offsets]) if len(offsets) > 1 else 0
        return round(deviation_ms) if abs(deviation_ms) > DEVIATION_MS_MAX else 0

    def right_wall_ms(self, voters: Iterable[str]) -> int:
        """The time for a leader's entries. A wall clock that the others show to be wrong is put right: stamps
        that ran ahead would stand still until the true time has come."""
        return self._wall_ms() + self.correction_ms(voters)

    def infos(self, membership: Membership, match: Callable[[str], int]) -> list[PeerInfo]:
        """The other members, by name."""
        now = self._clock()
        infos = []
        for member in membership.members:
            if member.name not in self._peers:
                continue
            peer = self._peers[member.name]
            silent_s = None if peer.heard is None else now - peer.heard
            infos.append(
                PeerInfo(
                    name=member.name,
                    uid=member.uid,
                    address=member.address,
                    zone=member.zone,
                    url=member.url,
                    voter=member.voter,
                    reachable=peer.connected and silent_s is not None and silent_s < 3 * STATUS_PERIOD_S,
                    silent_ms=None if silent_s is None else int(silent_s * 1000),
                    offset_ms=self.offset_ms(member.name),
                    match=match(member.name),
                    applied=peer.applied,
                    refusal=peer.refusal,
                    format_min=peer.hello.format_min if peer.hello else 0,
                    format_max=peer.hello.format_max if peer.hello else 0,
                    status=peer.status,
                )
            )
        return infos
