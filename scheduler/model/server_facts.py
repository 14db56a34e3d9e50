"""What the server tells of a job or object beside its definition, and that without it.

A job that was read is a job that can be sent: `cronclave job get -o yaml | cronclave job apply -` changes
nothing. These fields are left out of account only where `revision` stands beside them, which no definition
has: in a file that somebody wrote, `state: paused` is a mistake and is told as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.objects import NAMES

SOURCE = "source"
KINDS = frozenset({"job", *NAMES}) - {SOURCE}
SERVER_FACTS = frozenset(
    {
        "name", "revision", "state", "pause_reason", "paused_by", "unplaceable_reason", "created", "changed",
        "actor", "source", "active_runs", "failures", "next_tick", "last_tick", "last_run", "definition",
        "computed", "left_behind",
    }
)  # fmt: skip


def definition_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The job alone, of a document that GET gave (the job, or a revision of it) or that somebody wrote."""
    if "revision" not in document:
        return dict(document)
    kept = document.get("definition")
    if isinstance(kept, dict) and "job" not in document and "namespace" not in document:
        return kept
    is_source = SOURCE in document and KINDS.isdisjoint(document)  # whose name this is
    facts = SERVER_FACTS - {SOURCE} if is_source else SERVER_FACTS
    return {key: value for key, value in document.items() if key not in facts}
