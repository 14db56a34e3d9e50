"""What a namespace with quotas, defaults and plan dates promises: each bug beside a story without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaos.checkers import narrow
from chaos.narrow import ACTIVE, JOB, STARTS
from tests.chaos.stories import Story, clean, instant

FIRST = 900


def a_run(story: Story, number: int, created_s: float, started_s: float, finished_s: float) -> None:
    story.final["runs"].append(
        {"id": FIRST + number, "job": JOB, "state": "succeeded",
         "created": instant(created_s), "started": instant(started_s), "finished": instant(finished_s),
         "plan_date": "2027-01-13"}
    )  # fmt: skip


def told() -> Story:
    """As many at once as may, as many in a minute, and the next a minute later; two words, one unheard."""
    story = clean()
    for number in range(STARTS):
        at_s = 100 + number // ACTIVE * 2.0
        a_run(story, number, 100, at_s, at_s + 2)
    for number in range(STARTS, STARTS + 2):
        a_run(story, number, 101, 160, 162)
    for generation, outcome in ((1, "ok"), (2, "ok"), (3, "info"), (4, "fail")):
        story.operation(99 + generation, "narrow", outcome, {"generation": generation})
    revisions = [{"revision": n, "generation": n} for n in (2, 1)]
    story.final["narrow"] = {"job": 2, "following": False, "revisions": revisions}
    return story


def kinds(story: Story) -> set[str]:
    return {offence.kind for offence in narrow.check(story.case()).offences}


def test_a_story_without_a_bug_passes() -> None:
    found = narrow.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"runs": STARTS + 2, "waited": STARTS, "revisions": 2}


@pytest.mark.parametrize("name", ["narrow", "runs"])
def test_what_was_not_read_is_no_pass(name: str) -> None:
    story = told()
    del story.final[name]
    assert narrow.check(story.case()).verdict == "invalid"


def _run(story: Story, number: int) -> dict[str, Any]:
    return next(run for run in story.final["runs"] if run["id"] == FIRST + number)


BUGS: dict[str, tuple[Callable[[Story], Any], str]] = {
    "one more is active": (lambda s: a_run(s, 50, 100, 104.5, 105.5), "over-active"),
    "one that has not ended counts": (lambda s: _run(s, 3).update(finished=None), "over-active"),
    "one more starts within a minute": (
        lambda s: _run(s, STARTS).update(started=instant(159.999)), "over-starts",
    ),
    "a date is that of UTC": (
        lambda s: _run(s, 7).update(plan_date="2027-01-15"), "wrong-date",
    ),
    "an acknowledged word is gone": (lambda s: s.final["narrow"]["revisions"].pop(1), "lost-word"),
    "a refused word is there": (
        lambda s: s.final["narrow"]["revisions"].insert(0, {"revision": 3, "generation": 4}), "refused-word",
    ),
    "the job has the defaults of before": (lambda s: s.final["narrow"].update(job=1), "not-followed"),
    "the job never comes to follow": (lambda s: s.final["narrow"].update(following=True), "not-followed"),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_bug_is_found(bug: str) -> None:
    plant, kind = BUGS[bug]
    story = told()
    plant(story)
    assert kind in kinds(story)


def test_a_word_that_nobody_heard_of_may_be_there() -> None:
    story = told()
    story.final["narrow"]["revisions"].insert(0, {"revision": 3, "generation": 3})
    story.final["narrow"]["job"] = 3
    assert kinds(story) == set()
