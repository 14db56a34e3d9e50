"""What a kind of objects says of itself, and what all objects have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from scheduler.model.fields import Labels, Model, Name
from scheduler.model.named import Target
from scheduler.model.problems import Problem


class Described(Model):
    """The fields that all objects have. A kind adds `name`, whose alias is the kind's own name."""

    name: Name
    namespace: Name = "default"
    labels: Labels = Field(default_factory=dict)
    description: Annotated[str, Field(max_length=4_096)] = ""
    owner: Annotated[str, Field(max_length=128, description="who answers for it")] = ""

    def public(self) -> dict[str, Any]:
        """The public shape, defaults filled in, as JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def refers(self) -> list[Target]:
        """To which objects."""
        return []

    def zones(self) -> list[str]:
        """By which time zones, whose rules may be others one day, anything is due."""
        return []

    def faults(self) -> list[Problem]:
        """What concerns several fields together, with their places."""
        return []


@dataclass(frozen=True, slots=True)
class Kind:
    name: str  #: the field at the top of its documents
    description: str  #: in a sentence, for the reference and the schema
    example: dict[str, Any]
    model: type[Described]
    computed: Callable[[Any, int], dict[str, Any]] | None = None
    """Of an object that is put at this instant (UTC ms): what the state is to hold of it beside its own
    words. The proposer says it, once: no node computes it again."""
    pin: Callable[[dict[str, Any]], str] | None = None
    """Of what is stored of an object: what triggers hold of it. Where another object of that name has another
    one, their eras end and begin (`machine.redates`)."""
    per_day: Callable[[Any], int] | None = None
    """Of an object: for how many instants of a day each job that names it asks by it."""
    secret_fault: Callable[[dict[str, Any], str], str] | None = None
    """Of what is stored of an object, and the value of a secret that it names: why that does not serve it,
    without a part of it; empty: it serves."""
    one_or_several: tuple[str, ...] = ()  #: lists of which one item alone may stand there without brackets
    capability: str = "edit"  #: that whoever puts or deletes one needs
    reach: Callable[[Any], tuple[str, ...]] | None = None
    """Of an object: the namespaces in which it acts, where whoever puts it needs the same."""
    of_all: Callable[[dict[str, Any]], bool] | None = None
    """Of what is stored of an object: whether it concerns all namespaces. Whoever puts, changes or deletes
    such a one must be allowed to in all of them."""
    planned: tuple[str, ...] = ()  #: fields that this version does not know how to honour
    other_words: tuple[str, ...] = ()  #: what people write who know it from elsewhere
