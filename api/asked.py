"""What tasks ask persons, in the API's shapes."""

from __future__ import annotations

import json
from typing import Any

from api.instants import rfc3339
from scheduler.store.tables.approvals import Approval


def asked_json(row: Approval) -> dict[str, Any]:
    """Who may answer what, and until when."""
    return {
        "asked": rfc3339(row.asked_ms), "expires": rfc3339(row.expires_ms), "by": json.loads(row.approvers),
        "not": row.barred or None, "text": row.text or None,
    }  # fmt: skip


def of_task(row: Approval | None) -> dict[str, Any]:
    """The field of a task; None: it asks nobody, or has not begun."""
    told = None if row is None else {**asked_json(row), **_answer_json(row)}
    return {"approval": told}


def _answer_json(row: Approval) -> dict[str, Any]:
    return {
        "answer": row.answer or None, "answered_by": row.actor or None,
        "answered": rfc3339(row.answered_ms), "reason": row.reason or None,
    }  # fmt: skip
