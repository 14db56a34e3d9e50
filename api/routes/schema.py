"""GET /v1/schemas/job: the JSON Schema of a job, for editors: the cockpit's own, and any that knows YAML."""

from __future__ import annotations

import functools
import json

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access
from api.call import call_of
from api.threads import in_thread

router = APIRouter(tags=["jobs"])


@functools.cache
def _schema() -> bytes:
    from scheduler.model.published import json_schema  # made once: it asks the models for all their fields

    return json.dumps(json_schema()).encode()


@router.get("/v1/schemas/job", operation_id="getJobSchema")
async def get_schema(request: Request) -> Response:
    """The JSON Schema (draft 2020-12) of what this version takes as a job."""
    call_of(request).need(access.READ, namespace=access.Reach.ANY)
    return Response(await in_thread(_schema), media_type="application/json")
