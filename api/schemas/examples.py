"""Examples for the published API description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PARAMS: dict[str, Any] = {"region": "eu"}
JOB: dict[str, Any] = {
    "job": "nightly-report",
    "labels": {"team": "data"},
    "triggers": [{"id": "nightly", "cron": "0 2 * * 1-5", "tz": "Europe/Berlin"}],
    "params": {"region": {"type": "string", "default": "eu"}},
    "run": 'report --day "$CRONCLAVE_TICK"',
}
VARS: dict[str, Any] = {"vars": "warehouse", "values": {"host": "db1.example.org", "port": 5432}}

_OF_TYPE: Mapping[str, Any] = {
    "string": "text", "integer": 1, "number": 1.0, "boolean": False, "null": None, "object": {}, "array": [],
}  # fmt: skip
INSTANT = "2026-01-02T03:04:05Z"
DEPTH_MAX = 10


def with_examples(schemas: dict[str, dict[str, Any]]) -> None:
    """Each shape gets an example, made of those of its fields."""
    for schema in schemas.values():
        if "properties" in schema:
            schema["examples"] = [_example(schema, schemas, 0)]


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]], depth: int) -> Any:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        fields = schema["properties"] if depth < DEPTH_MAX else {}
        return {name: _example(below, schemas, depth + 1) for name, below in fields.items()}
    if schema.get("examples"):
        return schema["examples"][0]
    for told in ("const", "default"):
        if told in schema:
            return schema[told]
    for each in schema.get("anyOf", ()):
        return _example(each, schemas, depth + 1)
    if schema.get("format") == "date-time":
        return INSTANT
    if schema.get("type") == "array" and "items" in schema and depth < DEPTH_MAX:
        return [_example(schema["items"], schemas, depth + 1)]
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping) and more and depth < DEPTH_MAX:
        return {"name": _example(more, schemas, depth + 1)}
    return _OF_TYPE.get(schema.get("type", "object"), {})
