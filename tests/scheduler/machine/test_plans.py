"""Plan dates that are closed: what would fire for them is skipped, whoever leads and however late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.ticks import explain_instant
from scheduler.store.tables import closed_dates, results
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from scheduler.words.record import Actor
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
    assert closed_dates.of(story.store, "default") == closed

    for day in (TODAY + 3, TODAY - 1):  # today would be open again; the other would not be closed
        assert story.one(c.ClosePlan("default", day, "why")).code == Code.LIMIT
    close(story, TODAY)  # it is closed: it gets another reason
    assert closed_dates.of(story.store, "default") == closed
