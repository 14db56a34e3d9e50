"""What an effect is given, and what it answers.

An effect's part: say the parcel to the world outside within SEND_S, and return only when that has it. It may
be given the same parcel again, by another process on another machine too, so it hands `id` on: whoever
receives can tell by it. It keeps nothing between two parcels that a restart would lose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from outside.unsent import UnsentError

__all__ = ["SEND_S", "Effect", "Parcel", "UnsentError"]

SEND_S = 15.0  #: after this the runner ends a try, whatever it waits for


@dataclass(frozen=True, slots=True)
class Parcel:
    id: str  #: the same at each try, in every leadership and after a restore
    target: str
    about: str  #: what happened, in a word
    cluster: str
    created_ms: int
    facts: dict[str, Any]  #: the payload; the same at each try
    channel: str = ""  #: namespace/name that it goes by; empty: its job says where it goes


class Effect(Protocol):
    @property
    def kind(self) -> str:
        """As the outbox names it."""

    async def send(self, parcel: Parcel, /) -> None:
        """Returns when the world outside has it. Raises UnsentError."""
