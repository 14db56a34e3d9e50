"""What a run that requires a notice promises: each bug beside a story without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaos.checkers import needs
from chaos.needs import CHECKED, JOB
from tests.chaos.stories import Story, clean, instant

FIRST = 950


def a_run(story: Story, number: int, started_s: float | None, finished_s: float, state: str) -> None:
    reason = "requires" if state == "cancelled" else None
    started = None if started_s is None else instant(started_s)
    story.final["runs"].append(
        {"id": FIRST + number, "job": JOB, "state": state, "reason": reason, "plan_date": "2027-01-15",
         "created": instant(100), "started": started, "finished": instant(finished_s)}
    )  # fmt: skip


def told() -> Story:
    """Two notices that were acknowledged, one that may be there, one that is not; three that had one."""
    story = clean()
    for at_s, outcome in ((110, "ok"), (120, "ok"), (130, "info"), (140, "fail")):
        story.operation(at_s, "post", outcome, {})
    for number, at_s in enumerate((112, 122, 132)):
        a_run(story, number, at_s, at_s, "succeeded")
    a_run(story, 3, None, 150, "cancelled")
    return story


def kinds(story: Story) -> set[str]:
    return {offence.kind for offence in needs.check(story.case()).offences}


def _run(story: Story, number: int) -> dict[str, Any]:
    return next(run for run in story.final["runs"] if run["id"] == FIRST + number)


def test_a_story_without_a_bug_passes() -> None:
    found = needs.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"runs": 4, "met": 3, "notices": 2}


def test_what_was_not_read_is_no_pass() -> None:
    story = told()
    del story.final["runs"]
    assert needs.check(story.case()).verdict == "invalid"


def a_check(story: Story, number: int, started_s: float, *ended: tuple[float, str]) -> None:
    """A run that asks an agent, with the tries of that."""
    tries = [{"state": state, "finished": instant(at_s)} for at_s, state in ended]
    story.final["runs"].append(
        {"id": FIRST + number, "job": CHECKED, "state": "succeeded", "reason": None,
         "created": instant(100), "started": instant(started_s), "finished": instant(started_s + 1),
         "tasks": {"@requires-0": {"attempts": tries}}}
    )  # fmt: skip


def test_a_run_that_asked_an_agent_passes() -> None:
    story = told()
    a_check(story, 8, 120, (105, "failed"), (119, "succeeded"))
    assert needs.check(story.case()).verdict == "pass"


BUGS: dict[str, tuple[Callable[[Story], Any], str]] = {
    "a run starts though its agent said no": (lambda s: a_check(s, 8, 120, (105, "failed")), "unasked"),
    "a run starts before its agent said yes": (lambda s: a_check(s, 8, 120, (130, "succeeded")), "unasked"),
    "one notice meets two runs": (lambda s: a_run(s, 4, 135, 135, "succeeded"), "without"),
    "a run goes on before its notice": (lambda s: _run(s, 1).update(started=instant(115)), "without"),
    "a notice is not heard": (
        lambda s: [_run(s, n).update(started=None, state="cancelled", reason="requires") for n in (1, 2)],
        "in-vain",
    ),
}


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_bug_is_found(bug: str) -> None:
    story = told()
    plant, kind = BUGS[bug]
    plant(story)
    assert kind in kinds(story)
