"""What a task says of the ends of its attempts: `exit`, `stderr` and `retry`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from scheduler.model.exit_codes import CLASSES, CODE_MAX, ENTRIES_MAX, OK, RETRY, WARN, codes_of, span
from scheduler.model.fields import DurationMs, Model, as_tuple, type_name
from scheduler.model.problems import Refused, shortened

CODES_HINT = 'such as 4, or "10-19" for a range'
RETRIES_MAX = 1_000
DELAYS_MAX = 100
FAILED, TIMED_OUT, LOST = "failed", "timed_out", "lost"
ENDS = (FAILED, TIMED_OUT, LOST)
"""What `retry.on` may name beside exit codes."""


def _code(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Refused(f"an exit code is a number, not {type_name(value)}", CODES_HINT)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        raise Refused(f"the exit code {shortened(value)} is text", "write it without quotes")
    if isinstance(value, int) and value < 0:
        raise Refused(f"{value} is no exit code", f"they go from 0 to {CODE_MAX}")
    try:
        span(value)
    except ValueError as error:
        raise Refused(str(error), CODES_HINT) from error
    return value


def _end(value: Any) -> int | str:
    if isinstance(value, str) and value[:1].isalpha():
        if value not in ENDS:
            raise Refused(
                f"{shortened(value)} is no end of an attempt", f"exit codes, or some of {', '.join(ENDS)}"
            )
        return value
    return _code(value)


def _list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise Refused(f"it must be a list, not {type_name(value)}", "put it in brackets")
    return as_tuple(value)


_CODE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": CODE_MAX},
            {"type": "string", "pattern": "^[0-9]{1,3}-[0-9]{1,3}$"},
        ]
    }
)
_END_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": CODE_MAX},
            {"type": "string", "pattern": f"^([0-9]{{1,3}}-[0-9]{{1,3}}|{'|'.join(ENDS)})$"},
        ]
    }
)
Code = Annotated[int | str, BeforeValidator(_code), _CODE_SCHEMA]
Codes = Annotated[tuple[Code, ...], BeforeValidator(_list), Field(max_length=ENTRIES_MAX)]
Ends = Annotated[
    tuple[Annotated[int | str, BeforeValidator(_end), _END_SCHEMA], ...],
    BeforeValidator(_list),
    Field(min_length=1, max_length=ENTRIES_MAX),
]


class ExitClasses(Model):
    """What exit codes mean. One that stands nowhere fails."""

    ok: Annotated[Codes, Field(description="a good end")] = (0,)
    warn: Annotated[Codes, Field(description="a good end, and the run is marked as warned")] = ()
    skip: Annotated[Codes, Field(description="the task is skipped, as by its rule")] = ()
    retry: Annotated[Codes, Field(description="tried again, as often as retry says; at last it fails")] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen: dict[int, str] = {}
        for word in CLASSES:
            for code in codes_of(getattr(self, word)):
                if seen.setdefault(code, word) != word:
                    hint = "say ok as well, without it" if seen[code] == OK else "remove it from one"
                    raise Refused(f"exit code {code} stands in {seen[code]} and in {word}", hint)
        if all(word == RETRY for word in seen.values()):
            raise Refused("no exit code is a good end", f"name one in {OK}, {WARN} or skip")
        return self


Stderr = Annotated[
    Literal["ignore", "warn", "fail"] | None,
    AfterValidator(lambda value: None if value == "ignore" else value),
    Field(description="what it means that something was written there, however it exits; default ignore"),
]


def _max_or_delays(schema: dict[str, Any]) -> None:
    """What the validator below fills in, need not be said."""
    schema.pop("required", None)
    schema["anyOf"] = [{"required": ["max"]}, {"required": ["delays"]}]


class Again(Model):
    """How often something is tried again, and after which waits."""

    model_config = ConfigDict(json_schema_extra=_max_or_delays)

    max: Annotated[
        int, Field(ge=0, le=RETRIES_MAX, description="retries after the first one; as many as delays")
    ]
    backoff: Literal["constant", "exponential"] = "exponential"
    first_ms: Annotated[DurationMs, Field(alias="first", description="wait before the first retry")] = 10_000
    cap_ms: Annotated[DurationMs, Field(alias="cap", description="longest wait")] = 600_000
    delays_ms: Annotated[
        tuple[DurationMs, ...] | None,
        BeforeValidator(lambda value: None if value is None else _list(value)),
        Field(
            alias="delays", min_length=1, max_length=DELAYS_MAX,
            description="the wait before each retry; the last one stands for all that follow",
        ),
    ] = None  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _as_many_as_delays(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("delays") is None:
            return data
        for word in ("backoff", "first", "cap"):
            if data.get(word) is not None:
                raise Refused(f"delays and {word} exclude each other", f"remove {word}")
        delays = data["delays"]
        if data.get("max") is None and isinstance(delays, list | tuple):
            return {**data, "max": len(delays)}
        return data

    @model_validator(mode="after")
    def _delays_are_reached(self) -> Self:
        if self.delays_ms is not None and self.max < len(self.delays_ms):
            raise Refused(
                f"there are {len(self.delays_ms)} delays, and max allows fewer: {self.max}",
                "remove max, or the last delays",
            )
        return self

    @model_serializer(mode="wrap")
    def _shape(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """With the waits that count alone."""
        shape: dict[str, Any] = write(self)
        if self.delays_ms is not None:
            for word in ("backoff", "first", "cap", "first_ms", "cap_ms"):
                shape.pop(word, None)
        return shape


class Retry(Again):
    on: Annotated[
        Ends | None,
        Field(description=f"which ends are tried again: exit codes, {', '.join(ENDS)}; default all"),
    ] = None

    @model_validator(mode="after")
    def _each_end_once(self) -> Self:
        if self.on is not None and len(set(self.on)) < len(self.on):
            raise Refused("on says the same twice", "remove one")
        return self
