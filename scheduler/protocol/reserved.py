"""What agent and node say of ticks that the agent has in advance (docs/guides/autonomy.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reserved:
    """A tick to come that is this agent's: it is started as this attempt when its instant has come and no
    node was reached for CONTACT_MS, without a Claim. Else it goes the usual way: Assign, Claim, Grant."""

    attempt: int
    run: int
    job: str
    namespace: str
    task: str
    tick_ms: int
    due_ms: int
    work: dict[str, Any]
    timeout_ms: int | None
    grace_ms: int
    output_bytes_max: int
    fence: int
    environment: dict[str, str]  #: as Grant.environment
    before: str
    after: str
    alone: bool  #: not beside another attempt of its job
    late_ms: int  #: later than that after its instant it is not started


@dataclass(frozen=True, slots=True)
class AllReserved:
    """Once, after the Welcome: these ticks and no others are this agent's. What else it has it forgets,
    unless it has started it."""

    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AskBack:
    """Give these reserved ticks back: what has not started never will. Answered by GivenBack, or by what is
    reported of those that have."""

    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GivenBack:
    """These reserved ticks never started here, and never will: they are forgotten, on disk, before this is
    said. `reason`: empty, or overlap: the attempt `behind` went on."""

    event: int
    attempts: tuple[int, ...]
    reason: str = ""
    behind: int = 0
