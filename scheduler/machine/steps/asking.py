"""A task begins to ask a person: from here on it waits for the answer (`machine.approvals`), or its end."""

from __future__ import annotations

from typing import Any

from scheduler.machine.context import Context
from scheduler.machine.rules import approving
from scheduler.store.tables import approvals
from scheduler.store.tables.approvals import Approval
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.json_text import json_text


def ask(ctx: Context, run: Run, task: Task, work: dict[str, Any], until_ms: int) -> None:
    barred = approving.barred(ctx.store, run) if work["four_eyes"] else ""
    approvals.insert(
        ctx.store,
        Approval(
            task=task.id, run=run.id, namespace=run.namespace, open=1, asked_ms=ctx.stamp_ms,
            expires_ms=until_ms, approvers=json_text(work["by"]).decode(), barred=barred, text=work["text"],
            answer="", actor="", answered_ms=None, reason="",
        ),
    )  # fmt: skip
    ctx.emit(e.ApprovalAsked(task.id, run.id, run.namespace, run.name, task.name, task.round, until_ms))
