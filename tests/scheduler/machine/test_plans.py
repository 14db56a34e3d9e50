"""Plan dates that are closed: what would fire for them is skipped, whoever leads and however late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.ticks import explain_instant
from scheduler.plan import wake_ms
from scheduler.store.tables import closed_dates, namespaces, results
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from scheduler.words.record import Actor
from tests.scheduler.machine import test_restores
from tests.scheduler.story import START_MS, Story, job

HOUR_MS = 3_600_000
TODAY = START_MS // 86_400_000
"""A Friday; it is 08:00 by UTC."""
MIDNIGHT_MS = (TODAY + 1) * 86_400_000


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def put(story: Story, name: str = "j", *, trigger: Any = None, **policies: Any) -> None:
    story.put(job(name, trigger=trigger or {"every": "1h", "id": "t"}, policies=policies))


def close(story: Story, day: int = TODAY, reason: str = "bank holiday") -> None:
    story.tell_ok(c.ClosePlan("default", day, reason, Actor("ann")))


def by_hour(story: Story) -> dict[int, tuple[str, str]]:
    return {
        at // 3_600 + place: (outcome, reason)
        for at, count, outcome, reason in story.ledger()
        for place in range(count)
    }


def pass_hours(story: Story, hours: int) -> None:
    for _ in range(hours):
        story.now_ms += HOUR_MS
        story.settle()


def sound(story: Story) -> None:
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []


def test_a_closed_date_skips_its_ticks_until_it_is_opened(story: Story) -> None:
    put(story, overlap="allow")
    pass_hours(story, 1)
    close(story)
    assert story.events == [e.PlanClosed("default", TODAY, "bank holiday", "ann")]
    pass_hours(story, 2)
    story.tell_ok(c.OpenPlan("default", TODAY))
    assert story.events == [e.PlanOpened("default", TODAY, "")]
    pass_hours(story, 1)

    skipped = ("skipped", "plan_closed")
    assert by_hour(story) == {1: ("ran", ""), 2: skipped, 3: skipped, 4: ("ran", "")}
    sound(story)


def test_it_ends_with_its_date_which_is_that_of_the_namespace(story: Story) -> None:
    pieces = ((MIDNIGHT_MS - 86_400_000 + 10 * HOUR_MS, TODAY),)  # dates begin at ten
    story.tell_ok(
        c.PutNamespace("default", b"{}", plan_tz="UTC", plan_begin="10:00", plan_days=pieces)
    )
    put(story, overlap="allow")
    close(story, TODAY - 1)
    pass_hours(story, 3)

    assert by_hour(story) == {1: ("skipped", "plan_closed"), 2: ("ran", ""), 3: ("ran", "")}
    sound(story)


@pytest.mark.parametrize("mode", ["latest", "all", "none"])
def test_of_missed_ticks_those_of_a_closed_date_are_skipped_by_the_next_leader(
    story: Story, mode: str
) -> None:
    put(story, overlap="allow", catchup={"mode": mode, "grace": "10s", "max": 3})
    close(story)
    story.now_ms = MIDNIGHT_MS + 2 * HOUR_MS + 60_000  # nobody led
    story.lead()
    for _ in range(5):
        story.settle()

    told = by_hour(story)
    assert {told[hour] for hour in range(1, 16)} == {("skipped", "plan_closed")}
    ran = {"latest": [18], "all": [16, 17, 18], "none": []}[mode]
    assert [at for at, (outcome, _) in sorted(told.items()) if outcome == "ran"] == ran
    sound(story)


def test_a_leader_that_planned_before_it_was_closed_fires_nothing(story: Story) -> None:
    put(story)
    trigger, story.now_ms = story.triggers()[0], START_MS + HOUR_MS
    planned = story.plan()
    close(story)
    story.tell(*planned)

    assert any(isinstance(each, c.Fire) and each.trigger == trigger.id for each in planned)
    assert by_hour(story) == {1: ("skipped", "plan_closed")}
    assert story.runs() == []


def test_runs_of_people_are_refused_unless_they_say_so(story: Story) -> None:
    put(story)
    close(story)

    refused = story.one(c.RunJob("default", "j", b"{}", story.now_ms))
    other = story.one(c.RunJob("default", "j", b"{}", story.now_ms, plan_day=TODAY + 1))
    meant = story.one(c.RunJob("default", "j", b"{}", story.now_ms, closed=True))

    assert (refused.code, refused.detail) == (Code.CONFLICT, "plan date 2027-01-15 is closed: bank holiday")
    assert other.ok
    assert meant.ok


def test_what_an_end_fires_for_it_is_skipped_and_consumes_nothing(story: Story) -> None:
    put(story, "a")
    put(story, "b", trigger={"after": "a.succeeded", "id": "t"})
    story.tell_ok(c.RunJob("default", "a", b"{}", story.now_ms))
    close(story)
    story.settle()

    assert [each[2:] for each in story.ledger()] == [("skipped", "plan_closed")]
    assert len(results.of(story.store, story.triggers("b")[0].id)) == 1
    sound(story)


def test_explain_says_who_closed_it_and_why(story: Story) -> None:
    put(story)
    close(story)
    cluster = Cluster(story.now_ms, "node-a", True)

    (told,) = explain_instant(story.store, [1], START_MS + HOUR_MS, cluster, story.compiled).ticks
    closed = [each for each in told.gates if each.state != "ready" and each.gate != "time"]
    pass_hours(story, 1)
    (after,) = explain_instant(story.store, [1], START_MS + HOUR_MS, cluster, story.compiled).ticks

    assert [(each.gate, each.reason, each.outcome) for each in closed] == [
        ("plan_closed", "plan date 2027-01-15 is closed by ann: bank holiday", "skipped(plan_closed)"),
    ]  # fmt: skip
    assert after.said == "its plan date was closed"


def test_what_is_no_date_or_namespace_is_refused(story: Story) -> None:
    put(story)

    assert story.one(c.ClosePlan("default", -1, "why")).code == Code.INVALID
    assert story.one(c.ClosePlan("default", TODAY, "")).code == Code.INVALID
    assert story.one(c.ClosePlan("nobody", TODAY, "why")).code == Code.NOT_FOUND
    assert story.one(c.OpenPlan("nobody", TODAY)).code == Code.NOT_FOUND
    assert story.one(c.OpenPlan("default", TODAY)).ok  # it is open
    assert not story.machine.state.closed_dates


def test_of_very_many_closed_dates_the_oldest_that_is_over_is_forgotten_and_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_dates, "KEPT_MAX", 3)
    put(story)
    for day in range(TODAY - 2, TODAY + 3):
        close(story, day)
    closed = frozenset(range(TODAY, TODAY + 3))
    assert closed_dates.of(story.store, "default").days == closed

    for day in (TODAY + 3, TODAY - 1):  # today would be open again; the other would not be closed
        assert story.one(c.ClosePlan("default", day, "why")).code == Code.LIMIT
    close(story, TODAY)  # it is closed: it gets another reason
    assert closed_dates.of(story.store, "default").days == closed


# -- dates that close by themselves ------------------------------------------------------------------------


def auto_close(story: Story, after_ms: int | None = 2 * HOUR_MS, **plan: Any) -> None:
    story.tell_ok(c.PutNamespace("default", b"%d" % story.seq, close_after_ms=after_ms, **plan))


def closed_text(story: Story, day: int) -> str | None:
    row = closed_dates.get(story.store, "default", day)
    return None if row is None else row.reason


def test_a_date_closes_by_itself_so_long_after_its_end(story: Story) -> None:
    put(story, catchup={"mode": "all", "window": "2d", "max": 100}, overlap="allow")
    auto_close(story)
    assert story.events[-1] == e.PlanDatesClosed("default", TODAY - 1)  # it is eight: that ended long ago
    assert (closed_text(story, TODAY), closed_text(story, TODAY - 1)) == (None, closed_dates.BY_ITSELF)
    assert closed_text(story, 3) == closed_dates.BY_ITSELF

    story.now_ms = MIDNIGHT_MS + 2 * HOUR_MS - 1
    story.plan_and_apply()
    assert closed_text(story, TODAY) is None
    story.tell_ok(c.PauseJob("default", "j"))
    assert wake_ms(story.store) == MIDNIGHT_MS + 2 * HOUR_MS
    story.now_ms += 1
    story.settle()
    assert closed_text(story, TODAY) == closed_dates.BY_ITSELF
    refused = story.one(c.RunJob("default", "j", b"{}", story.now_ms, plan_day=TODAY))
    assert refused.detail == "plan date 2027-01-15 is closed: by itself (plan.auto_close)"
    sound(story)


def test_what_is_late_for_a_date_that_closed_meanwhile_is_skipped_by_the_next_leader(story: Story) -> None:
    put(story, catchup={"mode": "all", "window": "5d", "max": 100}, overlap="allow")
    auto_close(story)
    story.now_ms = MIDNIGHT_MS + 26 * HOUR_MS + 60_000  # nobody led for a day and more
    story.lead()
    for _ in range(40):
        story.settle()

    told = by_hour(story)
    assert {told[hour] for hour in range(1, 16)} == {("skipped", "plan_closed")}  # of the first date
    assert {told[hour] for hour in range(16, 40)} == {("skipped", "plan_closed")}  # of the second
    assert {told[hour] for hour in range(40, 43)} == {("ran", "")}
    sound(story)


def test_one_that_a_person_opens_stays_open_and_one_that_he_closed_keeps_his_reason(story: Story) -> None:
    put(story)
    close(story, TODAY - 1, "bank holiday")
    auto_close(story)
    story.tell_ok(c.OpenPlan("default", TODAY - 2, Actor("ann")))
    assert [closed_text(story, TODAY - back) for back in (1, 2, 3)] == [
        "bank holiday", None, closed_dates.BY_ITSELF,
    ]  # fmt: skip
    story.now_ms = MIDNIGHT_MS + 3 * HOUR_MS
    story.settle()
    assert closed_text(story, TODAY - 2) is None
    close(story, TODAY - 2, "done now")
    story.tell_ok(c.OpenPlan("default", TODAY - 1))
    assert [closed_text(story, TODAY - back) for back in (0, 1, 2)] == [
        closed_dates.BY_ITSELF, None, "done now",
    ]  # fmt: skip


def test_what_has_closed_stays_so_when_the_namespace_says_otherwise(story: Story) -> None:
    put(story)
    auto_close(story)
    auto_close(story, 72 * HOUR_MS)
    assert closed_text(story, TODAY - 1) == closed_dates.BY_ITSELF
    auto_close(story, None)
    story.now_ms = MIDNIGHT_MS + 100 * HOUR_MS
    assert not [each for each in story.plan() if isinstance(each, c.CloseDates)]
    story.settle()
    assert (closed_text(story, TODAY), closed_text(story, TODAY - 1)) == (None, closed_dates.BY_ITSELF)
    auto_close(story)
    assert closed_text(story, TODAY) == closed_dates.BY_ITSELF


def test_its_end_is_that_of_the_namespaces_own_dates_also_when_they_come_to_be_others(story: Story) -> None:
    put(story)
    ten = {"plan_tz": "UTC", "plan_begin": "10:00", "plan_days": ((MIDNIGHT_MS - 14 * HOUR_MS, TODAY),)}
    auto_close(story, 1 * HOUR_MS, **ten)  # it is eight: yesterday's ends at ten
    assert (closed_text(story, TODAY - 1), closed_text(story, TODAY - 2)) == (None, closed_dates.BY_ITSELF)
    later = ((MIDNIGHT_MS - 12 * HOUR_MS, TODAY),)
    namespaces.plan(story.store, "UTC", "10:00", later)  # as a Retime does
    story.now_ms = MIDNIGHT_MS - 13 * HOUR_MS
    story.settle()
    assert closed_text(story, TODAY - 1) is None  # that was too early by the new ones
    story.now_ms = MIDNIGHT_MS - 11 * HOUR_MS
    story.settle()
    assert closed_text(story, TODAY - 1) == closed_dates.BY_ITSELF


def test_commands_that_come_too_early_too_late_or_for_nobody_are_refused(story: Story) -> None:
    put(story)
    assert story.one(c.CloseDates(story.epoch, "default", 0)).code == Code.SUPERSEDED
    auto_close(story)
    for at_ms in (story.now_ms, MIDNIGHT_MS + 2 * HOUR_MS):
        assert story.one(c.CloseDates(story.epoch, "default", at_ms)).code == Code.SUPERSEDED
    assert story.one(c.PutNamespace("default", b"{}", close_after_ms=-1)).code == Code.INVALID


def test_nothing_closes_while_a_restore_waits_for_what_ran(story: Story) -> None:
    put(story)
    auto_close(story)
    test_restores.restore(story, lead=True)
    story.now_ms = MIDNIGHT_MS + 3 * HOUR_MS
    assert not [each for each in story.plan() if isinstance(each, c.CloseDates)]
