"""A job's past and its text, as people look at them: each tick as a cell, its runs as a series, YAML.

Rows are arrays in the order of `columns`, and instants are UTC milliseconds: a page draws thousands of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.jobs.reading import find_job, never_was
from api.parameters import EACH, NUMBER_MAX
from api.problems import Problem
from api.services import services_of
from api.threads import beside, read_reply
from scheduler.model.readable import readable
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import past
from scheduler.store.reads.past import Cell, Measured

router = APIRouter(tags=["jobs"], dependencies=EACH)

MEDIA_TYPE = "application/yaml; charset=utf-8"
Limit = Annotated[int, Query(ge=1, le=5_000, description="Items on one page.")]
Cursor = Annotated[str | None, Query(description="next_cursor of the page before.")]


@router.get(
    "/v1/jobs/{name}/cells", operation_id="listCells", openapi_extra=schemas.read,
    responses=schemas.table_replies,
)  # fmt: skip
async def list_cells(request: Request, name: str, cursor: Cursor = None, limit: Limit = 500) -> Response:
    """What became of each tick, the newest first: a row for each, or for a range of ticks that ended alike
    (`ticks` of them from `first` to `last`). The first page begins with those that are not decided yet."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    key = read_cursor("cells", cursor, int, int, int)
    before = None if key is None else (int(key[0]), int(key[1]), int(key[2]))
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            jobs = _jobs(store, call.namespace, name)
            pending = past.undecided(store, jobs, limit) if before is None else []
            rows = past.cells(store, jobs, limit, before)
        more = len(rows) == limit
        place = (rows[-1].job, rows[-1].first_ms, rows[-1].seq) if more else ()
        told = _table(Cell, [*pending, *rows], without=("job",))
        return told | {"next_cursor": make_cursor("cells", *place) if more else None}

    return await read_reply(read)


@router.get(
    "/v1/jobs/{name}/series", operation_id="listSeries", openapi_extra=schemas.read,
    responses=schemas.table_replies,
)  # fmt: skip
async def list_series(request: Request, name: str, cursor: Cursor = None, limit: Limit = 500) -> Response:
    """The job's runs in numbers, the newest first: when each was due, began and ended. `started` less `due`
    is how late it was, `finished` less `started` how long it took."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    key = read_cursor("series", cursor, int)
    before = None if key is None else int(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            rows = past.measured(store, _jobs(store, call.namespace, name), limit, before)
        more = len(rows) == limit
        return _table(Measured, rows) | {"next_cursor": make_cursor("series", rows[-1].id) if more else None}

    return await read_reply(read)


@router.get("/v1/jobs/{name}/definition", operation_id="getDefinition", openapi_extra=schemas.read)
async def get_definition(
    request: Request,
    name: str,
    revision: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="An older one.")] = None,
) -> Response:
    """The job as YAML, without what is left to the defaults: what a person writes, edits and compares."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        number, spec = _definition(store, call.namespace, name, revision)

    def read() -> bytes:
        from scheduler.model.written import write_yaml  # ruamel costs start-up time

        return write_yaml([readable(spec, services.scheduler.status().format)], starts=False).encode()

    return Response(await beside(len(spec), read), headers={"ETag": f'"{number}"'}, media_type=MEDIA_TYPE)


def _definition(store: Store, namespace: str, name: str, revision: int | None) -> tuple[int, bytes]:
    if revision is None:
        row = find_job(store, namespace, name)
        return row.revision, bytes(row.spec)
    old = job_reads.revision(store, namespace, name, revision)
    if old is None or old.deleted:
        raise Problem("not-found", f"job {name[:200]!r} has no definition of revision {revision}")
    return revision, bytes(old.spec)


def _jobs(store: Store, namespace: str, name: str) -> list[int]:
    jobs = job_reads.ids(store, namespace, name)
    if not jobs:
        raise never_was(store, namespace, name)
    return jobs


def _table(
    row: type[NamedTuple], rows: Sequence[tuple[Any, ...]], without: Sequence[str] = ()
) -> dict[str, Any]:
    columns = [name for name in row._fields if name not in without]
    places = [row._fields.index(name) for name in columns]
    return {
        "columns": [name.removesuffix("_ms") for name in columns],
        "rows": [[each[place] for place in places] for each in rows],
    }
