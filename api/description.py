"""/openapi.json: what every operation takes and answers, made true where FastAPI can only guess.

Rules:

1. FastAPI knows the routes and their parameters; `ANSWERS` knows what else an operation may answer; what the
   door, the roles and the log may answer to anything is added by rule. No operation lists what it never says.
2. Every refusal is application/problem+json, with the statuses of `problems.KINDS`; beside each stands which
   types of problems it may be.
3. No example acts on a member, an agent or a token that a cluster may have.
4. tests/api/test_contract.py asks a node whether all of this is so.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.access import COOKIES
from api.door import OWN_ACCESS, PUBLIC_PATHS, is_delivery
from api.problems import KINDS, MEDIA_TYPE
from api.schemas import (
    answers,
    backfills,
    completions,
    dry_runs,
    holders,
    namespaces,
    notifications,
    replies,
    reservations,
    sources,
)
from api.schemas.examples import with_examples
from api.schemas.shapes import named_shapes

Schema = dict[str, Any]
Answer = tuple[str, Schema]  #: media type and schema
JSON = "application/json"
TEXT = "text/plain"
TYPES = "x-problem-types"  #: beside a refusal: which `type` it may have


def _any(*models: type[replies.Reply]) -> Answer:
    """JSON of one of these shapes."""
    shapes = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    return JSON, shapes[0] if len(shapes) == 1 else {"anyOf": shapes}


_STRING: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_BYTES: Schema = {"type": "string", "format": "binary"}

#: operation: status: its answer; None: there is no body. What is not here, the route itself says.
ANSWERS: Mapping[str, Mapping[int, Answer | None]] = {
    "putJob": {200: _any(replies.Job, answers.JobDryRun), 201: _any(replies.Job)},
    "createJob": {200: _any(answers.JobDryRun), 201: _any(replies.Job)},
    "getJob": {200: _any(replies.Job, answers.Revision)},
    "putNamespace": {
        200: _any(namespaces.Namespace, namespaces.NamespaceDryRun), 201: _any(namespaces.Namespace),
    },
    "deleteNamespace": {204: None},
    "listNamespaceRevisions": {200: _any(answers.RevisionList)},
    "getJobSchema": {200: (JSON, {"type": "object"})},
    "deleteJob": {200: _any(dry_runs.DryRun), 204: None},
    "pauseJob": {200: _any(replies.Job)},
    "resumeJob": {200: _any(replies.Job)},
    "listRevisions": {200: _any(answers.RevisionList)},
    "listNextTicks": {200: _any(answers.ComingTicks)},
    "applyJobs": {200: _any(answers.Applied, answers.Stage), 202: _any(answers.Stage)},
    "getStage": {200: _any(answers.Stage)},
    "dropStage": {200: _any(dry_runs.DryRun), 204: None},
    "putObject": {200: _any(answers.Object, answers.ObjectDryRun), 201: _any(answers.Object)},
    "getObject": {200: _any(answers.Object, answers.Revision)},
    "deleteObject": {200: _any(dry_runs.DryRun), 204: None},
    "listObjects": {200: _any(answers.ObjectList)},
    "listObjectRevisions": {200: _any(answers.RevisionList)},
    "getObjectDiff": {200: _any(answers.Difference)},
    "listCalendarDays": {200: _any(answers.CalendarDays)},
    "listScheduleTicks": {200: _any(answers.ScheduleTicks)},
    "listReferrers": {200: _any(answers.ReferrerList)},
    "getObjectSchema": {200: (JSON, {"type": "object"})},
    "getObjectDefinition": {200: ("application/yaml", {"type": "object"})},
    "getNamespaceDefinition": {200: ("application/yaml", {"type": "object"})},
    "getDefinition": {200: ("application/yaml", {"type": "object"})},
    "runJob": {200: _any(dry_runs.RunPlan), 201: _any(replies.Run)},
    "sendDelivery": {200: _any(answers.DeliveryDryRun), 202: _any(answers.Delivered)},
    "postNotice": {200: _any(answers.NoticeDryRun), 201: _any(answers.Notice)},
    "listNotices": {200: _any(answers.NoticeList)},
    "listHolders": {200: _any(holders.HolderList)},
    "listWaiters": {200: _any(holders.WaiterList)},
    "getSourceState": {200: _any(sources.SourceState)},
    "syncSource": {202: _any(sources.SourceState)},
    "startBackfill": {200: _any(backfills.BackfillDryRun), 201: _any(backfills.Backfill)},
    "deleteNotice": {200: _any(answers.NoticeGone), 204: None},
    "listDeliveries": {200: _any(answers.DeliveryList)},
    "rerunRun": {200: _any(dry_runs.RerunPlan), 201: _any(replies.Run)},
    "cancelRun": {200: _any(replies.Run)},
    "resolveRun": {200: _any(replies.Run)},
    "suspendRun": {200: _any(replies.Run)},
    "resumeRun": {200: _any(replies.Run)},
    "releaseRun": {200: _any(replies.Run)},
    "overrideRun": {200: _any(replies.Run)},
    **{
        f"{hand}Task": {200: _any(replies.Run)}
        for hand in ("hold", "release", "skip", "retry", "stop", "approve", "reject")
    },
    "completeTask": {200: _any(completions.Completed)},
    "reportProgress": {200: _any(completions.Completed)},
    "getLogs": {200: (TEXT, _STRING)},
    "verifyLedger": {200: _any(answers.Verification)},
    "releaseAgent": {200: _any(answers.Released)},
    "drainAgent": {200: _any(replies.Agent)},
    "resumeAgent": {200: _any(replies.Agent)},
    "addMember": {200: _any(answers.Member), 201: _any(answers.Member)},
    "removeMember": {204: None},
    "transferLeadership": {200: _any(answers.Transferred)},
    "activateFormat": {200: _any(answers.FormatActivated)},
    "activateZones": {200: _any(answers.Retimed), 202: _any(answers.Retimed)},
    "getReserved": {200: _any(reservations.Reserved)},
    "releaseReserved": {200: _any(reservations.Unreserved, reservations.UnreserveDryRun)},
    "getTickLimits": {200: _any(answers.AskedTicks)},
    "setTickLimits": {200: _any(answers.TickLimits)},
    "exportLedger": {200: ("application/jsonl", _STRING)},
    "exportAudit": {200: ("application/jsonl", _STRING)},
    "getBackup": {200: ("application/vnd.sqlite3", _BYTES)},
    "resendEffect": {200: _any(notifications.Effect)},
    "acknowledgeEffect": {200: _any(notifications.Effect)},
    "addMute": {200: _any(notifications.Mute), 201: _any(notifications.Mute)},
    "removeMute": {204: None},
    "sendTest": {200: _any(notifications.ChannelDryRun), 201: _any(notifications.ChannelTold)},
    "dropEffect": {204: None},
    "streamEvents": {200: ("text/event-stream", _STRING)},
    "putSecret": {200: _any(replies.Secret, answers.SecretDryRun), 201: _any(replies.Secret)},
    "deleteSecret": {204: None},
    "rotateSecretKey": {200: _any(answers.KeyRotated)},
    "createToken": {200: _any(dry_runs.DryRun), 201: _any(answers.TokenMade)},
    "listTokens": {200: _any(answers.TokenList)},
    "deleteToken": {204: None},
    "getAuthorities": {200: ("application/x-pem-file", _STRING)},
    "joinCluster": {201: _any(answers.Joined)},
    "beginSession": {201: _any(answers.Session)},
    "getSession": {200: _any(answers.Session)},
    "endSession": {204: None},
    "getHealth": {200: _any(answers.Health)},
    "getHealthPage": {200: ("text/html", _STRING)},
    "getReadiness": {200: _any(answers.Readiness), 503: _any(answers.Readiness)},
    "getMetrics": {200: (TEXT, _STRING)},
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
    "putNamespace": (409, 412), "deleteNamespace": (409, 412),
    "putJob": (409, 412, 415), "createJob": (409, 415), "applyJobs": (404, 409, 415), "deleteJob": (409, 412),
    "putObject": (409, 412, 415), "deleteObject": (409, 412), "getStage": (404,), "dropStage": (404, 409),
    "releaseReserved": (409,),
    "pauseJob": (409,), "resumeJob": (409,), "runJob": (409,), "cancelRun": (409,), "resolveRun": (409,),
    "rerunRun": (409,),
    "suspendRun": (409,), "resumeRun": (409,), "releaseRun": (409,), "overrideRun": (409,),
    "holdTask": (409,), "releaseTask": (409,), "skipTask": (409,), "retryTask": (409,), "stopTask": (409,),
    "approveTask": (409,), "rejectTask": (409,),
    "releaseAgent": (409,), "addMember": (409,), "removeMember": (409,), "transferLeadership": (404, 409),
    "activateFormat": (409,), "createToken": (409,), "deleteToken": (409,), "joinCluster": (404, 409),
    "resendEffect": (409,), "changeTick": (409,), "startBackfill": (409,), "cancelBackfill": (409,),
    "putSecret": (409, 412), "grantSecret": (409,), "deleteSecret": (409,), "rotateSecretKey": (409,),
    "syncSource": (409,),
    "changeJobs": (404,), "sendDelivery": (415,), "postNotice": (409,), "activateZones": (409,),
    "listAttempts": (404,), "listExpectations": (404,), "getAuthorities": (404,), "beginSession": (409,),
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
        _say_of_hooks(document["paths"])
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for left in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which is never sent
            schemas.pop(left, None)
        schemas |= named_shapes() | schemas
        with_examples(schemas)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}} | {
            f"session-{kind}": {"type": "apiKey", "in": "cookie", "name": name}
            for kind, name in COOKIES.items()
        }
        document["security"] = [{name: []} for name in components["securitySchemes"]]
        app.openapi_schema = document
    return app.openapi_schema


def _say_of_hooks(paths: Schema) -> None:
    """A path that is one of a kind hides what is described of all kinds: it is said once more there."""
    for method, operation in paths["/v1/{kind}/{name}"].items():
        told = copy.deepcopy(operation)
        told["operationId"] = told["operationId"].replace("Object", "Hook")
        told["parameters"] = [each for each in told["parameters"] if each["name"] != "kind"]
        paths["/v1/hooks/{name}"][method] = told


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    said = operation["responses"]
    name = operation["operationId"]
    known = ANSWERS.get(name)
    if known is None:
        kept = {status: reply for status, reply in said.items() if status.startswith("2")}
    else:
        kept = {str(status): _reply(status, answer) for status, answer in known.items()}
    for status in sorted(_refusals(path, method, operation)):
        reply = kept.setdefault(str(status), {"description": _phrase(status)})
        reply.setdefault("content", {})[MEDIA_TYPE] = {"schema": _any(replies.Problem)[1]}
        kinds = _kinds(status, path, method, operation)
        reply["description"] += f": {', '.join(kinds)}"
        reply[TYPES] = [f"/problems/{kind}" for kind in kinds]
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
    if path in PUBLIC_PATHS or name in ("beginSession", "sendDelivery"):
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


def _kinds(status: int, path: str, method: str, operation: Mapping[str, Any]) -> list[str]:
    """The types of problems that this operation may answer with this status."""
    parameters = {each["name"] for each in operation.get("parameters", ())}
    body = operation.get("requestBody", {})
    given = {
        "csrf": method in _WRITES and not is_delivery(method.upper(), path),
        "unauthorized": not is_delivery(method.upper(), path),
        "not-signed": is_delivery(method.upper(), path),
        "exists": method in _WRITES,
        "no-signer": operation["operationId"] == "joinCluster",
        "idempotency-key-reused": "Idempotency-Key" in parameters,
        "not-available": operation["operationId"] == "getBackup",
        "not-yaml": "application/yaml" in body.get("content", ()),
        "empty-body": bool(body.get("required")),
        "too-many-failures": path not in PUBLIC_PATHS,
        "told-too-often": operation["operationId"] == "reportProgress",
        "behind": "min_index" in parameters,
        "founding": path not in PUBLIC_PATHS,
        "query-too-long": method not in _WRITES,
    }
    return [name for name, kind in KINDS.items() if kind.status == status and given.get(name, True)]


def _reply(status: int, answer: Answer | None) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": _phrase(status)}
    if answer is not None:
        reply["content"] = {answer[0]: {"schema": answer[1]}}
    return reply


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
