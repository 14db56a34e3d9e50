"""Secrets as a job names them, and as a secret names jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.model.compiled import compile_job
from scheduler.model.job import canonical
from scheduler.model.parse import parse_job
from scheduler.model.problems import JobError
from scheduler.model.secret_uses import SecretUse, covers, is_pattern


def text(*secrets: Any, **fields: Any) -> bytes:
    return canonical(
        parse_job({"job": "j", "namespace": "ours", "run": "x", "secrets": list(secrets), **fields})
    )


def test_a_name_alone_comes_in_the_variable_of_that_name() -> None:
    assert compile_job(text("DB_PASSWORD", {"name": "web/api.key", "as": "KEY", "file": True})).secrets == {
        "main": (
            SecretUse("ours", "DB_PASSWORD", "DB_PASSWORD", False),
            SecretUse("web", "api.key", "KEY", True),
        )
    }


def test_the_text_says_all_and_reads_back() -> None:
    whole = text("web/api.key")
    assert json.loads(whole)["tasks"]["main"]["secrets"] == [
        {"name": "web/api.key", "as": "api_key", "file": False}
    ]
    assert canonical(parse_job(json.loads(whole))) == whole


def test_none_is_as_if_nothing_was_said() -> None:
    assert text() == canonical(parse_job({"job": "j", "namespace": "ours", "run": "x"}))
    assert compile_job(text()).secrets == {}


@pytest.mark.parametrize(
    ("secrets", "pointer", "said"),
    [
        (["7up"], "/secrets/0", "no variable can be called 7up"),
        (["a/b/c"], "/secrets/0/name", "must not contain '/'"),
        (["A", {"name": "B", "as": "A"}], "/secrets", "two secrets come in the variable A"),
        (["A"] * 21, "/secrets", "more than 20"),
        ([{"name": "A", "as": "CRONCLAVE_X"}], "/secrets/0/as", "set by the scheduler"),
        ([{"nam": "A"}], "/secrets/0/nam", "did you mean name?"),
        ([{"name": "A", "file": 1}], "/secrets/0/file", "true or false"),
        ([3], "/secrets/0", "must be an object"),
        ("A", "/secrets", "must be a list"),
        (["TAKEN"], "", "env and secrets both give TAKEN"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(secrets: Any, pointer: str, said: str) -> None:
    with pytest.raises(JobError) as refused:
        parse_job({"job": "j", "run": "x", "env": {"TAKEN": "1"}, "secrets": secrets})
    assert any(p.pointer == pointer and said in str(p) for p in refused.value.problems), refused.value


@pytest.mark.parametrize("work", [{"noop": True}, {"sleep": "1m"}])
def test_work_without_a_process_is_given_none(work: dict[str, Any]) -> None:
    with pytest.raises(JobError, match="reads no secrets"):
        parse_job({"job": "j", **work, "secrets": ["A"]})


@pytest.mark.parametrize(
    ("patterns", "namespace", "job", "whether"),
    [
        ((), "ours", "j", False),
        (("*",), "ours", "j", True),
        (("*",), "theirs", "j", False),
        (("theirs/*",), "theirs", "j", True),
        (("theirs/*",), "ours", "j", False),
        (("night-?",), "ours", "night-1", True),
        (("night-?",), "ours", "night-10", False),
        (("Night",), "ours", "night", False),
    ],
)
def test_a_pattern_names_jobs_of_one_namespace(
    patterns: tuple[str, ...], namespace: str, job: str, whether: bool
) -> None:
    assert covers(patterns, "ours", namespace, job) is whether


def test_a_pattern_has_no_other_letters() -> None:
    assert all(map(is_pattern, ("*", "a-*", "web/deploy?")))
    assert not any(map(is_pattern, ("", "*/a", "a/b/c", "[ab]", "a b", "web/", "ä")))
