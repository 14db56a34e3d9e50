"""What every record of the log says of itself: its tag, who may decide it, the format it came with.

Rules of this file:

1. A tag is never used for another record. `command` and `event` give it out once, and so list what there is.
2. Who decides a command is its base: a person, an agent, the leader's planner, its runner of effects, or the
   core. What the planner decides carries the epoch of the leadership, and is refused under any other.
3. A record or a field that came after the oldest format says with which (`since_format=2`, and
   `field(default=…, metadata={"format": 2})`): an older node stops at what it does not know.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import Field, dataclass
from typing import Any, ClassVar, TypeVar, dataclass_transform


class Command:
    """One input of the log."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    tag: ClassVar[int]
    since_format: ClassVar[int]
    grows: ClassVar[bool]
    """It makes the state grow and can wait: refused while disks are low. Deleting frees space."""


class ByPerson(Command):
    """Asked for by a person, or by whoever comes through the API."""

    __slots__ = ()


class ByAgent(Command):
    """An agent's word, proposed by the front that holds its socket."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ByPlanner(Command):
    """Decided by the planner of the leader."""

    epoch: int  #: of the leadership that decided it


class ByRunner(Command):
    """What became of an effect that the runner of a leader tried to send: a fact, whoever leads by now."""

    __slots__ = ()


class ByCore(Command):
    """Said by consensus, or asked of it."""

    __slots__ = ()


class Keyed(Command):
    """Whoever sends it may repeat it: the first accepted use of its key counts, empty: there is none."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """The Idempotency-Key."""
        raise NotImplementedError

    @property
    def body(self) -> bytes:
        """Hash of the request that used the key."""
        raise NotImplementedError


class Wakes(enum.IntEnum):
    """Whether the planner has something to do after an event, and how soon."""

    NOT = 0
    SOON = 1
    NOW = 2


NOT, SOON, NOW = Wakes


class Event:
    """One fact that applying a command reports."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    tag: ClassVar[int]
    wakes: ClassVar[Wakes]


C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)

COMMANDS: dict[int, type[Command]] = {}
EVENTS: dict[int, type[Event]] = {}


@dataclass_transform(frozen_default=True)
def command(tag: int, *, since_format: int = 1, grows: bool = False) -> Callable[[type[C]], type[C]]:
    """The class becomes a frozen record that the log may hold."""

    def made(cls: type[C]) -> type[C]:
        record = dataclass(frozen=True, slots=True)(cls)
        record.tag, record.since_format, record.grows = tag, since_format, grows
        if COMMANDS.setdefault(tag, record) is not record:
            raise ValueError(f"{cls.__name__} has the tag of {COMMANDS[tag].__name__}")
        return record

    return made


@dataclass_transform(frozen_default=True)
def event(tag: int, *, wakes: Wakes = NOT) -> Callable[[type[E]], type[E]]:
    """The class becomes a frozen record that applying may report."""

    def made(cls: type[E]) -> type[E]:
        record = dataclass(frozen=True, slots=True)(cls)
        record.tag, record.wakes = tag, wakes
        if EVENTS.setdefault(tag, record) is not record:
            raise ValueError(f"{cls.__name__} has the tag of {EVENTS[tag].__name__}")
        return record

    return made
