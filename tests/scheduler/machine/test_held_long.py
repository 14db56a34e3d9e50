"""A run, or a task of it, that is held for longer than from one tick of its job to the next: told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.runs import explain_run
from scheduler.plan import wake_ms
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
ADA = c.Actor("ada")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def held(story: Story, *triggers: Any, **fields: Any) -> int:
    """A run of a person that is held from the start."""
    story.put(job(trigger=None, **fields) | ({"triggers": list(triggers)} if triggers else {}))
    return int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, held=True), "run"))


def told_at(story: Story, now_ms: int) -> list[e.RunHeldLong]:
    story.now_ms = now_ms
    before = len(story.told(e.RunHeldLong))
    story.plan_and_apply()
    found: list[e.RunHeldLong] = story.told(e.RunHeldLong)
    return found[before:] if before else found


def test_it_is_told_once_whoever_leads(story: Story) -> None:
    run = held(story, {"every": "1h", "id": "t"})
    assert told_at(story, START_MS + HOUR_MS - 1) == []
    story.lead()
    assert told_at(story, START_MS + HOUR_MS) == [
        e.RunHeldLong(run, 1, "default", "j", "", START_MS, HOUR_MS)
    ]
    story.lead()
    story.now_ms += 5 * HOUR_MS
    assert not [each for each in story.plan() if isinstance(each, c.TellHeld)]


def test_the_planner_wakes_for_it(story: Story) -> None:
    held(story, {"every": "1h", "id": "t"})
    story.tell_ok(c.PauseJob("default", "j"))
    assert wake_ms(story.store, cache=story.cache) == START_MS + HOUR_MS


@pytest.mark.parametrize(
    ("triggers", "period_ms"),
    [
        ([{"every": "1h", "id": "t"}, {"every": "10m", "id": "u"}], 10 * MINUTE_MS),  # the shortest
        ([{"cron": "0 9 * * 1-5", "id": "t"}], 72 * HOUR_MS),  # it is Friday, eight: to Monday
        ([{"every": {"delay": "30m"}, "id": "t"}], 30 * MINUTE_MS),
        ([{"after": "other.succeeded", "id": "t"}], None),
        ([{"at": "2027-02-01T00:00:00Z", "id": "t"}], None),  # it comes once
        ([], None),
    ],
)
def test_a_period_is_that_of_the_triggers(story: Story, triggers: list[Any], period_ms: int | None) -> None:
    story.put(job("other"))
    run = held(story, *triggers)
    far_ms = START_MS + 200 * HOUR_MS
    if period_ms is None:
        assert told_at(story, far_ms) == []
    else:
        assert told_at(story, START_MS + period_ms - 1) == []
        (told,) = told_at(story, START_MS + period_ms)
        assert (told.run, told.period_ms) == (run, period_ms)


def test_a_run_of_a_tick_has_the_period_of_its_own_trigger(story: Story) -> None:
    story.put(job(trigger=None) | {"triggers": [{"every": "2h", "id": "t"}, {"every": "7h", "id": "u"}]})
    story.now_ms += 2 * HOUR_MS
    story.plan_and_apply()
    story.tell_ok(c.SuspendRun(1, "why", ADA))
    (told,) = told_at(story, story.now_ms + 2 * HOUR_MS)
    assert (told.run, told.period_ms) == (1, 2 * HOUR_MS)


def test_a_task_that_waits_for_a_person_is_told_by_its_name(story: Story) -> None:
    story.put(
        job(trigger={"every": "1h", "id": "t"}, tasks={"a": {"run": "x"}}, policies={"on_failure": "hold"})
    )
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.settle(exit_code=1)
    assert story.tasks(1) == {"a": "held"}
    (told,) = told_at(story, START_MS + HOUR_MS)
    assert (told.task, told.since_ms) == ("a", START_MS)


@pytest.mark.parametrize("ending", ["release", "cancel"])
def test_one_that_is_held_no_longer_is_not_told(story: Story, ending: str) -> None:
    run = held(story, {"every": "1h", "id": "t"})
    story.now_ms += MINUTE_MS
    story.tell_ok(c.ReleaseRun(run, "", ADA) if ending == "release" else c.CancelRun(run))
    assert told_at(story, START_MS + HOUR_MS) == []


def test_each_hold_is_counted_from_its_own_begin(story: Story) -> None:
    run = held(story, {"every": "3h", "id": "t"})
    story.now_ms += HOUR_MS
    story.tell_ok(c.ReleaseRun(run, "", ADA), c.SuspendRun(run, "", ADA))
    assert told_at(story, START_MS + 4 * HOUR_MS - 1) == []
    assert len(told_at(story, START_MS + 4 * HOUR_MS)) == 1


def test_a_word_that_is_early_or_about_nothing_is_refused(story: Story) -> None:
    run = held(story, {"every": "1h", "id": "t"})
    due_ms = START_MS + HOUR_MS
    assert story.one(c.TellHeld(story.epoch, run, 0, due_ms)).code == Code.SUPERSEDED
    assert story.one(c.TellHeld(story.epoch, run + 1, 0, due_ms)).code == Code.SUPERSEDED
    story.now_ms = due_ms
    assert story.one(c.TellHeld(story.epoch, run, 0, due_ms - 1)).code == Code.SUPERSEDED


def test_explain_says_so(story: Story) -> None:
    run = held(story, {"every": "1h", "id": "t"})

    def said() -> str:
        cluster = Cluster(story.now_ms, "node-a", True)
        told = explain_run(story.store, story.run(run), cluster, story.compiled)
        return next(each.reason for each in told.tasks[0].gates if each.gate == "suspended")

    assert said() == "its run is held"
    story.now_ms += HOUR_MS
    assert said() == "its run is held, for longer than the job's period of 1h"
