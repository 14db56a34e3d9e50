"""A task's rule: what it makes of the ends of the tasks that it needs."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from scheduler.model.fields import type_name
from scheduler.model.graph import NEEDS_MAX
from scheduler.model.problems import Refused, shortened

N_OF = "n_of"
WORDS = ("all_success", "none_failed", "all_done", "any_failed", "any_success")
_ONE_OF = f"one of {', '.join(WORDS)}, {{n_of: 2}}"


def _rule(value: Any) -> str | dict[str, int]:
    if isinstance(value, str):
        if value not in WORDS:
            near = difflib.get_close_matches(value[:60], (*WORDS, N_OF), 1)
            hint = f"did you mean {near[0]}?" if near else ""
            if near == [N_OF]:
                hint = "say of how many: {n_of: 2}"
            raise Refused(f"rule must be {_ONE_OF}, not {shortened(value)}", hint)
        return value
    if not isinstance(value, dict):
        raise Refused(f"rule must be {_ONE_OF}, not {type_name(value)}")
    if list(value) != [N_OF]:
        raise Refused(f"rule as an object has n_of alone, not {shortened(list(value))}", "such as {n_of: 2}")
    number = value[N_OF]
    if not isinstance(number, int) or isinstance(number, bool):
        raise Refused(f"n_of must be an integer, not {type_name(number)}")
    if not 1 <= number <= NEEDS_MAX:
        raise Refused(f"n_of must be between 1 and {NEEDS_MAX}, not {number}")
    return {N_OF: number}


def why_not(rule: str | dict[str, int], needs: int) -> Refused | None:
    """What is wrong with this rule of something that has so many needs."""
    if rule != WORDS[0] and not needs:
        word = rule if isinstance(rule, str) else N_OF
        return Refused(f"rule: {word} has nothing to judge", "name tasks in needs, or remove rule")
    if isinstance(rule, dict) and rule[N_OF] > needs:
        detail = f"n_of: {rule[N_OF]} can never be met: it needs {needs}"
        return Refused(detail, "name more tasks in needs, or ask for fewer")
    return None


_SCHEMA = {
    "anyOf": [
        {"type": "string", "enum": list(WORDS)},
        {
            "type": "object",
            "properties": {N_OF: {"type": "integer", "minimum": 1, "maximum": NEEDS_MAX}},
            "required": [N_OF],
            "additionalProperties": False,
        },
    ],
    "default": WORDS[0],
    "description": "what it makes of the ends of its needs; n_of: so many of them succeeded",
}

Rule = Annotated[str | dict[str, int], BeforeValidator(_rule), WithJsonSchema(_SCHEMA)]
