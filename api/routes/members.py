"""Members of a task that is divided, page by page: a run's own document has their number alone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.instants import rfc3339
from api.jobs.reading import need_run
from api.jobs.tasks import task_hint
from api.parameters import EACH, among
from api.problems import Problem
from api.routes.runs import run_number
from api.services import services_of
from api.threads import read_reply
from api.views import attempt_json, hold_json
from scheduler.model.outputs import outputs_of
from scheduler.store.connection import Store
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import fanouts as fanout_reads
from scheduler.store.reads import outputs as output_reads
from scheduler.store.reads.attempts import ListedAttempt
from scheduler.store.tables import fanouts, holds, reruns
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.fanouts import Fanout
from scheduler.store.tables.holds import Hold
from scheduler.store.tables.tasks import Task
from scheduler.words.lifecycle import TASK

router = APIRouter(tags=["runs"], dependencies=EACH)


@router.get(
    "/v1/runs/{run}/tasks/{task}/members", operation_id="listMembers", openapi_extra=schemas.read,
    responses=schemas.members_replies,
)  # fmt: skip
async def list_members(
    request: Request,
    run: str,
    task: str,
    member: Annotated[str | None, Query(description="This one alone.")] = None,
    state: Annotated[str | None, Query(description="In this state, or one of several.")] = None,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """Members of a task that is divided, in its newest round, in their order. 2,000 are looked at for a
    page."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    number = run_number(run)
    states = among("state", state.split(",") if state else [], TASK.states)
    key = read_cursor("members", cursor, int)
    after = 0 if key is None else int(key[0])
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        need_run(store, call, access.READ, number)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            now = _fanout(store, number, task)
            if now is None:
                return {"items": [], "next_cursor": None}
            if member is None:
                rows, behind = fanout_reads.members(store, now, states, after=after, limit=limit)
            else:
                rows, behind = fanout_reads.member(store, now, number, task, member, states), None
            ids = [row.id for row in rows]
            items, tries = fanout_reads.items(store, ids), attempt_reads.last_of_tasks(store, ids)
            outputs = output_reads.of_ids(store, ids)
            kept = {row.id: holds.get(store, number, row.id) for row in rows if row.state == "held"}
            taken = reruns.taken_between(store, ids[0], ids[-1]) if ids else {}
            found = [
                _member_json(
                    row, items.get(row.id), tries.get(row.id), kept.get(row.id), outputs.get(row.id),
                    taken.get(row.id),
                )
                for row in rows
            ]
        return {"items": found, "next_cursor": None if behind is None else make_cursor("members", behind)}

    return await read_reply(read)


def _fanout(store: Store, run: int, task: str) -> Fanout | None:
    """None: it has not begun, or is not divided. Raises Problem where there is no such task."""
    whole = task_rows.newest(store, run, task)
    if whole is None:
        detail = f"run {run} has no task {task[:100]!r}"
        raise Problem("not-found", detail, hint=task_hint(store, run, task))
    return fanouts.get(store, whole.id)


def _member_json(
    task: Task, item: str | None, last: ListedAttempt | None, hold: Hold | None, outputs: bytes | None,
    taken: int | None,
) -> dict[str, Any]:
    """A part of a divided task. `last`: its newest try."""
    return {
        "member": task.member,
        "item": task.member if item is None else item,
        "state": task.state,
        "queued": rfc3339(task.queued_ms),
        "started": rfc3339(task.started_ms),
        "finished": rfc3339(task.finished_ms),
        "exit_code": task.exit_code,
        "warned": bool(task.warned),
        "reason": task.reason or None,
        "hold": None if hold is None else hold_json(hold),
        "retry_at": rfc3339(task.wake_ms) if task.state == "retry_wait" else None,
        "outputs": None if outputs is None else outputs_of(outputs),
        "taken_from": taken,
        "attempt": None if last is None else attempt_json(last, task),
    }
