"""What a job means and perhaps should not: locks that are held while something waits."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import parse_job
from scheduler.model.cautions import cautions

WORK: dict[str, Any] = {"run": "x"}
ASK: dict[str, Any] = {"approval": {}}
SLEEP: dict[str, Any] = {"sleep": "1m"}
LOCKS: dict[str, Any] = {"locks": ["w"]}
Tasks = dict[str, dict[str, Any]]


def told(**fields: Any) -> list[tuple[str, str]]:
    return [(each.pointer, each.detail) for each in cautions(parse_job({"job": "a", **fields}))]


@pytest.mark.parametrize(
    ("tasks", "meanwhile"),
    [
        ({"load": WORK, "ask": {**ASK, "needs": ["load"]}}, "ask waits for a person"),
        ({"ask": ASK, "beside": WORK}, "ask waits for a person"),
        ({"load": WORK, "rest": {**SLEEP, "needs": ["load"]}}, "rest sleeps"),
        # All that is placed comes behind it, so nothing is held yet.
        ({"ask": ASK, "pay": {**WORK, "needs": ["ask"]}}, ""),
        ({"ask": ASK, "b": {**SLEEP, "needs": ["ask"]}, "pay": {**WORK, "needs": ["b"]}}, ""),
        ({"load": WORK}, ""),
    ],
)
def test_locks_of_a_job_over_what_waits(tasks: Tasks, meanwhile: str) -> None:
    said = [("/policies/locks", f"a run of it holds them while {meanwhile}")] if meanwhile else []
    assert told(tasks=tasks, policies=LOCKS) == said
    assert told(tasks=tasks) == []


def test_locks_of_a_group_over_what_waits_in_it_alone() -> None:
    tasks: Tasks = {"a": WORK, "ask": {**ASK, "needs": ["a"]}, "rest": {**SLEEP, "needs": ["g"]}}
    group = {"g": {"tasks": ["a", "ask"], **LOCKS}}
    assert told(tasks=tasks, groups=group) == [
        ("/groups/g/locks", "group g holds them while ask waits for a person")
    ]
    assert (
        told(tasks={**tasks, "ask": {**ASK, "needs": ["g"]}}, groups={"g": {"tasks": ["a"], **LOCKS}}) == []
    )


def test_a_group_is_behind_what_it_needs() -> None:
    tasks: Tasks = {"ask": ASK, "a": WORK}
    assert told(tasks=tasks, groups={"g": {"tasks": ["a"], "needs": ["ask"]}}, policies=LOCKS) == []


def test_what_is_done_finally_comes_behind_all_the_rest() -> None:
    assert told(tasks={"ask": ASK, "last": WORK}, **{"finally": ["last"]}, policies=LOCKS) == []
    tasks: Tasks = {"a": WORK, "ask": ASK}
    assert len(told(tasks=tasks, **{"finally": ["ask"]}, policies=LOCKS)) == 1
