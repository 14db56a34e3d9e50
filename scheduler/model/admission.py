"""When runs of a job may start at all: windows of the week, and spans in which nothing fires."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from scheduler.model.fields import InstantMs, Model, as_tuple, type_name
from scheduler.model.problems import Refused
from scheduler.model.triggers.zoned import ZonedFields
from scheduler.ticks import windows
from scheduler.ticks.windows import WindowError

WINDOWS_MAX = 20
SPANS_MAX = 100
REASON_LETTERS_MAX = 200


def _window(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"a window is text, not {type_name(value)}", 'such as "Mon-Fri 20:00-06:00"')
    try:
        windows.parse(value)
    except WindowError as error:
        raise Refused(str(error), error.hint) from error
    return value.strip()


class Admission(ZonedFields):
    """When its runs may start."""

    windows: Annotated[
        tuple[Annotated[str, BeforeValidator(_window)], ...],
        BeforeValidator(as_tuple),
        Field(min_length=1, max_length=WINDOWS_MAX, description="such as `Mon-Fri 20:00-06:00`, by the wall"),
    ]
    outside: Annotated[
        Literal["wait", "skip"], Field(description="a run waits for the next window, or a firing is skipped")
    ] = "wait"
    at_end: Annotated[
        Literal["let_run", "terminate"],
        Field(description="terminate: what still runs ends as timed_out when the window does"),
    ] = "let_run"


class GroupAdmission(Admission):
    """When tasks of a group may start. None is skipped for it: whatever needs the group would be too."""

    outside: Annotated[Literal["wait"], Field(description="its tasks wait for the next window")] = "wait"
    at_end: Annotated[
        Literal["let_run", "terminate"],
        Field(description="terminate: a round that has begun ends as timed_out when the window does"),
    ] = "let_run"


class Blackout(Model):
    """[from, until): nothing of the job fires by itself."""

    from_ms: Annotated[InstantMs, Field(alias="from")]
    until_ms: Annotated[InstantMs, Field(alias="until", description="fires again from here on")]
    reason: Annotated[str, Field(max_length=REASON_LETTERS_MAX)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ms >= self.until_ms:
            raise Refused("until is not after from", "nothing fires in [from, until)")
        return self
