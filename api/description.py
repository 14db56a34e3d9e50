"""/openapi.json: what every operation takes and answers, made true where FastAPI can only guess.

Rules:

1. FastAPI knows the routes and their parameters; `ANSWERS` knows what else an operation may answer; what the
   door, the roles and the log may answer to anything is added by rule. No operation lists what it never says.
2. Every refusal is application/problem+json, with the statuses of `problems.KINDS`.
3. No example acts on a member, an agent or a token that a cluster may have.
4. tests/api/test_contract.py asks a node whether all of this is so.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.access import COOKIES
from api.door import OWN_ACCESS, PUBLIC_PATHS
from api.problems import KINDS, MEDIA_TYPE

Schema = dict[str, Any]
Answer = tuple[str, Schema]  #: media type and schema
JSON = "application/json"
TEXT = "text/plain"


def _of(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields)}


_STRING: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE: Schema = {"type": ["string", "null"]}
_ITEMS: Schema = _object(items={"type": "array", "items": {"type": "object"}}, next_cursor=_MAYBE)
_REVISION = _object(
    revision=_COUNT, changed=_STRING, index=_COUNT, actor=_STRING, deleted={"type": "boolean"},
    definition={"type": ["object", "null"]},
)  # fmt: skip
_SESSION = _object(name=_STRING, role=_STRING, csrf=_MAYBE)
_READY = _object(
    ready={"type": "boolean"}, state=_STRING, leader=_MAYBE, quorum={"type": "boolean"}
)  # fmt: skip
_DRY: Schema = _object(dry_run={"const": True})
_JOB, _RUN, _AGENT = _of("Job"), _of("Run"), _of("Agent")
_BYTES: Schema = {"type": "string", "format": "binary"}

#: operation: status: its answer; None: there is no body
ANSWERS: Mapping[str, Mapping[int, Answer | None]] = {
    "putJob": {200: (JSON, {"anyOf": [_JOB, _DRY]}), 201: (JSON, _JOB)},
    "createJob": {200: (JSON, _DRY), 201: (JSON, _JOB)},
    "getJob": {200: (JSON, {"anyOf": [_JOB, _REVISION]})},
    "deleteJob": {200: (JSON, _DRY), 204: None},
    "pauseJob": {200: (JSON, _JOB)},
    "resumeJob": {200: (JSON, _JOB)},
    "listRevisions": {200: (JSON, _ITEMS)},
    "nextTicks": {200: (JSON, _ITEMS)},
    "applyJobs": {200: (JSON, _object(dry_run={"type": "boolean"}, created={"type": "array"}))},
    "getDefinition": {200: ("application/yaml", _STRING)},
    "runJob": {200: (JSON, _DRY), 201: (JSON, _RUN)},
    "cancelRun": {200: (JSON, _RUN)},
    "resolveRun": {200: (JSON, _RUN)},
    "getLogs": {200: (TEXT, _STRING)},
    "verifyLedger": {200: (JSON, _object(ok={"type": "boolean"}, problems={"type": "array"}))},
    "releaseAgent": {200: (JSON, _object(name=_STRING, installation=_STRING))},
    "drainAgent": {200: (JSON, _AGENT)},
    "resumeAgent": {200: (JSON, _AGENT)},
    "addMember": {200: (JSON, _object(node=_STRING)), 201: (JSON, _object(node=_STRING))},
    "removeMember": {204: None},
    "transferLeadership": {200: (JSON, _object(leader=_MAYBE))},
    "activateFormat": {200: (JSON, _object(before=_COUNT, target=_COUNT))},
    "getTickLimits": {200: (JSON, _object(job=_COUNT, namespace=_COUNT, cluster=_COUNT))},
    "setTickLimits": {200: (JSON, _object(job=_COUNT, namespace=_COUNT, cluster=_COUNT))},
    "backUp": {200: ("application/vnd.sqlite3", _BYTES)},
    "resendEffect": {200: (JSON, _of("Effect"))},
    "dropEffect": {204: None},
    "streamEvents": {200: ("text/event-stream", _STRING)},
    "createToken": {200: (JSON, _DRY), 201: (JSON, _object(name=_STRING, role=_STRING, token=_STRING))},
    "listTokens": {200: (JSON, _ITEMS)},
    "deleteToken": {204: None},
    "getAuthorities": {200: ("application/x-pem-file", _STRING)},
    "join": {201: (JSON, _object(cluster=_STRING, members={"type": "array"}))},
    "beginSession": {201: (JSON, _SESSION)},
    "getSession": {200: (JSON, _SESSION)},
    "endSession": {204: None},
    "healthz": {200: (JSON, _object(status=_STRING, node=_STRING, version=_STRING))},
    "healthyPage": {200: ("text/html", _STRING)},
    "readyz": {200: (JSON, _READY), 503: (JSON, _READY)},
    "metrics": {200: (TEXT, _STRING)},
}

#: what replies say in headers of their own: name, description, schema
HEADERS: Mapping[str, tuple[tuple[str, str, Schema], ...]] = {
    "getLogs": (
        (
            "X-Cronclave-Log-Source",
            "`agent`: live; `tail`: the end of it that is stored; `none`: there is no such attempt, yet.",
            {"type": "string", "enum": ["agent", "tail", "none"]},
        ),
        ("X-Cronclave-Attempt", "The number of the attempt whose output this is.", _COUNT),
        ("X-Cronclave-Log-Offset", "The place of the first byte in that attempt's output.", _COUNT),
        ("X-Cronclave-Log-Bytes", "Where that output ends, as far as is known.", _COUNT),
        (
            "X-Cronclave-Log-Missing",
            "Bytes that were asked for and cannot be had: `0-99`, or `0-` where nobody here knows the end.",
            {"type": "string", "pattern": "^[0-9]+-[0-9]*$"},
        ),
    ),
}

#: refusals that no rule below finds: the state does not allow it, or there is no such thing
REFUSALS: Mapping[str, tuple[int, ...]] = {
    "putJob": (409, 412, 415), "createJob": (409, 415), "applyJobs": (409, 415), "deleteJob": (409, 412),
    "pauseJob": (409,), "resumeJob": (409,), "runJob": (409,), "cancelRun": (409,), "resolveRun": (409,),
    "releaseAgent": (409,), "addMember": (409,), "removeMember": (409,), "transferLeadership": (404, 409),
    "activateFormat": (409,), "createToken": (409,), "deleteToken": (409,), "join": (404, 409),
    "getAuthorities": (404,), "beginSession": (409,),
}  # fmt: skip

_ALWAYS = frozenset({408, 429, 431, 503})  #: too slow, too many, too large a head; no leader, too much to do
_WRITES = frozenset({"post", "put", "delete", "patch"})
_STATUSES = frozenset(kind.status for kind in KINDS.values())


def describe(app: FastAPI) -> dict[str, Any]:
    """The description, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                _complete(path, method, operation)
        components = document.setdefault("components", {})
        for left in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which is never sent
            components.get("schemas", {}).pop(left, None)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}} | {
            f"session-{kind}": {"type": "apiKey", "in": "cookie", "name": name}
            for kind, name in COOKIES.items()
        }
        document["security"] = [{name: []} for name in components["securitySchemes"]]
        app.openapi_schema = document
    return app.openapi_schema


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    replies = operation["responses"]
    name = operation["operationId"]
    known = ANSWERS.get(name)
    if known is None:
        kept = {status: reply for status, reply in replies.items() if status.startswith("2")}
    else:
        kept = {str(status): _reply(status, answer) for status, answer in known.items()}
    for status in sorted(_refusals(path, method, operation)):
        reply = kept.setdefault(str(status), {"description": _phrase(status)})
        reply.setdefault("content", {})[MEDIA_TYPE] = {"schema": _of("Problem")}
    for reply in kept.values():
        reply["headers"] = {
            "X-Cronclave-Index": {
                "description": "The state's version that this reply knows.",
                "required": True,
                "schema": _COUNT,
            }
        }
    for header, description, schema in HEADERS.get(name, ()):
        kept["200"]["headers"][header] = {"description": description, "schema": schema}
    operation["responses"] = dict(sorted(kept.items()))
    if path in PUBLIC_PATHS or name == "beginSession":
        operation["security"] = []


def _refusals(path: str, method: str, operation: Mapping[str, Any]) -> set[int]:
    found = set(_ALWAYS & _STATUSES) | set(REFUSALS.get(operation["operationId"], ()))
    if path.startswith("/v1/"):
        found.add(422)  # each parameter that is unknown or not valid
    if path not in PUBLIC_PATHS:
        found.add(401)
    if path not in PUBLIC_PATHS | OWN_ACCESS or method in _WRITES:
        found.add(403)
    if "{" in path:
        found.add(404)
    if method in _WRITES:
        found |= {413, 507}
    if "requestBody" in operation:
        found.add(400)
    return found


def _reply(status: int, answer: Answer | None) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": _phrase(status)}
    if answer is not None:
        reply["content"] = {answer[0]: {"schema": answer[1]}}
    return reply


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
