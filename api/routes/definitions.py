"""The text of an object and of a namespace, as a person writes, edits and compares it. A job's: past.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.objects.reading import named
from api.parameters import EACH, NUMBER_MAX
from api.problems import Problem
from api.routes.objects import ONE, Plural  # with them the convertor of kinds
from api.services import services_of
from api.threads import beside
from scheduler.model.brief import brief_namespace, brief_object
from scheduler.store.connection import Store
from scheduler.store.reads import objects as object_reads
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.namespaces import KIND as NAMESPACE
from scheduler.store.tables.refs import Named

router = APIRouter(dependencies=EACH)

MEDIA_TYPE = "application/yaml; charset=utf-8"
Revision = Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="An older one.")]


@router.get(
    f"{ONE}/definition", operation_id="getObjectDefinition", openapi_extra=schemas.read,
    tags=["objects"],
)  # fmt: skip
async def get_object_definition(
    request: Request, kind: Plural, name: str, revision: Revision = None
) -> Response:
    """The object as YAML, without what is left to the defaults and what was computed of it."""
    call = call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named(kind, call.namespace, name)
    return await _answer(request, what, revision, lambda spec: brief_object(what.kind, spec))


@router.get(
    "/v1/namespaces/{namespace}/definition", operation_id="getNamespaceDefinition",
    openapi_extra=schemas.read, tags=["namespaces"],
)  # fmt: skip
async def get_namespace_definition(request: Request, namespace: str, revision: Revision = None) -> Response:
    """What was said of a namespace, as YAML, without what is left to the defaults."""
    call_of(request).need(access.READ, namespace=namespace)
    what = Named(NAMESPACE, namespace, namespace)
    return await _answer(request, what, revision, lambda spec: brief_namespace(namespace, spec))


async def _answer(
    request: Request, what: Named, revision: int | None, brief: Callable[[bytes], dict[str, Any]]
) -> Response:
    services, call = services_of(request), call_of(request)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        number, spec = _definition(store, what, revision)

    def read() -> bytes:
        from scheduler.model.written import write_yaml  # ruamel costs start-up time

        return write_yaml([brief(spec)], starts=False).encode()

    return Response(await beside(len(spec), read), headers={"ETag": f'"{number}"'}, media_type=MEDIA_TYPE)


def _definition(store: Store, what: Named, revision: int | None) -> tuple[int, bytes]:
    if revision is None:
        row = object_rows.find(store, *what)
        if row is not None:
            return row.revision, bytes(row.spec)
        where = "" if what.kind == NAMESPACE else f" in namespace {what.namespace[:200]!r}"
        raise Problem("not-found", f"there is no {what.kind} {what.name[:200]!r}{where} that was written")
    old = object_reads.revision(store, what, revision)
    if old is None or old.deleted:
        raise Problem(
            "not-found", f"{what.kind} {what.name[:200]!r} has no definition of revision {revision}"
        )
    return revision, bytes(old.spec)
