"""A job's runs for past instants: each is made once, beside nobody, and its end outlives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.rules import filling
from scheduler.plan.planner import wake_ms
from scheduler.store.tables import backfills
from scheduler.store.tables.backfills import Backfill
from scheduler.ticks import schedule
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code, Outcome
from scheduler.words.record import Actor
from tests.scheduler.story import START_MS, Story, job

HOUR_MS = 3_600_000


def at(hours: float) -> int:
    return START_MS + int(hours * HOUR_MS)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def put(story: Story, *, trigger: Any = None, **fields: Any) -> None:
    story.put(job("j", trigger=trigger or {"every": "1h", "id": "t"}, **fields))


def start(story: Story, first: float, last: float, **fields: Any) -> Outcome:
    """Of the instants in [first, last], in hours from the start."""
    fields = {"instants": int(last - first) + 1, "active_max": 1, **fields}
    return story.one(
        c.StartBackfill("default", "j", "t", at(first) - 1, at(last), actor=Actor("ann"), **fields)
    )


def begin(story: Story, first: float, last: float, **fields: Any) -> int:
    outcome = start(story, first, last, **fields)
    assert outcome.ok, outcome
    assert outcome.value is not None
    return int(str(outcome.value["backfill"]))


def row(story: Story, backfill: int) -> Backfill:
    found = backfills.get(story.store, backfill)
    assert found is not None
    return found


def made(story: Story) -> list[tuple[float, str]]:
    """Of each run of a backfill its instant, in hours, and its state."""
    rows = story.store.rows("SELECT tick_ms, state FROM runs WHERE cause = 'backfill' ORDER BY id")
    return [((tick_ms - START_MS) / HOUR_MS, state) for tick_ms, state in rows]


def proves(story: Story) -> bool:
    result = verify(story.store, at(-1_000), story.now_ms, now_ms=story.now_ms)
    assert not result.problems, result.problems
    return result.ok


def go_to(story: Story, hours: float, **fields: Any) -> None:
    """Hour by hour, so that every tick is live."""
    while story.now_ms < at(hours):
        story.now_ms = min(at(hours), story.now_ms + HOUR_MS)
        story.settle(**fields)


def test_runs_are_made_of_what_was_due_before_the_job_was_there_the_oldest_first(story: Story) -> None:
    put(story)
    backfill = begin(story, -3, -1)
    story.settle()
    assert made(story) == [(-3, "succeeded"), (-2, "succeeded"), (-1, "succeeded")]
    now = row(story, backfill)
    assert (now.state, now.made, now.succeeded, now.left_out, now.active) == ("done", 3, 3, 0, 0)
    assert proves(story)


def test_so_many_go_on_at_a_time(story: Story) -> None:
    put(story)
    backfill = begin(story, -9, 0, active_max=3)
    story.plan_and_apply()
    story.plan_and_apply()  # they are queued, then placed
    assert [hours for hours, _ in made(story)] == [-9, -8, -7]
    assert story.plan() == []
    assert wake_ms(story.store) != story.now_ms
    story.work()
    assert row(story, backfill).succeeded == 3
    story.plan_and_apply()
    assert row(story, backfill).active == 3
    story.settle()
    assert (row(story, backfill).state, row(story, backfill).made) == ("done", 10)


def test_a_run_keeps_the_plan_date_and_the_instant(story: Story) -> None:
    put(story, trigger={"cron": "0 0 * * *", "id": "t"})
    begin(story, -8 - 48, -8 - 24)
    story.settle()
    rows = story.store.rows("SELECT plan_day, tick_ms, trigger FROM runs ORDER BY id")
    assert rows == [(START_MS // 86_400_000 - 2, at(-56), 0), (START_MS // 86_400_000 - 1, at(-32), 0)]


def test_the_same_is_not_made_twice_but_what_failed_is_made_again(story: Story) -> None:
    put(story)
    begin(story, -2, -1)
    story.plan_and_apply()
    story.plan_and_apply()
    story.work(exit_code=1)  # the first fails
    story.settle()
    again = begin(story, -2, -1)
    story.settle()
    assert made(story) == [(-2, "failed"), (-1, "succeeded"), (-2, "succeeded")]
    assert row(story, again).left_out == 1
    third = begin(story, -2, -1)
    story.settle()
    assert (row(story, third).made, row(story, third).left_out) == (0, 2)
    begin(story, -2, -1, again=True)
    story.settle()
    assert len(made(story)) == 5
    assert proves(story)


def test_what_goes_on_or_is_still_to_be_decided_is_not_doubled(story: Story) -> None:
    put(story, policies={"overlap": "allow"})
    story.now_ms = at(1)
    story.plan_and_apply()  # its run is assigned, and not done
    story.one(c.ChangeTick("default", "j", "t", at(2), "hold", "why"))
    story.now_ms = at(2)
    story.plan_and_apply()
    first = begin(story, 0, 2, again=True)
    second = begin(story, 0, 2)
    story.plan_and_apply()
    assert [hours for hours, _ in made(story)] == [0]
    assert row(story, second).left_out == 3  # that of the first goes on too
    story.work()
    story.settle()
    assert (row(story, first).made, row(story, first).left_out) == (2, 1)  # one is held
    assert proves(story)


@pytest.mark.parametrize("missing_only", [True, False])
def test_missing_only_leaves_out_what_succeeded(story: Story, missing_only: bool) -> None:
    """One tick succeeds, one fails, one is skipped: and the runs are long gone."""
    put(story)
    go_to(story, 1)
    go_to(story, 2, exit_code=1)
    story.tell_ok(c.PauseJob("default", "j"))
    go_to(story, 3)
    story.tell_ok(c.ResumeJob("default", "j"))
    story.tell_ok(c.Purge(story.epoch, story.job().id, 100, 100))
    assert story.runs() == []
    known = [filling.look(story.store, story.job().id, "t", at(hours)).what for hours in range(4)]
    assert known == ["none", "succeeded", "failed", "none"]
    begin(story, 0, 3, missing_only=missing_only)
    story.settle()
    assert [hours for hours, _ in made(story)] == ([0, 2, 3] if missing_only else [0, 1, 2, 3])
    assert proves(story)


def test_what_was_repeated_or_judged_well_is_not_missing(story: Story) -> None:
    put(story)
    go_to(story, 2, exit_code=1)
    runs = [row[0] for row in story.store.rows("SELECT id FROM runs ORDER BY id")]
    story.tell_ok(c.RerunRun(runs[0], b"{}", story.now_ms))
    story.settle()
    story.tell_ok(c.OverrideRun(runs[1], "succeeded", "it was"))
    story.tell_ok(c.Purge(story.epoch, story.job().id, 100, 100))
    backfill = begin(story, 1, 2, missing_only=True)
    story.settle()
    assert (row(story, backfill).made, row(story, backfill).left_out) == (0, 2)
    assert proves(story)


def test_a_repeated_run_of_a_backfill_counts_for_its_instant(story: Story) -> None:
    put(story)
    begin(story, -1, -1)
    story.settle(exit_code=1)
    (run,) = [row[0] for row in story.store.rows("SELECT id FROM runs")]
    story.tell_ok(c.RerunRun(run, b"{}", story.now_ms))
    story.settle()
    assert filling.look(story.store, story.job().id, "t", at(-1)).what == "succeeded"


def test_it_is_in_nobodys_way_and_nobody_in_its(story: Story) -> None:
    put(story, policies={"overlap": "skip", "pause_after_failures": 2})
    begin(story, -4, -1, active_max=4)
    story.plan_and_apply()
    story.now_ms = at(1)
    story.plan_and_apply()
    assert story.job().active_runs == 1
    assert story.ledger() == []  # the tick was not skipped
    story.settle(exit_code=1)
    assert (story.job().failures, story.job().state, story.job().active_runs) == (1, "active", 0)


def test_cancel_running_leaves_it_alone(story: Story) -> None:
    put(story, policies={"overlap": "cancel_running"})
    begin(story, -1, -1)
    story.plan_and_apply()
    story.now_ms = at(1)
    story.plan_and_apply()
    story.settle()
    assert made(story) == [(-1, "succeeded")]


def test_it_stands_still_while_its_job_or_everything_is_paused(story: Story) -> None:
    put(story)
    story.tell_ok(c.PauseJob("default", "j"))
    backfill = begin(story, -2, -1)
    story.settle()
    assert made(story) == []
    assert wake_ms(story.store) != story.now_ms
    story.tell_ok(c.ResumeJob("default", "j"))
    story.tell_ok(c.Pause("", "why", None))
    story.settle()
    assert made(story) == []
    story.tell_ok(c.Resume(""))
    story.settle()
    assert row(story, backfill).state == "done"


def test_what_was_cancelled_makes_no_more_runs(story: Story) -> None:
    put(story)
    backfill = begin(story, -5, -1)
    story.plan_and_apply()
    story.tell_ok(c.CancelBackfill(backfill, actor=Actor("ann")))
    assert story.told(e.BackfillEnded)[0].reason == "cancelled by ann"
    story.settle()
    assert made(story) == [(-5, "succeeded")]
    other = begin(story, -5, -1, again=True)
    story.plan_and_apply()
    story.tell_ok(c.CancelBackfill(other, runs=True))
    story.settle()
    assert made(story)[1:] == [(-5, "cancelled")]
    assert story.one(c.CancelBackfill(999)).code is Code.NOT_FOUND
    assert proves(story)


def test_it_ends_with_its_job_or_its_trigger(story: Story) -> None:
    put(story)
    first = begin(story, -5, -1)
    story.plan_and_apply()
    put(story, trigger={"every": "1h", "id": "other"})
    story.settle()
    assert (row(story, first).state, row(story, first).why[:21]) == ("cancelled", "the job has no trigge")
    put(story)
    second = begin(story, -5, -1)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert (row(story, second).state, row(story, second).why) == ("cancelled", "the job was deleted")
    story.settle()
    assert proves(story)


def test_a_closed_plan_date_is_left_out(story: Story) -> None:
    put(story)
    day = START_MS // 86_400_000
    go_to(story, 1)
    story.tell_ok(c.ClosePlan("default", day, "done"))
    refusal = start(story, 0, 1)
    assert (refusal.code, refusal.detail) == (Code.CONFLICT, "plan date 2027-01-15 is closed")
    begun = begin(story, 0, 1, closed=True)
    story.settle()
    assert row(story, begun).made == 2
    story.tell_ok(c.OpenPlan("default", day))
    later = begin(story, 0, 1, again=True)
    story.tell_ok(c.ClosePlan("default", day, "done"))
    story.settle()
    assert (row(story, later).made, row(story, later).left_out) == (0, 2)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"trigger": "other"}, Code.NOT_FOUND),
        ({"to_ms": at(1)}, Code.INVALID),
        ({"from_ms": at(0)}, Code.INVALID),
        ({"instants": 0}, Code.LIMIT),
        ({"instants": filling.INSTANTS_MAX + 1}, Code.LIMIT),
        ({"active_max": 0}, Code.INVALID),
        ({"active_max": filling.ACTIVE_MAX + 1}, Code.INVALID),
        ({"reason": "x" * 501}, Code.INVALID),
        ({"name": "other"}, Code.NOT_FOUND),
    ],
)
def test_what_cannot_be_meant_is_refused(story: Story, fields: dict[str, Any], code: Code) -> None:
    put(story)
    good = {
        "namespace": "default", "name": "j", "trigger": "t", "from_ms": at(-1), "to_ms": at(0),
        "instants": 1, "active_max": 1,
    }  # fmt: skip
    assert story.one(c.StartBackfill(**{**good, **fields})).code is code


def test_so_many_of_a_job_go_on_and_so_many_are_kept(story: Story) -> None:
    put(story)
    for _ in range(backfills.GOING_MAX):
        begin(story, -1, -1)
    assert start(story, -1, -1).code is Code.LIMIT
    story.settle()
    for _ in range(backfills.KEPT_MAX + 5):
        begin(story, -1, -1)
        story.settle()
    assert len(backfills.of_job(story.store, story.job().id, 1_000)) == backfills.KEPT_MAX
    assert len(made(story)) == 1  # the first; the others found it going or made good


def test_very_many_are_looked_at_in_steps(story: Story) -> None:
    put(story)
    first = begin(story, -400, 0, active_max=100)
    story.settle()
    assert row(story, first).succeeded == 401
    second = begin(story, -400, 0)
    assert story.plan_and_apply() == [c.AdvanceBackfill(story.epoch, second, at(-400) - 1)]
    assert row(story, second).left_out == 100
    assert wake_ms(story.store) == story.now_ms
    story.settle()
    assert row(story, second).left_out == 401


def test_a_step_that_was_taken_already_is_refused(story: Story) -> None:
    put(story)
    backfill = begin(story, -3, -1)
    step = c.AdvanceBackfill(story.epoch, backfill, at(-3) - 1)
    story.tell_ok(step)
    assert story.one(step).code is Code.SUPERSEDED
    assert len(made(story)) == 1


def test_what_a_calendar_moved_from_a_closed_date_is_left_out(story: Story) -> None:
    story.now_ms = at(80)
    trigger = {"cron": "0 9 * * 6", "id": "t", "calendar": {"exclude": ["free"], "nonworking": "after"}}
    assert story.apply({"calendar": "free"}, job(trigger=trigger)).ok
    saturday, monday = START_MS // (24 * HOUR_MS) + 1, at(73)
    story.tell_ok(c.ClosePlan("default", saturday, "why"))
    assert schedule(story.triggers()[0].spec).between(at(60), at(80)) == [monday]
    backfill = begin(story, 70, 75)
    story.settle()
    assert (made(story), row(story, backfill).left_out) == ([], 1)
    begin(story, 70, 75, closed=True)
    story.settle()
    assert made(story) == [(73, "succeeded")]


def test_plan_dates_have_what_a_calendar_moved_from_them_and_not_what_it_moved_there(story: Story) -> None:
    story.now_ms = at(24 * 8)
    trigger = {"cron": "0 9 * * *", "id": "t", "calendar": {"exclude": ["free"], "nonworking": "after"}}
    # Saturday the 16th and Sunday the 17th go to Monday, whose own tick stays; Tuesday the 19th to Wednesday.
    assert story.apply({"calendar": "free", "exclude": ["2027-01-19"]}, job(trigger=trigger)).ok
    tuesday = START_MS // (24 * HOUR_MS) + 4
    begin(story, 70, 24 * 7, first_day=tuesday - 1, last_day=tuesday - 1)
    story.settle()
    assert made(story) == [(73, "succeeded")]
    trigger["cron"] = "0 9 * * 2"
    assert story.apply(job(trigger=trigger)).ok
    backfill = begin(story, 70, 24 * 7, first_day=tuesday, last_day=tuesday)
    story.settle()
    assert made(story)[1:] == [(121, "succeeded")]
    assert (row(story, backfill).state, row(story, backfill).left_out) == ("done", 0)
    begin(story, 70, 24 * 7, first_day=tuesday + 1, last_day=tuesday + 1)
    story.settle()
    assert len(made(story)) == 2
    assert start(story, 70, 75, first_day=tuesday).code is Code.INVALID


@pytest.mark.parametrize("cause", ["tick", "backfill"])
def test_verify_sees_an_end_that_no_entry_tells_or_tells_otherwise(story: Story, cause: str) -> None:
    put(story)
    if cause == "tick":
        go_to(story, 1, exit_code=1)
    else:
        begin(story, -1, -1)
        story.settle(exit_code=1)
    assert proves(story)
    story.store.execute("UPDATE runs SET state = 'lost'")
    wrong = verify(story.store, at(-10), story.now_ms, now_ms=story.now_ms).problems
    assert [(each.kind, each.detail) for each in wrong] == [("cause", "run 1 is lost, and not failed")]
    story.store.execute("UPDATE runs SET state = 'failed'")
    story.store.execute("UPDATE ledger SET run = 0 WHERE trigger = 0")
    wrong = verify(story.store, at(-10), story.now_ms, now_ms=story.now_ms).problems
    assert [each.detail for each in wrong if each.kind != "chain"] == ["run 1 ended, and no entry says how"]
