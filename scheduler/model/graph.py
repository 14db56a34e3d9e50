"""The graph of a job's tasks: unknown names, cycles, and the one order in which tasks are listed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from scheduler.model.problems import Problem, pointer_of

Graph = Mapping[str, Sequence[str]]
"""Each task with the tasks that it needs."""


def graph_problems(graph: Graph) -> list[Problem]:
    """Names that do not exist, tasks named twice, cycles. Pointers begin at the job."""
    problems = []
    for name, needs in graph.items():
        for i, need in enumerate(needs):
            pointer = pointer_of("tasks", name, "needs", i)
            if need not in graph:
                near = difflib.get_close_matches(need, graph, 1)
                known = ", ".join(sorted(graph)[:10])
                hint = f"did you mean {near[0]}?" if near else f"tasks of this job: {known}"
                problems.append(Problem(pointer, f"there is no task {need[:128]!r}", hint))
            elif need in needs[:i]:
                problems.append(Problem(pointer, f"{need!r} is named twice", "remove one"))
    cycle = find_cycle(graph)
    if cycle:
        path = " → ".join(cycle if len(cycle) <= 12 else [*cycle[:10], "…", cycle[-1]])
        pointer = pointer_of("tasks", cycle[0], "needs")
        detail = f"tasks need each other in a cycle: {path}"
        problems.append(Problem(pointer, detail, "remove one of these needs"))
    return problems


def find_cycle(graph: Graph) -> list[str]:
    """One cycle as a path that ends where it begins; empty when there is none."""
    left = set(graph) - set(topological_order(graph))
    if not left:
        return []
    # Each task that is left over needs another that is left over: following them must come round.
    places: dict[str, int] = {}
    at: str | None = min(left)
    while at is not None and at not in places:
        places[at] = len(places)
        at = next((need for need in sorted(graph[at]) if need in left), None)
    if at is None:
        return []
    return [*list(places)[places[at] :], at]


def topological_order(graph: Graph) -> list[str]:
    """Each task after those it needs, ties by name. Tasks on or behind a cycle are left out, and needs that
    do not exist are ignored."""
    waits = {name: {need for need in needs if need in graph} for name, needs in graph.items()}
    dependents: dict[str, list[str]] = {name: [] for name in graph}
    for name in graph:
        for need in waits[name]:
            dependents[need].append(name)
    ready = [name for name, needs in waits.items() if not needs]
    heapify(ready)
    order = []
    while ready:
        name = heappop(ready)
        order.append(name)
        for dependent in dependents[name]:
            waits[dependent].discard(name)
            if not waits[dependent]:
                heappush(ready, dependent)
    return order
