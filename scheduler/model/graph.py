"""The graph of a job's tasks: unknown names, cycles, and the one order in which tasks are listed."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Container, Mapping, Sequence

from scheduler.model.problems import Problem, pointer_of

Graph = Mapping[str, Sequence[str]]
"""Each task with the tasks that it needs."""

NEEDS_MAX = 1_000  #: of one task
EDGES_MAX = 50_000  #: needs of all tasks of a job: what its compiled form costs in memory and time
PROBLEMS_MAX = 100
GUESSES_MAX = 10
GUESSED_AMONG_MAX = 1_000
"""A guess compares with every task, some ten microseconds each."""


def graph_problems(graph: Graph, groups: Container[str] = ()) -> list[Problem]:
    """Names that do not exist, tasks named twice, cycles: the first hundred. Pointers begin at the job.
    `groups`: which of the boxes are."""

    def pointer_at(name: str, *parts: str | int) -> str:
        return pointer_of("groups" if name in groups else "tasks", name, "needs", *parts)

    problems: list[Problem] = []
    guesses = 0
    for name, needs in graph.items():
        seen: set[str] = set()
        for i, need in enumerate(needs):
            if len(problems) == PROBLEMS_MAX:
                return problems
            if need not in graph:
                guesses += 1
                hint = _hint(need, graph, guess=guesses <= GUESSES_MAX)
                pointer = pointer_at(name, i)
                problems.append(Problem(pointer, f"there is no task {need[:128]!r}", hint))
            elif need in seen:
                pointer = pointer_at(name, i)
                problems.append(Problem(pointer, f"{need!r} is named twice", "remove one"))
            seen.add(need)
    cycle = find_cycle(graph)
    if cycle:
        path = " → ".join(cycle if len(cycle) <= 12 else [*cycle[:10], "…", cycle[-1]])
        pointer = pointer_at(cycle[0])
        detail = f"tasks need each other in a cycle: {path}"
        problems.append(Problem(pointer, detail, "remove one of these needs"))
    return problems


def _hint(need: str, graph: Graph, *, guess: bool) -> str:
    if guess:
        near = difflib.get_close_matches(need[:128], list(graph)[:GUESSED_AMONG_MAX], 1)
        if near:
            return f"did you mean {near[0]}?"
    return f"tasks of this job: {', '.join(heapq.nsmallest(10, graph))}"


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
    if len(graph) == 1:
        return [name for name, needs in graph.items() if name not in needs]
    waits: dict[str, int] = {}
    dependents: dict[str, list[str]] = {name: [] for name in graph}
    for name, needs in graph.items():
        found = [dependents[need] for need in dict.fromkeys(needs) if need in dependents] if needs else ()
        for following in found:
            following.append(name)
        waits[name] = len(found)
    ready = [name for name, open_needs in waits.items() if not open_needs]
    heapq.heapify(ready)
    order = []
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        for dependent in dependents[name]:
            left = waits[dependent] = waits[dependent] - 1
            if not left:
                heapq.heappush(ready, dependent)
    return order
