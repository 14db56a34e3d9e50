"""Triggers: what makes a job due. Each is exactly one of the kinds in triggers/."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Field, create_model, model_validator

from scheduler.model.dating import TriggerDays, Workday
from scheduler.model.fields import DurationMs, InstantMs, Model, Name
from scheduler.model.known_dates import NO_CALENDARS, Calendars
from scheduler.model.limits import PARAMS_MAX
from scheduler.model.named import resolved
from scheduler.model.overlap import Overlap
from scheduler.model.params import ParamValue
from scheduler.model.problems import Refused
from scheduler.model.triggers import KINDS, NAMES, ONE_OF, Kind
from scheduler.ticks import (
    SpecError,
    anchored,
    dated_spec,
    never_reason,
    ruled,
    schedule,
    valid_spec,
)
from scheduler.words.json_text import json_text

if TYPE_CHECKING:
    Fields = Model
else:  # pydantic lists the fields of the last base first
    Fields = create_model("Fields", __base__=tuple(kind.fields for kind in reversed(KINDS)))

_KINDS = [(kind, kind.attributes[kind.name]) for kind in KINDS]


def _foreign(kind: Kind[Any]) -> dict[str, list[tuple[str, str]]]:
    """The fields that a kind does not have, with their attributes, by the kinds that have them."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, attribute in {name: at for other in KINDS for name, at in other.attributes.items()}.items():
        if name not in kind.attributes:
            owners = [f"`{other.name}`" for other in KINDS if name in other.attributes]
            found.setdefault(" and ".join(owners), []).append((name, attribute))
    return found


_FOREIGN = {kind.name: _foreign(kind) for kind in KINDS}
_FOREIGN_ATTRIBUTES = {
    name: frozenset(attribute for fields in owners.values() for _, attribute in fields)
    for name, owners in _FOREIGN.items()
}
"""The same in one: hardly any trigger has one of them. What was not given has no value."""


_BY_DAYS = ("its calendars leave none of its instants that are still to come", "change them")
_LEFT_NOTHING = {
    "calendar": _BY_DAYS,
    "workday": _BY_DAYS,
    "valid": ("no instant of it that is still to come is within its span", "change `valid`"),
}
"""Why and with which way out, by the field that leaves no instant."""


class Valid(Model):
    """From when and until when: an instant that is `until` is out of it."""

    from_ms: Annotated[
        InstantMs | None, Field(alias="from", description="the first instant that may be due")
    ] = None
    until_ms: Annotated[InstantMs | None, Field(alias="until", description="nothing is due from here on")] = (
        None
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ms is None and self.until_ms is None:
            raise Refused("neither from nor until", "give one of them, or leave `valid` out")
        if self.from_ms is not None and self.until_ms is not None and self.from_ms >= self.until_ms:
            raise Refused("until is not after from", "the instants of [from, until) are due")
        return self


_ANY_DAY = TriggerDays()


class Trigger(Fields):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in NAMES]})

    id: Annotated[Name | None, Field(description="names the trigger; else a hash of its schedule")] = None
    jitter_ms: Annotated[
        DurationMs | None, Field(alias="jitter", description="upper limit of a constant offset")
    ] = None

    valid: Annotated[Valid | None, Field(description="when it is due at all; default always")] = None
    params: Annotated[
        dict[str, ParamValue] | None,
        Field(max_length=PARAMS_MAX, description="values of its runs, over the defaults of the job's params"),
    ] = None
    overlap: Annotated[
        Overlap | None, Field(description="of its runs, over policies.overlap: what becomes of them")
    ] = None
    calendar: Annotated[
        TriggerDays | None, Field(description="on which days it is due, by calendars; default any")
    ] = None
    workday: Annotated[
        Workday | None, Field(description="of the days, which working day of a month, quarter or year alone")
    ] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        said = self.model_fields_set
        given = [
            kind for kind, attribute in _KINDS if attribute in said and getattr(self, attribute) is not None
        ]
        if len(given) != 1:
            names = " and ".join(kind.name for kind in given)
            wrong = f"{names} exclude each other" if given else "it has no schedule"
            raise Refused(f"{wrong}: a trigger has exactly {ONE_OF}", "use one trigger for each")
        self.__dict__["kind"] = given[0]
        is_pure = said.isdisjoint(_FOREIGN_ATTRIBUTES[given[0].name])
        for owners, fields in () if is_pure else _FOREIGN[given[0].name].items():
            surplus = [field for field, attribute in fields if getattr(self, attribute) is not None]
            if surplus:
                these = f"{' and '.join(surplus)} {'is' if len(surplus) == 1 else 'are'}"
                detail = f"{these} for {owners} triggers, not for `{given[0].name}`"
                raise Refused(detail, f"remove {surplus[0] if len(surplus) == 1 else 'them'}")
        waits = not given[0].has_instants or given[0].waits(self)
        what = "a delay" if given[0].waits(self) else given[0].name
        for field in given[0].unwaited if waits else ():
            if getattr(self, given[0].attributes[field]) is not None:
                detail = f"{what} counts from the end of the last run, not from a {field}"
                raise Refused(detail, f"remove {field}")
        for field in ("valid", "calendar", "workday") if waits else ():
            if getattr(self, field) is not None:
                raise Refused(f"{what} has no instants that `{field}` could choose", f"remove {field}")
        if self.id is not None and given[0].is_shared:
            detail = f"a {given[0].name} is known by its name, and its triggers by theirs"
            raise Refused(detail, "remove id")
        if self.jitter_ms is not None and (not given[0].has_offset or given[0].waits(self)):
            raise Refused(f"{what} fires at once: a jitter means nothing beside it", "remove jitter")
        self._days_in_order(given[0])
        return self

    def _days_in_order(self, kind: Kind[Any]) -> None:
        rule = self.calendar or _ANY_DAY
        if self.workday is not None and rule.nonworking not in (None, "ignore"):
            detail = f"nonworking: {rule.nonworking} beside workday: it is due on working days alone"
            raise Refused(detail, "remove one of the two")
        if rule.moves:
            bare = dated_spec(
                kind.spec(self, "any/job"),
                exclude=[NO_CALENDARS("any", "any")],
                nonworking=rule.nonworking or "",
            )
            try:
                schedule(bare)
            except SpecError as error:
                detail = f"nonworking: {rule.nonworking} is for triggers that are due less often: {error}"
                raise Refused(
                    detail, "suppress or ignore them, or use before, after, modified elsewhere"
                ) from error

    @cached_property
    def kind(self) -> Kind[Any]:
        return next(kind for kind, attribute in _KINDS if getattr(self, attribute) is not None)

    def schedule_fields(self) -> dict[str, Any]:
        """What decides the instants, all defaults filled in."""
        fields = self.kind.schedule(self)
        if self.valid is not None:
            fields["valid"] = self.valid.model_dump(mode="json", by_alias=True, exclude_none=True)
        if self.calendar is not None:
            fields["calendar"] = self.calendar.written()
        if self.workday is not None:
            fields["workday"] = self.workday.model_dump(mode="json")
        return fields

    @property
    def has_own_words(self) -> bool:
        """Whether its runs are other runs than those of the job's other triggers."""
        return self.params is not None or self.overlap is not None

    @property
    def asks_for_working_days(self) -> bool:
        return self.workday is not None or (self.calendar or _ANY_DAY).nonworking not in (None, "ignore")

    @property
    def zone(self) -> str:
        """The zone by which it is due, if its rules may be others one day; empty: none."""
        tz: str | None = getattr(self, "tz", None)
        return "" if tz is None or tz == "UTC" else tz

    @property
    def has_instants(self) -> bool:
        return self.kind.has_instants and not self.kind.waits(self)

    @property
    def delay_ms(self) -> int:
        return self.kind.delay_ms(self)

    def refers(self, namespace: str) -> list[tuple[str, str, str, str]]:
        """Kind, namespace and name of what it refers to, and the field that says so."""
        return self.kind.refers(self, namespace)

    def why_spent(
        self,
        namespace: str,
        job: str,
        now_ms: int,
        *,
        calendars: Calendars = NO_CALENDARS,
        default: str | None = None,
    ) -> tuple[str, str, str]:
        """Where (its field), why and with which way out this trigger fires at no instant after `now_ms`."""
        for field, spec in self._layers(namespace, job, calendars, default):
            reason = never_reason(anchored(spec, now_ms + 1), now_ms)
            if reason and field:
                return field, *_LEFT_NOTHING[field]
            if reason:
                return self.kind.spent(self, now_ms, reason)
        return self.kind.spent(self, now_ms, "it never fires")

    @cached_property
    def key(self) -> str:
        """The trigger's identity within its job; of what it has of a schedule what comes first in it."""
        if self.id is not None:
            return self.id
        if self.kind.is_shared:
            return str(self.kind.schedule(self)[self.kind.name])
        return hashlib.sha256(json_text(self.kind.known_by(self.schedule_fields()))).hexdigest()[:12]

    def spec(
        self,
        namespace: str,
        job: str,
        *,
        calendars: Calendars = NO_CALENDARS,
        default: str | None = None,
        said_in: str | None = None,
    ) -> bytes:
        """The bytes for `scheduler.ticks.schedule`, with the dates of its calendars. `default`: that of the
        job's policies. `said_in`: the namespace in which its calendars are named; None: the job's."""
        return self._layers(namespace, job, calendars, default, said_in)[-1][1]

    def _layers(
        self,
        namespace: str,
        job: str,
        calendars: Calendars,
        default: str | None,
        said_in: str | None = None,
    ) -> list[tuple[str, bytes]]:
        """Its specs from the bare schedule outwards, each with the field that leaves less of it."""
        spec = self.kind.spec(self, f"{namespace}/{job}")
        if self.zone and (rules := calendars("", self.zone)["pin"]):
            spec = ruled(spec, rules)
        layers = [("", spec)]
        if self.calendar is not None or self.workday is not None:
            spec = self._dated(spec, said_in or namespace, calendars, default)
            layers.append(("calendar" if self.calendar is not None else "workday", spec))
        if self.valid is not None:
            layers.append(("valid", valid_spec(spec, self.valid.from_ms, self.valid.until_ms)))
        return layers

    def _dated(self, spec: bytes, namespace: str, calendars: Calendars, default: str | None) -> bytes:
        rule = self.calendar or _ANY_DAY
        include, exclude = rule.include, rule.exclude
        if not include and not exclude and default is not None and self.asks_for_working_days:
            exclude = (default,)
        return dated_spec(
            spec,
            include=[calendars(*resolved(text, namespace)) for text in include],
            exclude=[calendars(*resolved(text, namespace)) for text in exclude],
            nonworking=rule.nonworking or "ignore",
            workday=None if self.workday is None else (self.workday.nth, self.workday.of),
        )
