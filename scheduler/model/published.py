"""The published JSON Schemas (draft 2020-12) of jobs and of each kind of objects, for editors and such.

They are made from the models and say what these say as far as a schema can; `parse_job` and `parse_object`
are the judges. Write the files with `python -m scheduler.model.published > docs/reference/job.schema.json`,
of another kind with its name: `python -m scheduler.model.published vars`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from scheduler.model.job import Job
from scheduler.model.meanings import MEANINGS
from scheduler.model.namespace import Namespace
from scheduler.model.objects import kind_of
from scheduler.model.quantities import format_duration, format_size
from scheduler.model.task import Task
from scheduler.model.work import SHORT

JOB = "job"
NAMESPACE = "namespace"


def json_schema() -> dict[str, Any]:
    """The schema of both forms: with `tasks`, or the short one with a task's fields at the top."""
    schema = Job.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema["$defs"]
    if "Task" not in definitions:
        definitions["Task"] = Task.model_json_schema(by_alias=True)
    _as_written(Job.__name__, schema)
    properties: dict[str, Any] = schema["properties"]
    _or_one(properties["triggers"])
    for name, field in definitions["Task"]["properties"].items():
        properties.setdefault(name, field)
    schema["required"] = ["job"]
    work = [{"required": ["tasks"]}, *({"required": [kind.name]} for kind in SHORT)]
    schema["oneOf"] = [*work, {"required": ["extends"], "not": {"anyOf": work}}]  # its template gives it
    return _published(JOB, schema)


def object_schema(name: str) -> dict[str, Any]:
    """The schema of an object of this kind."""
    known = kind_of(name)
    schema = known.model.model_json_schema(by_alias=True)
    _as_written(known.model.__name__, schema)
    for one in known.one_or_several:
        _or_one(schema["properties"][one])
    return _published(name, {**schema, "description": known.description, "examples": [known.example]})


def namespace_schema() -> dict[str, Any]:
    """The schema of what administrators say of a namespace."""
    schema = Namespace.model_json_schema(by_alias=True)
    _as_written(Namespace.__name__, schema)
    return _published(NAMESPACE, schema)


def schema_of(name: str) -> dict[str, Any]:
    if name == NAMESPACE:
        return namespace_schema()
    return json_schema() if name == JOB else object_schema(name)


def _published(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Cronclave {name}",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _as_written(model: str, schema: dict[str, Any]) -> None:
    for of, definition in {**schema.get("$defs", {}), model: schema}.items():
        for name, field in definition.get("properties", {}).items():
            told = [part["description"] for part in field.get("anyOf", ()) if "description" in part]
            meaning = MEANINGS.get(f"{of}.{name}", MEANINGS.get(name, *told[:1]))
            if meaning is not None:
                field.setdefault("description", meaning)
            _write_default_out(field)
            for part in (field, *field.get("anyOf", ())):
                _name_limits_by_type(part)


def _or_one(field: dict[str, Any]) -> None:
    """A list of which one alone may stand there without brackets."""
    several = {key: field.pop(key) for key in ("type", "items", "maxItems") if key in field}
    field["anyOf"] = [several, several["items"]]


def _write_default_out(field: dict[str, Any]) -> None:
    """Quantities have their inner number as default; write it as people do."""
    default = field.get("default")
    if field.get("type") == "string" and isinstance(default, int):
        is_size = "KMG" in field.get("pattern", "")
        field["default"] = format_size(default) if is_size else format_duration(default)
    elif isinstance(default, dict):
        field.pop("default")


def _name_limits_by_type(field: dict[str, Any]) -> None:
    """pydantic writes limits of length behind a conversion as those of a text."""
    branches = [branch for branch in field.get("anyOf", [field]) if branch.get("type") != "null"]
    kinds = {"array": "Items", "object": "Properties"}
    noun = kinds.get(str(branches[0].get("type"))) if len(branches) == 1 else None
    for limit in ("min", "max"):
        if noun and f"{limit}Length" in field:
            field[f"{limit}{noun}"] = field.pop(f"{limit}Length")


def schema_text(name: str = JOB) -> str:
    """The text of the published file of a kind."""
    return json.dumps(schema_of(name), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema_text(*sys.argv[1:]), end="")
