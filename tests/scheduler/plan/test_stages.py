"""A staged apply goes on, and leaves every second moment to what else there is to do."""

from __future__ import annotations

import pytest

from scheduler.plan import wake_ms
from scheduler.plan.passes.stages import PAUSE_MS_MAX
from scheduler.words import commands as c
from tests.scheduler.machine.test_stages import stage
from tests.scheduler.story import Story, job


def steps(story: Story) -> list[c.Command]:
    return [each for each in story.plan() if isinstance(each, c.AdvanceStage)]


@pytest.mark.parametrize(("took_ms", "pause_ms"), [(0, 0), (30, 30), (60_000, PAUSE_MS_MAX)])
def test_the_next_step_waits_as_long_as_the_last_one_took(story: Story, took_ms: int, pause_ms: int) -> None:
    stage(story, *(job(f"j{place}") for place in range(4)))
    story.tell_ok(*steps(story))
    story.now_ms += took_ms
    if pause_ms:
        assert steps(story) == []
        assert wake_ms(story.store, cache=story.cache) == story.now_ms + pause_ms
        story.now_ms += pause_ms - 1
        assert steps(story) == []
        story.now_ms += 1
    assert len(steps(story)) == 1


def test_one_that_expires_wakes_at_its_time(story: Story) -> None:
    assert wake_ms(story.store, cache=story.cache) is None
    stage(story, job("a"))
    while found := steps(story):
        story.tell_ok(*found)
    kept_ms = wake_ms(story.store, cache=story.cache)
    assert kept_ms is not None
    assert kept_ms > story.now_ms
