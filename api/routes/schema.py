"""GET /v1/schemas/KIND: the JSON Schemas of jobs and objects, for editors: the cockpit's own, and any that
knows YAML."""

from __future__ import annotations

import functools
import json
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api import access
from api.call import call_of
from api.parameters import EACH
from api.problems import Problem
from api.threads import in_thread
from scheduler.model.objects import NAMES
from scheduler.store.tables.namespaces import KIND as NAMESPACE

router = APIRouter(tags=["jobs"], dependencies=EACH)
KINDS = (*NAMES, NAMESPACE)


@functools.cache
def _schema(kind: str) -> bytes:
    from scheduler.model.published import schema_of  # made once: it asks the models for all their fields

    return json.dumps(schema_of(kind)).encode()


@router.get("/v1/schemas/job", operation_id="getJobSchema")
async def get_schema(request: Request) -> Response:
    """The JSON Schema (draft 2020-12) of what this version takes as a job."""
    call_of(request).need(access.READ, namespace=access.Reach.ANY)
    return Response(await in_thread(_schema, "job"), media_type="application/json")


@router.get("/v1/schemas/{kind}", operation_id="getObjectSchema")
async def get_object_schema(
    request: Request, kind: Annotated[str, Path(json_schema_extra={"enum": [*KINDS]})]
) -> Response:
    """The JSON Schema (draft 2020-12) of what this version takes as an object of this kind, or of a
    namespace."""
    call_of(request).need(access.READ, namespace=access.Reach.ANY)
    if kind not in KINDS:
        raise Problem("not-found", f"there is no kind {kind[:60]!r}", hint=f"job, {', '.join(KINDS)}")
    return Response(await in_thread(_schema, kind), media_type="application/json")
