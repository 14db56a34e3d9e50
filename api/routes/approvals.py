"""What waits for a person, and the answers. Who may answer is the machine's
(`scheduler.machine.rules.approving`): a dry run asks the same."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.access import CATCH_UP_S
from api.asked import asked_json
from api.call import Call, call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.jobs.reading import find_run, need_run, run_answer
from api.jobs.tasks import NAMES_MAX, TASKS
from api.near import near_miss
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH, NUMBER_MAX
from api.problems import Problem
from api.routes.hands import reason_of
from api.routes.runs import run_number
from api.services import Services, services_of
from api.threads import read_reply
from scheduler.machine.rules import approving, hands
from scheduler.store.connection import Store
from scheduler.store.reads import approvals as approval_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.reads.approvals import Wanted
from scheduler.store.tables import approvals
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.approvals import APPROVED, REJECTED, Approval
from scheduler.store.tables.tasks import Task
from scheduler.words.commands import AnswerApproval
from scheduler.words.commands.approvals import NEWEST
from scheduler.words.outcomes import Code, Outcome

router = APIRouter(tags=["approvals"], dependencies=EACH)

WHO = "cronclave run explain {run}, or GET /v1/runs/{run}/explain, names who may answer, and until when."
OTHER = "It counts once: cronclave run rerun {run}, or POST /v1/runs/{run}/rerun, asks anew."
Round = Annotated[
    int | None,
    Query(ge=0, le=NUMBER_MAX, description="Of a task in a group: the round that it is for; the newest."),
]


@router.get(
    "/v1/approvals", operation_id="listApprovals", openapi_extra=schemas.read,
    responses=schemas.approvals_replies,
)  # fmt: skip
async def list_approvals(
    request: Request,
    mine: Annotated[bool, Query(description="Those alone that the caller may answer.")] = False,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """What waits for a person, the newest first. Of a filter that fits few a page is short: 2,000 are looked
    at for it."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    if mine and (where := call.principal.where(access.APPROVE)) is not None:
        namespaces = where if namespaces is None else tuple(each for each in namespaces if each in where)
    wanted = Wanted(namespaces, call.principal.name if mine else None)
    key = read_cursor("approvals", cursor, int)
    before = None if key is None else int(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            rows, after = approval_reads.page(store, wanted, before=before, limit=limit)
            items = [_item(store, call, row) for row in rows]
        return {"items": items, "next_cursor": None if after is None else make_cursor("approvals", after)}

    return await read_reply(read)


def _item(store: Store, call: Call, row: Approval) -> dict[str, Any]:
    run, task = run_rows.get(store, row.run), task_rows.get(store, row.task)
    assert run is not None
    assert task is not None
    has_role = call.principal.may(access.APPROVE, row.namespace)
    return {
        "run": run.id, "namespace": run.namespace, "job": run.name, "task": task.name, "round": task.round,
        **asked_json(row), "may": has_role and approving.may(row, call.principal.name),
    }  # fmt: skip


@router.post(
    "/v1/runs/{run}/tasks/{task}/approve", operation_id="approveTask", openapi_extra=schemas.hand
)
async def approve_task(request: Request, run: str, task: str, round: Round = None) -> Response:
    """A task that asks has succeeded. The same answer again is no mistake."""
    return await _answer(request, run, task, APPROVED, round)


@router.post("/v1/runs/{run}/tasks/{task}/reject", operation_id="rejectTask", openapi_extra=schemas.hand)
async def reject_task(request: Request, run: str, task: str, round: Round = None) -> Response:
    """A task that asks has failed. The same answer again is no mistake."""
    return await _answer(request, run, task, REJECTED, round)


async def _answer(request: Request, run: str, task: str, answer: str, round: int | None) -> Response:
    services, call, number = services_of(request), call_of(request), run_number(run)
    if not call.principal.may(access.APPROVE, access.Reach.ALL):
        await services.scheduler.catch_up(timeout_s=CATCH_UP_S)  # whose it is must be known here
        with services.scheduler.read() as store:
            need_run(store, call, access.APPROVE, number)
    command = AnswerApproval(
        number, task, answer, reason_of(call), NEWEST if round is None else round, call.actor
    )
    with services.scheduler.read() as store:
        found = _find(store, command)
        names = () if found is not None else task_reads.names(store, number, NAMES_MAX)
    hint = TASKS.format(number) if found is None else ""
    if found is None and task not in names:  # it is not the round that is not there
        hint = near_miss(task, names, hint)
    if call.flag("dry_run"):
        need_proposable(command, what=f"run {number}")
        with services.scheduler.read() as store:
            outcome = _judged(services, store, command, hint)
    else:
        outcome = await services.scheduler.propose(command)
    if outcome is not None and not outcome.ok:
        _refuse(outcome, number, task, hint)
    return Response(await run_answer(services, number), media_type="application/json")


def _find(store: Store, command: AnswerApproval) -> Task | None:
    if command.round == NEWEST:
        return task_rows.newest(store, command.run, command.task)
    return task_rows.find(store, command.run, command.task, task_rows.ONLY, command.round)


def _judged(services: Services, store: Store, command: AnswerApproval, hint: str) -> Outcome | None:
    run, task = find_run(store, command.run), _find(store, command)
    if task is None:
        detail = f"run {command.run} has no task {command.task[:100]!r}"
        raise Problem("not-found", detail, hint=hint)
    asked, now_ms = approvals.get(store, task.id), services.scheduler.now_ms()
    refusal = approving.judge(task, asked, command.actor.name, command.answer, now_ms)
    answered = asked is not None and asked.answer
    return refusal or (None if answered else hands.answering(run, task))


def _refuse(outcome: Outcome, run: int, task: str, hint: str) -> None:
    if outcome.code == Code.NOT_ALLOWED:  # it is about who asks, as what roles forbid is
        raise Problem("forbidden", outcome.detail, hint=WHO.format(run=run))
    if outcome.code == Code.CONFLICT and outcome.value:
        hint = OTHER.format(run=run)
    expect_ok(outcome, what=f"task {task[:100]}", hint=hint)
