"""What the person who runs a benchmark may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    duration_s: float = 30.0  #: of each measured load
    data: Path | None = None  #: where the clusters' directories are made; default the system's temporary one
    ports: tuple[int, int] = (26000, 27000)
    clients: int = 16
    kills: int = 10
    stops: int = 5
    inventory: int = 100_000
    staged: int = 100_000  #: jobs that are applied as one act
    starts: int = 10
    noop_jobs: int = 2_000
    process_jobs: int = 1_000
    restart_jobs: int = 43_000
    history: int = 1_000_000  #: finished runs in the state of `compaction`
    steps: int = 10_000  #: of each kind in `workflows`
    agents: int = 100  #: of the crowd of `members`
    held: int = 10_000  #: of the crowd of `agents`
    ping_ms: int = 1_000  #: of that
    rolling_jobs: int = 50  #: no-op and shell jobs each
