"""What every word of a definition can: become what YAML would say.

None is what was not said. Durations may be timedeltas, instants datetimes, names whatever has a name, and
conditions those that are built of tasks and jobs (`conditions.py`).
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol

from cronclave.errors import DefinitionError
from cronclave.jobs.conditions import Expression

DEPTH_MAX = 50
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


class HasName(Protocol):
    """A task of a job, a group, a job."""

    @property
    def name(self) -> str: ...


Duration = str | dt.timedelta
Instant = str | dt.datetime
Condition = str | Expression
Named = str | HasName


@dataclass
class Word:
    """A part of a definition, with the names that YAML has; those that Python keeps for itself end in `_`."""

    def to_dict(self) -> dict[str, Any]:
        """As YAML would say it. Raises DefinitionError."""
        found: dict[str, Any] = plain(self)
        return found


@dataclass
class Document(Word):
    """A whole: a job, or what jobs refer to."""

    kind: ClassVar[str] = ""

    @property
    def name(self) -> str:
        return str(getattr(self, self.kind))


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON has it. Raises DefinitionError."""
    if depth > DEPTH_MAX:
        raise DefinitionError(f"nested deeper than {DEPTH_MAX} levels")
    if value is None or (isinstance(value, str | bool | int | float) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, enum.Enum):
        return plain(value.value, depth + 1)
    if isinstance(value, Word) and is_dataclass(value):
        said = ((each.name, getattr(value, each.name)) for each in fields(value))
        return {name.rstrip("_"): plain(each, depth + 1) for name, each in said if each is not None}
    if isinstance(value, Mapping):
        return {str(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, dt.timedelta):
        return duration(value)
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise DefinitionError(f"{value!r} has no time zone", hint="datetime(…, tzinfo=timezone.utc)")
        return value.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat() if isinstance(value, dt.date) else value.isoformat("minutes")
    if isinstance(value, Sequence | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(each, depth + 1) for each in items]
    name = getattr(value, "name", None)
    if isinstance(name, str):
        return name
    raise DefinitionError(
        f"{value!r} cannot stand in a definition",
        hint="Texts, numbers, lists, mappings, and cronclave.jobs' words do.",
    )


def duration(value: dt.timedelta) -> str:
    """As a job writes it: 1h30m."""
    left = round(value / dt.timedelta(milliseconds=1))
    if left < 0:
        raise DefinitionError(f"{value!r} is no duration: it is below zero")
    text = ""
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
