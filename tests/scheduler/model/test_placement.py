"""`on` and `not_restartable`: what is refused of them, and their one text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.model import canonical, parse_job
from scheduler.model.compiled import compile_job
from scheduler.model.problems import JobError

TWO = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}


def said(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(JobError) as told:
        parse_job({"job": "j", **document})
    return {each.pointer: f"{each.detail} | {each.hint}" for each in told.value.problems}


def test_patterns_are_compiled_and_come_back_as_they_were() -> None:
    patterns = {"match": {"host": "db*", "os": "regex:linux|bsd"}, "not": {"tier": "test"}}
    on = {**patterns, "strategy": "least_loaded"}
    text = canonical(parse_job({"job": "j", "noop": True, "on": on}))
    assert canonical(parse_job(json.loads(text))) == text
    task = compile_job(text).tasks[0]
    assert (task.match, task.unlike) == ((("host", "db*"), ("os", "regex:linux|bsd")), (("tier", "test"),))
    plain = canonical(parse_job({"job": "j", "noop": True}))
    assert canonical(parse_job({"job": "j", "noop": True, "on": {"strategy": "least_loaded"}})) == plain
    assert canonical(parse_job({"job": "j", "noop": True, "policies": {"not_restartable": False}})) == plain


STRATEGIES = "least_loaded, round_robin, fixed_priority"
HINT = 'such as "db*" or "regex:db[0-9]+"'


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            {"noop": True, "on": {"match": {}}},
            {"/on/match": 'it names no label | such as {host: "db*"}, or remove it'},
        ),
        (
            {"noop": True, "on": {"match": {"host": 1}}},
            {"/on/match": "the pattern of host must be text, not a number | put it in quotes"},
        ),
        (
            {"noop": True, "on": {"not": {"host": "regex:(a+)+\\1"}}},
            {"/on/not": f"the pattern of host: at 6: \\1 means nothing here | {HINT}"},
        ),
        (
            {"noop": True, "on": {"match": {"host": "regex:(a"}}},
            {"/on/match": f"the pattern of host: at 1: a ( without its ) | {HINT}"},
        ),
        (
            {"noop": True, "on": {"match": {"host": "x" * 201}}},
            {"/on/match": f"the pattern of host: a pattern has 200 letters at most, this one 201 | {HINT}"},
        ),
        (
            {"noop": True, "on": {"match": {"-": "x"}}},
            {"/on/match": "a label's key is letters, digits, and . _ / - between them, 128 at most | "},
        ),
        (
            {"noop": True, "on": {"strategy": "random"}},
            {"/on/strategy": f"strategy must be one of {STRATEGIES}, not 'random' | "},
        ),
        (
            {"noop": True, "on": {"zone": {"near": "a"}}},
            {"/on/zone": "a zone is a name, spread, or {prefer: NAME} | such as {prefer: zone-a}"},
        ),
        (
            {"noop": True, "on": {"zone": "prefer"}},
            {"/on/zone": "prefer which zone? | zone: {prefer: zone-a}"},
        ),
        (
            {"noop": True, "on": {"same_as": "b"}},
            {"/on/same_as": "there is no task 'b' | name one of this job"},
        ),
        (
            {"tasks": TWO | {"c": {"noop": True, "on": {"same_as": "c"}}}},
            {"/tasks/c/on/same_as": "it names itself | name a task that ends before it"},
        ),
        (
            {"tasks": TWO | {"ccc": {"noop": True, "on": {"same_as": "cc"}}}},
            {"/tasks/ccc/on/same_as": "there is no task 'cc' | did you mean ccc?"},
        ),
        (
            {"tasks": TWO | {"c": {"noop": True, "on": {"same_as": "a"}}}},
            {"/tasks/c/on/same_as": "a may not have ended when c begins | add a to the needs of c"},
        ),
        (
            {"tasks": {"a": {"sleep": "1s"}, "c": {"noop": True, "needs": ["a"], "on": {"same_as": "a"}}}},
            {"/tasks/c/on/same_as": "a happens on no agent | name a task that does"},
        ),
        (
            {"noop": True, "policies": {"not_restartable": True, "on_lost": "fail"}},
            {
                "/policies": "not_restartable and on_lost: fail exclude each other"
                " | remove on_lost, which is wait then, or not_restartable"
            },
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(document: dict[str, Any], problem: dict[str, str]) -> None:
    assert said(document) == problem


def test_a_task_far_before_will_do() -> None:
    tasks = TWO | {"c": {"noop": True, "needs": ["b"], "on": {"same_as": "a"}}}
    assert compile_job(canonical(parse_job({"job": "j", "tasks": tasks}))).tasks[2].same_as == "a"
