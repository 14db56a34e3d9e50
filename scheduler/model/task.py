"""Tasks: the boxes of a job's graph. The work of one is exactly one of `run`, `exec`, `noop`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from scheduler.model.bounds import ARGUMENTS_MAX
from scheduler.model.fields import (
    SCRIPT_CHARACTERS_MAX,
    DurationMs,
    Environment,
    Labels,
    Model,
    Name,
    Names,
    SizeBytes,
    as_tuple,
    problem,
)

WORK = ("run", "exec", "noop")
GRACE_MS = 5_000
OUTPUT_BYTES_MAX = 64 << 20
_CRLF_HINT = (
    "the text has Windows line ends (CRLF), and to a shell the carriage return is part of the last word: "
    "write LF alone"
)


class Placement(Model):
    """Which agents may run the task."""

    pool: Name = "default"
    labels: Labels = Field(default_factory=dict)
    zone: Annotated[Name | None, Field(description="only in this zone")] = None

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if value in ("spread", "prefer"):
            raise problem(f"zone: {value} is not available in this version", "name a zone, or leave it out")
        return value


class Retry(Model):
    max: Annotated[int, Field(ge=0, le=1_000, description="retries after the first attempt")]
    backoff: Literal["constant", "exponential"] = "exponential"
    first_ms: Annotated[DurationMs, Field(alias="first", description="wait before the first retry")] = 10_000
    cap_ms: Annotated[DurationMs, Field(alias="cap", description="longest wait")] = 600_000


class Task(Model):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [work]} for work in WORK]})

    run: Annotated[
        str | None, Field(min_length=1, max_length=SCRIPT_CHARACTERS_MAX, description="a shell command")
    ] = None
    exec: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(as_tuple),
        Field(
            min_length=1, max_length=ARGUMENTS_MAX, description="a program and its arguments, without a shell"
        ),
    ] = None
    noop: Annotated[Literal[True] | None, Field(description="no work at all")] = None
    on: Placement = Placement()
    retry: Retry | None = None
    timeout_ms: Annotated[DurationMs | None, Field(alias="timeout", description="of one attempt")] = None
    needs: Names = ()
    rule: Literal["all_success", "all_done", "any_failed", "any_success"] = "all_success"
    allow_failure: bool = False
    env: Environment = Field(default_factory=dict)
    cwd: Annotated[str | None, Field(min_length=1, max_length=4_096)] = None
    stdin: Annotated[str | None, Field(max_length=SCRIPT_CHARACTERS_MAX)] = None
    grace_ms: Annotated[DurationMs, Field(alias="grace", description="from SIGTERM to SIGKILL")] = GRACE_MS
    output_bytes_max: Annotated[
        SizeBytes, Field(alias="output_limit", description="the attempt is stopped beyond it")
    ] = OUTPUT_BYTES_MAX

    @field_validator("run")
    @classmethod
    def _script(cls, value: str | None) -> str | None:
        """What a shell would take for a part of a command's name, and nobody sees in an editor."""
        if value is not None:
            if value.startswith("\ufeff"):
                raise problem("it begins with a byte order mark (BOM): to a shell that is text", "remove it")
            wrong = [number for number, line in enumerate(value.split("\n"), 1) if line.endswith("\r")]
            if wrong:
                more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                raise problem(f"line {wrong[0]} ends in a carriage return{more}", _CRLF_HINT)
        return value

    @field_validator("exec")
    @classmethod
    def _program(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and value[0].endswith("\r"):
            raise problem("the first item, the program, ends in a carriage return", _CRLF_HINT)
        return value

    @field_validator("run", "cwd")
    @classmethod
    def _text(cls, value: str | None) -> str | None:
        if value is not None:
            if "\0" in value:
                raise problem("a NUL character cannot be handed to a process")
            if not value.strip():
                raise problem("it holds only blanks")
        return value

    @field_validator("exec")
    @classmethod
    def _argv(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None:
            if not value[0].strip():
                raise problem("the first item, the program, is empty")
            if any("\0" in item for item in value):
                raise problem("a NUL character cannot be handed to a process")
            if sum(map(len, value)) > SCRIPT_CHARACTERS_MAX:
                raise problem(f"the arguments are longer than {SCRIPT_CHARACTERS_MAX} characters")
        return value

    @model_validator(mode="after")
    def _one_work(self) -> Self:
        given = [work for work in WORK if getattr(self, work) is not None]
        if not given:
            raise problem("it has no work", "give one of run, exec, noop: true")
        if len(given) > 1:
            raise problem(f"{' and '.join(given)} exclude each other", "make a task for each")
        if self.noop and self.stdin is not None:
            raise problem("noop reads no stdin", "remove stdin")
        if self.rule != "all_success" and not self.needs:
            raise problem(f"rule: {self.rule} has nothing to judge", "name tasks in needs, or remove rule")
        return self
