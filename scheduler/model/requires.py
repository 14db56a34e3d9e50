"""What a run requires beside its own tick: ends of other jobs, notices on boards. Judged after the firing."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

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
from scheduler.model.problems import Refused, pointer_of
from scheduler.model.quantities import format_duration

REQUIRES_MAX = 20
COUNT_MAX = 1_000
SINCE_DAYS_MAX = 35
SINCE = ("last_run", "plan_date")
KINDS = ("job", "notice")
LATER = ("exists", "check")
_OF_JOBS, _OF_NOTICES = ("since", "count", "state"), ("key", "consume")


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
        raise Refused("count: all is not available in this version", "give a number")
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise Refused(f"count is a number, not {type_name(value)}", f"1 to {COUNT_MAX}")
    return value


class Requirement(Model):
    """One of them: exactly one of `job` and `notice`."""

    job: Annotated[Reference | None, Field(description="runs of this job have ended")] = None
    since: Annotated[
        str | None,
        BeforeValidator(_since),
        Field(description="which of its runs count: ended after the job's own last run was created (default),"
              " of the same plan date, or ended so long before the due instant"),
        WithJsonSchema({"anyOf": [{"enum": list(SINCE)}, DURATION_SCHEMA]}),
    ] = None  # fmt: skip
    count: Annotated[
        int | None, BeforeValidator(_count), Field(ge=1, le=COUNT_MAX, description="how many; default 1")
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

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        for name in LATER:
            if isinstance(data, dict) and name in data:
                raise Refused(f"{name} is not available in this version", f"give one of {', '.join(KINDS)}")
        return data

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.job is None) == (self.notice is None):
            raise Refused("it names both, or neither" if self.job else "it says nothing that is required",
                          f"give exactly one of {', '.join(KINDS)}")  # fmt: skip
        kind, foreign = ("job", _OF_NOTICES) if self.job else ("notice", _OF_JOBS)
        for name in foreign:
            if getattr(self, name) is not None:
                raise Refused(f"{name} means nothing beside `{kind}`", f"remove {name}")
        return self

    def target(self, place: int, namespace: str) -> Target:
        kind, named = ("job", self.job) if self.job else ("board", self.notice)
        assert named is not None
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
