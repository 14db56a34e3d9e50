"""What every record of the log says of itself: its tag, who may decide it, the format it came with.

Rules of this file:

1. A tag is never used for another record. `command` and `event` give it out once, and so list what there is.
2. Who decides a command is its base: a person, an agent, the leader's planner, its runner of effects, or the
   core. What the planner decides carries the epoch of the leadership, and is refused under any other.
3. A record or a field that came after the oldest format says with which (`since_format=2`, and
   `until_ms: Annotated[int, since(2)] = 0`): an older node stops at what it does not know.
4. Records are structs that C reads, checks and writes by their fields' types: an array of the tag and the
   fields. `int` is a number that SQLite can store and add up (INTEGER_LIMIT), whatever a field says beside.
"""

from __future__ import annotations

import enum
import functools
import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

import msgspec

INTEGER_LIMIT = 1 << 62
_STORABLE = Annotated[int, msgspec.Meta(gt=-INTEGER_LIMIT, lt=INTEGER_LIMIT)]


@dataclass_transform(frozen_default=True)
class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Frozen, and positional on the wire. Nothing in it can lead back to it: no garbage collection looks."""


class Command(Record, frozen=True):
    """One input of the log."""

    tag: ClassVar[int]
    since_format: ClassVar[int]
    verb: ClassVar[str]
    """What is asked for: the first word of its name."""
    grows: ClassVar[bool]
    """It makes the state grow and can wait: refused while disks are low. Deleting frees space."""
    edits: ClassVar[bool]
    """It changes what jobs refer to or are: refused while a staged apply goes live (`machine.switching`)."""


class ByPerson(Command, frozen=True):
    """Asked for by a person, or by whoever comes through the API: each that is accepted is in the audit."""

    @property
    def actor(self) -> Actor:
        """Who."""
        raise NotImplementedError


class ByAgent(Command, frozen=True):
    """An agent's word, proposed by the front that holds its socket."""


class ByPlanner(Command, frozen=True):
    """Decided by the planner of the leader."""

    epoch: _STORABLE  #: of the leadership that decided it


class ByRunner(Command, frozen=True):
    """What became of an effect that the runner of a leader tried to send: a fact, whoever leads by now."""


class ByCore(Command, frozen=True):
    """Said by consensus, or asked of it."""


class Keyed(Command, frozen=True):
    """Whoever sends it may repeat it: the first accepted use of its key counts, empty: there is none."""

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


class Event(Record, frozen=True):
    """One fact that applying a command reports."""

    tag: ClassVar[int]
    wakes: ClassVar[Wakes]


R = TypeVar("R", bound=Record)
C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)

COMMANDS: dict[int, type[Command]] = {}
EVENTS: dict[int, type[Event]] = {}


class Newer(NamedTuple):
    """A field that came after the oldest format."""

    name: str
    default: Any
    format: int


def since(format: int) -> msgspec.Meta:
    """What the type of a field says that came with this format."""
    return msgspec.Meta(extra={"format": format})


@functools.cache
def newer_fields(cls: type[Record]) -> tuple[Newer, ...]:
    """Those of a record that came after the oldest format: the last ones."""
    found = []
    for field in msgspec.structs.fields(cls):
        extra = [part.extra or {} for part in getattr(field.type, "__metadata__", ())]
        formats = [each["format"] for each in extra if "format" in each]
        found += [Newer(field.name, field.default, format) for format in formats]
    return tuple(found)


@functools.cache
def inner(cls: type[Record]) -> dict[int, type[Record]]:
    """The places of the fields that are a record, and of which."""
    hints = [field.type for field in msgspec.structs.fields(cls)]
    return {n: hint for n, hint in enumerate(hints) if isinstance(hint, type) and issubclass(hint, Record)}


@functools.cache
def parts(cls: type[Record]) -> dict[int, type[Record]]:
    """The places of the fields that are tuples of records, and of which."""
    found = {}
    for place, field in enumerate(msgspec.structs.fields(cls)):
        item = next(iter(typing.get_args(field.type)), None)
        if isinstance(item, type) and issubclass(item, Record):
            found[place] = item
    return found


def _bounded(hint: Any) -> Any:
    """The type with its integers bounded."""
    if hint is int:
        return _STORABLE
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        bounded = _bounded(arguments[0])
        return functools.reduce(lambda told, more: Annotated[told, more], hint.__metadata__, bounded)
    if not arguments:
        return hint
    inner = tuple(map(_bounded, arguments))
    return typing.Union[inner] if origin is types.UnionType else origin[inner]  # noqa: UP007 of a tuple of types


def _made(cls: type[R], tag: int | None = None) -> type[R]:
    """The class again, with this tag and bounded integers."""
    own = [field for field in msgspec.structs.fields(cls) if field.name in vars(cls)["__annotations__"]]
    fields: list[Any] = [
        (field.name, _bounded(field.type), *([] if field.required else [field.default])) for field in own
    ]
    made: Any = msgspec.defstruct(
        cls.__name__, fields, bases=cls.__bases__, module=cls.__module__, namespace={"__doc__": cls.__doc__},
        tag=tag, frozen=True,
    )  # fmt: skip
    return typing.cast(type[R], made)


@dataclass_transform(frozen_default=True)
def part(cls: type[R]) -> type[R]:
    """The class becomes a frozen record that a command may hold."""
    return _made(cls)


@part
class Actor(Record):
    """Who asks for something."""

    name: str = ""  #: of the token; empty: nobody, a node asks by itself
    address: str = ""  #: where it came from
    by_session: bool = False  #: in a browser, by a session that the token had opened


NOBODY = Actor()


@dataclass_transform(frozen_default=True)
def command(
    tag: int, *, since_format: int = 1, grows: bool = False, edits: bool = False
) -> Callable[[type[C]], type[C]]:
    """The class becomes a frozen record that the log may hold."""

    def made(cls: type[C]) -> type[C]:
        record = _made(cls, tag)
        record.tag, record.since_format, record.grows, record.edits = tag, since_format, grows, edits
        record.verb = re.split("(?<=.)(?=[A-Z])", cls.__name__)[0].lower()
        if COMMANDS.setdefault(tag, record) is not record:
            raise ValueError(f"{cls.__name__} has the tag of {COMMANDS[tag].__name__}")
        return record

    return made


@dataclass_transform(frozen_default=True)
def event(tag: int, *, wakes: Wakes = NOT) -> Callable[[type[E]], type[E]]:
    """The class becomes a frozen record that applying may report."""

    def made(cls: type[E]) -> type[E]:
        record = _made(cls, tag)
        record.tag, record.wakes = tag, wakes
        if EVENTS.setdefault(tag, record) is not record:
            raise ValueError(f"{cls.__name__} has the tag of {EVENTS[tag].__name__}")
        return record

    return made
