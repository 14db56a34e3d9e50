"""The ledger as seen by a job's reader, and its proof."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of, json_response
from api.consistency import settle
from api.cursors import read_cursor
from api.instants import parse_instant, rfc3339
from api.parameters import EACH
from api.problems import query_problem
from api.services import Services, services_of
from api.threads import read_reply
from api.tick_pages import ticks_page
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import triggers as trigger_rows
from scheduler.verify import Verification

router = APIRouter(tags=["ticks"], dependencies=EACH)

DAY_MS = 86_400_000
OUTCOMES = ("pending", "ran", "skipped", "coalesced", "missed")
From = Annotated[str | None, Query(alias="from", description="Behind this instant (RFC 3339).")]
To = Annotated[str | None, Query(description="Up to and with this instant; now by default.")]


def range_of(services: Services, start: str | None, end: str | None) -> tuple[int, int]:
    """(from, to]; the last day by default."""
    to_ms = services.scheduler.now_ms() if end is None else parse_instant("to", end)
    from_ms = to_ms - DAY_MS if start is None else parse_instant("from", start)
    if from_ms > to_ms:
        raise query_problem("from", "it is later than `to`")
    return from_ms, to_ms


@router.get(
    "/v1/jobs/{name}/ticks",
    operation_id="listTicks",
    openapi_extra=schemas.read,
    responses=schemas.ticks_replies,
)
async def list_ticks(
    request: Request,
    name: str,
    start: From = None,
    to: To = None,
    outcome: Annotated[str | None, Query(description="Only ticks with this outcome.")] = None,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Items on one page.")] = 1_000,
) -> Response:
    """What became of each tick in (from, to], pending ones included, oldest first."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    if outcome is not None and outcome not in OUTCOMES:
        raise query_problem("outcome", f"{outcome[:64]!r} is not one of {', '.join(OUTCOMES)}")
    key = read_cursor("ticks", cursor, int, int, int)
    after = None if key is None else (int(key[0]), int(key[1]), int(key[2]))
    await settle(call, services.commits)
    from_ms, to_ms = range_of(services, start, to)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            return ticks_page(
                store,
                call.namespace,
                name,
                from_ms=from_ms,
                to_ms=to_ms,
                now_ms=services.scheduler.now_ms(),
                after=after,
                limit=limit,
                outcome=outcome,
            )

    return await read_reply(read)


@router.get("/v1/ledger/verify", operation_id="verifyLedger", openapi_extra=schemas.read)
async def verify_ledger(request: Request, start: From = None, to: To = None) -> Response:
    """Recompute what was due in (from, to] from the definitions' history and compare it with the ledger. One
    such proof is at work at a time on a node and three wait, each of another range; 5,000,000 ticks and
    ledger entries at most."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ALL)
    await settle(call, services.commits)
    body = await services.proofs.of(
        services.scheduler, range_of(services, start, to), call.index or 0, verification_json
    )
    return Response(body, media_type="application/json")


@router.get("/v1/ledger/proofs", operation_id="listProofs", responses=schemas.proofs_replies)
async def list_proofs(request: Request) -> Response:
    """How far the proofs are that this node has at work or in line: entries of the chain that were checked,
    of how many, and ticks of the range that were computed anew."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ALL)
    items = [
        {
            "from": rfc3339(start_ms),
            "to": rfc3339(end_ms),
            "began": proof.index is not None,
            "checked": proof.entries,
            "entries": proof.entries_of,
            "due": proof.due,
        }
        for (start_ms, end_ms), proof in services.proofs.present()
    ]
    return json_response({"items": items, "next_cursor": None})


def verification_json(store: Store, result: Verification) -> dict[str, Any]:
    """`ok` is the verdict; overdue ticks are no problem of the ledger: nothing was decided about them yet."""
    names = job_reads.names(store, (problem.job for problem in result.problems))
    return {
        "ok": result.problem_count == 0,
        "from": rfc3339(result.from_ms),
        "to": rfc3339(result.to_ms),
        "index": result.index,
        "ledger_head": result.ledger_head.hex(),
        "due": result.due,
        "outcomes": dict(sorted(result.outcomes.items())),
        "undecided": result.undecided,
        "overdue": result.overdue,
        "entries": result.entries,
        "events": result.events,
        "problem_count": result.problem_count,
        "problems": [
            {
                "kind": problem.kind,
                "job": problem.job,
                "namespace": names.get(problem.job, (None, None))[0],
                "name": names.get(problem.job, (None, None))[1],
                "trigger": problem.trigger,
                "trigger_id": trigger_rows.key_of(store, problem.trigger) or None,
                "at": rfc3339(problem.instant_ms),
                "seq": problem.seq,
                "detail": problem.detail,
            }
            for problem in result.problems
        ],
    }
