"""What the kinds have in common that start a process on an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scheduler.model.quantities import parse_duration_ms, parse_size_bytes
from scheduler.protocol import OBJECT_STORE

CRLF_HINT = (
    "the text has Windows line ends (CRLF), and to a shell the carriage return is part of the last word: "
    "write LF alone"
)


INTERPRETER = "python3"  #: of the task's PATH, where a call of Python names none
SURROUNDINGS = ("cwd", "stdin", "stderr", "skip_if_exists", "run_as", "nice")
_LIMITS: dict[str, Callable[[Any], int]] = {
    "memory": parse_size_bytes,
    "cpu_time": lambda text: -(-parse_duration_ms(text) // 1_000),  # the kernel counts seconds
    "open_files": int,
}
FEATURES = frozenset({*SURROUNDINGS, "umask", "limits", "outputs", "secrets", OBJECT_STORE})
"""As `Kind.features`."""


def with_surroundings(work: dict[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """This work, and what its process finds when it starts, of a task of the canonical job."""
    for field in (*SURROUNDINGS, OBJECT_STORE):
        if field in task:
            work[field] = task[field]
    if "umask" in task:
        work["umask"] = int(task["umask"], 8)
    if "limits" in task:
        work["limits"] = {name: _LIMITS[name](limit) for name, limit in task["limits"].items()}
    if task["env"]:
        work["env"] = task["env"]
    return work
