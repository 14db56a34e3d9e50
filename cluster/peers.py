"""What a member knows of the others beside their membership: reachable, silent since, clock offset,
their own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.membership import Membership
from cluster.wire import Hello, Message

STATUS_PERIOD_S = 1.0
ROUND_TRIP_MS_MAX = 1_000  #: a slower one says nothing of the clock


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
    offset_ms: int | None  #: its wall clock minus ours
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
    offset_ms: int | None = None
    applied: int = 0
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

    def met(self) -> dict[str, str]:
        """Node uids of the names that are connected now."""
        return {n: p.hello.uid for n, p in self._peers.items() if p.connected and p.hello is not None}

    def status_messages(self, status: dict[str, Any]) -> Iterable[tuple[str, Message]]:
        """This node's word to each connected peer, with the stamps that show it our clock."""
        for name in self.reachable():
            peer = self._peers[name]
            hold_ms = int((self._clock() - peer.received_at) * 1000) if peer.their_sent_ms else 0
            message = {
                "type": "status",
                "sent_ms": self._wall_ms(),
                "echo_ms": peer.their_sent_ms,
                "hold_ms": hold_ms,
                "status": status,
            }
            yield name, message

    def take_status(self, name: str, message: Message) -> None:
        peer = self.get(name)
        now_ms = self._wall_ms()
        peer.their_sent_ms, peer.received_at = message["sent_ms"], self._clock()
        owner = message["status"].get("owner")
        peer.status = owner if isinstance(owner, dict) else {}
        applied = message["status"].get("applied")
        peer.applied = applied if type(applied) is int else 0
        if message["echo_ms"]:
            # Cristian's algorithm: half of the way there and back, without the time that the peer held it.
            round_trip_ms = now_ms - message["echo_ms"] - message["hold_ms"]
            if 0 <= round_trip_ms < ROUND_TRIP_MS_MAX:
                peer.offset_ms = message["sent_ms"] + round_trip_ms // 2 - now_ms

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
                    offset_ms=peer.offset_ms,
                    match=match(member.name),
                    applied=peer.applied,
                    refusal=peer.refusal,
                    format_min=peer.hello.format_min if peer.hello else 0,
                    format_max=peer.hello.format_max if peer.hello else 0,
                    status=peer.status,
                )
            )
        return infos
