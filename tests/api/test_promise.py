"""What clients rely on: a change that takes something from them fails with words that say what."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from api.schemas import answers, audit, overview, replies
from tests.api import promise

VERBS = (
    "acknowledge", "activate", "add", "apply", "approve", "begin", "cancel", "change", "close", "complete",
    "create",
    "delete",
    "drain", "drop", "end", "explain", "export", "get", "grant", "hold", "join", "list", "open",
    "override", "pause", "post", "put", "reject", "release", "report", "remove", "rerun", "resend", "resolve",
    "resume", "retry", "rotate", "run", "send", "set", "skip", "start", "stop", "stream", "suspend",
    "sync", "transfer", "verify",
)  # fmt: skip
DOCUMENT = promise.described()
RECORDED = promise.recorded()
OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}


def test_the_description_is_sound() -> None:
    validate(DOCUMENT)


def test_every_shape_has_a_name_of_its_own() -> None:
    """Of two with one name the description would have one."""
    shapes = [
        (name, shape)
        for module in (answers, audit, overview, replies)
        for name, shape in vars(module).items()
        if isinstance(shape, type) and shape.__module__ == module.__name__
    ]
    assert len({name for name, _ in shapes}) == len(shapes) > 50


def test_operations_are_named_by_a_verb_and_a_noun() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values())
    odd = [name for name in OPERATIONS if not re.fullmatch(rf"({'|'.join(VERBS)})([A-Z][a-z]+)+", name)]
    assert odd == []


def test_every_shape_has_an_example_that_fits_it() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert [name for name, schema in schemas.items() if not schema.get("examples")] == []
    for name, schema in schemas.items():
        whole = {**schema, "components": {"schemas": schemas}}
        jsonschema.Draft202012Validator(whole).validate(schema["examples"][0])
        assert schema["examples"][0], name


def test_every_body_that_is_sent_has_an_example_that_fits_it() -> None:
    for name, operation in OPERATIONS.items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None:
            assert content["example"], name
            jsonschema.Draft202012Validator(content["schema"]).validate(content["example"])


def test_every_refusal_says_which_problems_it_may_be() -> None:
    for name, operation in OPERATIONS.items():
        for status, reply in operation["responses"].items():
            if "application/problem+json" in reply.get("content", {}):
                assert reply["x-problem-types"], (name, status)


def test_nothing_was_taken_from_clients() -> None:
    now = promise.current()
    broken = promise.breaks(RECORDED, now)
    assert not broken, "clients rely on it:\n" + "\n".join(broken)
    assert now == RECORDED, f"nothing is broken, there is more than was recorded: {promise.RECORD}"


Change = Callable[[dict[str, Any]], object]


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["operations"][name]
    return found


def parameter(document: dict[str, Any], name: str, called: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = operation(document, name)["parameters"]
    return next(each for each in found if each["name"] == called)


def sent(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = operation(document, name)["requestBody"]["content"]["application/json"]["schema"]
    return found


BREAKS: dict[str, tuple[Change, str]] = {
    "path": (lambda d: d["operations"].pop("GET /v1/overview"), "GET /v1/overview is gone"),
    "operation id": (
        lambda d: operation(d, "GET /v1/jobs").update(operationId="jobs"),
        "GET /v1/jobs: its operation id was listJobs, it is jobs",
    ),
    "status": (
        lambda d: operation(d, "GET /v1/jobs/{name}")["responses"].pop("404"),
        "GET /v1/jobs/{name}: the answer 404 is gone",
    ),
    "parameter": (
        lambda d: operation(d, "GET /v1/runs")["parameters"].remove(parameter(d, "GET /v1/runs", "state")),
        "GET /v1/runs: query parameter state is gone",
    ),
    "required parameter": (
        lambda d: parameter(d, "GET /v1/runs", "job").update(required=True),
        "GET /v1/runs: query parameter job was optional, it is required",
    ),
    "new required parameter": (
        lambda d: operation(d, "GET /v1/runs")["parameters"].append(
            {"in": "query", "name": "why", "required": True, "schema": {"type": "string"}}
        ),
        "GET /v1/runs: query parameter why is new, and required",
    ),
    "limit": (
        lambda d: parameter(d, "GET /v1/runs", "limit")["schema"].update(maximum=10),
        "GET /v1/runs: query parameter limit has maximum 10, it had 1000",
    ),
    "token": (
        lambda d: operation(d, "GET /healthz").update(security=[{"token": []}]),
        "GET /healthz: it needed no token, and needs one",
    ),
    "field of an answer": (
        lambda d: d["schemas"]["Job"]["properties"].pop("revision"),
        "answer 200, field revision is gone",
    ),
    "field deep in an answer": (
        lambda d: d["schemas"]["Attempt"]["properties"].pop("fence"),
        "field fence is gone",
    ),
    "field that may be missing": (
        lambda d: d["schemas"]["Cluster"]["required"].remove("epoch"),
        "GET /v1/cluster: answer 200, field epoch was always there, it may be missing",
    ),
    "wider answer": (
        lambda d: d["schemas"]["Cluster"]["properties"].update(
            epoch={"anyOf": [{"type": "integer"}, {"type": "null"}]}
        ),
        "GET /v1/cluster: answer 200, field epoch was integer, it is null",
    ),
    "other type": (
        lambda d: d["schemas"]["Cluster"]["properties"].update(epoch={"type": "string"}),
        "GET /v1/cluster: answer 200, field epoch was integer, it is string",
    ),
    "narrower body": (
        lambda d: sent(d, "POST /v1/agents/{name}/drain")["properties"].update(reason={"type": "string"}),
        "POST /v1/agents/{name}/drain: body, field reason was null or string, it is string",
    ),
    "field of a body": (
        lambda d: sent(d, "POST /v1/tokens")["properties"].pop("pool"),
        "POST /v1/tokens: body, field pool is gone",
    ),
    "new required field": (
        lambda d: sent(d, "POST /v1/bulk")["required"].append("why"),
        "POST /v1/bulk: body, field why is new, and required",
    ),
    "value": (
        lambda d: sent(d, "POST /v1/bulk")["properties"]["action"]["enum"].remove("run"),
        "POST /v1/bulk: body, field action takes 'run' no more",
    ),
    "body": (
        lambda d: operation(d, "POST /v1/jobs/{name}/runs")["requestBody"].update(required=True),
        "POST /v1/jobs/{name}/runs: its body was optional, it is required",
    ),
    "media type": (
        lambda d: operation(d, "POST /v1/apply")["requestBody"]["content"].pop("application/yaml"),
        "POST /v1/apply: it takes no application/yaml any more",
    ),
    "header": (
        lambda d: operation(d, "GET /v1/cluster")["responses"]["200"]["headers"].pop("X-Cronclave-Index"),
        "GET /v1/cluster: the answer 200 has no header X-Cronclave-Index any more",
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_break_is_told_in_words(kind: str) -> None:
    change, said = BREAKS[kind]
    broken = copy.deepcopy(RECORDED)
    change(broken)
    assert any(said in each for each in promise.breaks(RECORDED, broken)), promise.breaks(RECORDED, broken)


ADDITIONS: dict[str, Change] = {
    "path": lambda d: d["operations"].update({"GET /v2": operation(d, "GET /v1/jobs")}),
    "status": lambda d: operation(d, "GET /v1/jobs")["responses"].update({"418": {}}),
    "parameter": lambda d: operation(d, "GET /v1/jobs")["parameters"].append(
        {"in": "query", "name": "more", "required": False, "schema": {"type": "string"}}
    ),
    "field of an answer": lambda d: d["schemas"]["Job"]["properties"].update(more={"type": "string"}),
    "field of a body": lambda d: sent(d, "POST /v1/bulk")["properties"].update(more={"type": "string"}),
    "value": lambda d: sent(d, "POST /v1/bulk")["properties"]["action"]["enum"].append("delete"),
    "wider limit": lambda d: parameter(d, "GET /v1/runs", "limit")["schema"].update(maximum=10_000),
    "optional field": lambda d: sent(d, "POST /v1/tokens")["required"].remove("name"),
    "narrower answer": lambda d: d["schemas"]["Cluster"]["properties"].update(leader={"type": "string"}),
    "wider body": lambda d: sent(d, "POST /v1/bulk")["properties"].update(q={"type": ["string", "null"]}),
}


@pytest.mark.parametrize("kind", ADDITIONS)
def test_an_addition_breaks_nothing(kind: str) -> None:
    more = copy.deepcopy(RECORDED)
    ADDITIONS[kind](more)
    assert promise.breaks(RECORDED, more) == []
    assert more != RECORDED


def test_texts_are_no_promise() -> None:
    told = copy.deepcopy(DOCUMENT)
    told["paths"]["/v1/jobs"]["get"]["description"] = "Other words."
    assert promise.written(promise.promised(told)) == promise.written(promise.promised(DOCUMENT))
