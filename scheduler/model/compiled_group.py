"""A group as the machine reads it, beside its box among the tasks: what it says of those. No pydantic."""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.model.locks import Lock
from scheduler.model.openings import Admission, compiled_admission
from scheduler.model.quantities import parse_duration_ms
from scheduler.model.scopes import Scopes


class CompiledGroup(NamedTuple):
    """Its tasks follow it in `CompiledJob.tasks`, then those that catch its failures."""

    place: int  #: of the box itself
    tasks: int
    catch: int
    until: str  #: it is begun anew until this condition holds; empty: once is enough
    rounds_max: int  #: of those
    pause_ms: int  #: before each
    sticky: bool = False  #: its tasks of a round go to one agent
    parallel_max: int = 0  #: of its tasks, that agents have at once; 0: any number
    locks: tuple[Lock, ...] = ()  #: that it takes as the first of its tasks is placed
    admission: Admission | None = None  #: when its tasks may start; None: at any time

    @property
    def says_where(self) -> bool:
        """Whether its tasks are placed by its words too."""
        return self.sticky or bool(self.parallel_max or self.locks)


def held_by(
    scopes: Scopes, name: str, of_job: tuple[Lock, ...], of_groups: dict[str, tuple[Lock, ...]]
) -> tuple[Lock, ...]:
    """What those hold that the task of this name is inside of."""
    return (*of_job, *of_groups.get(scopes.of_task(name).group, ()))


def compiled_group(
    place: int, group: dict[str, Any], scopes: Scopes, name: str, locks: tuple[Lock, ...]
) -> CompiledGroup:
    """Of the canonical group of this name, at this place."""
    repeat = group.get("repeat")
    until, most, pause_ms = "", 1, 0
    if repeat is not None:
        until, most, pause_ms = repeat["until"], repeat["max"], parse_duration_ms(repeat["pause"])
    return CompiledGroup(
        place, len(scopes.tasks[name]), len(scopes.catch[name]), until, most, pause_ms,
        group.get("sticky", False), group.get("max_parallel", 0), locks,
        compiled_admission(group["admission"]) if group.get("admission") else None,
    )  # fmt: skip
