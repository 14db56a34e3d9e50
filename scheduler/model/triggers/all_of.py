"""all_of: once a plan date, when several things have all come. It has no instants."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from scheduler.model.after import parents_of
from scheduler.model.all_of import JOBS_MAX, MEMBERS_MAX, WITHIN_MS, WITHIN_MS_MAX, all_of_spec
from scheduler.model.expressions import LETTERS_MAX, parse
from scheduler.model.fields import DurationMs, Model, TimeOfDay, as_tuple
from scheduler.model.named import resolved
from scheduler.model.problems import Refused
from scheduler.model.quantities import format_duration
from scheduler.model.triggers.after import CycleFields, check_condition
from scheduler.model.triggers.kind import Kind
from scheduler.model.triggers.notice import Noticed
from scheduler.model.triggers.zoned import ZonedFields

_MEMBERS = ("after", "notice", "at_least")
_SUCH = "{after: JOB.succeeded}, {notice: {board: NAME}} or {at_least: \"06:00\"}"


class Member(Model):
    """One thing that has to come."""

    after: Annotated[
        str | None,
        Field(
            description="a condition over ends of other jobs, as `after`, of runs of the plan date",
            json_schema_extra={"maxLength": LETTERS_MAX},
        ),
    ] = None
    notice: Annotated[Noticed | None, Field(description="a notice of the plan date")] = None
    at_least: Annotated[TimeOfDay | None, Field(description="a time of the day, within the plan date")] = None

    @field_validator("after")
    @classmethod
    def _means_something(cls, value: str | None) -> str | None:
        return None if value is None else check_condition(value)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in _MEMBERS if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} exclude each other" if given else "it waits for nothing"
            raise Refused(f"{said}: a member is exactly one of {', '.join(_MEMBERS)}", _SUCH)
        return self

    def written(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class AllOf(Model):
    of: Annotated[
        tuple[Member, ...],
        BeforeValidator(as_tuple),
        Field(max_length=MEMBERS_MAX, description="all that has to come", json_schema_extra={"minItems": 2}),
    ]
    within_ms: Annotated[
        DurationMs, Field(alias="within", description="from the first that comes; then it is missed")
    ] = WITHIN_MS

    @field_validator("within_ms")
    @classmethod
    def _is_bounded(cls, value: int) -> int:
        if value > WITHIN_MS_MAX:
            longest = format_duration(WITHIN_MS_MAX)
            raise Refused(f"{format_duration(value)} is longer than {longest}", "wait for less")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        told = [each.written() for each in self.of]
        if len(told) < 2:
            raise Refused("of what is to come together there are two at least", _SUCH)
        if any(each in told[:place] for place, each in enumerate(told)):
            raise Refused("two members are the same", "remove one")
        times = [each.at_least for each in self.of if each.at_least is not None]
        if len(times) > 1:
            raise Refused(f"at_least {' and '.join(times)}: the later one decides", "remove the other")
        if len(times) == len(told):
            raise Refused("time alone begins nothing", "use `cron`")
        parents = {parent for each in self.of if each.after for parent in parents_of(parse(each.after), "")}
        if len(parents) > JOBS_MAX:
            raise Refused(
                f"it names {len(parents)} jobs, at most {JOBS_MAX}", "have one job wait for some of them"
            )
        return self


class AllOfFields(ZonedFields, CycleFields):
    all_of: Annotated[
        AllOf | None, Field(description="once a plan date, when all of several things have come")
    ] = None

    @model_validator(mode="after")
    def _zone_is_asked(self) -> Self:
        asked = self.all_of if self.tz is not None else None
        if asked is not None and all(each.at_least is None for each in asked.of):
            raise Refused("tz is for `at_least`, which none of its members is", "remove tz")
        return self


def _asked(trigger: AllOfFields) -> AllOf:
    assert trigger.all_of is not None
    return trigger.all_of


def _schedule(trigger: AllOfFields) -> dict[str, Any]:
    asked = _asked(trigger)
    said = {"of": [each.written() for each in asked.of], "within": format_duration(asked.within_ms)}
    return {"all_of": said} | ({} if trigger.tz is None else {"tz": trigger.tz})


def _spec(trigger: AllOfFields, job: str) -> bytes:
    asked, namespace = _asked(trigger), job.partition("/")[0]
    return all_of_spec(
        [_member(each, namespace) for each in asked.of], namespace, asked.within_ms, tz=trigger.tz,
        allow_cycle=bool(trigger.allow_cycle),
    )  # fmt: skip


def _member(member: Member, namespace: str) -> dict[str, Any]:
    if member.notice is None:
        return member.written()
    board = "/".join(resolved(member.notice.board, namespace))
    return {"board": board} | ({} if member.notice.key is None else {"key": member.notice.key})


def _refers(trigger: AllOfFields, namespace: str) -> list[tuple[str, str, str, str]]:
    found: list[tuple[str, str, str, str]] = []
    for place, each in enumerate(_asked(trigger).of):
        if each.after is not None:
            parents = parents_of(parse(each.after), namespace)
            found += [("job", *parent, f"all_of/of/{place}/after") for parent in parents]
        elif each.notice is not None:
            board = resolved(each.notice.board, namespace)
            found.append(("board", *board, f"all_of/of/{place}/notice/board"))
    return found


def _spent(trigger: AllOfFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "all_of", reason, "remove the trigger"


ALL_OF = Kind(
    name="all_of",
    example={
        "all_of": {
            "of": [
                {"after": "extract.succeeded"},
                {"notice": {"board": "stock", "key": "plan_date"}},
                {"at_least": "06:00"},
            ],
            "within": "12h",
        },
        "tz": "Europe/Berlin",
        "allow_cycle": True,
    },
    fields=AllOfFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    refers=_refers,
    has_instants=False,
    has_offset=False,
    overlap="queue_all",
    other_words=("and_group", "all", "conjunction", "when_all"),
)
