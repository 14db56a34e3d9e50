"""YAML files: plain values, and problems that name file:line:column."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import JobError
from scheduler.model.documents import dump_yaml, load_yaml, parse_document
from scheduler.model.objects.parsing import kind_name


def test_problems_name_file_line_and_column() -> None:
    text = """\
job: a
run: date
triggers:
  - cron: "61 * * * *"
policies:
  overlap: alow
---
job: b
tasks:
  x: {noop: true, needs: [y]}
"""
    first, second = load_yaml(text, "jobs.yaml")
    with pytest.raises(JobError) as caught:
        parse_document(first)
    assert [p.where for p in caught.value.problems] == ["jobs.yaml:4:5", "jobs.yaml:6:3"]
    assert str(caught.value.problems[0]).startswith("jobs.yaml:4:5 /triggers/0/cron: minute field")
    with pytest.raises(JobError) as caught:
        parse_document(second)
    assert [p.where for p in caught.value.problems] == ["jobs.yaml:10:27"]


def test_whole_numbers_may_name_fields() -> None:
    """The steps of policies.failures are written so."""
    (document,) = load_yaml("job: j\npolicies:\n  failures: {2: 10s, 20: pause}\n", "f.yaml")
    assert document.data["policies"]["failures"] == {"2": "10s", "20": "pause"}
    assert document.where("/policies/failures/20").endswith("3:22")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("a: [1,", "2:1", "not valid YAML"),
        ("a: 1\na: 2", "2:1", "given twice"),
        ("a: &x [*x]", "1:8", "holds itself"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "3:3", "merge keys"),
        ("a: !!python/object:os.system x", "1:4", "not allowed"),
        ("a: !local x", "1:4", "not allowed"),
        ("\ta: 1", "1:1", "not valid YAML"),
        ("b: 1\na: \x00", "2:4", "special characters"),
        ("1.5: 2", "1:1", "must be text"),
        ("0x1: 2", "1:1", "must be text"),
        ("true: 2", "1:1", "must be text"),
        ('2: a\n"2": b', "2:1", "given twice"),
        ("a: .inf", "1:4", "no number that JSON has"),
        ("a: 1e999", "1:4", "no number that JSON has"),
        ("a: " + "9" * 5_000, "1:4", "no number that JSON has"),
        ("a: *b", "1:4", "no anchor"),
        ("a: " + "{a: " * 40, "1:132", "nested deeper than 32"),
        ("- " * 40, "1:69", "nested deeper than 32"),
        ("".join(f"%TAG !a{i}! x\n" for i in range(20)) + "---\na: 1", "1:1", "%TAG"),
        ("? [a]\n: b", "1:3", "must be text"),
        ("a: " + "[" * 5_000, "1:1003", "nested deeper than 32"),
    ],
)
def test_bad_files(text: str, place: str, said: str) -> None:
    with pytest.raises(JobError) as caught:
        load_yaml(text, "f.yaml")
    (problem,) = caught.value.problems
    assert problem.where == f"f.yaml:{place}"
    assert said in problem.detail


def test_values_are_those_of_json() -> None:
    (document,) = load_yaml(
        "{a: 12, b: 0x1f, c: 1.5, d: yes, e: 2026-01-01T00:00:00Z,\n"
        " f: null, g: true, h: 010, i: &x [1], j: *x}",
        "f",
    )
    assert document.data == {
        **{
            "a": 12,
            "b": 31,
            "c": 1.5,
            "d": "yes",
            "e": "2026-01-01T00:00:00Z",
            "f": None,
            "g": True,
            "h": 10,
        },
        **{"i": [1], "j": [1]},
    }


def test_an_alias_bomb_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(JobError, match="more than"):
        load_yaml("\n".join(lines), "f")


def test_several_jobs_by_documents_or_as_a_list() -> None:
    assert [d.data for d in load_yaml("job: a\n---\n---\njob: b\n", "f")] == [{"job": "a"}, {"job": "b"}]
    documents = load_yaml("- job: a\n- job: b\n  rum: x\n", "f")
    assert [d.data for d in documents] == [{"job": "a"}, {"job": "b", "rum": "x"}]
    assert documents[1].where("/rum") == "f:3:3"
    assert load_yaml("", "f") == []


def test_what_is_written_is_read_back() -> None:
    jobs: list[dict[str, Any]] = [
        {"job": "a", "run": "x % y\nz", "env": {"A": "1", "B": "null", "C": "2026-01-01"}},
        {"job": "b", "noop": True},
    ]
    assert [d.data for d in load_yaml(dump_yaml(jobs), "f")] == jobs


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"namespace": "finance", "quotas": {"jobs": 3}}, "cronclave namespace apply"),
        ({"namespace": "finance", "secret": "A"}, "cronclave secret put"),
        ({"namespace": "finance", "run": "date"}, "at its top stands one of job"),
        ({"calender": "x"}, "did you mean calendar?"),
        ({"variables": "x"}, "did you mean vars?"),
        ({"varz": "x"}, "did you mean vars?"),
        ({"jobb": "x"}, "did you mean job?"),
        ({}, "at its top stands one of job"),
        ({"": 0, "x": {}}, "at its top stands one of job"),
    ],
)
def test_a_document_that_is_of_no_kind_leads_to_one(document: dict[str, Any], said: str) -> None:
    with pytest.raises(JobError) as caught:
        kind_name(document)
    (problem,) = caught.value.problems
    assert said in problem.hint
