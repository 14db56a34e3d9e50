"""A namespace, as administrators declare it: who answers for it, and what its jobs may have."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationError, WithJsonSchema

from scheduler.model import notify
from scheduler.model.bounds import check_bounds
from scheduler.model.defaults import Defaults
from scheduler.model.fields import (
    DURATIONS_HINT,
    Model,
    Name,
    TimeOfDay,
    User,
    as_tuple,
    check_duration,
    type_name,
)
from scheduler.model.notice import Notice
from scheduler.model.parse import PLANNED as PLANNED_OF_JOBS
from scheduler.model.policies import Policies
from scheduler.model.problems import JobError, Problem, Refused, pointer_of
from scheduler.model.quantities import format_duration
from scheduler.model.translating import Vocabulary, translated
from scheduler.model.work.run import check_script
from scheduler.ticks import zones

JOBS_MAX = 10_000_000
RUNS_MAX = 10_000_000
STARTS_MAX = 6_000
AROUND_MAX = 4_096
CLOSE_AFTER_MIN_MS, CLOSE_AFTER_MAX_MS = 60_000, 366 * 86_400_000
AROUND = "lines for a shell that run on the agent with each attempt,"


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _zone(value: Any) -> Any:
    if isinstance(value, str):
        try:
            zones.zone(value)
        except ValueError as error:
            raise Refused(str(error), "a name of the IANA database, such as Europe/Berlin") from error
    return value


def _lines(value: Any) -> Any:
    return check_script(value) if isinstance(value, str) else value


def _open(value: Any) -> int:
    lasts_ms = check_duration(value)
    if not CLOSE_AFTER_MIN_MS <= lasts_ms <= CLOSE_AFTER_MAX_MS:
        hint = "what is late is skipped when its date is closed: leave it time, such as 1d"
        raise Refused("a plan date closes from 1m to 366d after its end", hint)
    return lasts_ms


OpenMs = Annotated[
    int, BeforeValidator(_open), PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "description": f"duration, {DURATIONS_HINT}"}),
]  # fmt: skip


class Plan(Model):
    """The days by which its jobs are planned."""

    tz: Annotated[str, BeforeValidator(_zone)] = "UTC"
    begin: Annotated[TimeOfDay, Field(description="when a day begins")] = "00:00"
    auto_close_ms: Annotated[
        OpenMs | None,
        Field(alias="auto_close", description="so long after its end a date closes by itself; none: never"),
    ] = None  # fmt: skip

    @property
    def is_utc(self) -> bool:
        """Whether its days are those that hold without a declaration."""
        return (self.tz, self.begin) == ("UTC", "00:00")

    @property
    def names_zone(self) -> bool:
        """Whether its days begin by a zone whose rules may be others one day."""
        return self.tz != "UTC"


class Quotas(Model):
    """How much of the cluster its jobs may take."""

    jobs: Annotated[int | None, Field(ge=0, le=JOBS_MAX, description="how many there may be")] = None
    active_runs: Annotated[
        int | None, Field(ge=1, le=RUNS_MAX, description="runs that may be active at once; the others wait"),
    ] = None  # fmt: skip
    starts_per_minute: Annotated[
        int | None, Field(ge=1, le=STARTS_MAX, description="runs that may begin within a minute"),
    ] = None  # fmt: skip


class Namespace(Model):
    name: Annotated[Name, Field(alias="namespace")]
    description: Annotated[str, Field(max_length=4_096)] = ""
    owner: Annotated[str, Field(max_length=128, description="who answers for it")] = ""
    plan: Plan = Plan()
    pools: Annotated[
        tuple[Name, ...], BeforeValidator(as_tuple), AfterValidator(_each_once),
        Field(max_length=1_000, description="the only ones that its tasks may name; none: any"),
    ] = ()  # fmt: skip
    run_as: Annotated[
        tuple[User, ...], BeforeValidator(as_tuple), AfterValidator(_each_once),
        Field(max_length=1_000, description="the only users that its tasks may run as; none: any"),
    ] = ()  # fmt: skip
    before: Annotated[
        str | None, BeforeValidator(_lines), Field(max_length=AROUND_MAX, description=f"{AROUND} before it"),
    ] = None  # fmt: skip
    after: Annotated[
        str | None, BeforeValidator(_lines), Field(max_length=AROUND_MAX, description=f"{AROUND} after it"),
    ] = None  # fmt: skip
    quotas: Quotas = Quotas()
    defaults: Annotated[
        Defaults | None, Field(description="what holds for its jobs where they say nothing themselves")
    ] = None  # fmt: skip

    def public(self) -> dict[str, Any]:
        """The public shape, as JSON values: all of it filled in, but the defaults for jobs."""
        shape = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"defaults"})
        given = {} if self.defaults is None else self.defaults.given()
        return {**shape, **({"defaults": given} if given else {})}


_WORDS = Vocabulary(
    root=Namespace,
    said="the namespace",
    planned={Namespace: (), Policies: PLANNED_OF_JOBS[Policies]},
    kinds={Notice: notify},
)


def parse_namespace(data: object, name: str) -> Namespace:
    """The namespace of this name that `data` describes; raises JobError with all its problems."""
    check_bounds(data)
    if not isinstance(data, dict):
        raise JobError((Problem("", f"a namespace is an object, not {type_name(data)}"),))
    shape = {"namespace": name, **{key: value for key, value in data.items() if value is not None}}
    try:
        given = Namespace.model_validate(shape)
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = [translated(each, _WORDS, lambda loc: pointer_of(*loc)) for each in details]
        raise JobError(tuple(dict.fromkeys(found))) from None
    policies = None if given.defaults is None else given.defaults.policies
    if policies is not None and "calendar" in policies.model_fields_set:
        detail = "a calendar as a default is not available in this version"
        raise JobError((Problem("/defaults/policies/calendar", detail, "name it in each job"),))
    if given.pools and given.defaults is not None and given.defaults.on is not None:
        pool = given.defaults.on.pool
        if pool not in given.pools and "pool" in given.defaults.on.model_fields_set:
            detail = f"pool {pool} is none that its jobs may use: {', '.join(given.pools)}"
            raise JobError((Problem("/defaults/on/pool", detail, "name it in pools, or another here"),))
    user = None if given.defaults is None else given.defaults.run_as
    if given.run_as and user is not None and user not in given.run_as:
        detail = f"user {user} is none that its tasks may run as: {', '.join(given.run_as)}"
        raise JobError((Problem("/defaults/run_as", detail, "name it in run_as, or another here"),))
    if given.name != name:
        detail = f"it says that it is namespace {given.name}"
        raise JobError((Problem("/namespace", detail, f"remove it, or put {given.name}"),))
    return given
