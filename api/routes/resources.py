"""Who holds a resource, and who waits for it. Resources themselves: routes/objects.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.instants import rfc3339
from api.objects.reading import find_object, named
from api.parameters import EACH
from api.routes.jobs import Cursor, Limit
from api.services import services_of
from api.threads import read_reply
from scheduler.machine.rules import amounts, holdings, lock_queues, selectors
from scheduler.model.locks import RUN
from scheduler.model.quantities import format_duration
from scheduler.store.connection import Store
from scheduler.store.tables import lock_holds
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.lock_holds import Hold
from scheduler.store.tables.tasks import QueuedTask

router = APIRouter(tags=["objects"], dependencies=EACH)

Item = dict[str, Any]
Page = tuple[list[Item], str | None]


@router.get("/v1/resources/{name}/holders", operation_id="listHolders", openapi_extra=schemas.read)
async def list_holders(
    request: Request, name: str, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Who holds some of it, those who have longest first, as far as the caller may read them; and how much is
    held and free in all."""
    place = read_cursor("holders", cursor, int, str, int)
    after = (0, "", 0) if place is None else (int(place[0]), str(place[1]), int(place[2]))

    def page(store: Store, resource: str) -> Page:
        found = lock_holds.on(store, resource, limit + 1, after)
        last = found[limit - 1] if len(found) > limit else None
        following = None if last is None else make_cursor("holders", last.since_ms, last.holder, last.id)
        return [_holder(store, hold) for hold in found[:limit]], following

    return await _reply(request, name, page)


@router.get("/v1/resources/{name}/waiters", operation_id="listWaiters", openapi_extra=schemas.read)
async def list_waiters(
    request: Request, name: str, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Tasks that wait in a queue and ask for some of it, in the order in which they get it."""
    place = read_cursor("waiters", cursor, int, int)
    after = None if place is None else (int(place[0]), int(place[1]))

    def page(store: Store, resource: str) -> Page:
        found = list(islice(lock_queues.waiting(store, resource, after), limit + 1))
        last = found[limit - 1] if len(found) > limit else None
        following = None if last is None else make_cursor("waiters", last.rank_ms, last.id)
        return [_waiter(store, resource, task) for task in found[:limit]], following

    return await _reply(request, name, page)


async def _reply(request: Request, name: str, page: Callable[[Store, str], Page]) -> Response:
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named("resources", call.namespace, name)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        now_ms = services.scheduler.now_ms()
        with services.scheduler.read() as store:
            find_object(store, what)
            items, following = page(store, f"{what.namespace}/{what.name}")
            use = _use(store, f"{what.namespace}/{what.name}", now_ms)
        return {**use, "items": _readable(call, items), "next_cursor": following}

    return await read_reply(read)


def _readable(call: Call, items: Sequence[Item]) -> list[Item]:
    return [item for item in items if call.principal.may(access.READ, item["namespace"])]


def _use(store: Store, resource: str, now_ms: int) -> Item:
    amount, use = amounts.amount_of(store, resource), lock_holds.use_of(store, resource)
    period = format_duration(amount.period_ms) if amount.period_ms else None
    free = max(0, amounts.free(amount, use, now_ms))
    return {"amount": amount.total, "period": period, "held": use.held, "free": free}


def _holder(store: Store, hold: Hold) -> Item:
    task = task_rows.get(store, hold.id) if hold.holder != RUN else None
    return {
        **_run(store, hold.run),
        "task": None if task is None else task.name,
        "amount": hold.amount,
        "since": rfc3339(hold.since_ms),
    }


def _waiter(store: Store, resource: str, queued: QueuedTask) -> Item:
    task = task_rows.get(store, queued.id)
    assert task is not None
    wants = holdings.asked(store, selectors.parse(task.selector)).wants
    wanted = [lock for lock in wants if lock.resource == resource]
    since = None if task.queued_ms is None else rfc3339(task.queued_ms)
    return {**_run(store, queued.run), "task": task.name, "amount": wanted[0].amount, "since": since}


def _run(store: Store, number: int) -> Item:
    run = run_rows.get(store, number)
    assert run is not None
    return {"run": run.id, "namespace": run.namespace, "job": run.name}
