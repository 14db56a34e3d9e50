"""The words of jobs and of what they refer to, as Python classes: made of the published JSON Schemas.

    python client/words.py        # writes client/src/cronclave/jobs/words/

What a node takes is judged by the node: the classes know names and types, for editors and type checkers.
"""

from __future__ import annotations

import json
import keyword
import re
import textwrap
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SCHEMAS = PROJECT / "docs" / "reference"
TARGET = PROJECT / "client" / "src" / "cronclave" / "jobs" / "words"
#: Of jobs there is more to make; what administrators say is no part of a pipeline.
OTHERS = {"job", "namespace"}
KINDS = sorted({path.name.partition(".")[0] for path in SCHEMAS.glob("*.schema.json")} - OTHERS)
#: Filled in by nodes: nobody writes them.
LEFT_OUT = {"defaults", "inherited"}
#: Objects that the schema writes where they are used, by the field.
INLINE = {
    "http": "Http", "python": "Call", "script": "Script", "every": "Delay", "rule": "NOf", "locks": "Lock",
    "secrets": "SecretUse",
}  # fmt: skip
#: Which file a class of the job's schema is in: the first whose names hold it, else `tasks`.
FILES = {
    "triggers": (
        "AllOf", "Delay", "File", "Member", "Noticed", "Seen", "Startup", "Then", "Trigger", "TriggerDays",
        "Valid", "Workday",
    ),
    "policies": (
        "Admission", "AtLeast", "Blackout", "Catchup", "Check", "Expect", "ExpectedDuration", "Notice",
        "OverlapLimit", "Policies", "Requirement", "RequiresPolicy", "Retention",
    ),
}  # fmt: skip
OPENINGS = {
    "triggers": "When a job runs",
    "policies": "How its runs behave beside each other, what they wait for, and what is told of them",
    "tasks": "What a run does",
    "jobs": "Jobs, as the schema has them; `cronclave.jobs.Job` adds what is handy",
    "objects": "What jobs refer to",
}
HEAD = '''"""{opening}.

Made by client/words.py of the published JSON Schemas: not to be edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from cronclave.jobs.word import {names}
'''
OF_WORD = ("Condition", "Document", "Duration", "Instant", "Named", "Word")
LINE = 108
_DURATION = re.compile(r"^\^\(\?=\.\)\(\[0-9\]\+d\)")


class Making:
    """The classes of all schemas, by name."""

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}
        self._made: set[str] = set()

    def schema(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        return found

    def add(self, name: str, shape: dict[str, Any], first: str = "") -> None:
        """A class for this object. `first`: the field that is given without its name."""
        if name in self._made:
            return
        self._made.add(name)
        required = set(shape.get("required", ()))
        fields = [each for each in shape["properties"] if each not in LEFT_OUT and each != first]
        lines = [f"{first}: str"] if first else []
        lines.append("_: KW_ONLY")
        for field in sorted(fields, key=lambda each: each not in required):
            what = shape["properties"][field]
            is_condition = field in ("when", "after") or (name, field) == ("Repeat", "until")
            told = "Condition | None" if is_condition else self.type_of(what, field)
            if is_condition and field in required:
                told = "Condition"
            if field not in required and "None" not in told.split(" | "):
                told += " | None"
            default = "" if field in required else " = None"
            comment = f"#: {what['description']}" if what.get("description") else ""
            line = f"{_spelled(field)}: {told}{default}"
            if comment and len(line) + len(comment) + 6 <= LINE:
                line, comment = f"{line}  {comment}", ""
            if comment:
                lines += textwrap.wrap(comment, LINE - 4, subsequent_indent="#: ")
            lines.append(line if len(line) <= LINE - 4 else _broken(line))
        about = shape.get("description", "").strip().splitlines()
        said = about[0].rstrip(".") if about else name
        body = "\n    ".join(lines)
        if first:
            body += f'\n\n    kind = "{first}"'
        base = "Document" if first else "Word"
        self.classes[name] = (
            f'@dataclass\nclass {name}({base}):\n    """{said[:1].upper()}{said[1:]}."""\n\n    {body}\n'
        )

    def type_of(self, what: dict[str, Any], field: str) -> str:
        """Its annotation."""
        if "$ref" in what:
            name = what["$ref"].rpartition("/")[2]
            return _short(name)
        if "anyOf" in what:
            found = dict.fromkeys(self.type_of(each, field) for each in what["anyOf"])
            return " | ".join(sorted(found, key=lambda each: each == "None"))
        if "const" in what or "enum" in what:
            values = what["enum"] if "enum" in what else [what["const"]]
            return f"Literal[{', '.join(map(_literal, values))}]"
        kind = what.get("type")
        if kind == "string":
            if _DURATION.match(what.get("pattern", "")):
                return "Duration"
            return "Instant" if what.get("format") == "date-time" else "str"
        if kind == "array":
            if field in ("needs", "catch", "finally") or (field == "tasks" and "items" in what):
                return "Sequence[Named]"
            items = what.get("items") or {}
            return f"Sequence[{self.type_of(items, field) if items else 'Any'}]"
        if kind == "object":
            if INLINE.get(field) and "properties" in what:
                self.add(INLINE[field], what)
                return INLINE[field]
            patterns = list(what.get("patternProperties", {}).values())
            values = patterns[0] if patterns else what.get("additionalProperties")
            inner = self.type_of(values, field) if isinstance(values, dict) and values else "Any"
            return f"Mapping[str, {inner}]"
        return {"integer": "int", "number": "float", "boolean": "bool", "null": "None"}.get(kind or "", "Any")


def _broken(line: str) -> str:
    """The items of the longest list of literals each on lines of their own."""
    found = max(re.finditer(r"Literal\[([^]]*)\]", line), key=lambda each: len(each[1]))
    items = textwrap.wrap(found[1], LINE - 12)
    inner = "".join(f"\n        {each}" for each in items)
    return f"{line[: found.start(1)]}{inner}\n    {line[found.end(1) :]}"


def _short(name: str) -> str:
    return name.rpartition("__")[2]


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _spelled(field: str) -> str:
    return f"{field}_" if keyword.iskeyword(field) else field


def _file_of(name: str) -> str:
    return next((file for file, names in FILES.items() if name in names), "tasks")


def written() -> dict[str, str]:
    """The files, by name."""
    making = Making()
    job = making.schema("job")
    for name, shape in job["$defs"].items():
        if name != "Origins":
            making.add(name, shape)
    files = {file: "" for file in (*FILES, "tasks")}
    of = {name: _file_of(name) for name in making.classes}
    for name in sorted(making.classes):
        files[of[name]] += f"\n\n{making.classes[name]}"
    making.classes.clear()
    making.add("JobWords", job, "job")
    files["jobs"] = f"\n\n{making.classes.pop('JobWords')}"
    for kind in KINDS:
        shape = making.schema(kind)
        for name, part in shape.get("$defs", {}).items():
            short = _short(name)
            making.add("Substituted" if "schedule__Valid" in name else short, part)
        making.add(kind.capitalize(), shape, kind)
    files["objects"] = "".join(f"\n\n{making.classes[name]}" for name in sorted(making.classes))
    of |= {name: "objects" for name in making.classes} | {"JobWords": "jobs"}
    return {f"{file}.py": _opened(file, text, of) for file, text in files.items()} | {
        "__init__.py": _all_of(of)
    }


def _opened(file: str, text: str, of: dict[str, str]) -> str:
    if file == "objects":  # its own span of validity is another one than a trigger's
        text = text.replace("valid: Valid", "valid: Substituted")
    used = set(re.findall(r"\w+", re.sub(r'"[^"\n]*"|#:.*', "", text)))
    head = HEAD.format(
        opening=OPENINGS[file],
        names=", ".join(name for name in OF_WORD if name in used),
    )
    for names in ("from typing import Any, Literal", "from collections.abc import Mapping, Sequence"):
        start, _, told = names.rpartition("import ")
        kept = [name for name in told.split(", ") if name in used]
        head = head.replace(f"{names}\n", f"{start}import {', '.join(kept)}\n" if kept else "")
    others: dict[str, list[str]] = {}
    for name in sorted(used & of.keys()):
        if of[name] != file:
            others.setdefault(of[name], []).append(name)
    for other, names_of in sorted(others.items()):
        listed = "".join(f"    {name},\n" for name in names_of)
        head += f"from cronclave.jobs.words.{other} import (\n{listed})\n"
    return head + text


def _all_of(of: dict[str, str]) -> str:
    text = '"""Every word of the JSON Schemas, as a class. Made by client/words.py: not to be edited."""\n\n'
    for file in sorted(set(of.values())):
        names = sorted((name for name, where in of.items() if where == file), key=str.lower)
        text += f"from cronclave.jobs.words.{file} import (\n" + "".join(f"    {n},\n" for n in names) + ")\n"
    listed = "".join(f'    "{name}",\n' for name in sorted(of))
    return f"{text}\n__all__ = [\n{listed}]\n"


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    for name, text in written().items():
        (TARGET / name).write_text(text)


if __name__ == "__main__":
    main()
