"""What each process of a task may have of its host."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from scheduler.model.fields import DurationMs, Model, SizeBytes
from scheduler.model.problems import Refused
from scheduler.model.quantities import format_size

MEMORY_MIN_BYTES, MEMORY_MAX_BYTES = 1 << 20, 1 << 50
CPU_TIME_MIN_MS, CPU_TIME_MAX_MS = 1_000, 366 * 86_400_000
OPEN_FILES_MIN, OPEN_FILES_MAX = 16, 1 << 20


def _memory(value: int | None) -> int | None:
    if value is not None and not MEMORY_MIN_BYTES <= value <= MEMORY_MAX_BYTES:
        least, most = format_size(MEMORY_MIN_BYTES), format_size(MEMORY_MAX_BYTES)
        raise Refused(f"memory is limited to {least} at least, {most} at most", "such as 2GiB")
    return value


def _cpu_time(value: int | None) -> int | None:
    if value is not None and not CPU_TIME_MIN_MS <= value <= CPU_TIME_MAX_MS:
        raise Refused("cpu_time is limited to 1s at least, 366d at most", "such as 10m")
    return value


class Limits(Model):
    memory_bytes: Annotated[
        SizeBytes | None,
        AfterValidator(_memory),
        Field(alias="memory", description="that a process may write to, but for what it shares"),
    ] = None
    cpu_time_ms: Annotated[
        DurationMs | None,
        AfterValidator(_cpu_time),
        Field(alias="cpu_time", description="of a processor, that a process may use; whole seconds"),
    ] = None
    open_files: Annotated[
        int | None,
        Field(ge=OPEN_FILES_MIN, le=OPEN_FILES_MAX, description="that a process may have, sockets too"),
    ] = None


def _or_none(value: Any) -> Any:
    """Equal jobs have one text: no limit is said by silence alone."""
    return None if value == {} else value


def _some(value: Limits | None) -> Limits | None:
    return None if value == Limits() else value


TaskLimits = Annotated[Limits | None, BeforeValidator(_or_none), AfterValidator(_some)]
