"""Bearer tokens: made and listed by administrators. A secret is in the reply that makes it, nowhere else."""

from __future__ import annotations

import hashlib
import re
import secrets

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.access import CAPABILITIES
from api.call import call_of, json_response, json_type
from api.consistency import settle
from api.instants import rfc3339
from api.outcomes import expect_ok
from api.problems import FieldError, Problem
from api.services import services_of
from scheduler.commands import PutToken
from scheduler.store import tokens as token_rows

router = APIRouter(tags=["tokens"])

SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@router.post("/v1/tokens", operation_id="createToken", openapi_extra=schemas.create_token, status_code=201)
async def create_token(request: Request) -> Response:
    """Make a token of a role. Its secret is shown this once: the cluster keeps a hash."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN)
    document = call.json_object()
    errors = [
        FieldError(f"/{name[:100]}", 'unknown field; send {"name", "role"}')
        for name in document
        if name not in ("name", "role")
    ]
    name, role = document.get("name"), document.get("role")
    if not isinstance(name, str):
        errors.append(FieldError("/name", f"it is a text, not {json_type(name)}"))
    elif not _NAME.fullmatch(name):
        errors.append(FieldError("/name", "letters, digits and . _ - (63 at most), a letter or digit first"))
    if not isinstance(role, str) or role not in CAPABILITIES:
        errors.append(FieldError("/role", f"one of {', '.join(CAPABILITIES)}"))
    if errors:
        raise Problem("validation", f"{errors[0].pointer}: {errors[0].detail}", errors=errors)
    if call.flag("dry_run"):
        return json_response({"name": name, "role": role, "dry_run": True})
    secret = secrets.token_urlsafe(SECRET_BYTES)
    digest = hashlib.sha256(secret.encode()).digest()
    outcome = await services.scheduler.propose(PutToken(str(name), digest, str(role)))
    expect_ok(outcome, what=f"making token {name}")
    return json_response({"name": name, "role": role, "token": secret}, 201, {"Cache-Control": "no-store"})


@router.get("/v1/tokens", operation_id="listTokens", openapi_extra=schemas.read)
async def list_tokens(request: Request) -> Response:
    """Every token's name and role, never its secret."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        rows = token_rows.all_tokens(store)
    items = [{"name": row.name, "role": row.role, "created": rfc3339(row.created_ms)} for row in rows]
    return json_response({"items": items, "next_cursor": None})
