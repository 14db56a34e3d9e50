"""The checker of graphs: a clean story passes, each way to go wrong is told."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.checkers import graphs
from chaos.graphs import CLEAN_UP, EVEN, JOB, MEET, NEVER, ODD, WRONG, job_of
from scheduler.model import parse_job
from tests.chaos.stories import Story, clean

OF_8 = {
    "extract": "succeeded", EVEN: "succeeded", ODD: "skipped", NEVER: "skipped", MEET: "succeeded",
    CLEAN_UP: "skipped",
}  # fmt: skip


def run(number: int, states: dict[str, str], state: str = "succeeded", **codes: int) -> dict[str, Any]:
    tasks = {
        name: {"state": each, "attempts": [] if each == "skipped" else [{"exit_code": codes.get(name, 0)}]}
        for name, each in states.items()
    }
    return {"id": number, "job": JOB, "cause": "manual", "cause_key": None, "state": state, "tasks": tasks}


def told(*runs: dict[str, Any]) -> tuple[str, set[str]]:
    story: Story = clean()
    story.final["runs"] += runs
    found = graphs.check(story.case())
    return found.verdict, {offence.kind for offence in found.offences}


def test_each_run_takes_its_own_branch() -> None:
    odd = {**OF_8, EVEN: "skipped", ODD: "succeeded"}
    lost = {**OF_8, EVEN: "lost", MEET: "skipped", CLEAN_UP: "succeeded"}
    assert told() == ("pass", set())
    assert told(run(8, OF_8), run(9, odd), run(10, lost, "lost")) == ("pass", set())


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        (run(9, OF_8), "wrong-states"),
        (run(8, {**OF_8, ODD: "succeeded"}), "wrong-states"),
        (run(8, {**OF_8, EVEN: "failed", MEET: "skipped"}, "failed", even=WRONG), "wrong-branch"),
        (run(8, {**OF_8, CLEAN_UP: "succeeded", MEET: "failed"}, "failed"), "catch-without-failure"),
    ],
)
def test_what_goes_wrong_is_told(story: dict[str, Any], kind: str) -> None:
    assert told(run(6, OF_8), story) == ("violation", {kind})


def test_the_job_of_the_load_is_one() -> None:
    job = parse_job(job_of({"job": JOB, "policies": {}, "run": "x"}))
    assert set(job.tasks) == set(OF_8)
