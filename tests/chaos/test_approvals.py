"""The checker of what runs ask: a clean story passes, each way to go wrong is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.approvals import ASK, EXPIRES_S, JOB, NO, YES, body_of
from chaos.case import Mark
from chaos.checkers import approvals
from chaos.workload import payload
from scheduler.model import parse_job
from tests.chaos.stories import Story, clean, instant

YES_RUN, NO_RUN, LEFT_RUN = 9_900, 9_901, 9_902


def run(number: int, state: str, reason: str, until_s: float) -> dict[str, Any]:
    task = {"state": state, "reason": reason, "started": instant(110), "finished": instant(until_s)}
    return {"id": number, "job": JOB, "state": "succeeded", "tasks": {ASK: {**task, "attempts": []}}}


def mark(number: int, task: str, at_s: float) -> Mark:
    return Mark("S", JOB, number, "1", number, None, "agent-1", at_s, "", "-", task)


def told() -> Story:
    """One is approved, one is rejected, one is left alone."""
    story = clean()
    story.final["runs"] += [
        run(YES_RUN, "succeeded", "approved by admin: approve 7-1", 111),
        run(NO_RUN, "failed", "rejected by admin: reject 7-2", 112),
        run(LEFT_RUN, "expired", "nobody answered in time", 110 + EXPIRES_S),
    ]
    story.final["audit"] = [
        {"action": "approve", "run": YES_RUN, "kind": "task"},
        {"action": "reject", "run": NO_RUN, "kind": "task"},
    ]
    for number, word, reason in ((YES_RUN, "approve", "approve 7-1"), (NO_RUN, "reject", "reject 7-2")):
        story.operation(110.5, "answer", "ok", {"run": number, "answer": word, "reason": reason})
    story.operation(
        111.5, "answer", "fail", {"run": YES_RUN, "answer": "reject", "reason": "reject 7-3"}, status=409
    )
    story.marks += [mark(YES_RUN, YES, 111.1), mark(NO_RUN, NO, 112.1), mark(LEFT_RUN, NO, 117.0)]
    for node, events in story.events.items():
        events.append({"t": 111.0, "node": node, "id": "900.0", "event": "approval_answered", "task": 7})
    return story


def task_of(story: Story, number: int) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in story.final["runs"] if r["id"] == number)["tasks"][ASK]
    return found


def test_a_clean_story_passes() -> None:
    found = approvals.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"asked": 3, "answered": 2}
    assert approvals.check(clean().case()).summary == "nobody was asked in this load"


def nobody_had_answered(story: Story) -> None:
    task_of(story, LEFT_RUN).update(state="succeeded", reason="")
    story.final["audit"].append({"action": "approve", "run": LEFT_RUN, "kind": "task"})
    story.marks = [each for each in story.marks if each.run != LEFT_RUN]


def a_refused_one_counts(story: Story) -> None:
    task_of(story, YES_RUN).update(state="failed", reason="rejected by admin: reject 7-3")


def it_is_forgotten(story: Story) -> None:
    task_of(story, NO_RUN).update(state="expired", reason="nobody answered in time", finished=instant(116))
    story.final["audit"].pop()


def it_expired_early(story: Story) -> None:
    task_of(story, LEFT_RUN)["finished"] = instant(113)


def it_goes_on_without(story: Story) -> None:
    story.marks.append(mark(NO_RUN, YES, 113.0))


def it_goes_on_before(story: Story) -> None:
    story.marks = [replace(each, at_s=110.2) if each.task == YES else each for each in story.marks]


def it_is_noted_twice(story: Story) -> None:
    story.final["audit"].append(story.final["audit"][0])


def it_is_told_twice(story: Story) -> None:
    again = {"t": 112.0, "node": "node-1", "id": "901.0", "event": "approval_answered", "task": 7}
    story.events["node-1"].append(again)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (nobody_had_answered, ["unanswered"]),
        (a_refused_one_counts, ["answer-lost", "refused-and-counts", "went-on-without"]),
        (it_is_forgotten, ["answer-lost"]),
        (it_expired_early, ["expired-early"]),
        (it_goes_on_without, ["went-on-early", "went-on-without"]),
        (it_goes_on_before, ["went-on-early"]),
        (it_is_noted_twice, ["other-audit"]),
        (it_is_told_twice, ["answered-twice"]),
    ],
)
def test_what_goes_wrong_is_told(plant: Callable[[Story], None], said: list[str]) -> None:
    story = told()
    plant(story)
    assert sorted({each.kind for each in approvals.check(story.case()).offences}) == said


def test_the_job_is_one() -> None:
    job = parse_job(body_of({"job": JOB}, partial(payload, Path("/evidence"))))
    assert job.tasks[ASK].kind.name == "approval"
