"""Bearer tokens: made and listed by administrators. A secret is in the reply that makes it, nowhere else.

Who administrates single namespaces makes, lists and withdraws the tokens of these alone, and none of a right
beyond them. A name is taken once in the cluster, whoever may see the token that has it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of, json_response, json_type
from api.consistency import settle
from api.granting import read_roles, roles_json
from api.instants import rfc3339
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import FieldError, Problem
from api.services import services_of
from scheduler.machine.tokens import JOINS
from scheduler.store.reads import tokens as token_reads
from scheduler.words.commands import DeleteToken, Granted, PutToken

router = APIRouter(tags=["tokens"], dependencies=EACH)

SECRET_BYTES = 32
FIELDS = ("name", "role", "namespaces", "roles", "ttl_s", "uses", "holder", "pool", "any_name")
LETTERS_MAX = 255
USES_MAX = 10_000
TTL_S_MAX = 10 * 366 * 86_400
JOIN_TTL_S = 3_600
JOIN_TTL_S_MAX = 7 * 86_400
ANY_NAME = (
    "who holds this token may come as any agent{pool} whose name no other token is bound to, also in place "
    "of one that is disconnected"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@router.post("/v1/tokens", operation_id="createToken", openapi_extra=schemas.create_token, status_code=201)
async def create_token(request: Request) -> Response:
    """Make a token of a role. Its secret is shown this once: the cluster keeps a hash."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ANY)
    document = call.json_object()
    errors = [
        FieldError(f"/{name[:100]}", f"unknown field; known are {', '.join(FIELDS)}")
        for name in document
        if name not in FIELDS
    ]
    name = document.get("name")
    if not isinstance(name, str):
        errors.append(FieldError("/name", f"it is a text, not {json_type(name)}"))
    elif not _NAME.fullmatch(name):
        errors.append(FieldError("/name", "letters, digits and . _ - (63 at most), a letter or digit first"))
    roles = read_roles(document, errors)
    role = roles.get(access.ALL, "")
    limits = _limits(document, role, errors)
    if errors:
        raise Problem("validation", f"{errors[0].pointer}: {errors[0].detail}", errors=errors)
    for namespace in roles:  # nobody gives what is not theirs
        call.need(access.ADMIN, namespace=access.Reach.ALL if namespace == access.ALL else namespace)
    if call.flag("dry_run"):
        return json_response({"name": name, **roles_json(roles), "dry_run": True})
    secret = secrets.token_urlsafe(SECRET_BYTES)
    digest = hashlib.sha256(secret.encode()).digest()
    now_ms = services.scheduler.now_ms()
    command = PutToken(
        str(name), digest, role, now_ms + limits["ttl_s"] * 1000 if limits["ttl_s"] else 0,
        limits["uses"], _holder(document), document.get("pool", ""), call.actor,
        tuple(Granted(*each) for each in sorted(roles.items()) if each[0] != access.ALL),
    )  # fmt: skip
    outcome = await services.scheduler.propose(command)
    expect_ok(outcome, what=f"making token {name}")
    made: dict[str, Any] = {"name": name, **roles_json(roles), "token": secret}
    if role == "agent":
        made["holder"] = command.holder or None
        if not command.holder:
            made["warning"] = ANY_NAME.format(pool=f" of pool {command.pool}" if command.pool else "")
    if command.expires_ms:
        made["expires"] = rfc3339(command.expires_ms)
    return json_response(made, 201, {"Cache-Control": "no-store"})


def _holder(document: Mapping[str, Any]) -> str:
    """An agent's token is bound to one agent unless its maker says otherwise: to that of its own name."""
    bound = document.get("role") == "agent" and not document.get("any_name")
    holder: str = document.get("holder", "") or (document["name"] if bound else "")
    return holder


def _limits(document: Mapping[str, Any], role: str, errors: list[FieldError]) -> dict[str, int]:
    """`ttl_s` and `uses`, 0 where there are none; what is wrong goes to `errors`."""
    joins = role in JOINS
    most = {"ttl_s": JOIN_TTL_S_MAX if joins else TTL_S_MAX, "uses": USES_MAX}
    found = {"ttl_s": JOIN_TTL_S if joins else 0, "uses": 1 if joins else 0}
    for field in found:
        value = document.get(field, found[field])
        if field == "uses" and not joins and "uses" in document:
            errors.append(FieldError("/uses", "only a join token is used up"))
        elif field in document and (type(value) is not int or not 1 <= value <= most[field]):
            errors.append(FieldError(f"/{field}", f"a whole number from 1 to {most[field]}"))
        else:
            found[field] = value
    if "any_name" in document and (role != "agent" or type(document["any_name"]) is not bool):
        errors.append(FieldError("/any_name", "true or false, and only for a token of role agent"))
    elif document.get("any_name") and document.get("holder"):
        errors.append(FieldError("/any_name", "a token is for one agent (holder) or for any, not both"))
    for field in ("holder", "pool"):
        value = document.get(field, "")
        if not isinstance(value, str) or len(value) > LETTERS_MAX:
            errors.append(FieldError(f"/{field}", f"a text of at most {LETTERS_MAX} letters"))
        elif value and role not in ("agent", "join-agent", *(("join-node",) if field == "holder" else ())):
            errors.append(FieldError(f"/{field}", "only tokens of agents are bound to it"))
    return found


@router.delete(
    "/v1/tokens/{name}", operation_id="deleteToken", openapi_extra=schemas.delete_token, status_code=204
)
async def delete_token(request: Request, name: str) -> Response:
    """Withdraw a token: agents that are connected by it leave. The last administrator's stays. Who
    administrates single namespaces can withdraw what is a token of these alone."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ANY)
    within = call.principal.where(access.ADMIN) or ()
    if not call.flag("dry_run"):
        outcome = await services.scheduler.propose(DeleteToken(name, call.actor, within))
        expect_ok(outcome, what=f"token {name}")
        return Response(status_code=204)
    with services.scheduler.read() as store:
        found = any(row.token.name == name for row in token_reads.listed(store, within or None))
    if not found:
        raise Problem("not-found", f"there is no token {name[:LETTERS_MAX]}")
    return Response(status_code=204)


@router.get("/v1/tokens", operation_id="listTokens", openapi_extra=schemas.read)
async def list_tokens(request: Request) -> Response:
    """Every token's name and roles, never its secret; to who administrates single namespaces, the tokens of
    these alone."""
    services, call = services_of(request), call_of(request)
    within = call.need_listed(access.ADMIN)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        rows = token_reads.listed(store, within)
    items = [
        {
            "name": row.name,
            **roles_json(access.told(row.role, roles)),
            "created": rfc3339(row.created_ms),
            "expires": rfc3339(limits.expires_ms) if limits.expires_ms else None,
            "uses": limits.uses if row.role in JOINS else None,
            "holder": limits.holder or None,
            "pool": limits.pool or None,
        }
        for row, limits, roles in rows
    ]
    return json_response({"items": items, "next_cursor": None})
