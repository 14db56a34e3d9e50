"""How long a job waits after so many failed runs in a row: `{2: 10s, 5: 1m, 20: pause}`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from scheduler.model.fields import check_duration, type_name
from scheduler.model.problems import Refused, shortened
from scheduler.model.quantities import format_duration

STEPS_MAX = 20
FAILURES_MAX = 1_000_000
PAUSE = "pause"
_HINT = "such as {2: 10s, 5: 1m, 20: pause}"


def _failures(value: Any) -> dict[str, str] | None:
    if value is None or value == {}:
        return None
    if not isinstance(value, dict):
        raise Refused(f"it is an object, not {type_name(value)}", _HINT)
    if len(value) > STEPS_MAX:
        raise Refused(f"{len(value)} steps, at most {STEPS_MAX}")
    found: dict[int, str] = {}
    for key, wait in value.items():
        number = _number(key)
        if number in found:
            raise Refused(f"{number} is given twice", "remove one of the two")
        found[number] = PAUSE if wait == PAUSE else format_duration(check_duration(wait))
    pauses = [number for number, wait in found.items() if wait == PAUSE]
    if pauses and pauses != [max(found)]:
        raise Refused("pause is the last step, and comes once", "nothing is fired by a job that is paused")
    return {str(number): found[number] for number in sorted(found)}


def _number(key: Any) -> int:
    text = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
    if isinstance(text, str) and text.isascii() and text.isdigit() and 1 <= int(text[:8]) <= FAILURES_MAX:
        return int(text)
    raise Refused(f"{shortened(key)} is no number of failures", f"1 to {FAILURES_MAX}")


Failures = Annotated[
    dict[str, str] | None,
    BeforeValidator(_failures),
    Field(description="failed runs in a row, and how long the next waits then; `pause`: the job is paused"),
    WithJsonSchema(
        {
            "type": "object", "maxProperties": STEPS_MAX, "propertyNames": {"pattern": "^[0-9]+$"},
            "additionalProperties": {"type": "string"},
        }
    ),
]  # fmt: skip
