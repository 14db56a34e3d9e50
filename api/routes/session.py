"""The cockpit's session: a token becomes a same-site, HttpOnly cookie; writes with it need the CSRF token."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access
from api.access import COOKIE, COOKIE_AGE_S, check_csrf, csrf_token
from api.call import Call, call_of, json_response
from api.problems import Problem
from api.services import services_of

router = APIRouter(tags=["session"])


@router.post("/v1/session", operation_id="beginSession", status_code=201)
async def begin(request: Request) -> Response:
    """Begin a session: the token by Authorization: Bearer, or as {"token": …}."""
    services, call = services_of(request), call_of(request)
    token = access.bearer(call.headers)
    if token is None:
        given = call.json_object().get("token")
        if not isinstance(given, str) or not given:
            raise Problem("validation", "the body has no token", hint='Send {"token": "…"}.')
        token = given
    if not token.isascii() or any(letter in token for letter in ' ;,"\\') or not token.isprintable():
        raise access.UnknownToken
    principal = await services.access.of_token(token)
    document = {"name": principal.name, "role": principal.role, "csrf": csrf_token(token)}
    return json_response(document, 201, {"Set-Cookie": _cookie(call, request, token, COOKIE_AGE_S)})


@router.get("/v1/session", operation_id="getSession")
async def current(request: Request) -> Response:
    """Who this session is, and its CSRF token."""
    services, call = services_of(request), call_of(request)
    principal = await services.access.identify(call.headers)
    return json_response(
        {"name": principal.name, "role": principal.role, "csrf": csrf_token(principal.token)}
    )


@router.delete("/v1/session", operation_id="endSession", status_code=204)
async def end(request: Request) -> Response:
    """End the session."""
    services, call = services_of(request), call_of(request)
    check_csrf(await services.access.identify(call.headers), call.headers)
    return Response(status_code=204, headers={"Set-Cookie": _cookie(call, request, "", 0)})


def _cookie(call: Call, request: Request, token: str, age_s: int) -> str:
    secure = "; Secure" if request.scope.get("scheme") == "https" else ""
    return f"{COOKIE}={token}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"
