"""A page of the rows that an object has, the newest first: deliveries of a hook, notices of a board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from fastapi import Request
from starlette.responses import Response

from api import access
from api.call import call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.objects.reading import find_object, named
from api.services import services_of
from api.threads import read_reply
from scheduler.store.connection import Store
from scheduler.store.tables.refs import Named


class Row(Protocol):
    @property
    def serial(self) -> int: ...


R = TypeVar("R", bound=Row)


async def page_of(
    request: Request,
    plural: str,
    name: str,
    cursor: str | None,
    limit: int,
    newest: Callable[[Store, Named, int | None, int], list[R]],
    told: Callable[[R], dict[str, Any]],
    *,
    listed: str,
) -> Response:
    """`newest`: at most so many, with serials before this one if it is given. `listed`: the list's name in
    its cursors."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named(plural, call.namespace, name)
    place = read_cursor(listed, cursor, int)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            find_object(store, what)
            rows = newest(store, what, None if place is None else int(place[0]), limit + 1)
        more = make_cursor(listed, rows[limit - 1].serial) if len(rows) > limit else None
        return {"items": [told(row) for row in rows[:limit]], "next_cursor": more}

    return await read_reply(read)
