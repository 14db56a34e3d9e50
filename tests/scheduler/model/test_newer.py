"""What needs a newer format is refused below it, and its defaults are no part of a job's text there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler import formats
from scheduler.model import JobError, canonical, compile_job, parse_job
from scheduler.model.unsaid import whole

SHORT = {"job": "j", "run": "true", "stdin": "x"}
LONG = {"job": "j", "tasks": {"a": {"run": "true", "stdin": "x"}, "b": {"noop": True}}}


@pytest.fixture(autouse=True)
def _later_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these had come with formats 2 and 3."""
    later = [
        formats.Format(2, "", job_fields=("/tasks/*/stdin", "/triggers/*/tz", "/policies/overlap=allow")),
        formats.Format(3, "", job_fields=("/description", "/triggers/*/jitter", "/triggers/*/dst")),
    ]
    monkeypatch.setattr(formats, "FORMATS", [formats.FORMATS[0], *later])


@pytest.mark.parametrize(
    ("document", "pointer", "needed"),
    [
        (SHORT, "/stdin", 2),
        (LONG, "/tasks/a/stdin", 2),
        ({"job": "j", "noop": True, "policies": {"overlap": "allow"}}, "/policies/overlap", 2),
        ({"job": "j", "noop": True, "description": "x"}, "/description", 3),
        ({"job": "j", "noop": True, "triggers": {"every": "1m", "jitter": "1s"}}, "/triggers/jitter", 3),
        (
            {"job": "j", "noop": True, "triggers": [{"every": "1m"}, {"every": "2m", "jitter": "1s"}]},
            "/triggers/1/jitter",
            3,
        ),
    ],
)
def test_it_is_refused_at_its_place_until_the_format_is_active(
    document: dict[str, Any], pointer: str, needed: int
) -> None:
    for format in range(1, needed):
        with pytest.raises(JobError) as refused:
            parse_job(document, format=format)
        (problem,) = refused.value.problems
        assert problem.pointer == pointer
        assert f"needs format {needed}, and the cluster is at format {format}" in problem.detail
        assert "cronclave cluster activate" in problem.hint
    parse_job(document, format=needed)
    parse_job(document)


def test_what_an_older_format_has_is_taken() -> None:
    parse_job({"job": "j", "noop": True, "policies": {"overlap": "skip"}}, format=1)


def test_defaults_are_left_out_of_the_text_below_the_format() -> None:
    job = parse_job({"job": "j", "tasks": {"a": {"noop": True}}, "triggers": {"cron": "@daily"}}, format=1)
    texts = {format: json.loads(canonical(job, format=format)) for format in (1, 2, 3)}
    assert texts[3]["triggers"][0]["dst"] == "cron"
    assert "dst" not in texts[2]["triggers"][0]
    assert "tz" in texts[2]["triggers"][0]
    assert "tz" not in texts[1]["triggers"][0]
    assert canonical(job) == canonical(job, format=3)
    assert whole(canonical(job, format=1))["policies"]["overlap"] == "skip", "only a value is new"


def test_every_field_of_this_version_belongs_to_an_active_format() -> None:
    """With all formats active nothing is lost: a job's text parses back to the same job."""
    job = parse_job(LONG)
    assert canonical(parse_job(json.loads(canonical(job, format=3)), format=3)) == canonical(job)
    assert compile_job(canonical(job)).tasks[0].work["stdin"] == "x"
