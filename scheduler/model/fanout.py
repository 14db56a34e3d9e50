"""A task that is divided over many members: over what, how many at a time, how many have to succeed. What is
wrong with one beside its shape is in fanout_check.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scheduler.model.fields import DurationMs, Model, as_tuple, type_name
from scheduler.model.members import (
    ALL,
    ANY,
    COUNT,
    ITEM_LETTERS_MAX,
    MEMBERS_MAX,
    PERCENT,
    SOURCE,
    join_of,
    source_of,
)
from scheduler.model.problems import Refused, shortened
from scheduler.model.texts import no_nul

_SOURCES = '"{params.NAME}" or "{tasks.NAME.outputs.KEY}"'
_HINT = f"a list, or {_SOURCES}"


def _each(value: Any) -> Any:
    if isinstance(value, str):
        if source_of(value) is None:
            raise Refused(f"{shortened(value)} says of nothing that it is a list", _HINT)
        return value
    if not isinstance(value, list | tuple):
        raise Refused(f"foreach must be a list, not {type_name(value)}", _HINT)
    if not value:
        raise Refused("foreach is an empty list", "give at least one item")
    if len(value) > MEMBERS_MAX:
        raise Refused(f"foreach has {len(value)} items, {MEMBERS_MAX} at most", "divide it more coarsely")
    for place, item in enumerate(value):
        if not isinstance(item, str | int | float):
            raise Refused(f"item {place} must be text, a number or true or false, not {type_name(item)}")
        if isinstance(item, str) and len(no_nul(item)) > ITEM_LETTERS_MAX:
            raise Refused(f"item {place} is longer than {ITEM_LETTERS_MAX} characters")
    return as_tuple(value)


_ITEM = {
    "anyOf": [{"type": "string", "maxLength": ITEM_LETTERS_MAX}, {"type": "number"}, {"type": "boolean"}]
}
_EACH = {
    "anyOf": [
        {"type": "array", "items": _ITEM, "minItems": 1, "maxItems": MEMBERS_MAX},
        {"type": "string", "pattern": f"^{SOURCE.pattern}$".replace("(?:", "(")},
    ],
    "description": f"a member for each item of a list, or of {_SOURCES}",
}
Each = Annotated[str | tuple[str | bool | int | float, ...], BeforeValidator(_each), WithJsonSchema(_EACH)]


class Fanout(Model):
    """Its members are fixed when the task becomes ready; each has its own attempts and retries."""

    all: Annotated[
        Literal["registered", "connected"] | None,
        Field(description="a member for each agent that it means (on): all that are known, or those that are"
              " connected when it begins"),
    ] = None  # fmt: skip
    ttl_ms: Annotated[
        DurationMs | None,
        Field(alias="ttl", description="how long agents are waited for that are away; default: without end"),
    ] = None
    offline: Annotated[
        Literal["fail", "skip"] | None,
        Field(description="what becomes of the members that are away then; default: fail"),
    ] = None
    max_per_agent: Annotated[
        int | None,
        Field(ge=1, le=MEMBERS_MAX, description="members at a time that one agent has; of all each has one"),
    ] = None
    foreach: Each | None = None
    n: Annotated[int | None, Field(ge=1, le=MEMBERS_MAX, description="so many members")] = None
    max_parallel: Annotated[int | None, Field(ge=1, le=MEMBERS_MAX, description="members at a time")] = None
    max_failures: Annotated[
        int | None, Field(ge=0, le=MEMBERS_MAX, description="that are borne; one more, and it fails")
    ] = None
    stagger_ms: Annotated[
        DurationMs | None, Field(alias="stagger", description="from one member to the next")
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("foreach", "n", "all") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} exclude each other" if given else "it is divided over nothing"
            raise Refused(said, "give exactly one of foreach, n, all")
        if self.offline is not None and self.ttl_ms is None:
            raise Refused("offline says what becomes of members after ttl", "add ttl, such as 1h")
        if self.all is None and self.ttl_ms is not None:
            raise Refused("ttl is of members that are agents", "remove ttl, or divide it over all")
        return self

    @property
    def members(self) -> int | None:
        """How many; None: that is known when it begins."""
        if self.n is not None:
            return self.n
        return len(self.foreach) if isinstance(self.foreach, tuple) else None


def _join(value: Any) -> str | int:
    hint = f'{ALL}, {ANY}, a number such as 3, or a share such as "80%"'
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused(f"join must be text or a number, not {type_name(value)}", hint)
    if isinstance(value, int):
        if not 1 <= value <= MEMBERS_MAX:
            raise Refused(f"join must be between 1 and {MEMBERS_MAX}, not {value}", hint)
        return value
    if value not in (ALL, ANY) and not PERCENT.fullmatch(value):
        raise Refused(f"join: {shortened(value)} is neither a number nor a share of members", hint)
    return value


_JOIN = {
    "anyOf": [
        {"type": "string", "enum": [ALL, ANY]},
        {"type": "string", "pattern": f"^({PERCENT.pattern})$"},
        {"type": "integer", "minimum": 1, "maximum": MEMBERS_MAX},
    ],
    "description": "how many members have to succeed: all (default), any, a number, a share, which rounds up",
}
JoinWord = Annotated[str | int, BeforeValidator(_join), WithJsonSchema(_JOIN)]


def why_not(fanout: Fanout | None, join: str | int | None) -> Refused | None:
    """What is wrong with both together."""
    if fanout is None:
        hint = "add fanout, such as {n: 10}, or remove join"
        return None if join is None else Refused("join judges members, and it has none", hint)
    kind, number = join_of(join or ALL)
    if kind == COUNT and fanout.members is not None and number > fanout.members:
        return Refused(f"join: {number} can never be met: it has {fanout.members} members", "ask for fewer")
    return None
