"""A job as the machine and the planner read it: plain values, no pydantic, durations in milliseconds.

Made from the canonical bytes that the state stores (`scheduler.model.canonical`), the same on every node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CompiledTask:
    name: str
    work: dict[str, Any]  #: as scheduler.protocol.Assign.work
    needs: tuple[str, ...]
    rule: str  #: all_success | all_done | any_failed | any_success
    allow_failure: bool
    pool: str
    labels: tuple[tuple[str, str], ...]
    zone: str | None  #: a zone's name: only there; None: anywhere
    retry_max: int  #: retries after the first attempt
    retry_backoff: str  #: constant | exponential
    retry_first_ms: int
    retry_cap_ms: int
    timeout_ms: int | None
    grace_ms: int
    output_bytes_max: int


@dataclass(frozen=True, slots=True)
class CompiledJob:
    namespace: str
    name: str
    tasks: tuple[CompiledTask, ...]  #: in topological order, ties by name
    overlap: str  #: skip | queue_one | queue_all | cancel_running | allow
    catchup_mode: str  #: none | latest | all
    catchup_grace_ms: int
    catchup_window_ms: int
    catchup_max: int
    start_deadline_ms: int | None
    timeout_ms: int | None
    on_lost: str  #: wait | fail | retry
    idempotent: bool
    priority: int
    pause_after_failures: int | None
    retention_runs: int
    retention_age_ms: int


def compile_job(spec: bytes) -> CompiledJob:
    """The job of these canonical bytes. Raises ValueError for bytes that `canonical` did not make."""
    raise ValueError("not built yet")
