"""What jobs mean and perhaps should not, as replies tell it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scheduler.model import Job
from scheduler.model.cautions import cautions

WARNINGS_MAX = 200  #: in one reply


def warnings_of(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """The first WARNINGS_MAX."""
    found: list[dict[str, Any]] = []
    for job in jobs:
        found += [
            {
                "kind": "job", "namespace": job.namespace, "name": job.name, "pointer": each.pointer,
                "detail": each.detail, "hint": each.hint,
            }
            for each in cautions(job)
        ]  # fmt: skip
        if len(found) >= WARNINGS_MAX:
            break
    return found[:WARNINGS_MAX]
