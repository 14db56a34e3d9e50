"""However large or wrong a text is, what it costs to say so is bounded: CPU time, told long before the limit
that a person would notice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from scheduler.model import JobError, parse_job
from scheduler.model.documents import load_yaml
from scheduler.model.graph import EDGES_MAX

CPU_S_MAX = 3.0
"""Ten times what the slowest of them takes; without the limits most take minutes."""


def in_time(work: Callable[[], object]) -> None:
    began_s = time.process_time()
    with pytest.raises(JobError):
        work()
    assert time.process_time() - began_s < CPU_S_MAX


FLAT = {f"k{i}": 1 for i in range(85_000)}
FEW_FIELDS = {f"k{i}": 1 for i in range(40)}
TASKS: dict[str, Any] = {f"task-{i}": {"noop": True} for i in range(3_000)}


@pytest.mark.parametrize(
    "data",
    [
        {"job": "a", "noop": True, **FLAT},
        {"job": "a", "tasks": {"a": FLAT}},
        {"job": "a", "tasks": {f"t{i}": FEW_FIELDS for i in range(2_500)}},
        {"job": "a", "tasks": TASKS | {"z": {"noop": True, "needs": [f"tusk-{i}" for i in range(900)]}}},
        {"job": "a", "tasks": {f"t{i}": {"noop": True, "rule": "x"} for i in range(9_000)}},
        {"job": "a", "exec": [1] * 100_000},
        {"job": "a", "tasks": {f"t{i}": {"exec": [1] * 4_000} for i in range(30)}},
        {"job": "a", "noop": True, "triggers": [{"cron": "61 * * * *"}] * 20_000},
        {"job": "a", "noop": True, "params": {f"p{i}": {"typ": 1} for i in range(20_000)}},
        {"job": "a", "noop": True, "labels": {f"{i}": i for i in range(60_000)}},
    ],
    ids=[
        "fields of a job", "fields of a task", "fields of tasks", "unknown needs", "bad enums", "items",
        "items of tasks", "triggers", "params", "labels",
    ],
)  # fmt: skip
def test_a_job_with_very_many_mistakes_is_refused_as_fast_as_any(data: dict[str, Any]) -> None:
    in_time(lambda: parse_job(data))


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 10_000,
        "[" * 900_000,
        "{a: " * 200_000,
        "".join(f"k{i}: 1\n" for i in range(300_000)),
        "- " * 400_000,
        "---\n" * 300_000,
        "".join(f"%TAG !a{i}! x\n" for i in range(50_000)) + "--- a",
        "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(f"k{i}: [{'*a, ' * 50}]\n" for i in range(4_000)),
        "a: " + "9" * 900_000,
    ],
    ids=["[", "more [", "{", "keys", "-", "---", "%TAG", "aliases", "digits"],
)
def test_a_hostile_text_is_refused_while_it_is_read(text: str) -> None:
    in_time(lambda: load_yaml(text, "body", values_max=100_000, placed=False))


def test_the_needs_of_a_whole_job_are_limited_with_a_way_out() -> None:
    def layers(width: int) -> dict[str, Any]:
        first = {f"a{i}": {"noop": True} for i in range(width)}
        return {
            "job": "a",
            "tasks": first | {f"b{i}": {"noop": True, "needs": list(first)} for i in range(width)},
        }

    assert len(parse_job(layers(200)).tasks) == 400
    with pytest.raises(JobError) as caught:
        parse_job(layers(230))
    (problem,) = caught.value.problems
    assert problem.pointer == "/tasks"
    assert problem.detail == f"the tasks have {230 * 230} needs together, {EDGES_MAX} are the most"
    assert "noop task between" in problem.hint


def test_many_unknown_needs_are_told_up_to_a_hundred() -> None:
    data = {"job": "a", "tasks": TASKS | {"z": {"noop": True, "needs": [f"tusk-{i}" for i in range(900)]}}}
    with pytest.raises(JobError) as caught:
        parse_job(data)
    assert len(caught.value.problems) == 100
    assert "did you mean task-0?" in caught.value.problems[0].hint
    assert caught.value.problems[-1].hint.startswith("tasks of this job: task-0, task-1")
