"""The checker of what is handed on: a clean story passes, each way to go wrong is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.case import Mark
from chaos.checkers import completions
from chaos.completions import (
    AFTER,
    EXIT_CODE,
    FAILED,
    JOB,
    PLACES,
    SUBMIT,
    SUCCEEDED,
    TIMEOUT_S,
    body_of,
)
from chaos.workload import payload
from scheduler.model import parse_job
from tests.chaos.stories import Story, clean, instant

GOOD, TRIED, ALONE, ILL = 9_900, 9_901, 9_902, 9_903


def attempt(
    number: int, state: str, word: str = "", until_s: float = 112, exit_code: int = 0
) -> dict[str, Any]:
    known = {"exited": None, "outcome": state if word else None, "message": word or None}
    return {
        "number": number, "state": state, "exit_code": exit_code, "granted": instant(110),
        "finished": instant(until_s), "completion": known,
    }  # fmt: skip


def run(number: int, state: str, *attempts: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "job": JOB,
        "state": state,
        "tasks": {SUBMIT: {"state": state, "attempts": attempts}},
    }


def mark(run: int, number: int, what: str, at_s: float, task: str = SUBMIT, given: str = "-") -> Mark:
    return Mark(what, JOB, run, str(number), 10 * run + number, None, "agent-1", at_s, "", given, task)


def said(
    story: Story, at_s: float, run: int, number: int | None, state: str, word: str, end: str = "ok"
) -> None:
    told = {"run": run, "attempt": number, "outcome": state, "message": word}
    story.operation(at_s, "complete", end, told, status=200 if end == "ok" else 409)


def told() -> Story:
    """One is completed, one by its second try and a person, one is left alone, of one the process failed."""
    story = clean()
    story.final["runs"] += [
        run(GOOD, SUCCEEDED, attempt(1, SUCCEEDED, "word-1")),
        run(TRIED, SUCCEEDED, attempt(1, FAILED, "word-2"), attempt(2, SUCCEEDED, "word-4")),
        run(ALONE, "timed_out", attempt(1, "timed_out", until_s=110 + TIMEOUT_S)),
        run(ILL, FAILED, attempt(1, FAILED, exit_code=EXIT_CODE)),
    ]
    story.final["audit"] = [
        {"action": "complete", "run": run, "kind": "task"} for run in (GOOD, TRIED, TRIED)
    ]
    story.operation(109, "hand-on", "ok", {"job": JOB}, run=GOOD)
    said(story, 110.5, GOOD, 1, SUCCEEDED, "word-1")
    said(story, 111.0, GOOD, 1, FAILED, "rival-1", "fail")
    said(story, 110.6, TRIED, 1, FAILED, "word-2")
    said(story, 111.2, TRIED, 1, SUCCEEDED, "word-3", "fail")
    said(story, 111.4, TRIED, None, SUCCEEDED, "word-4")
    said(story, 119.0, ALONE, 1, SUCCEEDED, "word-5", "fail")
    began_s = {(GOOD, 1): 110.1, (ALONE, 1): 110.1, (TRIED, 1): 110.55, (TRIED, 2): 111.1, (ILL, 1): 113.0}
    for (of_run, number), at_s in began_s.items():
        story.marks += [mark(of_run, number, "S", at_s), mark(of_run, number, "E", at_s + 0.03)]
    story.marks += [mark(GOOD, 1, "S", 111.5, AFTER, "word-1"), mark(TRIED, 1, "S", 111.6, AFTER, "word-4")]
    for node, events in story.events.items():
        events.append({"t": 111.0, "node": node, "id": "900.0", "event": "attempt_completed", "attempt": 7})
    return story


def of(story: Story, number: int) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in story.final["runs"] if r["id"] == number)["tasks"][SUBMIT]
    return found


def test_a_clean_story_passes() -> None:
    found = completions.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"completed": 3}
    assert completions.check(clean().case()).summary == "nothing was handed on in this load"


def its_process_is_its_end(story: Story) -> None:
    of(story, ALONE)["attempts"][0].update(state="succeeded", finished=instant(111))


def it_fails_by_nobody(story: Story) -> None:
    of(story, ALONE)["attempts"][0].update(state="failed", finished=instant(111))


def a_word_saves_a_bad_process(story: Story) -> None:
    of(story, ILL)["attempts"] = [attempt(1, SUCCEEDED, "word-6", exit_code=EXIT_CODE)]
    said(story, 110.5, ILL, 1, SUCCEEDED, "word-6")
    story.final["audit"].append({"action": "complete", "run": ILL, "kind": "task"})


def the_second_word_counts(story: Story) -> None:
    of(story, GOOD)["attempts"][0].update(attempt(1, FAILED, "rival-1"))
    of(story, GOOD)["state"] = FAILED
    story.marks = [each for each in story.marks if (each.run, each.task) != (GOOD, AFTER)]


def another_word_is_acknowledged(story: Story) -> None:
    said(story, 112.0, GOOD, 1, FAILED, "rival-2")


def a_word_of_the_other_attempt_counts(story: Story) -> None:
    of(story, TRIED)["attempts"][1]["completion"]["message"] = "word-2"
    of(story, TRIED)["attempts"][1].update(state=FAILED)
    of(story, TRIED)["attempts"][1]["completion"]["outcome"] = FAILED
    of(story, TRIED)["state"] = FAILED
    story.marks = [each for each in story.marks if (each.run, each.task) != (TRIED, AFTER)]


def nobody_said_so(story: Story) -> None:
    of(story, GOOD)["attempts"][0]["completion"]["message"] = "word-9"
    story.marks = [replace(m, given="word-9") if m.given == "word-1" else m for m in story.marks]
    story.history = [e for e in story.history if e.get("message") not in ("word-1", "rival-1")]


def it_is_forgotten(story: Story) -> None:
    of(story, ALONE)["attempts"][0]["completion"].update(outcome=SUCCEEDED, message="word-7")
    said(story, 111.0, ALONE, 1, SUCCEEDED, "word-7")
    story.final["audit"].append({"action": "complete", "run": ALONE, "kind": "task"})


def it_is_over_early(story: Story) -> None:
    of(story, ALONE)["attempts"][0]["finished"] = instant(113)


def it_is_refused_in_time(story: Story) -> None:
    said(story, 111.0, ALONE, 1, SUCCEEDED, "word-8", "fail")


def it_awaits_for_ever(story: Story) -> None:
    of(story, ALONE)["attempts"][0]["state"] = "awaiting"


def it_goes_on_without(story: Story) -> None:
    story.marks.append(mark(ALONE, 1, "S", 113.0, AFTER))


def it_goes_on_before(story: Story) -> None:
    story.marks = [replace(each, at_s=110.3) if each.given == "word-1" else each for each in story.marks]


def it_is_given_another(story: Story) -> None:
    story.marks = [replace(each, given="rival-1") if each.given == "word-1" else each for each in story.marks]


def it_is_noted_twice(story: Story) -> None:
    story.final["audit"].append(story.final["audit"][0])


def it_is_told_twice(story: Story) -> None:
    again = {"t": 112.0, "node": "node-1", "id": "901.0", "event": "attempt_completed", "attempt": 7}
    story.events["node-1"].append(again)


def it_is_gone(story: Story) -> None:
    story.operation(109, "hand-on", "ok", {"job": JOB}, run=9_999)


def places_are_given_back(story: Story) -> None:
    """Who awaits a word until 117 s has one; so have these, one more than there are."""
    for number in range(9_910, 9_910 + PLACES):
        story.final["runs"].append(run(number, "timed_out", attempt(1, "timed_out", until_s=117)))
        story.marks += [mark(number, 1, "S", 112.5), mark(number, 1, "E", 112.6)]


def how_far(story: Story, told: str, stands: str | None, end: str = "ok") -> None:
    arguments = {"run": GOOD, "attempt": 1, "text": told}
    story.operation(110.2, "progress", end, arguments, status=200 if end == "ok" else 429)
    progress = {"percent": 40, "text": stands, "at": instant(110.2)} if stands else None
    of(story, GOOD)["attempts"][0]["completion"]["progress"] = progress


def how_far_it_is_is_forgotten(story: Story) -> None:
    how_far(story, "far-1", None)


def how_far_it_is_is_made_up(story: Story) -> None:
    how_far(story, "far-1", "far-2", "fail")


def how_far_it_was_refused_and_stands(story: Story) -> None:
    how_far(story, "far-1", "far-1", "fail")


def test_how_far_it_is_was_told() -> None:
    story = told()
    how_far(story, "far-1", "far-1")
    assert completions.check(story.case()).offences == ()


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (how_far_it_is_is_forgotten, ["progress-lost"]),
        (how_far_it_is_is_made_up, ["progress-untold"]),
        (how_far_it_was_refused_and_stands, ["progress-untold"]),
        (its_process_is_its_end, ["completed-without"]),
        (it_fails_by_nobody, ["failed-without"]),
        (a_word_saves_a_bad_process, ["completed-without"]),
        (the_second_word_counts, ["refused-and-counts", "word-lost"]),
        (another_word_is_acknowledged, ["word-lost"]),
        (a_word_of_the_other_attempt_counts, ["unsaid", "word-lost"]),
        (nobody_said_so, ["unsaid"]),
        (it_is_forgotten, ["word-forgotten"]),
        (it_is_over_early, ["timed-out-early"]),
        (it_is_refused_in_time, ["refused-in-time"]),
        (it_awaits_for_ever, ["left-open"]),
        (it_goes_on_without, ["went-on-without"]),
        (it_goes_on_before, ["went-on-early"]),
        (it_is_given_another, ["other-output"]),
        (it_is_noted_twice, ["other-audit"]),
        (it_is_told_twice, ["completed-twice"]),
        (it_is_gone, ["lost"]),
        (places_are_given_back, ["given-back-early"]),
    ],
)
def test_what_goes_wrong_is_told(plant: Callable[[Story], None], kinds: list[str]) -> None:
    story = told()
    plant(story)
    assert sorted({each.kind for each in completions.check(story.case()).offences}) == kinds


def test_the_job_is_one() -> None:
    job = parse_job(body_of({"job": JOB}, partial(payload, Path("/evidence")), Path("/tokens")))
    assert job.tasks[SUBMIT].asynchronous is not None
