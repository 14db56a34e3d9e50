"""What a job is expected to do: by when it starts and ends, how long it takes, that it says something, how
often it succeeds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from scheduler.model.expected import DAY_MS, WEEK_MS, clock_minutes, share_of
from scheduler.model.fields import DURATIONS_HINT, DurationMs, Model, type_name
from scheduler.model.problems import Refused, shortened
from scheduler.model.quantities import format_duration, parse_duration_ms
from scheduler.model.triggers.zoned import ZonedFields

QUIET_MS_MIN, QUIET_MS_MAX = 1_000, 7 * DAY_MS
PER_MS_MIN = 60_000
SHARE_MAX = 10_000
WANTED_MAX = 1_000_000
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_BY_HINT = 'a time of the day as "06:00", or a duration after it is due as "90m", in quotes'
_SPAN_HINT = 'a duration as "90m", or a share of what is usual as "200%"'
_DURATION = "([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?"


def _by(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"it is text, not {type_name(value)}", _BY_HINT)
    if not _CLOCK.fullmatch(value):
        return format_duration(_span_ms(value, _BY_HINT))
    hours, minutes = map(int, value.split(":"))
    if hours > 23 and minutes < 60:
        after = f"{hours}h{minutes}m" if minutes else f"{hours}h"
        hint = f'"{hours % 24:02}:{minutes:02}" is the first one after the tick; {after} counts from the tick'
        raise Refused(f"{value} is no time of the day", hint)
    if minutes > 59 or len(value) != 5:
        raise Refused(f"{value} is no time of the day", _BY_HINT)
    return value


def _span_ms(value: str, hint: str) -> int:
    try:
        return parse_duration_ms(value)
    except ValueError as error:
        raise Refused(str(error), hint) from error


def _span(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"it is text, not {type_name(value)}", _SPAN_HINT)
    if not value.endswith("%"):
        return format_duration(_span_ms(value, _SPAN_HINT))
    number = value[:-1]
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= SHARE_MAX):
        raise Refused(f"{shortened(value)} is no share", f"1% to {SHARE_MAX}%, in whole numbers")
    return f"{int(number)}%"


def _quiet(quiet_ms: int) -> int:
    if not QUIET_MS_MIN <= quiet_ms <= QUIET_MS_MAX:
        raise Refused("it is 1s to 7d", DURATIONS_HINT)
    return quiet_ms


def _per(per_ms: int) -> int:
    if per_ms < PER_MS_MIN:
        raise Refused("a period is 1m at least", "such as 1h, 1d or 7d")
    if per_ms > DAY_MS and per_ms != WEEK_MS:
        raise Refused(f"{format_duration(per_ms)} is no period", "1m to 24h, 1d (a plan date) or 7d (a week)")
    return per_ms


_BY_SCHEMA = {"type": "string", "pattern": f"^(?=.)(([01][0-9]|2[0-3]):[0-5][0-9]|{_DURATION})$"}
_SPAN_SCHEMA = {"type": "string", "pattern": f"^(?=.)([0-9]+%|{_DURATION})$"}
By = Annotated[str | None, BeforeValidator(lambda value: None if value is None else _by(value))]
Span = Annotated[str | None, BeforeValidator(lambda value: None if value is None else _span(value))]


class ExpectedDuration(Model):
    """How long a run takes, from its first start to its end."""

    min: Annotated[
        Span, WithJsonSchema(_SPAN_SCHEMA),
        Field(description="short: it succeeded in less; a duration, or a share of what is usual as 50%"),
    ] = None  # fmt: skip
    max: Annotated[
        Span, WithJsonSchema(_SPAN_SCHEMA),
        Field(description="long: it takes more; a duration, or a share of what is usual as 200%"),
    ] = None  # fmt: skip

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        least, most = self.min, self.max
        if least is not None and share_of(least) is not None and int(least[:-1]) >= 100:
            raise Refused("min is a share below 100%", "as 50% of what is usual")
        if most is not None and share_of(most) is not None and int(most[:-1]) <= 100:
            raise Refused("max is a share above 100%", "as 200% of what is usual")
        lengths = [parse_duration_ms(each) for each in (least, most) if each and share_of(each) is None]
        if len(lengths) == 2 and lengths[0] >= lengths[1]:
            raise Refused(f"min {least} is not below max {most}", "between them nothing is told")
        return self


class AtLeast(Model):
    """How many runs succeed in each period."""

    n: Annotated[int, Field(ge=1, le=WANTED_MAX, description="so many at least")] = 1
    per_ms: Annotated[
        DurationMs, AfterValidator(_per),
        Field(alias="per", description="1m to 24h; 1d is a plan date of the namespace, 7d seven from Monday"),
    ]  # fmt: skip


class Expect(ZonedFields):
    """What is told where it does not hold; nothing is stopped for it."""

    tz: Annotated[
        str | None, Field(description="IANA zone of times of the day; default that of the trigger")
    ] = None
    start_by: Annotated[
        By, WithJsonSchema(_BY_SCHEMA),
        Field(description="late_start: the first 02:30 after its tick, or so long after it is due"),
    ] = None  # fmt: skip
    end_by: Annotated[
        By, WithJsonSchema(_BY_SCHEMA),
        Field(description="late_end: by then it has succeeded; at_risk: it is not likely to"),
    ] = None  # fmt: skip
    duration: Annotated[
        ExpectedDuration | None, Field(description="how long a run takes, from its first start to its end")
    ] = None
    output_within_ms: Annotated[
        Annotated[DurationMs, AfterValidator(_quiet)] | None,
        Field(alias="output_within", description="stalled: an attempt wrote nothing for so long"),
    ] = None
    at_least: Annotated[AtLeast | None, Field(description="too_few: fewer runs succeeded")] = None

    @property
    def has_clock(self) -> bool:
        """Whether it names a time of the day."""
        return any(by is not None and clock_minutes(by) is not None for by in (self.start_by, self.end_by))

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        said = (self.start_by, self.end_by, self.duration, self.output_within_ms, self.at_least)
        if all(each is None for each in said):
            raise Refused("it expects nothing", "give start_by, end_by, duration, output_within or at_least")
        if self.tz is not None and not self.has_clock:
            raise Refused("tz is of times of the day, and there is none", "remove it")
        bys = [by for by in (self.start_by, self.end_by) if by is not None and clock_minutes(by) is None]
        if len(bys) == 2 and parse_duration_ms(bys[0]) > parse_duration_ms(bys[1]):
            raise Refused(f"start_by {bys[0]} is after end_by {bys[1]}", "both count from when it is due")
        return self
