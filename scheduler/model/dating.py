"""By which calendars a trigger is due, and how their dates come into its spec.

Rules of this file:

1. A trigger names calendars; what goes to the log holds their dates, as the proposer found them. The
   machine refuses dates that are the calendar's no more (`machine.rules.pins`).
2. Of a calendar that is not there nothing is known: no day is off. That it is missing is said where
   references are judged, with the near miss.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from scheduler.model.fields import Model, Reference, as_tuple
from scheduler.model.problems import Refused
from scheduler.ticks.dated import SHIFTS, Nonworking, Period

CALENDARS_MAX = 10  #: of one list of a trigger
_DAYS = {"month": 23, "quarter": 66, "year": 262}  #: so many working days it has at most, with a weekend
_DAYS_OF_ALL = {"month": 31, "quarter": 92, "year": 366}

_Names = Annotated[tuple[Reference, ...], BeforeValidator(as_tuple), Field(max_length=CALENDARS_MAX)]


class TriggerDays(Model):
    """Days by calendars."""

    include: Annotated[_Names, Field(description="working days of any of these alone")] = ()
    exclude: Annotated[_Names, Field(description="no day off of any of these")] = ()
    nonworking: Annotated[
        Nonworking | None,
        Field(description="what becomes of instants on days that are no working days; default ignore"),
    ] = None

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        for text in self.include:
            if text in self.exclude:
                raise Refused(f"{text} is included and excluded", "remove one of the two")
        for texts in (self.include, self.exclude):
            if len(set(texts)) != len(texts):
                raise Refused("a calendar is named twice", "remove one of the two")
        return self

    @property
    def moves(self) -> bool:
        return self.nonworking in SHIFTS

    @property
    def named(self) -> list[tuple[str, int, str]]:
        """The calendars: in which list, at which place, by which name."""
        lists = (("include", self.include), ("exclude", self.exclude))
        return [(way, place, text) for way, texts in lists for place, text in enumerate(texts)]

    def written(self) -> dict[str, Any]:
        """As it is written, without what is a default."""
        lists = {"include": list(self.include), "exclude": list(self.exclude)}
        said: dict[str, Any] = {name: texts for name, texts in lists.items() if texts}
        return said if self.nonworking in (None, "ignore") else {**said, "nonworking": self.nonworking}


class Workday(Model):
    """Which working day of a period."""

    nth: Annotated[int, Field(description="1: the first; -1: the last")]
    of: Annotated[Period, Field(description="of each month, quarter or year")]

    @model_validator(mode="after")
    def _there_is(self) -> Self:
        if self.nth == 0:
            raise Refused("there is no working day 0", "1 is the first, -1 the last")
        most = _DAYS_OF_ALL[self.of]
        if abs(self.nth) > most:
            raise Refused(
                f"no {self.of} has {abs(self.nth)} working days", f"{_DAYS[self.of]} at most, as a rule"
            )
        return self
