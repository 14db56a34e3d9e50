"""post: a task posts a notice, which fires what waits for it as any notice does."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine.rules.boards import STANDING_MAX
from scheduler.store.tables import notices
from scheduler.store.tables.notices import Notice
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_sleep import run_job, task
from tests.scheduler.story import START_MS, Story, job

DAY_MS = 86_400_000
BOARD = {"board": "stock", "expires": "2d"}
POSTS: dict[str, dict[str, Any]] = {
    "count": {"noop": True},
    "tell": {"needs": ["count"], "post": {"board": "stock", "key": "plan_date"}},
    "last": {"needs": ["tell"], "noop": True},
}


def stocked(story: Story, tasks: dict[str, dict[str, Any]] = POSTS, **fields: Any) -> None:
    story.connect()
    heir = job("heir", trigger={"notice": {"board": "stock", "key": "plan_date"}})
    assert story.apply(BOARD, job(tasks=tasks, **fields), heir).ok


def posted(story: Story) -> list[Notice]:
    return notices.after(story.store, "default/stock", 0, 10_000)


def test_it_is_a_notice_of_its_runs_plan_date_and_fires_what_waits(story: Story) -> None:
    stocked(story)
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, plan_day=20_000), "run"))
    story.settle()
    assert set(story.tasks(run).values()) == {"succeeded"}
    (notice,) = posted(story)
    assert (notice.key, notice.plan_day, notice.poster) == ("2024-10-04", 20_000, f"default/j run {run}")
    assert notice.expires_ms - notice.posted_ms == 2 * DAY_MS
    fired = story.run(run + 1)
    assert (fired.name, fired.cause, fired.plan_day, fired.state) == ("heir", "notice", 20_000, "succeeded")
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_its_key_may_be_a_text_and_it_may_stay_as_long_as_it_says(story: Story) -> None:
    stocked(story, {"main": {"post": {"board": "default/stock", "key": "counted", "expires": "1h"}}})
    run_job(story)
    story.settle()
    (notice,) = posted(story)
    assert (notice.key, notice.expires_ms - notice.posted_ms) == ("counted", 3_600_000)
    assert [run for run, _ in story.runs()] == ["manual"]


def test_each_run_posts_once_whoever_leads(story: Story) -> None:
    stocked(story)
    run = run_job(story)
    story.plan_and_apply()
    story.work()
    (wake,) = [each for each in story.plan() if isinstance(each, c.Wake)]
    story.tell_ok(wake)
    assert [each.notice for each in story.told(e.NoticePosted)] == ["2027-01-15"]
    assert story.one(wake).code == Code.ENDED
    story.reopen()
    story.lead()
    story.settle()
    assert len(posted(story)) == 1
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize("may_fail", [False, True])
def test_a_full_board_fails_the_task_and_says_so(story: Story, may_fail: bool) -> None:
    tasks = {"main": {"post": {"board": "stock", "key": "k"}, "allow_failure": may_fail}}
    stocked(story, tasks)
    for _ in range(STANDING_MAX):
        story.tell_ok(c.PostNotice("default", "stock", "k", DAY_MS))
    run = run_job(story)
    story.settle(rounds=2_000)
    assert task(story, run).reason == "1000 notices stand on board default/stock, as many as may"
    assert (task(story, run).state, story.run(run).state) == ("failed", "succeeded" if may_fail else "failed")


def test_a_board_that_a_job_posts_on_stays_and_one_that_is_gone_fails_an_older_run(story: Story) -> None:
    stocked(story, {"nap": {"sleep": "1m"}, "tell": {**POSTS["tell"], "needs": ["nap"]}})
    gone = [("board", "default", "stock"), ("job", "default", "heir")]
    assert story.apply(gone=gone).code == Code.REFERRED
    run = run_job(story)
    assert story.apply(job(), gone=gone).ok
    story.now_ms += 60_000
    story.settle()
    told = task(story, run, "tell")
    assert (told.state, told.reason) == ("failed", "no board default/stock")


def test_a_board_that_is_not_there_is_refused(story: Story) -> None:
    assert story.apply(job(tasks=POSTS)).code == Code.MISSING


def test_while_a_staged_apply_goes_live_it_waits(story: Story) -> None:
    stocked(story, {"main": {"post": {"board": "stock", "key": "k"}}})
    run = run_job(story)
    (wake,) = [each for each in story.plan() if isinstance(each, c.Wake)]
    story.machine.state.stage = 7
    try:
        assert story.one(wake).code == Code.SWITCHING
    finally:
        story.machine.state.stage = 0
    assert task(story, run).state == "active"
    story.tell_ok(wake)
    assert task(story, run).state == "succeeded"


def test_a_cancelled_run_posts_nothing(story: Story) -> None:
    stocked(story, {"main": {"post": {"board": "stock", "key": "k"}}})
    run = run_job(story)
    story.tell_ok(c.CancelRun(run))
    story.settle()
    assert (posted(story), story.run(run).state) == ([], "cancelled")
