"""A short one of the stories of `make steps`: enough comes about in it, and a wrong move is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.words import commands as c
from tests.scheduler.machine.long_story import Moves, tell
from tests.scheduler.story import Story, job

COME_ABOUT: tuple[type[c.Command], ...] = (
    c.Account, c.AdvanceBackfill, c.CancelRun, c.ChangeTick, c.ClosePlan, c.Finish, c.Fire, c.Grant, c.Pause,
    c.PauseJob, c.Place, c.PutJobs, c.RunJob, c.SplitGap, c.StartBackfill, c.Wake,
)  # fmt: skip


def test_much_comes_about_and_nothing_is_odd(tmp_path: Path) -> None:
    story, accepted, moves = tell(tmp_path, 600, 5)
    assert [kind for kind in COME_ABOUT if not accepted[kind]] == []
    assert moves.made["attempts"] > 50
    assert len(story.frames) > 400


def test_what_has_ended_and_goes_on_is_seen(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.settle()
    moves = Moves()
    moves.look(story)
    assert moves.made == {"runs": 1, "tasks": 1, "attempts": 1}
    moves.look(story)
    story.store.execute("UPDATE runs SET state = 'running'")
    with pytest.raises(AssertionError, match="succeeded to running"):
        moves.look(story)
