"""What breaks things: a driver for each kind of fault.

Promise: a driver says whether it can run here (`available`), breaks (`inject`), mends (`heal`), and looks
with its own eyes whether a fault is real (`verify`): before a fault counts, and after it was healed. It
never takes the word of what it drove: a cut link is tried by a message, a full disk by a write, a skewed
clock by reading it.

Drivers are synchronous and may be called from any thread, one call at a time for each driver. `inject` and
`heal` return when it is done. `heal()` mends all that this driver broke; `heal(fault)` that one alone.
Both may be called when nothing is broken.

Reading order: this file, `arsenal` (the drivers of one cluster together); links: `toxi` (the proxies, over
toxiproxy-python), `toxi_server` and `standin`, `standin_proxy`, `standin_toxics` (what serves them),
`proxied` (link faults as toxics), `policy`, `namespaces`, `switch` and `switched` (link faults as packets
dropped); then `process`, `zone`, `shim`, `disk` and `clock`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chaos.faults import Fault


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a canary saw. real: the fault is there (True), is not (False), or cannot be told now (None); an
    unknown never counts as either."""

    real: bool | None
    evidence: str


def together(seen: Sequence[Sighting]) -> Sighting:
    """What they say together: those that cannot tell (a host that is dead sends nothing back) have no
    vote, and where the others disagree it cannot be told."""
    states = {one.real for one in seen} - {None}
    if len(states) != 1:
        return Sighting(None, "; ".join(f"{one.real}: {one.evidence}" for one in seen))
    real = states.pop()
    voted = [one for one in seen if one.real is real]
    return Sighting(real, f"{len(voted)} of {len(seen)} alike, such as: {voted[0].evidence}")


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a driver cannot run here, and what to do about it."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


class NemesisError(Exception):
    """A fault could not be injected or healed: what, where, why."""


class Driver(Protocol):
    """One way to break things."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[type[Any]]:
        """The faults that it injects."""
        ...

    def available(self) -> Unavailable | None:
        """None: it can run here."""
        ...

    def inject(self, fault: Fault) -> None:
        """Break it. Raises NemesisError; nothing is half broken then."""
        ...

    def heal(self, fault: Fault | None = None) -> None:
        """Mend this fault, or all that this driver broke."""
        ...

    def verify(self, fault: Fault) -> Sighting:
        """Look whether this fault is real now."""
        ...
