"""What a kind of work says of itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Place = Literal["agent", "state", "node"]
Shape = Literal["box", "double", "ellipse", "flag", "hexagon", "octagon"]
"""Of a task in the picture of a job: what happens on an agent is a box."""

ASKS, ENDS_RUN, POSTS, RUNS = "asks", "ends_run", "posts", "runs"
"""What work in the state does when its time is over (`does` of its compiled form, `machine.steps.acting`);
without a word, nothing."""


class Refers(NamedTuple):
    """To what a task of it refers."""

    kind: str  #: of object, or job
    text: str  #: a name, or namespace/name
    field: str  #: of its value, that says so
    needs: str  #: what whoever puts the job must be allowed to there


@dataclass(frozen=True, slots=True)
class Kind:
    name: str  #: the field of a task that asks for it
    description: str  #: of that field, in the JSON Schema and the reference
    example: Any  #: a value of the field
    value: Callable[[], Any]
    """The type of the field for pydantic, with its checks, which raise `Refused`."""
    compiled: Callable[[Mapping[str, Any]], dict[str, Any]]
    """What an executor gets beside the kind, of a task of the canonical job. It must not fail for one."""
    happens: Place
    """On an agent, as an attempt; in the state, by apply and its clock alone, without any attempt; or on the
    node that leads, which has no way in the machine yet."""
    executor: str | None  #: what an agent must name in its Hello.kinds; None: it happens on no agent
    names_executor: bool = False  #: its value does, as its field `kind`
    offered: str = "an agent that offers it"  #: what helps where none does
    features: frozenset[str] = frozenset()
    """Fields of a task that the executor may not know: an agent has to say that its own does (the same)."""
    entries_max: int | None = None  #: of a value that is a list or an object; a longer one is not looked at
    lasts_ms: Callable[[Mapping[str, Any]], int] | None = None
    """Of one that happens in the state: how long, from its start, of a task of the canonical job."""
    meanwhile: str = ""
    """Of one that may last long and holds nothing: what its task does then, in words."""
    refers: Callable[[Any], Sequence[Refers]] | None = None  #: of its value
    in_tasks_only: bool = False  #: at the top of a job its name means something else
    shape: Shape = "box"
    drawn: Callable[[Any], str] | None = None
    """What it does, for the picture, by its value of the canonical job; empty: it goes without saying. None:
    its name says it."""
    shows: Callable[[Any], Collection[str]] | None = None
    """Variables that its value, checked, would write into logs: no secret comes in one."""
    with_secrets: Callable[[Any, Mapping[str, bool]], None] | None = None
    """What its value, checked, wants of the task's secrets: by variable whether it comes as a file. Raises
    `Refused`."""
    unread: tuple[str, ...] = ()  #: fields of a task that mean nothing beside it, and are refused
    instead: Mapping[str, str] = field(default_factory=dict)
    """Of some of these, what to do in their place."""
    other_words: tuple[str, ...] = ()  #: what people write who know it from elsewhere

    @property
    def said(self) -> str:
        """As a hint names it: a kind with one value alone, with that."""
        return f"{self.name}: true" if self.example is True else self.name
