"""What clients rely on of /openapi.json, and what a change of it takes from them.

    python -m tests.api.promise            # what differs from the recorded one
    python -m tests.api.promise --record   # keep what the API says now

Rules:

1. The promise is the description without its texts: paths, operation ids, parameters, bodies, statuses,
   types.
2. What is sent may become wider and never narrower: no new need, no parameter or value less. What is answered
   may become narrower and never wider: nothing that was there goes, nothing comes as a type that nobody
   expects. A field, a status, a route more is an addition.
3. Every break is told in words: the operation, the place in it, what it was and what it is.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from tests.api.single_node import SingleNode

FILE = Path(__file__).with_name("promise.json")
RECORD = "python -m tests.api.promise --record"
TEXTS = frozenset({"description", "summary", "title", "example", "examples", "info", "tags"})
NAMED = frozenset({"properties", "schemas", "paths", "headers", "content", "responses", "securitySchemes"})
"""Below these, keys are names that somebody gave."""

Schema = Mapping[str, Any]


def described() -> dict[str, Any]:
    """The description of this tree's API."""
    with tempfile.TemporaryDirectory() as folder:
        node = SingleNode(Path(folder))
        settings = ApiSettings(insecure=False)
        document = create_app(node, settings, Gateway(node, settings)).fastapi.openapi()
        node.close()
    return document


def promised(value: Any, *, named: bool = False) -> Any:
    """The description without its texts."""
    if isinstance(value, Mapping):
        return {
            key: promised(below, named=not named and key in NAMED)
            for key, below in value.items()
            if named or key not in TEXTS
        }
    return [promised(below) for below in value] if isinstance(value, list) else value


def written(promise: Mapping[str, Any]) -> str:
    """As it is kept: a line for each operation and each schema, so that a difference can be read."""
    lines = []
    for path, methods in sorted(promise["paths"].items()):
        for method, operation in sorted(methods.items()):
            lines.append(f"{json.dumps(f'{method.upper()} {path}')}: {json.dumps(operation, sort_keys=True)}")
    operations = ",\n".join(lines)
    lines = [
        f"{json.dumps(name)}: {json.dumps(schema, sort_keys=True)}"
        for name, schema in sorted(promise["components"]["schemas"].items())
    ]
    schemas = ",\n".join(lines)
    return f'{{"operations": {{\n{operations}\n}},\n"schemas": {{\n{schemas}\n}}}}\n'


def current() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written(promised(described())))
    return found


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What a client that kept to the old one can no longer rely on."""
    found: list[str] = []
    for name, before in old["operations"].items():
        after = new["operations"].get(name)
        if after is None:
            found.append(f"{name} is gone")
            continue
        found += [f"{name}: {said}" for said in _Comparison(old["schemas"], new["schemas"]).of(before, after)]
    return list(dict.fromkeys(found))


class _Comparison:
    def __init__(self, old: Mapping[str, Schema], new: Mapping[str, Schema]) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str, bool]] = set()  #: pairs of names, and whether they are sent

    def of(self, old: Schema, new: Schema) -> Iterator[str]:
        """Of an operation."""
        if old["operationId"] != new["operationId"]:
            yield f"its operation id was {old['operationId']}, it is {new['operationId']}"
        if old.get("security") == [] != new.get("security"):
            yield "it needed no token, and needs one"
        yield from self._parameters(old, new)
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        yield from self._replies(old["responses"], new["responses"])

    def _parameters(self, old: Schema, new: Schema) -> Iterator[str]:
        before, after = (
            {(each["in"], each["name"]): each for each in operation.get("parameters", ())}
            for operation in (old, new)
        )
        for place, parameter in before.items():
            where = f"{place[0]} parameter {place[1]}"
            if place not in after:
                yield f"{where} is gone"
                continue
            if after[place].get("required") and not parameter.get("required"):
                yield f"{where} was optional, it is required"
            yield from self._schema(parameter["schema"], after[place]["schema"], where, sent=True)
        for place, parameter in after.items():
            if place not in before and parameter.get("required"):
                yield f"{place[0]} parameter {place[1]} is new, and required"

    def _body(self, old: Schema | None, new: Schema | None) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required"):
                yield "it took no body, and needs one"
            return
        if new is None:
            yield "it took a body, and takes none"
            return
        if new.get("required") and not old.get("required"):
            yield "its body was optional, it is required"
        for media, content in old["content"].items():
            if media not in new["content"]:
                yield f"it takes no {media} any more"
            else:
                schema = new["content"][media]["schema"]
                yield from self._schema(content["schema"], schema, "body", sent=True)

    def _replies(self, old: Schema, new: Schema) -> Iterator[str]:
        for status, reply in old.items():
            if status not in new:
                yield f"the answer {status} is gone"
                continue
            for header in reply.get("headers", ()):
                if header not in new[status].get("headers", ()):
                    yield f"the answer {status} has no header {header} any more"
            for media, content in reply.get("content", {}).items():
                other = new[status].get("content", {}).get(media)
                if other is None:
                    yield f"the answer {status} is no {media} any more"
                elif "schema" in content and "schema" in other:
                    where = f"answer {status}"
                    yield from self._schema(content["schema"], other["schema"], where, sent=False)

    def _schema(self, old: Schema, new: Schema, where: str, *, sent: bool) -> Iterator[str]:
        pair = (str(old.get("$ref", "")), str(new.get("$ref", "")), sent)
        if pair[0] and pair[1]:
            if pair in self._seen:
                return
            self._seen.add(pair)
        old, new = _followed(old, self._old), _followed(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._variants(old, new, where, sent=sent)
            return
        # What takes the place of what: of what is sent the new one has to take all that the old one took.
        wide, narrow = (new, old) if sent else (old, new)
        taken, given = _types(wide), _types(narrow)
        if taken and (not given or not given <= taken | ({"integer"} if "number" in taken else set())):
            yield f"{where} was {_told(_types(old))}, it is {_told(_types(new))}"
        yield from _values(old, new, where, sent=sent)
        yield from self._fields(old, new, where, sent=sent)
        for inner in ("items", "additionalProperties"):
            below, above = old.get(inner), new.get(inner)
            if isinstance(below, Mapping) and isinstance(above, Mapping):
                yield from self._schema(below, above, f"{where}, each of its items", sent=sent)

    def _variants(self, old: Schema, new: Schema, where: str, *, sent: bool) -> Iterator[str]:
        before, after = old.get("anyOf", [old]), new.get("anyOf", [new])
        for each in before if sent else after:
            tried = [
                list(
                    _Comparison(self._old, self._new)._schema(
                        *((each, other) if sent else (other, each)), where, sent=sent
                    )
                )
                for other in (after if sent else before)
            ]
            if all(tried):
                yield min(tried, key=len)[0]

    def _fields(self, old: Schema, new: Schema, where: str, *, sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in before.items():
            place = f"{where}, field {name}"
            if name not in after:
                if not sent or new.get("additionalProperties") is False:
                    yield f"{place} is gone"
                continue
            if not sent and name in needed and name not in needs:
                yield f"{place} was always there, it may be missing"
            yield from self._schema(schema, after[name], place, sent=sent)
        if sent:
            for name in sorted(needs - needed):
                new_one = "is new, and required" if name not in before else "was optional, it is required"
                yield f"{where}, field {name} {new_one}"
            if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
                yield f"{where} took fields of any name, it takes {', '.join(sorted(after)) or 'none'}"


def _followed(schema: Schema, known: Mapping[str, Schema]) -> Schema:
    while "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    return schema


def _types(schema: Schema) -> set[str]:
    """Empty: of any type."""
    given = schema.get("type", ())
    if not given and "const" in schema:
        return {_type_of(schema["const"])}
    if not given and "enum" in schema:
        return {_type_of(each) for each in schema["enum"]}
    return {given} if isinstance(given, str) else set(given)


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), "object")


def _told(types: set[str]) -> str:
    return " or ".join(sorted(types)) or "of any type"


def _values(old: Schema, new: Schema, where: str, *, sent: bool) -> Iterator[str]:
    """Enumerations and limits: of what is sent. Those of answers tell what is usual."""
    if not sent:
        return
    if "enum" in new:
        lost = [each for each in old.get("enum", ()) if each not in new["enum"]]
        if lost:
            yield f"{where} takes {', '.join(map(repr, lost))} no more"
        elif "enum" not in old:
            yield f"{where} took any value, it takes {', '.join(map(repr, new['enum']))}"
    for limit, worse in (
        ("minimum", 1), ("minLength", 1), ("minItems", 1),
        ("maximum", -1), ("maxLength", -1), ("maxItems", -1),
    ):  # fmt: skip
        if limit in new and (limit not in old or (new[limit] - old[limit]) * worse > 0):
            yield f"{where} has {limit} {new[limit]}, it had {old.get(limit, 'none')}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{where} has the pattern {new['pattern']}, it had {old.get('pattern', 'none')}"


def main() -> int:
    new = current()
    if sys.argv[1:] == ["--record"]:
        FILE.write_text(written(promised(described())))
        print(f"{FILE}: {len(new['operations'])} operations")
        return 0
    if sys.argv[1:]:
        sys.exit(__doc__)
    found = breaks(recorded(), new)
    print(*found, sep="\n")
    if not found and new != recorded():
        print(f"additions alone: {RECORD}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
