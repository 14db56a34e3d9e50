"""What /openapi.json says about bodies, headers and replies: pydantic models with examples, for
documentation only.

Nothing is validated with these at run time: bodies are judged by `scheduler.model`, replies are made by
`api.views`, and a test compares real replies with these models. Reading order: `replies` (shapes), then the
fragments of operations below.
"""

from __future__ import annotations

from typing import Any

from api.schemas.examples import JOB, PARAMS
from api.schemas.replies import (
    Agent,
    AgentList,
    Cluster,
    Job,
    JobList,
    Problem,
    Run,
    RunList,
    TickList,
)


def _query(name: str, text: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": kind}}


def _header(name: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": text,
        "schema": {"type": "string"},
    }


def _body(example: object, *, required: bool = True, yaml: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}, "example": example}}
    if yaml:
        content["application/yaml"] = {"schema": {"type": "string"}}
    return {"required": required, "content": content}


_NAMESPACE = _query("namespace", "Namespace; `default` where one is needed.")
_FRESHNESS = [
    _query("consistency", "`linearizable` (default) or `stale`."),
    _query("min_index", "Read once this node has applied that index.", "integer"),
    _query(
        "index",
        "Blocking query: reply once something happened after that index, or when `wait` is over.",
        "integer",
    ),
    _query("wait", "How long, such as 30s."),
]
_DRY_RUN = _query("dry_run", "Say what would happen, change nothing.", "boolean")
_PRUNE = _query("prune", "Not available in this version.", "boolean")
_KEY = _header("Idempotency-Key", "The same key with the same request is done once, for 24 h.")
_IF_MATCH = _header("If-Match", "ETag that the job must have.")
_IF_NONE_MATCH = _header("If-None-Match", "`*`: the job must not exist.")

read: dict[str, Any] = {"parameters": [_NAMESPACE, *_FRESHNESS]}
change: dict[str, Any] = {"parameters": [_NAMESPACE, _DRY_RUN, _KEY, _IF_MATCH]}
put_job: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY, _IF_MATCH, _IF_NONE_MATCH],
    "requestBody": _body(JOB, yaml=True),
}
create_job: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY],
    "requestBody": _body(JOB, yaml=True),
}
apply_jobs: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY, _query("source", "Where the jobs come from."), _PRUNE],
    "requestBody": _body({"jobs": [JOB]}, yaml=True),
}
run_job: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY, _query("wait", "Wait for the run's end, such as 30s.")],
    "requestBody": _body({"params": PARAMS}, required=False),
}
logs: dict[str, Any] = {
    "parameters": _FRESHNESS,
    "responses": {
        "200": {"description": "Output", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
}
events: dict[str, Any] = {
    "parameters": [_header("Last-Event-ID", "Go on behind this event.")],
    "responses": {
        "200": {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    },
}
_UNASKED = _query(
    "unasked", "Admit it though nobody was asked at its address: it does not run yet.", "boolean"
)
add_member: dict[str, Any] = {
    "parameters": [_DRY_RUN, _UNASKED],
    "requestBody": _body(
        {"name": "node-4", "address": "10.0.1.4:8322", "zone": "eu-west-1a", "url": "https://10.0.1.4:8321"}
    ),
}
create_token: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body({"name": "host-17", "role": "agent"}),
}
release_agent: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body({"installation": "0123456789abcdef0123456789abcdef"}),
}
delete_token: dict[str, Any] = {"parameters": [_DRY_RUN]}
join: dict[str, Any] = {
    "parameters": [_UNASKED],
    "requestBody": _body({"name": "web-7", "pool": "web", "sha256": "SHA-256 of its own secret, in hex"}),
}
remove_member: dict[str, Any] = {"parameters": [_DRY_RUN]}
backup: dict[str, Any] = {
    "parameters": _FRESHNESS,
    "responses": {
        200: {
            "description": "An SQLite file; X-Cronclave-Sha256 is the checksum of its bytes.",
            "content": {"application/vnd.sqlite3": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
}
transfer: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body({"node": "node-2"}, required=False),
}
activate: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body({"format": 2}, required=False),
}


def _replies(model: type) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"model": model, "description": "OK"},
        "default": {"model": Problem, "description": "A problem (RFC 9457, application/problem+json)"},
    }


job_replies = _replies(Job)
jobs_replies = _replies(JobList)
run_replies = _replies(Run)
runs_replies = _replies(RunList)
ticks_replies = _replies(TickList)
agent_replies = _replies(Agent)
agents_replies = _replies(AgentList)
cluster_replies = _replies(Cluster)
