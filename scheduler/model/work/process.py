"""What the kinds have in common that start a process on an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CRLF_HINT = (
    "the text has Windows line ends (CRLF), and to a shell the carriage return is part of the last word: "
    "write LF alone"
)


def surroundings(task: Mapping[str, Any]) -> dict[str, Any]:
    """What a process finds when it starts, of a task of the canonical job."""
    found = {field: task[field] for field in ("cwd", "stdin") if field in task}
    if task["env"]:
        found["env"] = task["env"]
    return found
