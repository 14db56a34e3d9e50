"""Every fault as a frozen record: what is broken, by name. A plan stores them; a driver injects them.

Rules:
1. Targets are concrete: names of hosts ("node-1", "agent-2", "client") and zones. Who the leader is when a
   plan says "leader" is decided by whoever runs the plan, before the record is made.
2. A link has two directions. A pair (a, b) is what a sends to b. Both ways are two pairs.
3. A record can be written as JSON and read again: `to_json`, `from_json`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

CLIENT = "client"  #: the host that the harness's own requests come from
Pair: TypeAlias = tuple[str, str]  #: who sends, who should receive


# -- links


@dataclass(frozen=True, slots=True)
class Cut:
    """Nothing that the first sends reaches the second, and nobody is told."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Slow:
    """What is sent arrives later."""

    pairs: tuple[Pair, ...]
    delay_ms: int
    jitter_ms: int = 0


@dataclass(frozen=True, slots=True)
class Lossy:
    """Packets are lost or arrive twice, by chance (switch only)."""

    pairs: tuple[Pair, ...]
    loss: float = 0.0
    duplicate: float = 0.0


@dataclass(frozen=True, slots=True)
class Narrow:
    """Only so much passes in a second."""

    pairs: tuple[Pair, ...]
    kilobytes_per_s: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Connections are closed, new ones refused: who dials notices at once (toxiproxy only)."""

    pairs: tuple[Pair, ...]


# -- processes. "node-1" is all of that node, "node-1/core" and "node-1/front" a part; "agent-1" is the
# agent without its spooler and running work, "agent-1/spooler" the spooler, "agent-1/host" all that a
# reboot ends.


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL; stays away until healed, then starts again on its old disk."""

    processes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """SIGSTOP until healed."""

    processes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RollingRestart:
    """Each node or agent in turn is asked to end, ends, and is back before the next."""

    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ZoneLoss:
    """Nodes, agents and work of these zones vanish: packets first, then processes. They come back with old
    disks."""

    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ZoneFlap:
    """All links of the zone to other zones are cut and mended again and again, half a period each."""

    zone: str
    period_ms: int = 2_000


# -- disks


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The node's file system has only so much left."""

    node: str
    left_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SyncError:
    """fsync and fdatasync of the node's core fail with EIO."""

    node: str


@dataclass(frozen=True, slots=True)
class TornTail:
    """The node is killed; behind the end of its newest journal segment stands what a power cut leaves of a
    write that was never synced: zeros (the file had grown), or other bytes. What was synced stays: nobody may
    forget that. Healing starts it again; the bytes stay, since it is the node that must cut them."""

    node: str
    tail_bytes: int
    garble: bool = False


# -- clocks


@dataclass(frozen=True, slots=True)
class ClockSkew:
    """The node's wall clock differs by so much; its monotonic clock does not."""

    node: str
    skew_ms: int


LinkFault: TypeAlias = Cut | Slow | Lossy | Narrow | Refused
ProcessFault: TypeAlias = Kill | Pause | RollingRestart
ZoneFault: TypeAlias = ZoneLoss | ZoneFlap
DiskFault: TypeAlias = DiskFull | SyncError | TornTail
Fault: TypeAlias = LinkFault | ProcessFault | ZoneFault | DiskFault | ClockSkew

KINDS: dict[str, type[Any]] = {
    "cut": Cut,
    "slow": Slow,
    "lossy": Lossy,
    "narrow": Narrow,
    "refused": Refused,
    "kill": Kill,
    "pause": Pause,
    "rolling-restart": RollingRestart,
    "zone-loss": ZoneLoss,
    "zone-flap": ZoneFlap,
    "disk-full": DiskFull,
    "sync-error": SyncError,
    "torn-tail": TornTail,
    "clock-skew": ClockSkew,
}
_NAMES = {made: name for name, made in KINDS.items()}


def kind(fault: Fault) -> str:
    """The word for this kind of fault in plans, histories and reports."""
    return _NAMES[type(fault)]


def to_json(fault: Fault) -> dict[str, Any]:
    """The record as plain values, its kind among them."""
    return {"kind": kind(fault), **dataclasses.asdict(fault)}


def from_json(record: dict[str, Any]) -> Fault:
    """The fault of these plain values; raises ValueError, which names what is wrong."""
    rest = dict(record)
    name = rest.pop("kind", None)
    if name not in KINDS:
        raise ValueError(f"fault: kind {name!r} is unknown; known are {', '.join(KINDS)}")
    made = KINDS[name]
    known = {field.name for field in dataclasses.fields(made)}
    for key in rest:
        if key not in known:
            raise ValueError(f"fault {name}: unknown field {key!r}; known are {', '.join(sorted(known))}")
    values = {key: _frozen(value) for key, value in rest.items()}
    try:
        fault: Fault = made(**values)
    except TypeError as error:
        raise ValueError(f"fault {name}: {error}") from None
    return fault


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


# -- pairs


def one_way(senders: Iterable[str], receivers: Iterable[str]) -> tuple[Pair, ...]:
    """What these hosts send to those."""
    there = list(receivers)
    return tuple((a, b) for a in senders for b in there if a != b)


def both_ways(some: Iterable[str], others: Iterable[str]) -> tuple[Pair, ...]:
    """All between these hosts and those."""
    here, there = list(some), list(others)
    return one_way(here, there) + one_way(there, here)
