"""How /openapi.json says what is asked for: parameters, headers and bodies."""

from __future__ import annotations

from typing import Any


def query(name: str, said: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    shape = schema or {"type": "string"}
    return {"name": name, "in": "query", "required": False, "description": said, "schema": shape}


def header(name: str, said: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": said,
        "schema": {"type": "string"},
    }


def body(
    example: object, *, required: bool = True, yaml: bool = False, schema: dict[str, Any] | None = None
) -> dict[str, Any]:
    shape = schema or {"type": "object"}
    content: dict[str, Any] = {"application/json": {"schema": shape, "example": example}}
    if yaml:
        content["application/yaml"] = {"schema": {"type": "string"}}
    return {"required": required, "content": content}


def fields(required: str = "", **fields: dict[str, Any]) -> dict[str, Any]:
    """An object with these fields and no others. `required`: names, apart by spaces."""
    return {
        "type": "object", "properties": fields, "required": required.split(), "additionalProperties": False,
    }  # fmt: skip


def text(most: int, **more: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most, **more}


def whole(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


#: as Call.flag reads it: the bare name means true
FLAG = {"anyOf": [{"type": "boolean"}, {"enum": ["", "yes", "no", "1", "0"]}]}
DRY_RUN = query("dry_run", "Say what would happen, change nothing.", FLAG)
