"""What is said of the parts of a run: members of a divided task, rounds of a group."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.explain import TaskExplained
from scheduler.words import commands as c
from tests.cli.test_examples import parsed
from tests.scheduler.story import Story
from tests.scheduler.test_explain import closed, of_run, start

DIVIDED = {
    "job": "j",
    "tasks": {
        "many": {
            "run": "x", "join": "75%",
            "fanout": {"foreach": ["a.csv", "b.csv", "c.csv", "d.csv"], "max_parallel": 2},
        },
        "after": {"run": "x", "needs": ["many"]},
    },
}  # fmt: skip
GROUPED = {
    "job": "j",
    "tasks": {
        "load": {"run": "x"}, "check": {"run": "x", "needs": ["load"]},
        "report": {"run": "x", "needs": ["both"]},
    },
    "groups": {
        "both": {
            "tasks": ["load", "check"], "retry": {"max": 2, "backoff": "constant", "first": "10s"},
        }
    },
}  # fmt: skip


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def explained(story: Story, run: int) -> dict[tuple[str, str], TaskExplained]:
    return {(each.name, each.member): each for each in of_run(story, run).tasks}


def said(story: Story, run: int, task: str, member: str = "") -> str:
    finding = closed(explained(story, run)[task, member].gates)
    return f"{finding.reason} ({finding.opens})"


def begin(story: Story) -> int:
    run = start(story)
    for _ in range(2):
        story.plan_and_apply()
    return run


def end(story: Story, run: int, *codes: int) -> None:
    """The attempts that are under way end with these exit codes, in their order."""
    live = [each for each in story.attempts(run) if each.live]
    for attempt, code in zip(live, codes, strict=False):
        story.claim(attempt.id)
        story.tell_ok(c.Finish(attempt.id, attempt.agent, story.now_ms, story.now_ms, code, "exit"))
    story.plan_and_apply()


def test_a_task_that_is_divided_over_a_list_says_how_many_are_left_and_what_its_join_asks_for(
    story: Story,
) -> None:
    story.put(DIVIDED)
    run = begin(story)
    join = "(the success of {} more, by its join)"
    assert said(story, run, "many") == f"4 of its 4 members have not ended {join.format(3)}"
    share = "2 members of many go, 2 may at a time (the end of one of them)"
    assert [said(story, run, "many", member) for member in "23"] == [share, share]
    needs = "it needs many (active) to end (the end of what it needs, by its rule all_success)"
    assert said(story, run, "after") == needs

    end(story, run, 0, 1)
    left = "2 of its 4 members have not ended; of the others 1 succeeded, 1 failed"
    assert said(story, run, "many") == f"{left} {join.format(2)}"
    helps = explained(story, run)["many", ""].help
    assert helps == f"cronclave run members {run} many"
    parsed(helps.split())

    end(story, run, 1)
    assert ("many", "") not in explained(story, run), "its join cannot be met any more"


def test_each_round_of_a_group_is_told(story: Story) -> None:
    story.put(GROUPED)
    run = begin(story)
    inside = "(the end of what is inside)"
    assert said(story, run, "both") == f"2 of its tasks have not ended, in round 1 {inside}"
    assert said(story, run, "check").startswith("it needs load (active) to end")

    end(story, run, 1)
    pause = "(the end of the pause before its next try)"
    assert said(story, run, "both") == f"round 1 of it is over: it is tried again {pause}"
    assert said(story, run, "report").startswith("it needs both (about to be tried again) to end")
    helps = explained(story, run)["both", ""].help
    assert helps == f"cronclave run retry {run} both"
    parsed(helps.split())

    story.now_ms += 10_000
    for _ in range(3):
        story.plan_and_apply()
    assert said(story, run, "both") == f"2 of its tasks have not ended, in round 2 {inside}"
    end(story, run, 0)
    assert said(story, run, "both") == f"1 of its tasks has not ended, in round 2 {inside}"


def test_a_list_without_an_element_says_so(story: Story) -> None:
    empty = {"run": "x", "fanout": {"foreach": "{params.files}"}}
    story.put({"job": "j", "params": {"files": {"type": "list", "default": []}}, "tasks": {"many": empty}})
    run = int(story.value(c.RunJob("default", "j", b'{"files":[]}', story.now_ms), "run"))
    story.plan_and_apply()
    task = story.store.row("SELECT state, reason FROM tasks WHERE run = ?", (run,))
    assert task == ("skipped", "it is divided over an empty list")
