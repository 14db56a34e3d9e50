"""What is refused of a task's condition, with its place and a way out."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import JobError, canonical, parse_job
from scheduler.model.compiled import compile_job
from scheduler.model.graph import EDGES_MAX
from scheduler.model.when import TASKS_MAX

PARAMS = {
    "region": {"type": "string", "default": "eu"},
    "count": {"type": "integer"},
    "full": {"type": "boolean", "default": False},
}


def with_when(text: object, **fields: Any) -> dict[str, Any]:
    return {
        "job": "j",
        "params": PARAMS,
        "tasks": {
            "extract": {"noop": True},
            "load-eu": {"noop": True, "needs": ["extract"]},
            "beside": {"noop": True},
            "tell": {"noop": True, "needs": ["load-eu"], "when": text},
        },
        **fields,
    }


def problem(text: object, **fields: Any) -> tuple[str, str, str]:
    with pytest.raises(JobError) as refused:
        parse_job(with_when(text, **fields))
    (told,) = refused.value.problems
    return told.pointer, told.detail, told.hint


@pytest.mark.parametrize(
    "text",
    [
        "load-eu.succeeded",
        "extract.succeeded and load-eu.exit_code in [0, 4]",
        "params.region == 'eu' or params.count > 3 or params.full",
        "plan_date >= '2027-01-01' and tick < '2027-01-15T08:00:00Z'",
        "not (load-eu.failed or load-eu.skipped or load-eu.cancelled)",
    ],
)
def test_a_condition_that_means_something_stays_as_it_is_written(text: str) -> None:
    job = parse_job(with_when(text))

    assert job.tasks["tell"].when == text
    assert parse_job(job.public()) == job


@pytest.mark.parametrize(
    ("text", "detail", "hint"),
    [
        ("extrct.succeeded", "at 1: there is no task 'extrct'", "did you mean extract.succeeded?"),
        ("extract.ende", "at 1: 'ende' is nothing that a task has", "did you mean extract.ended?"),
        ("extract", "at 1: extract says nothing of a task", "such as extract.succeeded"),
        ("tell.ended", "at 1: tell.ended asks for its own end", "it is judged before the task begins"),
        ("extract.ended and beside.ended", "at 19: it does not wait for beside", "add beside to its needs"),
        ("params.regin == ''", "at 1: the job declares no parameter 'regin'", "did you mean params.region?"),
        ("region == 'eu'", "at 1: region says nothing of a task", "did you mean params.region?"),
        ("params.count == '3'", "at 17: what == compares with a number must be a number, not a text", ""),
        ("params.region", "at 1: the whole must be true or false, not a text", "compare it with something"),
        ("extract.exit_code", "at 1: the whole must be true or false, not a number", "compare it"),
        ("vars.host == 'a'", "at 1: vars.host: the job names no vars", "such as vars: [NAME]"),
        ("extract.colour", "at 1: 'colour' is nothing that a task has", "there are extract.succeeded,"),
        ("extract.succeeded &&", "at 19: && is no word of conditions", "write and"),
        ("", "at 1: a name or a value is missing before the end", ""),
        ("x" * 2_001, "at 1: it is 2001 letters long, at most 2000 are allowed", ""),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_with_its_place(text: str, detail: str, hint: str) -> None:
    told = problem(text)

    assert told[:2] == ("/tasks/tell/when", detail)
    assert told[2].startswith(hint)


def test_it_must_be_text() -> None:
    assert problem(True) == ("/tasks/tell/when", "when must be text, not a boolean", "put it in quotes")


def test_every_condition_of_a_job_is_told_of_beside_its_other_mistakes() -> None:
    tasks = {
        "a": {"noop": True, "when": "b.ended", "colour": "red"},
        "b": {"noop": True, "when": "params.x == 1"},
    }
    with pytest.raises(JobError) as refused:
        parse_job({"job": "j", "tasks": tasks})

    assert [each.pointer for each in refused.value.problems] == [
        "/tasks/a/colour", "/tasks/a/when", "/tasks/b/when",
    ]  # fmt: skip


def test_the_short_form_has_its_own_pointer() -> None:
    with pytest.raises(JobError) as refused:
        parse_job({"job": "j", "noop": True, "when": "params.x == 1"})

    assert [each.pointer for each in refused.value.problems] == ["/when"]


def test_so_many_tasks_may_be_asked() -> None:
    names = [f"t{number}" for number in range(TASKS_MAX + 1)]
    tasks = {name: {"noop": True} for name in names}
    text = " and ".join(f"{name}.ended" for name in names)
    with pytest.raises(JobError, match=f"it asks {TASKS_MAX + 1} tasks, at most {TASKS_MAX}"):
        parse_job({"job": "j", "tasks": {**tasks, "z": {"noop": True, "needs": names, "when": text}}})


def test_what_is_asked_counts_as_what_is_needed() -> None:
    text = " and ".join(f"t{number}.ended" for number in range(TASKS_MAX))
    tasks: dict[str, Any] = {f"t{number}": {"noop": True} for number in range(TASKS_MAX)}
    tasks["joins"] = {"noop": True, "needs": sorted(tasks)}
    for number in range(EDGES_MAX // TASKS_MAX):
        tasks[f"z{number}"] = {"noop": True, "needs": ["joins"], "when": text}
    with pytest.raises(JobError, match=f"need and ask more than {EDGES_MAX} others"):
        parse_job({"job": "j", "tasks": tasks})


def test_a_condition_waits_for_what_it_asks_beside_its_needs() -> None:
    text = "extract.succeeded and load-eu.ended and params.region == 'extract.failed' and vars.a.b == '1'"
    job = compile_job(canonical(parse_job(with_when(text, vars=["v"]))))

    assert {task.name: task.asks for task in job.tasks if task.when} == {"tell": ("extract",)}


@pytest.mark.parametrize(
    ("rule", "detail", "hint"),
    [
        ("none_faild", "rule must be one of", "did you mean none_failed?"),
        ("n_of", "rule must be one of", "say of how many: {n_of: 2}"),
        (2, "rule must be one of", ""),
        ({"n_of": 3}, "n_of: 3 can never be met: it needs 2", "name more tasks in needs, or ask for fewer"),
        ({"n_of": 0}, "n_of must be between 1 and 1000, not 0", ""),
        ({"n_of": "2"}, "n_of must be an integer, not text", ""),
        ({"n_of": 1, "of": 2}, "rule as an object has n_of alone", "such as {n_of: 2}"),
    ],
)
def test_rules_are_refused_in_words(rule: object, detail: str, hint: str) -> None:
    tasks = {"a": {"noop": True}, "b": {"noop": True}, "c": {"noop": True, "needs": ["a", "b"], "rule": rule}}
    with pytest.raises(JobError) as refused:
        parse_job({"job": "j", "tasks": tasks})
    (told,) = refused.value.problems

    assert told.pointer.startswith("/tasks/c")
    assert told.detail.startswith(detail)
    assert told.hint == hint
