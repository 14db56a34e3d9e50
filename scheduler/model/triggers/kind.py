"""What a kind of trigger says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scheduler.model.fields import Model

F = TypeVar("F", bound=Model)


@dataclass(frozen=True, slots=True)
class Kind(Generic[F]):
    name: str  #: the field that asks for it
    example: dict[str, Any]  #: a trigger of this kind
    fields: type[F]
    """That field and those that refine it, all without a value by default. A trigger has the fields of all
    kinds; one of a kind that is not given is refused. Their checks raise `Refused`."""
    schedule: Callable[[F], dict[str, Any]]
    """The fields that decide the instants, as they are written, all defaults filled in. A trigger without an
    id is known by them: the same instants, the same text."""
    spec: Callable[[F, str], bytes]
    """For `scheduler.ticks.schedule`. The text is the job's, `namespace/name`, for what is spread by it."""
    spent: Callable[[F, int, str], tuple[str, str, str]]
    """Of one that fires at no instant after the given one: the field, why, and the way out. The text is the
    why that `scheduler.ticks` knows of any spec."""
    known_by: Callable[[dict[str, Any]], dict[str, Any]] = lambda fields: fields
    """Of these fields those that make it another trigger, where that is not all of them."""
    delay_ms: Callable[[F], int] = lambda _: 0
    """What is added to each instant, beside the jitter."""
    has_instants: bool = True  #: no: it waits for an event
    waits: Callable[[F], bool] = lambda _: False
    """Whether this one has no instants, though others of its kind have."""
    unwaited: tuple[str, ...] = ()  #: fields of its own that mean nothing in those
    is_shared: bool = False  #: its instants are those of an object, whose triggers the job has by it
    has_offset: bool = True  #: no: it fires at once, so a jitter means nothing
    brings_params: bool = False  #: what happens may bring values of the job's params along
    brings: Callable[[F], dict[str, str]] = lambda _: {}
    """The params of the job that what happens gives values, by name, each with the type that it must have."""
    overlap: str = ""
    """Of what it fires, where neither the trigger nor the job's policies say; empty: as for ticks."""
    refers: Callable[[F, str], list[tuple[str, str, str, str]]] = lambda _, __: []
    """To what it refers, said in this namespace: kind, namespace, name, and the field that says so."""
    other_words: tuple[str, ...] = ()  #: what people write who know it from elsewhere

    @property
    def attributes(self) -> dict[str, str]:
        """Its fields as they are written, and their attributes."""
        return {field.alias or name: name for name, field in self.fields.model_fields.items()}
