"""Which tasks of a job are inside of which group: read of the job as it was given, or of its canonical form.

A group is one box for all that is outside of it. So there are several graphs: that of the job, whose boxes
are tasks and groups, and two in each group, of its tasks and of those that catch a failure. No need leads
from one into another; what lies between them is the group's.

No pydantic, as the core compiles jobs by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scheduler.model.graph import Graph, topological_order

_BEGIN, _TRIED = "\0begin", "\0tried"  #: after a group's name, which holds no such character


class Scope(NamedTuple):
    """The graph that a task is in."""

    group: str = ""  #: empty: that of the job
    is_catch: bool = False


OUTER = Scope()


class Scopes:
    """Of the tasks of a job. What is no group, or no name, is passed over: its shape is told elsewhere."""

    def __init__(self, groups: object) -> None:
        self.tasks: dict[str, list[str]] = {}  #: of each group
        self.catch: dict[str, list[str]] = {}
        self.of: dict[str, Scope] = {}  #: of each task that is in a group
        known: Mapping[Any, Any] = groups if isinstance(groups, Mapping) else {}
        for name, fields in known.items():
            if isinstance(name, str) and isinstance(fields, Mapping):
                self.tasks[name] = texts(fields.get("tasks"))
                self.catch[name] = texts(fields.get("catch"))
                for is_catch, inside in enumerate((self.tasks[name], self.catch[name])):
                    for task in inside:
                        if task not in known:
                            self.of.setdefault(task, Scope(name, bool(is_catch)))

    def of_task(self, name: str) -> Scope:
        return self.of.get(name, OUTER)

    def ordered(self, graph: Graph) -> list[str]:
        """As `topological_order`, each group before its tasks, and these, then those that catch, in a row."""
        order = topological_order(graph)
        if not self.tasks:
            return order
        inside: dict[Scope, list[str]] = {}
        for name in order:
            inside.setdefault(self.of_task(name), []).append(name)
        found: list[str] = []
        for name in inside.get(OUTER, ()):
            found.append(name)
            if name in self.tasks:
                found += inside.get(Scope(name), []) + inside.get(Scope(name, True), [])
        return found

    def flow(self, graph: Graph) -> Graph:
        """What has ended before what begins, over all graphs: a group stands for its end."""
        if not self.tasks:
            return graph
        found: dict[str, list[str]] = {}
        for name, needs in graph.items():
            scope = self.of_task(name)
            if name in self.tasks:
                found[begin_of(name)] = list(needs)
                found[tried_of(name)] = [begin_of(name), *self.tasks[name]]
                found[name] = [tried_of(name), *self.catch[name]]
            elif scope is OUTER or needs:
                found[name] = list(needs)
            else:
                found[name] = [tried_of(scope.group) if scope.is_catch else begin_of(scope.group)]
        return found


def begin_of(group: str) -> str:
    return group + _BEGIN


def tried_of(group: str) -> str:
    """When all its tasks have ended, and a failure is not caught yet."""
    return group + _TRIED


def texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []
