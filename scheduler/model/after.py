"""What an `after` trigger waits for: ends of runs of other jobs, as its condition says.

Rules of this file:

1. `JOB.succeeded`, `NAMESPACE/JOB.exit_code`: what stands behind the last dot is asked of the job before it.
   A job without a namespace is one of the trigger's own.
2. Of each job one end counts, the newest that was not consumed. Without one, all that is asked of the job
   is unknown.
3. Everything here is read from the trigger's spec, which is in the log: on each node the same. No pydantic,
   as the core reads it (what is refused of a text is in triggers/after.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from scheduler.model.expressions import BOOLEAN, NUMBER, Judged, Node, Type, Value, judge, names_of, parse
from scheduler.model.named import resolved
from scheduler.words.json_text import json_text

EVENT = "after"
JOBS_MAX = 20

STATES: dict[str, frozenset[str]] = {
    "succeeded": frozenset({"succeeded"}),
    "failed": frozenset({"failed", "timed_out", "lost"}),
    "timed_out": frozenset({"timed_out"}),
    "lost": frozenset({"lost"}),
    "cancelled": frozenset({"cancelled"}),
    "expired": frozenset({"expired"}),
    "ended": frozenset({"succeeded", "failed", "timed_out", "lost", "cancelled", "expired"}),
}
"""What is asked of how a run ended, and the states of which it is true."""

WARNED = "warned"
"""It succeeded, and with a warning."""
ASKED: dict[str, Type] = {**dict.fromkeys(STATES, BOOLEAN), WARNED: BOOLEAN, "exit_code": NUMBER}
"""All that can be asked of a job."""


class Parent(NamedTuple):
    """A job that a condition names."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Ended(Protocol):
    """As much of the end of a run as a condition may ask for."""

    @property
    def state(self) -> str: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def warned(self) -> int: ...


@dataclass(frozen=True, slots=True)
class After:
    """A trigger's condition, read."""

    text: str
    tree: Node
    namespace: str
    parents: tuple[Parent, ...]  #: each once, in the order of the text
    allow_cycle: bool

    def judge(self, ends: Mapping[str, Ended]) -> Judged:
        """By the ends of its parents, which are known by `str(parent)`."""

        def value_of(name: str) -> Value:
            parent, asked = split(name, self.namespace)
            end = ends.get(str(parent))
            if end is None:
                return None
            if asked == WARNED:
                return end.warned == 1 and end.state == "succeeded"
            return end.exit_code if asked == "exit_code" else end.state in STATES[asked]

        return judge(self.tree, value_of)


def split(name: str, namespace: str) -> tuple[Parent, str]:
    """The job that a name of a condition means, and what is asked of it; empty: nothing is."""
    job, _, asked = name.rpartition(".")
    return Parent(*resolved(job, namespace)), asked


def parents_of(tree: Node, namespace: str) -> tuple[Parent, ...]:
    return tuple(dict.fromkeys(split(name.path, namespace)[0] for name in names_of(tree)))


def after_spec(text: str, namespace: str, *, allow_cycle: bool) -> bytes:
    fields: dict[str, object] = {"event": EVENT, "after": text, "namespace": namespace}
    return json_text(fields | ({"allow_cycle": True} if allow_cycle else {}))


def read(text: object, namespace: object, *, allow_cycle: bool) -> After:
    """The condition of this text, said in this namespace. Raises ValueError for one that no door lets in."""
    if not isinstance(text, str) or not isinstance(namespace, str):
        raise ValueError("not a trigger spec: `after` is {after, namespace}")
    tree = parse(text)
    for name in names_of(tree):
        if split(name.path, namespace)[1] not in ASKED:
            raise ValueError(f"not a trigger spec: {name.path} asks for nothing")
    parents = parents_of(tree, namespace)
    if not 1 <= len(parents) <= JOBS_MAX:
        raise ValueError(f"not a trigger spec: `after` names {len(parents)} jobs")
    return After(text, tree, namespace, parents, allow_cycle)


@lru_cache(maxsize=4_096)
def read_after(spec: bytes) -> After | None:
    """The condition of a trigger's spec; None: it is of another kind. Raises ValueError for one that cannot
    be read, which no door lets in."""
    if b'"after"' not in spec:
        return None
    fields = json.loads(spec)
    if not isinstance(fields, dict) or fields.get("event") != EVENT:
        return None
    allow_cycle = fields.get("allow_cycle") is True
    return read(fields.get("after"), fields.get("namespace"), allow_cycle=allow_cycle)
