"""What a task gives to those after it: names that its job declares, values that its command writes.

Rules of this file:

1. A value is text, a number, true or false; a command gets it as a variable, so all that it is compared with
   reads it (`model.expressions`).
2. Bounded: so many names a task, so many bytes a task, and so many all tasks of a run together: of very many
   that have outputs each has its share, known when the job is put.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from scheduler.model.problems import Problem, Refused, pointer_of
from scheduler.words.json_text import json_text

NAMES_MAX = 50
BYTES_MAX = 64 << 10  #: of one task, as JSON
RUN_BYTES_MAX = 16 << 20
GIVEN_BYTES_MAX = 256 << 10  #: to one attempt, of all that its task needs
VARIABLE = "CRONCLAVE_OUTPUT_"
NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
_NAME = re.compile(NAME_PATTERN[1:-1])
_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")
_Value = str | bool | int | float
_DECODE = msgspec.json.Decoder(dict[str, _Value]).decode


def check_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Refused("an output's name is letters, digits and _, 64 at most, and begins with no digit")
    return value


def variable_of(task: str, name: str) -> str:
    """In which the tasks after it get it."""
    return f"{VARIABLE}{_NOT_IN_NAMES.sub('_', task.upper())}_{name.upper()}"


def share_of(tasks: int) -> int:
    """The bytes that each of so many tasks with outputs may give."""
    return min(BYTES_MAX, RUN_BYTES_MAX // max(1, tasks))


def read(text: bytes, names: Collection[str], bytes_max: int) -> tuple[bytes, str]:
    """The outputs as they are stored, or why they cannot be: of what an agent tells."""
    if len(text) > bytes_max:
        return b"", f"{len(text)} bytes, {bytes_max} at most"
    try:
        values = _DECODE(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b"", "they are no object of values"
    unknown = next((name for name in values if name not in names), None)
    if unknown is not None:
        return b"", f"{unknown[:64]!r} is none that the job declares"
    if any(isinstance(value, str) and "\0" in value for value in values.values()):
        return b"", "a value holds a NUL character"
    return json_text(values), ""


def merged(given: bytes, later: bytes, names: Collection[str], bytes_max: int) -> tuple[bytes, str]:
    """Outputs that came in two parts, the later value of a name counts; or why they cannot be."""
    if not later or not given:
        return read(later or given, names, bytes_max) if later or given else (b"", "")
    _, wrong = read(later, names, bytes_max)
    return (b"", wrong) if wrong else read(json_text({**_DECODE(given), **_DECODE(later)}), names, bytes_max)


def member_bytes_max(share: int, members: int) -> int:
    """Of one of so many members of a task with this share."""
    return min(share, RUN_BYTES_MAX // max(1, members))


def gathered(
    given: Mapping[int, bytes], members: range, names: Collection[str], bytes_max: int
) -> tuple[bytes, str]:
    """Of a divided task: of each name the list of what its members gave, in their order, null where one gave
    none; or why it cannot be. A list is text, its JSON, as it is of a task that writes one."""
    lists: dict[str, list[_Value | None]] = {name: [] for name in names}
    size = 0
    for member in members:
        values = outputs_of(given[member]) if member in given else {}
        for name, found in lists.items():
            found.append(values.get(name))
        size += len(given.get(member, b""))
        if size > bytes_max:
            break
    text = json_text({name: json_text(found).decode() for name, found in lists.items()})
    if size > bytes_max or len(text) > bytes_max:
        return b"", f"what its {len(members)} members gave is longer than {bytes_max} bytes together"
    return text, ""


def outputs_of(text: bytes) -> dict[str, _Value]:
    """Of what is stored."""
    return _DECODE(text)


def output_problems(tasks: Mapping[Any, Any], *, short: bool) -> list[Problem]:
    """Two outputs that would come in one variable: the first such."""
    named: dict[str, str] = {}
    for task, fields in tasks.items():
        given = fields.get("outputs") if isinstance(fields, dict) else None
        for place, name in enumerate(given if isinstance(given, list | tuple) else ()):
            if not (isinstance(task, str) and isinstance(name, str)):
                continue
            variable = variable_of(task, name)
            if variable in named:
                pointer = pointer_of(*(() if short else ("tasks", task)), "outputs", place)
                detail = f"{name} and {named[variable]} would share the variable {variable}"
                return [Problem(pointer, detail, "rename one")]
            named[variable] = f"{name} of {task}"
    return []
