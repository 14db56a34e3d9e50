"""noop: no work at all. It joins two layers of a graph, and measures everything around the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from scheduler.model.work.kind import Kind


def _value() -> Any:
    return Literal[True]


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    return {}


NOOP = Kind(
    name="noop",
    description="no work at all",
    example=True,
    value=_value,
    compiled=_compiled,
    happens="agent",
    executor="noop",
    unread=(
        *("stdin", "secrets", "exit", "stderr", "skip_if_exists", "run_as", "umask", "nice", "limits"),
        *("outputs", "async"),
    ),
    other_words=("dummy", "empty", "nothing"),
)
