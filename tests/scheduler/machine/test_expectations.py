"""What is expected of a job: told once where it does not hold, on the stamp; over when it holds again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.renewal import Renewal, renew
from scheduler.model.quantities import parse_instant_ms
from scheduler.plan.planner import wake_ms
from scheduler.store.connection import Store
from scheduler.store.tables import periods, unmet, watches
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
HOURLY = {"every": "1h", "id": "t"}
DUE_MS = START_MS + HOUR_MS


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def put(story: Story, *, trigger: Any = HOURLY, **fields: Any) -> None:
    story.put(job(trigger=trigger, **fields))


def at(story: Story, now_ms: int) -> list[c.Command]:
    """What the planner proposes then is applied; what of it is about expectations."""
    story.now_ms = now_ms
    commands = story.plan()
    if commands:
        story.tell_ok(*commands)
    return [each for each in commands if isinstance(each, c.JudgeWatch | c.JudgePeriod)]


def told(story: Story) -> list[tuple[str, int, bool]]:
    """What was told of the job: what, of which run, and whether it does not hold yet."""
    return [(row.what, row.run, row.over_ms is None) for row in unmet.of_job(story.store, story.job().id)]


def start(story: Story) -> int:
    """Claim what is assigned, again if it was taken back; the attempt."""
    assigned = "SELECT max(id) FROM attempts WHERE state = 'assigned'"
    attempt = story.store.value(assigned)
    if attempt is None:
        story.plan_and_apply()
        attempt = story.store.value(assigned)
    story.claim(attempt)
    return int(attempt)


def took(story: Story, duration_ms: int, times: int = 3) -> None:
    """So many manual runs took so long."""
    for _ in range(times):
        story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
        story.plan_and_apply()
        attempt = start(story)
        story.now_ms += duration_ms
        story.finish(attempt)


# -- start and end -----------------------------------------------------------------------------------------


def test_a_run_that_does_not_start_in_time_is_told_once_until_it_starts(story: Story) -> None:
    put(story, expect={"start_by": "10m"})
    at(story, DUE_MS)
    assert watches.next_ms(story.store) == DUE_MS + 10 * MINUTE_MS
    assert at(story, DUE_MS + 10 * MINUTE_MS - 1) == []

    commands = at(story, DUE_MS + 10 * MINUTE_MS)

    assert [type(each) for each in commands] == [c.JudgeWatch]
    assert told(story) == [("late_start", 1, True)]
    assert [(each.what, each.limit_ms) for each in story.told(e.ExpectationUnmet)] == [
        ("late_start", DUE_MS + 10 * MINUTE_MS)
    ]
    assert story.one(commands[0]).code == Code.SUPERSEDED  # sent again, or by the leader before
    story.now_ms += 5_000
    attempt = start(story)
    assert [each.what for each in story.told(e.ExpectationMet)] == ["late_start"]
    assert told(story) == [("late_start", 1, False)]
    story.finish(attempt)
    assert watches.get(story.store, 1) is None


def test_whoever_leads_then_tells_it_and_nobody_twice(story: Story) -> None:
    put(story, expect={"start_by": "10m"})
    at(story, DUE_MS)
    story.now_ms = DUE_MS + 11 * MINUTE_MS
    former = story.plan()
    story.lead()

    assert story.one(former[0]).code == Code.STALE_EPOCH
    assert told(story) == []
    story.plan_and_apply()
    story.lead()
    assert at(story, story.now_ms + HOUR_MS // 2) == []
    assert told(story) == [("late_start", 1, True)]


def test_what_starts_late_before_anybody_looks_is_told_as_it_starts(story: Story) -> None:
    put(story, expect={"start_by": "10m", "end_by": "30m"})
    at(story, DUE_MS)
    story.now_ms = DUE_MS + 40 * MINUTE_MS
    story.finish(start(story))

    assert told(story) == [("late_start", 1, False), ("late_end", 1, False)]
    assert [each.limit_ms for each in unmet.of_job(story.store, story.job().id)] == [
        DUE_MS + 10 * MINUTE_MS, DUE_MS + 30 * MINUTE_MS,
    ]  # fmt: skip


def test_in_time_nothing_is_told(story: Story) -> None:
    put(story, expect={"start_by": "10m", "end_by": "30m", "duration": {"min": "1m", "max": "20m"}})
    at(story, DUE_MS)
    attempt = start(story)
    story.now_ms += 5 * MINUTE_MS
    story.finish(attempt)
    at(story, DUE_MS + 50 * MINUTE_MS)

    assert told(story) == []
    assert watches.next_ms(story.store) is None


def test_a_failed_run_is_late_at_its_time_unless_a_later_one_succeeds(story: Story) -> None:
    put(story, expect={"end_by": "30m"})
    at(story, DUE_MS)
    story.finish(start(story), exit_code=1)
    assert told(story) == []

    story.now_ms += 10 * MINUTE_MS
    took(story, MINUTE_MS, times=1)
    at(story, DUE_MS + 31 * MINUTE_MS)
    assert told(story) == []  # a person ran it

    at(story, DUE_MS + HOUR_MS)
    story.finish(start(story), exit_code=1)
    at(story, DUE_MS + HOUR_MS + 30 * MINUTE_MS)
    assert told(story) == [("late_end", 3, True)]
    took(story, MINUTE_MS, times=1)
    assert told(story) == [("late_end", 3, False)]


def test_a_verdict_of_a_person_meets_it(story: Story) -> None:
    put(story, expect={"end_by": "30m"})
    at(story, DUE_MS)
    story.finish(start(story), exit_code=1)
    story.tell_ok(c.OverrideRun(1, "succeeded", "done by hand"))

    assert at(story, DUE_MS + 31 * MINUTE_MS) == []
    assert told(story) == []


def test_nobody_waits_for_what_a_person_cancelled(story: Story) -> None:
    put(story, expect={"start_by": "10m", "end_by": "30m"})
    at(story, DUE_MS)
    at(story, DUE_MS + 10 * MINUTE_MS)
    story.tell_ok(c.CancelRun(1))
    at(story, DUE_MS + 31 * MINUTE_MS)

    assert told(story) == [("late_start", 1, False)]


def test_manual_runs_have_no_limits_of_their_own(story: Story) -> None:
    put(story, trigger=None, expect={"start_by": "1m", "end_by": "2m"})
    story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    at(story, story.now_ms + HOUR_MS)

    assert told(story) == []


def test_a_run_that_is_held_is_late_all_the_same(story: Story) -> None:
    put(story, expect={"start_by": "10m", "end_by": "30m"})
    story.disconnect(1)
    at(story, DUE_MS)
    story.tell_ok(c.SuspendRun(1))
    at(story, DUE_MS + 30 * MINUTE_MS)

    assert told(story) == [("late_start", 1, True), ("late_end", 1, True)]


@pytest.mark.parametrize(
    ("start_by", "cron", "tick", "limit"),
    [
        ("12:30", "0 12 * * *", "2027-01-15T11:00:00Z", "2027-01-15T11:30:00Z"),
        ("06:00", "0 23 * * *", "2027-01-15T22:00:00Z", "2027-01-16T05:00:00Z"),  # across midnight
        ("12:00", "0 12 * * *", "2027-01-15T11:00:00Z", "2027-01-16T11:00:00Z"),  # no run starts before
        # From 02:00 to 03:00 clocks jump: right after that; the next day it is there again.
        ("02:30", "0 1 * * *", "2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z"),
        ("02:30", "0 1 * * *", "2027-03-29T23:00:00Z", "2027-03-30T00:30:00Z"),
        # It comes twice: the first.
        ("02:30", "0 1 * * *", "2027-10-30T23:00:00Z", "2027-10-31T00:30:00Z"),
    ],
)
def test_a_time_of_the_day_is_the_first_after_the_tick_by_its_zone(
    story: Story, start_by: str, cron: str, tick: str, limit: str
) -> None:
    due_ms = parse_instant_ms(tick)
    story.now_ms = due_ms - MINUTE_MS
    put(story, trigger={"cron": cron, "tz": "Europe/Berlin"}, expect={"start_by": start_by})
    at(story, due_ms)

    found = watches.get(story.store, 1)
    assert found is not None
    assert found.start_ms == parse_instant_ms(limit)


def test_of_what_has_no_tick_it_is_of_the_plan_date(story: Story) -> None:
    story.put(
        job("first"),
        job(trigger={"after": "first.succeeded"}, expect={"start_by": "07:00", "tz": "Europe/Berlin"}),
    )
    story.value(c.RunJob("default", "first", b"{}", story.now_ms), "run")
    story.settle()  # at 09:00

    assert told(story) == [("late_start", 2, False)]


# -- forecasts and durations -------------------------------------------------------------------------------


def test_what_will_not_end_in_time_is_told_before(story: Story) -> None:
    put(story, expect={"end_by": "30m"})
    took(story, 12 * MINUTE_MS)
    at(story, DUE_MS)

    assert at(story, DUE_MS + 18 * MINUTE_MS - 1) == []
    at(story, DUE_MS + 18 * MINUTE_MS)

    assert told(story) == [("at_risk", 4, True)]
    row = unmet.of_job(story.store, story.job().id)[0]
    assert (row.limit_ms, row.found, row.wanted) == (DUE_MS + 30 * MINUTE_MS, 12 * MINUTE_MS, 12 * MINUTE_MS)
    attempt = start(story)
    story.now_ms += 11 * MINUTE_MS
    story.finish(attempt)
    assert told(story) == [("at_risk", 4, False)]


def test_without_three_runs_nothing_is_forecast_and_no_share_is_told(story: Story) -> None:
    put(story, expect={"end_by": "30m", "duration": {"max": "110%", "min": "90%"}})
    took(story, 29 * MINUTE_MS, times=2)
    at(story, DUE_MS)
    attempt = start(story)
    at(story, DUE_MS + 29 * MINUTE_MS)
    story.finish(attempt)

    assert told(story) == []


def test_a_run_that_takes_too_long_is_told_while_it_goes_on(story: Story) -> None:
    put(story, expect={"duration": {"max": "200%"}})
    took(story, 2 * MINUTE_MS)
    at(story, DUE_MS)
    attempt = start(story)
    at(story, DUE_MS + 4 * MINUTE_MS)

    assert told(story) == [("long", 4, True)]
    story.finish(attempt)
    assert told(story) == [("long", 4, False)]


def test_a_run_that_ends_too_soon_is_told_if_it_succeeded(story: Story) -> None:
    put(story, expect={"duration": {"min": "1m"}})
    at(story, DUE_MS)
    story.finish(start(story))
    assert told(story) == [("short", 1, False)]
    at(story, DUE_MS + HOUR_MS)
    story.finish(start(story), exit_code=1)
    assert told(story) == [("short", 1, False)]


def test_what_a_run_is_to_do_is_that_of_its_revision(story: Story) -> None:
    put(story, expect={"end_by": "30m"})
    at(story, DUE_MS)
    put(story)

    at(story, DUE_MS + 30 * MINUTE_MS)
    assert told(story) == [("late_end", 1, True)]


# -- output ------------------------------------------------------------------------------------------------


def test_a_silent_attempt_is_told_once_a_silence(story: Story) -> None:
    put(story, expect={"output_within": "10m"})
    at(story, DUE_MS)
    attempt = start(story)
    story.tell_ok(c.ReportRunning(attempt, 1, story.now_ms))
    since_ms = story.now_ms
    story.now_ms += 10 * MINUTE_MS
    for _ in range(2):
        story.tell_ok(c.ReportSilence(attempt, 1, since_ms, True))
    assert told(story) == [("stalled", 1, True)]

    story.tell_ok(c.ReportSilence(attempt, 1, story.now_ms, False))
    assert told(story) == [("stalled", 1, False)]
    story.tell_ok(c.ReportSilence(attempt, 1, since_ms, True))  # late: of the former silence
    assert told(story) == [("stalled", 1, False)]
    story.tell_ok(c.ReportSilence(attempt, 1, since_ms + HOUR_MS, True))
    assert len(story.told(e.ExpectationUnmet)) == 1
    assert told(story) == [("stalled", 1, True)]

    story.finish(attempt)
    assert told(story) == [("stalled", 1, False)]
    assert story.one(c.ReportSilence(attempt, 1, since_ms, True)).code == Code.SUPERSEDED


def test_another_agent_tells_nothing_of_it(story: Story) -> None:
    put(story, expect={"output_within": "10m"})
    at(story, DUE_MS)
    attempt = start(story)
    story.tell_ok(c.ReportRunning(attempt, 1, story.now_ms))

    assert story.one(c.ReportSilence(attempt, 2, story.now_ms, True)).code == Code.SUPERSEDED
    assert told(story) == []


# -- so many in each period --------------------------------------------------------------------------------


def period(story: Story) -> tuple[int, int, int]:
    row = periods.get(story.store, story.job().id)
    assert row is not None
    return row.from_ms - START_MS, row.until_ms - START_MS, row.met


def test_a_period_without_a_success_is_told_though_nothing_fired(story: Story) -> None:
    story.now_ms = START_MS + MINUTE_MS
    put(story, trigger=None, expect={"at_least": {"n": 2, "per": "1h"}})
    assert period(story) == (HOUR_MS, 2 * HOUR_MS, 0)  # the first whole one
    took(story, MINUTE_MS, times=1)
    assert period(story)[2] == 0
    assert at(story, START_MS + HOUR_MS) == []
    assert wake_ms(story.store) == START_MS + 2 * HOUR_MS
    took(story, MINUTE_MS, times=1)

    commands = at(story, START_MS + 2 * HOUR_MS)

    assert [type(each) for each in commands] == [c.JudgePeriod]
    assert told(story) == [("too_few", 0, True)]
    row = unmet.of_job(story.store, story.job().id)[0]
    assert (row.part, row.limit_ms) == (START_MS + HOUR_MS, START_MS + 2 * HOUR_MS)
    assert (row.found, row.wanted) == (1, 2)
    assert story.one(commands[0]).code == Code.SUPERSEDED
    took(story, MINUTE_MS, times=2)
    assert told(story) == [("too_few", 0, False)]
    at(story, START_MS + 3 * HOUR_MS)
    assert told(story) == [("too_few", 0, False)]


def test_a_success_counts_for_the_period_that_it_falls_into_whoever_judged_it(story: Story) -> None:
    put(story, trigger=None, expect={"at_least": {"per": "1h"}})
    story.now_ms = START_MS + 2 * HOUR_MS - 1_000
    took(story, 2_000, times=1)  # it ends after the first period is over, which nobody judged yet

    assert told(story) == [("too_few", 0, False)]
    assert period(story) == (2 * HOUR_MS, 3 * HOUR_MS, 1)


def test_of_periods_without_a_leader_one_is_told(story: Story) -> None:
    put(story, trigger=None, expect={"at_least": {"per": "1h"}})
    story.now_ms = START_MS + HOUR_MS + MINUTE_MS
    took(story, MINUTE_MS, times=1)
    at(story, START_MS + 50 * HOUR_MS + MINUTE_MS)

    rows = unmet.of_job(story.store, story.job().id)
    assert [(row.part - START_MS, row.limit_ms - START_MS) for row in rows] == [(2 * HOUR_MS, 50 * HOUR_MS)]
    assert period(story)[:2] == (50 * HOUR_MS, 51 * HOUR_MS)


def test_a_day_is_a_plan_date_and_a_week_begins_on_monday(story: Story) -> None:
    put(story, trigger=None, expect={"at_least": {"per": "1d"}})
    assert period(story)[:2] == (16 * HOUR_MS, 40 * HOUR_MS)
    put(story, trigger=None, expect={"at_least": {"per": "7d"}})
    monday = 64 * HOUR_MS  # 2027-01-18
    assert period(story)[:2] == (monday, monday + 7 * DAY_MS)


def test_a_paused_job_owes_nothing(story: Story) -> None:
    put(story, trigger=None, expect={"at_least": {"per": "1h"}})
    story.tell_ok(c.PauseJob("default", "j"))
    at(story, START_MS + 2 * HOUR_MS)
    assert told(story) == []
    story.now_ms += MINUTE_MS
    story.tell_ok(c.ResumeJob("default", "j"))
    assert period(story)[:2] == (3 * HOUR_MS, 4 * HOUR_MS)
    at(story, START_MS + 3 * HOUR_MS)
    assert told(story) == []


def test_a_paused_namespace_owes_nothing(story: Story) -> None:
    put(story, trigger=None, expect={"at_least": {"per": "1h"}})
    story.now_ms += HOUR_MS
    story.tell_ok(c.Pause("default", "works", story.now_ms + MINUTE_MS))
    at(story, START_MS + 2 * HOUR_MS)
    assert told(story) == []
    at(story, START_MS + 3 * HOUR_MS)
    assert [row.part - START_MS for row in unmet.of_job(story.store, story.job().id)] == [2 * HOUR_MS]


def test_on_a_closed_date_nothing_is_owed(story: Story) -> None:
    put(story, trigger=None, expect={"at_least": {"per": "1d"}})
    day = START_MS // DAY_MS + 1
    story.tell_ok(c.ClosePlan("default", day, "holiday"))
    at(story, START_MS + 40 * HOUR_MS)
    assert told(story) == []


def test_a_disabled_or_deleted_job_owes_nothing(story: Story) -> None:
    put(story, trigger=None, expect={"at_least": {"per": "1h"}})
    at(story, START_MS + 2 * HOUR_MS)
    put(story, trigger=None, enabled=False, expect={"at_least": {"per": "1h"}})
    assert told(story) == [("too_few", 0, False)]
    assert periods.next_ms(story.store) is None
    put(story, trigger=None, expect={"at_least": {"per": "1h"}})
    story.tell_ok(c.DeleteJob("default", "j"))
    assert periods.next_ms(story.store) is None


# -- people, notices, and what is kept ---------------------------------------------------------------------


@pytest.mark.parametrize("deleted", ["ended", "running"])
def test_nobody_waits_for_a_run_of_a_deleted_job(story: Story, deleted: str) -> None:
    put(story, expect={"end_by": "30m"})
    story.now_ms = DUE_MS
    story.plan_and_apply()
    (attempt,) = story.attempts(1)
    assert story.claim(attempt.id).ok
    if deleted == "ended":
        story.finish(attempt.id, exit_code=1)
    story.tell_ok(c.DeleteJob("default", "j"))
    story.now_ms += HOUR_MS
    story.settle(exit_code=1)
    assert story.run(1).state == "failed"
    assert unmet.of_job(story.store, 1) == []
    assert watches.get(story.store, 1) is None


def test_who_acknowledged_it_is_not_told_of_the_same_again_until_then(story: Story) -> None:
    notify = [{"on": ["late", "too_few"], "webhook": "https://example.org/x"}]
    put(story, expect={"start_by": "10m"}, notify=notify, policies={"overlap": "allow"})
    story.disconnect(1)
    at(story, DUE_MS)
    at(story, DUE_MS + 10 * MINUTE_MS)
    assert story.store.value("SELECT count(*) FROM outbox") == 1
    until_ms = DUE_MS + 2 * HOUR_MS
    assert story.one(c.Acknowledge(7, until_ms)).code == Code.NOT_FOUND
    assert story.one(c.Acknowledge(1, story.now_ms)).code == Code.INVALID
    story.tell_ok(c.Acknowledge(1, until_ms, "the agent is being moved", c.Actor("ann")))

    at(story, DUE_MS + HOUR_MS)
    at(story, DUE_MS + HOUR_MS + 10 * MINUTE_MS)
    at(story, DUE_MS + 2 * HOUR_MS)
    at(story, DUE_MS + 2 * HOUR_MS + 10 * MINUTE_MS)

    rows = unmet.of_job(story.store, story.job().id)
    assert [(row.run, row.actor) for row in rows] == [(1, "ann"), (2, "ann"), (3, "")]
    assert story.store.value("SELECT count(*) FROM outbox") == 2


def test_of_a_job_the_newest_are_kept(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmet, "KEPT_MAX", 3)
    put(story, trigger=None, expect={"at_least": {"per": "1h"}})
    for hour in range(2, 8):
        at(story, START_MS + hour * HOUR_MS)
    rows = unmet.of_job(story.store, story.job().id)
    assert [row.part - START_MS for row in rows] == [hour * HOUR_MS for hour in (4, 5, 6)]


def test_what_is_told_of_a_run_goes_with_it(story: Story) -> None:
    put(story, expect={"start_by": "1m", "end_by": "30m"}, policies={"retention": {"runs": 1}})
    at(story, DUE_MS)
    story.now_ms = DUE_MS + 2 * MINUTE_MS
    story.finish(start(story), exit_code=1)
    assert told(story) == [("late_start", 1, False)]
    story.tell_ok(c.Purge(story.epoch, story.job().id, 1, 10))
    assert told(story) == []
    assert watches.get(story.store, 1) is None


def test_after_a_restore_what_is_expected_is_judged_once_by_the_clock_of_then(story: Story) -> None:
    put(story, expect={"start_by": "10m", "end_by": "2h"})
    at(story, DUE_MS)
    story.store.close()
    store = Store.open_alone(story.path)
    renew(store, Renewal("restore", "restored", 1, 10_000, False, b""))
    store.close()
    story.cluster, story.cache = "restored", type(story.cache)()
    story.open()
    story.lead()
    story.now_ms += 60 * MINUTE_MS
    for _ in range(4):  # what ends its run judges it too: then the next command is late
        story.tell(*story.plan())
        story.now_ms += 10_000

    assert [each for each, _, _ in told(story)].count("late_start") == 1
    story.reopen()
    story.lead()
    story.tell(*story.plan())
    assert [each for each, _, _ in told(story)].count("late_start") == 1
