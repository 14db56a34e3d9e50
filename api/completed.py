"""What is known of attempts that somebody outside completes, in the API's shapes."""

from __future__ import annotations

from typing import Any

from api.instants import rfc3339
from scheduler.model.outputs import outputs_of
from scheduler.store.tables.completions import Completion
from scheduler.store.tables.tasks import Task


def completion_json(known: Completion, task: Task) -> dict[str, Any]:
    """What is known of it, in the shape of an attempt's field."""
    return {
        "until": rfc3339(task.wake_ms) if task.is_awaited else None,
        "exited": rfc3339(known.exited_ms),
        "outcome": known.outcome or None,
        "message": known.message or None,
        "outputs": outputs_of(known.outputs) if known.outputs else None,
        "by": known.actor or None,
        "at": rfc3339(known.answered_ms),
        "progress": None
        if known.told_ms is None
        else {"percent": known.percent, "text": known.doing or None, "at": rfc3339(known.told_ms)},
    }
