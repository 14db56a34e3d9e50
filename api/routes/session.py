"""The cockpit's session: a token becomes a same-site, HttpOnly cookie; writes with it need the CSRF token.

Rules: the cookie carries a secret of its own, which the cluster knows by its hash until its end; logging out
ends it on every node, and so does withdrawing the token. No cookie ever holds a token.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.access import COOKIES, Principal, check_csrf, csrf_token, digest, new_session
from api.call import call_of, json_response
from api.granting import roles_json
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import Problem
from api.services import services_of
from scheduler.machine.sessions import LIFE_MS
from scheduler.words.commands import Actor, CloseSession, OpenSession
from scheduler.words.outcomes import Code

router = APIRouter(tags=["session"], dependencies=EACH)


@router.post("/v1/session", operation_id="beginSession", status_code=201, openapi_extra=schemas.begin_session)
async def begin(request: Request) -> Response:
    """Begin a session: the token by Authorization: Bearer, or as {"token": …}."""
    services, call = services_of(request), call_of(request)
    token = access.bearer(call.headers)
    given = call.json_object(optional=token is not None).get("token", token)
    if not isinstance(given, str) or not given:
        raise Problem("validation", "the body has no token", hint='Send {"token": "…"}.')
    token = token or given
    principal = await services.access.of_token(token, call.client)
    access.require(principal, access.READ, access.Reach.ANY)
    secret = new_session(is_https=request.scope.get("scheme") == "https")
    actor = Actor(principal.name, call.client)
    outcome = await services.scheduler.propose(
        OpenSession(principal.name, digest(principal.token), digest(secret), actor)
    )
    if outcome.code == Code.NOT_FOUND:
        raise access.UnknownToken  # it was withdrawn meanwhile
    expect_ok(outcome, what="beginning a session")
    cookie = _cookie(secret, LIFE_MS // 1000)
    return json_response(_told(principal, secret), 201, {"Set-Cookie": cookie, "Cache-Control": "no-store"})


@router.get("/v1/session", operation_id="getSession")
async def current(request: Request) -> Response:
    """Who this session is, and its CSRF token."""
    services, call = services_of(request), call_of(request)
    principal = await services.access.identify(call.headers, call.client)
    secret = principal.token if principal.by_cookie else None
    return json_response(_told(principal, secret), headers={"Cache-Control": "no-store"})


@router.delete("/v1/session", operation_id="endSession", status_code=204)
async def end(request: Request) -> Response:
    """End the session, on every node."""
    services, call = services_of(request), call_of(request)
    principal = await services.access.identify(call.headers, call.client)
    check_csrf(principal, call.headers)
    headers = {}
    if principal.by_cookie:
        actor = Actor(principal.name, call.client, by_session=True)
        outcome = await services.scheduler.propose(CloseSession(digest(principal.token), actor))
        if outcome.code != Code.NOT_FOUND:  # somebody else ended it meanwhile
            expect_ok(outcome, what="ending the session")
        headers["Set-Cookie"] = _cookie(principal.token[0], 0)
    return Response(status_code=204, headers=headers)


def _told(principal: Principal, secret: str | None) -> dict[str, Any]:
    """Without a session there is nothing to forge: no CSRF token is needed."""
    return {
        "name": principal.name,
        **roles_json(principal.told),
        "may": sorted({each for role in principal.told.values() for each in access.CAPABILITIES[role]}),
        "may_in": {name: sorted(access.CAPABILITIES[role]) for name, role in principal.told.items()},
        "csrf": None if secret is None else csrf_token(secret),
    }


def _cookie(secret: str, age_s: int) -> str:
    """Of its first letter alone where it ends."""
    value = secret if age_s else ""
    secure = "; Secure" if secret[0] == "s" else ""
    return f"{COOKIES[secret[0]]}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"
