"""The ledger of all jobs, entry by entry, and its proof."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.exporting import Slice, export
from api.instants import parse_instant, rfc3339
from api.parameters import EACH, NUMBER_MAX, among
from api.services import services_of
from api.threads import read_reply
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.reads import triggers as trigger_reads
from scheduler.store.reads.ledger import Wanted
from scheduler.words import causes

router = APIRouter(tags=["ticks"], dependencies=EACH)

EXPORT_SLICE = 2_000
OUTCOMES = ("ran", "skipped", "coalesced", "missed")


@router.get(
    "/v1/ledger", operation_id="listLedger", openapi_extra=schemas.read, responses=schemas.ledger_replies
)
async def list_ledger(
    request: Request,
    outcome: Annotated[str | None, Query(description="With this outcome, or one of several.")] = None,
    reason: Annotated[str | None, Query(description="For this reason, such as overlap.")] = None,
    since: Annotated[str | None, Query(description="Decided at or after this instant (RFC 3339).")] = None,
    until: Annotated[str | None, Query(description="Decided before this instant.")] = None,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """Entries of the ledger, of all jobs, the latest decision first. 2,000 are looked at for a page."""
    services, call = services_of(request), call_of(request)
    wanted = Wanted(
        namespaces=call.need_listed(access.READ),
        outcomes=among("outcome", outcome.split(",") if outcome else (), OUTCOMES),
        reason=reason,
        since_ms=None if since is None else parse_instant("since", since),
        until_ms=None if until is None else parse_instant("until", until),
    )
    key = read_cursor("ledger", cursor, int)
    before = None if key is None else int(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            rows, after = ledger_reads.page(store, wanted, before=before, limit=limit)
            keys = trigger_reads.keys(store, [entry.trigger for entry, _ in rows])
            names = job_reads.names(store, [entry.job for entry, _ in rows])
        items = [
            {
                "seq": entry.seq, "namespace": names[entry.job][0], "job": names[entry.job][1],
                "trigger": keys.get(entry.trigger), "first": rfc3339(entry.first_ms),
                "last": rfc3339(entry.last_ms), "ticks": entry.ticks, "outcome": entry.outcome,
                "reason": entry.reason or None, "run": entry.run or None, "into": rfc3339(entry.into_ms),
                "cause": entry.kind,
                "cause_key": causes.text(entry.key, entry.trigger, entry.first_ms, entry.last_ms),
                "decided_at": rfc3339(entry.decided_ms), "epoch": entry.epoch, "index": entry.idx,
                "tzdata": entry.tzdata, "hash": hash.hex(),
            }
            for entry, hash in rows
        ]  # fmt: skip
        return {"items": items, "next_cursor": None if after is None else make_cursor("ledger", after)}

    return await read_reply(read)


@router.get("/v1/ledger/export", operation_id="exportLedger", openapi_extra=schemas.read)
async def export_ledger(
    request: Request,
    after: Annotated[int, Query(description="Behind the entry of this number.", ge=0, le=NUMBER_MAX)] = 0,
) -> Response:
    """All entries as lines of JSON, in their order, 100,000 at most: go on with `after` and the last `seq`.
    Each holds what its hash is made of: whoever keeps them can check the chain without this product."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ALL)
    await settle(call, services.commits)

    def read(number: int) -> Slice:
        with services.scheduler.read() as store:
            rows = ledger_reads.after(store, number, limit=EXPORT_SLICE)
            keys = trigger_reads.keys(store, [entry.trigger for entry, _ in rows])
            names = job_reads.names(store, [entry.job for entry, _ in rows])
        lines = [
            {
                **entry._asdict(), "hash": hash.hex(), "namespace": names[entry.job][0],
                "job_name": names[entry.job][1], "trigger_id": keys.get(entry.trigger),
            }
            for entry, hash in rows
        ]  # fmt: skip
        return lines, rows[-1][0].seq if rows else None

    return export(read, after)
