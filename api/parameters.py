"""Query parameters: an unknown one is refused. Else a slip would be obeyed in silence: `?dryrun=true` would
delete, `?lables=` would list everything. So is a body where a route takes none: a reason or an end that was
sent along would be lost.

Each route declares its own, in its signature or in `openapi_extra`: what is accepted is what /openapi.json
says.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from api.call import Call, call_of
from api.problems import FieldError, Problem, query_problem

NUMBER_MAX = (1 << 62) - 1  #: more than anything here is counted to, and less than SQLite's numbers end at
EVERYWHERE = frozenset({"namespace", "consistency"})


def among(name: str, given: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """The values of a parameter that names several. Raises Problem for one that is not known."""
    for each in given:
        if each not in known:
            near = difflib.get_close_matches(each[:64], list(known), 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise query_problem(name, f"{each[:64]!r} is not one of {', '.join(known)}{meant}")
    return tuple(dict.fromkeys(given))


def need_known(call: Call, names: Collection[str]) -> None:
    """Raises Problem for the first parameter that is none of `names`."""
    for name in call.query:
        if name in names or name in EVERYWHERE:
            continue
        near = difflib.get_close_matches(name, [*names, *EVERYWHERE], 1)
        known = ", ".join(sorted({*names, *EVERYWHERE}))
        detail = f"{name[:64]!r} is not a parameter of {call.method} {call.path[:200]}"
        raise Problem(
            "validation",
            detail,
            hint=f"did you mean {near[0]}?" if near else f"It takes {known}.",
            errors=[FieldError(f"?{name[:64]}", "unknown parameter")],
        )


async def refuse_unknown(request: Request) -> None:
    """A dependency of every route. Under /v1 only: browsers and balancers add their own elsewhere."""
    call, route = call_of(request), request.scope.get("route")
    if not call.path.startswith("/v1/") or not isinstance(route, APIRoute):
        return
    if call.query:
        need_known(call, _declared(route))
    if call.body and "requestBody" not in (route.openapi_extra or {}):
        need_no_body(call)


EACH = [Depends(refuse_unknown)]
"""What the router of each noun depends on."""


def need_no_body(call: Call) -> None:
    """Raises Problem for a body with anything in it: what would be passed over in silence is refused."""
    fields = call.json_object(optional=True)
    if fields:
        errors = [FieldError(f"/{name[:100]}", "this request takes no body") for name in list(fields)[:20]]
        detail = f"{call.method} {call.path[:200]} takes no body, and {next(iter(fields))[:64]!r} was sent"
        raise Problem("validation", detail, hint="Send it without a body.", errors=errors)


def _asking(dependant: Dependant) -> Sequence[Dependant]:
    """The route itself, and what it has in common with others."""
    return [dependant, *(each for part in dependant.dependencies for each in _asking(part))]


def _declared(route: APIRoute) -> frozenset[str]:
    extra = (route.openapi_extra or {}).get("parameters", ())
    return frozenset(
        [field.alias for each in _asking(route.dependant) for field in each.query_params]
        + [str(each["name"]) for each in extra if each["in"] == "query"]
    )
