"""What is refused of groups, each with its place and a way out; and what is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import JobError, canonical, parse_job
from scheduler.model.bounds import CATCH_MAX, GROUPS_MAX
from scheduler.model.compiled import CompiledJob, compile_job

NOOP: dict[str, Any] = {"noop": True}
TASKS: dict[str, Any] = {
    "out": {"run": "x", "outputs": ["n"]},
    "a": {"run": "x", "outputs": ["m"]},
    "b": {**NOOP, "needs": ["a"]},
    "fix": NOOP,
    "last": {**NOOP, "needs": ["g"]},
}
GROUP: dict[str, Any] = {"tasks": ["a", "b"], "needs": ["out"], "catch": ["fix"]}


def document(also: dict[str, Any] | None = None, group: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"job": "j", "tasks": {**TASKS, **(also or {})}, "groups": {"g": {**GROUP, **(group or {})}}}


def compiled(shape: dict[str, Any]) -> CompiledJob:
    return compile_job(canonical(parse_job(shape)))


def problem(shape: dict[str, Any]) -> tuple[str, str, str]:
    with pytest.raises(JobError) as refused:
        parse_job(shape)
    (told,) = refused.value.problems
    return told.pointer, told.detail, told.hint


BOX = "one box for what is outside"


@pytest.mark.parametrize(
    ("tasks", "group", "pointer", "detail", "hint"),
    [
        ({"last": {**NOOP, "needs": ["a"]}}, {}, "/tasks/last/needs/0", BOX, "need g"),
        ({"b": {**NOOP, "needs": ["out"]}}, {}, "/tasks/b/needs/0", "out is outside", "groups.g.needs"),
        ({"b": {**NOOP, "needs": ["fix"]}}, {}, "/tasks/b/needs/0", "fix begins when", "remove it"),
        ({"b": {**NOOP, "needs": ["g"]}}, {}, "/tasks/b/needs/0", "g is the group", "remove it"),
        ({"fix": {**NOOP, "needs": ["a"]}}, {}, "/tasks/fix/needs/0", "have ended when", "remove it"),
        ({"g": NOOP}, {}, "/groups/g", "there is a task 'g' too", "a name of its own"),
        ({}, {"tasks": ["a", "b", "x"]}, "/groups/g/tasks/2", "no task 'x'", "name one of this job"),
        ({}, {"tasks": ["a", "b", "a"]}, "/groups/g/tasks/2", "named at /groups/g/tasks/0", "remove one"),
        ({}, {"tasks": []}, "/groups/g/tasks", "tasks is empty", ""),
        ({}, {"needs": ["a"]}, "/groups/g/needs/0", "a is inside of it", "what is outside"),
        ({}, {"needs": ["ot"]}, "/groups/g/needs/0", "there is no task 'ot'", "did you mean out?"),
        ({}, {"needs": ["last"]}, "/groups/g/needs", "in a cycle: g → last → g", "remove one"),
        ({}, {"needs": [], "rule": "all_done"}, "/groups/g/rule", "", ""),
        ({}, {"when": "out.sucseeded"}, "/groups/g/when", "nothing that a task has", "did you mean out."),
        ({}, {"when": "a.succeeded"}, "/groups/g/when", "does not wait for a", "judged before that"),
        ({"last": {**TASKS["last"], "when": "a.succeeded"}}, {}, "/tasks/last/when", BOX, "ask g.succeeded"),
        ({"last": {**TASKS["last"], "when": "g.exit_code == 0"}}, {}, "/tasks/last/when", "has no exit_", ""),
        ({"last": {**TASKS["last"], "when": "g.outputs.m == 0"}}, {}, "/tasks/last/when", "has no out", ""),
        ({}, {"retry": {"max": 1, "on": [3]}}, "/groups/g/retry/on", "unknown field 'on'", "known here"),
        ({}, {"repeat": {"until": "b.x", "max": 2}}, "/groups/g/repeat/until", "nothing that a task has", ""),
        ({}, {"repeat": {"until": "true", "max": 0}}, "/groups/g/repeat/max", "at least 1", ""),
        ({}, {"repeat": {"until": "b.failed"}}, "/groups/g/repeat/max", "max is required", ""),
        ({}, {"retry": {"max": 999}, "repeat": {"until": "b.failed", "max": 99}}, "/groups/g", "mo", "lo"),
        ({}, {"needz": []}, "/groups/g/needz", "unknown field", "did you mean needs?"),
        ({}, {"admission": {}}, "/groups/g/admission/windows", "windows is required", ""),
        ({}, {"catch": ["fix"] * (CATCH_MAX + 1)}, "/groups/g/catch", f"more than {CATCH_MAX}", ""),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(
    tasks: dict[str, Any], group: dict[str, Any], pointer: str, detail: str, hint: str
) -> None:
    if group.get("rule") == "all_done":
        pointer, detail = "/groups/g", "rule: all_done has nothing to judge"
    told = problem(document(tasks, group))
    assert told[0] == pointer
    assert detail in told[1]
    assert hint in told[2]


@pytest.mark.parametrize(
    ("last", "also", "group", "pointer", "detail"),
    [
        (["g"], {}, {}, "/finally/0", "g is a group"),
        (["b"], {}, {}, "/finally/0", "b is inside of a group"),
        (["z"], {"z": {**NOOP, "needs": ["g"]}}, {}, "/tasks/z/needs/0", "z is in finally"),
        (["z"], {"z": NOOP}, {"needs": ["z"]}, "/groups/g/needs/0", "z is in finally"),
    ],
)
def test_what_comes_last_is_outside_of_groups(
    last: list[str], also: dict[str, Any], group: dict[str, Any], pointer: str, detail: str
) -> None:
    with pytest.raises(JobError) as refused:
        parse_job({**document(also, group), "finally": last})
    told = {problem.pointer: problem.detail for problem in refused.value.problems}
    assert detail in told[pointer]


def test_groups_do_not_nest_and_are_of_jobs_with_tasks() -> None:
    shape = document()
    shape["groups"]["h"] = {"tasks": ["g"]}
    assert problem(shape)[:2] == ("/groups/h/tasks/0", "g is a group: groups hold tasks alone")
    short = {"job": "j", "noop": True, "groups": {"g": {"tasks": ["main"]}}}
    assert problem(short)[:2] == ("/groups", "a job of one task has no groups")
    groups: Any = {f"g{number}": {"tasks": ["a"]} for number in range(GROUPS_MAX + 1)}
    many = {"job": "j", "tasks": {"a": NOOP}, "groups": groups}
    assert problem(many)[:2] == ("/groups", f"groups has more than {GROUPS_MAX} entries")


def test_no_group_leaves_nothing_behind() -> None:
    plain = {"job": "j", "tasks": {"a": NOOP}}
    nothing: tuple[Any, ...] = (None, {})
    for groups in nothing:
        assert canonical(parse_job({**plain, "groups": groups})) == canonical(parse_job(plain))
    assert b"groups" not in canonical(parse_job(plain))


def test_a_group_stands_before_what_is_inside_which_stands_in_a_row() -> None:
    job = compiled(document({"aa": NOOP}))
    assert [task.name for task in job.tasks] == ["aa", "out", "g", "a", "b", "fix", "last"]
    assert [task.name for task in job.roots] == ["aa", "out"]
    (group,) = job.groups
    assert (group.place, group.tasks, group.catch, group.rounds_max) == (2, 2, 1, 1)
    assert parse_job(parse_job(document()).public()) == parse_job(document())


def test_conditions_inside_wait_for_nothing_outside() -> None:
    """What the group needs has ended before, and all its tasks before a failure is caught."""
    job = compiled(document({"b": {**TASKS["b"], "when": "a.succeeded and out.succeeded"},
                             "last": {**TASKS["last"], "when": "out.succeeded"},
                             "fix": {**NOOP, "when": "a.failed or b.failed"}}))  # fmt: skip
    assert {task.name: task.asks for task in job.tasks if task.asks} == {"last": ("out",)}


def test_outputs_go_into_a_group_and_out_of_it() -> None:
    job = compiled(document())
    assert {task.name: job.givers(task.name) for task in job.tasks} == {
        "out": [], "g": ["out"], "a": ["out"], "b": ["a", "out"], "fix": ["out", "a"], "last": ["a"],
    }  # fmt: skip


CHILD = {"job": {"name": "other"}}
ONLY_CHILDREN: dict[str, Any] = {"locks": ["lock"]}
IN_GROUP = {"g": {"tasks": ["a"], **ONLY_CHILDREN}}


@pytest.mark.parametrize(
    ("tasks", "fields", "pointer"),
    [
        ({"a": CHILD}, {"policies": ONLY_CHILDREN}, "/policies/locks"),
        ({"a": {"sleep": "1m"}, "b": CHILD}, {"policies": ONLY_CHILDREN}, "/policies/locks"),
        ({"a": CHILD, "b": {"noop": True}}, {"groups": IN_GROUP}, "/groups/g/locks"),
    ],
)
def test_locks_that_would_never_be_taken_are_refused(tasks: Any, fields: Any, pointer: str) -> None:
    """They are taken with the first task that an agent gets; and so they would keep nobody out."""
    with pytest.raises(JobError) as raised:
        parse_job({"job": "j", "tasks": tasks, **fields})
    assert [problem.pointer for problem in raised.value.problems] == [pointer]
    both = {**tasks, "first": {"noop": True}}
    groups = {"g": {"tasks": ["a", "first"], **ONLY_CHILDREN}} if "groups" in fields else None
    parse_job({"job": "j", "tasks": both, **({"groups": groups} if groups else fields)})
