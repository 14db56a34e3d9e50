"""What a run requires beside its own tick: ends of other jobs, notices on boards, what agents find. Judged
after the firing."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from scheduler.model.fields import (
    DURATION_SCHEMA,
    DurationMs,
    Model,
    Reference,
    check_duration,
    type_name,
)
from scheduler.model.limits import NOTICE_LETTERS_MAX
from scheduler.model.named import Target, resolved
from scheduler.model.placement import Placement
from scheduler.model.problems import Refused, pointer_of, shortened
from scheduler.model.quantities import format_duration
from scheduler.model.stored import check_stored, is_stored
from scheduler.model.texts import no_nul

REQUIRES_MAX = 20
COUNT_MAX = 1_000
SINCE_DAYS_MAX = 35
SINCE = ("last_run", "plan_date")
EVERY_MS_MIN, TIMEOUT_MS_MAX, TIMES_MAX = 5_000, 600_000, 10_000
KINDS = ("job", "notice", "exists", "check")
_FIELDS = {
    "job": ("since", "count", "state"),
    "notice": ("key", "consume"),
    "exists": ("on", "every", "max", "timeout"),
    "check": (),
}
_ATTRIBUTES = {"every": "every_ms", "timeout": "timeout_ms"}
CHECK_LETTERS_MAX, PATH_LETTERS_MAX = 8_192, 4_096


def _since(value: Any) -> Any:
    if value is None or value in SINCE:
        return value
    if not isinstance(value, str):
        raise Refused(f"since is text, not {type_name(value)}", "last_run, plan_date or a duration")
    within_ms = check_duration(value)
    if within_ms > SINCE_DAYS_MAX * 86_400_000:
        raise Refused(f"ends are known for {SINCE_DAYS_MAX} days", "last_run, plan_date, or a shorter one")
    return format_duration(within_ms)


def _count(value: Any) -> Any:
    if value == "all":
        return value
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise Refused(f"count is a number or all, not {type_name(value)}", f"1 to {COUNT_MAX}, or all")
    return value


def _path(value: Any) -> Any:
    if not isinstance(value, str):
        raise Refused(f"exists is a path, not {type_name(value)}", "such as /in/ready, or s3://bucket/key")
    if is_stored(value):
        return check_stored(value)
    if not value.startswith("/"):
        raise Refused(f"{shortened(value)} is no absolute path", "such as /in/ready, on the agent's host")
    return no_nul(value)


def _every(value: int | None) -> int | None:
    if value is not None and value < EVERY_MS_MIN:
        raise Refused("it is asked too often", f"every: {format_duration(EVERY_MS_MIN)} or longer")
    return value


def _timeout(value: int | None) -> int | None:
    if value is not None and not 0 < value <= TIMEOUT_MS_MAX:
        raise Refused("a check is short", f"timeout: {format_duration(TIMEOUT_MS_MAX)} at most")
    return value


def _on(value: Placement | None) -> Placement | None:
    if value is not None and value.same_as is not None:
        raise Refused("same_as means nothing before a task has run", "remove same_as")
    return value


On = Annotated[
    Placement | None,
    AfterValidator(_on),
    Field(description="agents that may be asked; default: any of default"),
]
Every = Annotated[
    DurationMs | None,
    AfterValidator(_every),
    Field(alias="every", description="from one to the next; default 30s"),
]
Max = Annotated[
    int | None, Field(ge=1, le=TIMES_MAX, description="so often; then on_timeout says; default 1000")
]
Timeout = Annotated[
    DurationMs | None, AfterValidator(_timeout), Field(alias="timeout", description="of one; default 1m")
]


class Check(Model):
    """A command that agents run until it ends well."""

    run: Annotated[str, Field(min_length=1, max_length=CHECK_LETTERS_MAX, description="a line for a shell")]
    on: On = None
    every_ms: Every = None
    max: Max = None
    timeout_ms: Timeout = None


class Requirement(Model):
    """One of them: exactly one of `job`, `notice`, `exists` and `check`."""

    job: Annotated[Reference | None, Field(description="runs of this job have ended")] = None
    since: Annotated[
        str | None,
        BeforeValidator(_since),
        Field(description="which of its runs count: ended after the job's own last run was created (default),"
              " of the same plan date, or ended so long before the due instant"),
        WithJsonSchema({"anyOf": [{"enum": list(SINCE)}, DURATION_SCHEMA]}),
    ] = None  # fmt: skip
    count: Annotated[
        Annotated[int, Field(ge=1, le=COUNT_MAX)] | Literal["all"] | None,
        BeforeValidator(_count),
        Field(description="how many; default 1; all: each tick of the plan date"),
    ] = None
    state: Annotated[
        Literal["succeeded", "failed", "ended"] | None, Field(description="how they ended; default succeeded")
    ] = None
    notice: Annotated[Reference | None, Field(description="a notice stands on this board")] = None
    key: Annotated[
        str | None,
        Field(min_length=1, max_length=NOTICE_LETTERS_MAX,
              description="of it; plan_date: the run's own plan date; default any"),
    ] = None  # fmt: skip
    consume: Annotated[
        bool | None, Field(description="it is used up by the run, and meets no other; default false")
    ] = None

    exists: Annotated[
        str | None, BeforeValidator(lambda value: None if value is None else _path(value)),
        Field(
            max_length=PATH_LETTERS_MAX,
            description="this path is there, on an agent's host; or this object: s3://bucket/key, gs://, az://",
        ),
    ] = None  # fmt: skip
    check: Annotated[Check | None, Field(description="this command ends well, on an agent")] = None
    on: On = None
    every_ms: Every = None
    max: Max = None
    timeout_ms: Timeout = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in KINDS if getattr(self, name) is not None]
        if len(kinds) != 1:
            said = f"it names {' and '.join(kinds)}" if kinds else "it says nothing that is required"
            raise Refused(said, f"give exactly one of {', '.join(KINDS)}")
        own = _FIELDS[kinds[0]]
        for name in (each for kind, fields in _FIELDS.items() if kind != kinds[0] for each in fields):
            if getattr(self, _ATTRIBUTES.get(name, name)) is not None and name not in own:
                hint = f"remove {name}" if kinds[0] != "check" else f"write it within check, or remove {name}"
                raise Refused(f"{name} means nothing beside `{kinds[0]}`", hint)
        if self.count == "all" and self.since != "plan_date":
            raise Refused("count: all is each tick of a plan date", "add since: plan_date, or give a number")
        return self

    def target(self, place: int, namespace: str) -> Target | None:
        """What it refers to; None: nothing."""
        kind, named = ("job", self.job) if self.job else ("board", self.notice)
        if named is None:
            return None
        pointer = pointer_of("requires", place, "job" if self.job else "notice")
        return Target(kind, *resolved(named, namespace), pointer, needs="run" if self.consume else "read")


def _need(value: Any) -> Any:
    if value in (None, "all", "any"):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Refused(f"need is all, any or a number, not {type_name(value)}", "such as 2")
    return value


class RequiresPolicy(Model):
    """How many of them, and what if they never come."""

    need: Annotated[
        int | Literal["all", "any"], BeforeValidator(_need), Field(description="how many of them")
    ] = "all"
    if_not_planned: Annotated[
        Literal["wait", "skip", "go"],
        Field(description="of since: plan_date, where the other job has no tick on that date"),
    ] = "wait"
    timeout_ms: Annotated[
        DurationMs | None, Field(alias="timeout", description="the longest wait; default without end")
    ] = None
    on_timeout: Annotated[
        Literal["fail", "skip", "go"],
        Field(description="then: missed(requires), skipped(requires), or it goes on"),
    ] = "fail"
