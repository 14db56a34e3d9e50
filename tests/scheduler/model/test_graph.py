"""The order of tasks is one and the same everywhere, and a cycle is found wherever it hides."""

from __future__ import annotations

import random

import pytest

from scheduler.model.graph import find_cycle, graph_problems, topological_order


def plain_order(graph: dict[str, list[str]]) -> list[str]:
    """The same by its definition: always the first by name of those whose needs are done."""
    done: list[str] = []
    while len(done) < len(graph):
        done.append(min(n for n, needs in graph.items() if n not in done and set(needs) <= set(done)))
    return done


@pytest.mark.parametrize("seed", range(30))
def test_ties_go_by_name_whatever_the_order_of_the_input(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"t{i:02}" for i in range(25)]
    rng.shuffle(names)
    graph = {name: rng.sample(names[:i], min(i, rng.randint(0, 2))) for i, name in enumerate(names)}
    order = topological_order(graph)
    assert order == plain_order(graph)
    shuffled = list(graph)
    rng.shuffle(shuffled)
    assert topological_order({name: graph[name] for name in shuffled}) == order


def test_a_cycle_behind_and_before_other_tasks_is_found() -> None:
    graph = {"a": [], "b": ["a", "d"], "c": ["b"], "d": ["c"], "e": ["d"]}
    assert find_cycle(graph) == ["b", "d", "c", "b"]
    assert find_cycle({"a": [], "b": ["a"]}) == []
    assert [problem.pointer for problem in graph_problems(graph)] == ["/tasks/b/needs"]


def test_ten_thousand_tasks_in_a_row() -> None:
    names = [f"t{i:05}" for i in range(10_000)]
    graph = {name: names[i - 1 : i] if i else [] for i, name in enumerate(names)}
    assert topological_order(graph) == names
    graph[names[0]] = [names[-1]]
    assert len(find_cycle(graph)) == 10_001
