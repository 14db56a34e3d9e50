"""Notices: of what a job tells, and whom. The way is exactly one of the kinds in notify/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model, model_validator

from scheduler.model.criticality import Criticality
from scheduler.model.fields import Model, as_tuple, type_name
from scheduler.model.notify import ABOUT, KINDS, NAMES, ONE_OF
from scheduler.model.problems import Refused, shortened

if TYPE_CHECKING:
    Way = Model
else:  # a field for each kind, without a value by default
    Way = create_model(
        "Way",
        __base__=Model,
        **{kind.name: (kind.value() | None, Field(None, description=kind.description)) for kind in KINDS},
    )


def about(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise Refused(f"on must be a list, not {type_name(value)}", f"such as on: [{', '.join(ABOUT)}]")
    if not value:
        raise Refused("on is empty", f"some of {', '.join(ABOUT)}")
    for word in value:
        if word not in tuple(ABOUT):  # it may be anything, also what has no hash
            raise Refused(f"on: {shortened(word)} is nothing to tell of", f"some of {', '.join(ABOUT)}")
    if len(set(value)) < len(value):
        raise Refused("on says the same twice", "remove one")
    return as_tuple(value)


ABOUT_SCHEMA = {
    "type": "array",
    "items": {"type": "string", "enum": list(ABOUT)},
    "minItems": 1,
    "uniqueItems": True,
    "description": "failed: a run failed, timed out or was lost; warned: one succeeded with a warning"
    "; recovered: the first that succeeded after; missed, skipped: ticks that ended so; late, at_risk, long,"
    " short, stalled, too_few: what `expect` says does not hold; waiting: a run was made that waits; held: a"
    " run or a task waits for a person; output: a run ended that wrote something, with the end of it",
}


class Notice(Way):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in NAMES]})

    on: Annotated[tuple[str, ...], BeforeValidator(about), WithJsonSchema(ABOUT_SCHEMA)]

    criticality: Annotated[
        tuple[Criticality, ...] | None,
        BeforeValidator(as_tuple),
        Field(min_length=1, description="it is for jobs of these alone; default any"),
    ] = None

    @property
    def way(self) -> str:
        """The kind that it goes by."""
        return next(kind.name for kind in KINDS if getattr(self, kind.name) is not None)

    @property
    def in_channel(self) -> str | None:
        """The channel that it goes by; None: it says itself where it goes."""
        found: str | None = getattr(self, "channel", None)
        return found

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [kind.name for kind in KINDS if getattr(self, kind.name) is not None]
        if not given:
            raise Refused("it tells nobody", f"give {ONE_OF}")
        if len(given) > 1:
            raise Refused(f"{' and '.join(given)} exclude each other", "make a notice for each")
        return self
