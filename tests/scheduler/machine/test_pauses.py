"""A pause of everything, or of a namespace: nothing new starts, what runs goes on, nothing is made up for."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.model.quantities import format_instant
from scheduler.plan import wake_ms
from scheduler.store.tables import job_pauses, pauses
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

EVERY_10_S = {"every": "10s"}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def pause(story: Story, namespace: str = "", until_ms: int | None = None) -> None:
    story.tell_ok(c.Pause(namespace, "the database is moved", until_ms, c.Actor("ann")))


def resume(story: Story, namespace: str = "") -> None:
    story.tell_ok(c.Resume(namespace, c.Actor("ann")))


def start(story: Story, name: str = "j", namespace: str = "default") -> int:
    return int(story.value(c.RunJob(namespace, name, b"{}", story.now_ms), "run"))


def later(story: Story, seconds: int) -> None:
    story.now_ms += seconds * 1_000
    story.settle()


def test_ticks_are_skipped_and_never_made_up_for(story: Story) -> None:
    story.put(job(trigger=EVERY_10_S))
    story.connect()
    later(story, 10)
    pause(story)
    later(story, 10)
    later(story, 10)
    resume(story)
    later(story, 10)

    assert story.ledger() == [
        (10, 1, "ran", ""), (20, 1, "skipped", "paused"), (30, 1, "skipped", "paused"), (40, 1, "ran", ""),
    ]  # fmt: skip
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).ok


@pytest.mark.parametrize("mode", ["latest", "all", "none"])
def test_what_came_due_in_a_pause_that_nobody_led_through_is_skipped(story: Story, mode: str) -> None:
    policies = {"catchup": {"mode": mode, "grace": "1s"}, "overlap": "allow"}
    story.put(job(trigger=EVERY_10_S, policies=policies))
    story.connect()
    later(story, 15)
    pause(story)
    story.now_ms += 30_000
    resume(story)
    later(story, 20)

    outcomes = [(each[0], each[2], each[3]) for each in story.ledger()]
    assert ("skipped", "paused") in [each[1:] for each in outcomes]
    assert {at for at, outcome, _ in outcomes if outcome == "skipped"} <= {20, 30, 40}
    skipped = sum(each[1] for each in story.ledger() if each[2] == "skipped")
    assert skipped == 3
    ran = {at for at, outcome, _ in outcomes if outcome == "ran"}
    assert ran.isdisjoint({20, 30, 40})
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).ok


def test_nothing_new_starts_and_what_runs_comes_to_its_end(story: Story) -> None:
    story.put(job(tasks={"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}), job("k"))
    story.connect()
    run = start(story)
    story.plan_and_apply()
    pause(story)
    story.settle()
    other = start(story, "k")
    story.settle()

    assert story.tasks(run) == {"a": "succeeded", "b": "queued"}
    assert story.tasks(other) == {"main": "queued"}
    assert story.run(other).state == "pending"

    resume(story)
    assert any(isinstance(event, e.Resumed) for event in story.events)
    story.settle()
    assert story.run(run).state == story.run(other).state == "succeeded"


def test_an_agent_that_was_named_with_the_run_does_not_get_it(story: Story) -> None:
    story.put(job())
    agent = story.connect()
    pause(story)

    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, agent=agent), "run"))
    task = story.store.value("SELECT id FROM tasks WHERE run = ?", (run,))

    assert story.tasks(run) == {"main": "queued"}
    assert story.one(c.Place(story.epoch, task, agent)).code == Code.NOT_CONNECTED


def test_a_pause_of_a_namespace_leaves_the_others_alone(story: Story) -> None:
    story.put(job(trigger=EVERY_10_S), job("k", namespace="kitchen", trigger=EVERY_10_S))
    story.connect()
    pause(story, "kitchen")
    waits = start(story, "k", "kitchen")
    later(story, 10)

    assert story.ledger() == [(10, 1, "skipped", "paused"), (10, 1, "ran", "")] or story.ledger() == [
        (10, 1, "ran", ""), (10, 1, "skipped", "paused"),
    ]  # fmt: skip
    assert story.tasks(waits) == {"main": "queued"}

    resume(story, "kitchen")
    later(story, 10)
    assert story.run(waits).state == "succeeded"


def test_it_ends_by_itself_at_its_end(story: Story) -> None:
    story.put(job(trigger=EVERY_10_S))
    story.connect()
    pause(story, until_ms=START_MS + 25_000)
    waits = start(story)
    later(story, 10)
    assert wake_ms(story.store) == START_MS + 20_000
    later(story, 10)
    assert wake_ms(story.store) == START_MS + 25_000

    later(story, 5)

    assert story.run(waits).state == "succeeded"
    assert pauses.standing(story.store) == []
    assert story.machine.state.paused_through_ms == START_MS + 25_000
    later(story, 5)
    assert story.ledger()[-1] == (30, 1, "ran", "")


def test_a_tick_after_the_end_fires_though_nobody_has_ended_the_pause(story: Story) -> None:
    story.put(job(trigger=EVERY_10_S))
    story.connect()
    pause(story, until_ms=START_MS + 15_000)
    story.now_ms += 20_000
    story.settle()

    assert [(each[0], each[2]) for each in story.ledger()] == [(10, "skipped"), (20, "ran")]


def test_a_second_pause_gives_a_standing_one_its_reason_and_end(story: Story) -> None:
    pause(story)
    story.now_ms += 5_000
    story.tell_ok(c.Pause("", "still", START_MS + 60_000, c.Actor("bob")))

    (standing,) = pauses.standing(story.store)
    assert (standing.since_ms, standing.until_ms, standing.reason) == (START_MS, START_MS + 60_000, "still")


def test_a_start_deadline_stands_still(story: Story) -> None:
    story.put(job(policies={"start_deadline": "10s"}))
    run = start(story)
    story.now_ms += 4_000
    pause(story)
    story.now_ms += 60_000
    assert story.plan() == []
    resume(story)

    story.plan_and_apply()
    assert (story.run(run).state, story.run(run).deadline_ms) == ("pending", START_MS + 70_000)
    assert wake_ms(story.store) == START_MS + 70_000

    story.now_ms = START_MS + 70_000
    story.plan_and_apply()
    assert story.run(run).state == "expired"


def test_what_cannot_be_a_pause_is_refused(story: Story) -> None:
    assert story.one(c.Pause("", "")).code == Code.INVALID
    assert story.one(c.Pause("", "x" * 501)).code == Code.INVALID
    assert story.one(c.Pause("", "late", START_MS)).code == Code.INVALID
    assert story.one(c.Pause("nobody", "why")).code == Code.NOT_FOUND
    assert story.one(c.Resume("")).ok
    assert story.one(c.EndPause(story.epoch, "", START_MS)).code == Code.SUPERSEDED
    pause(story, until_ms=START_MS + 1_000)
    assert story.one(c.EndPause(story.epoch, "", START_MS)).code == Code.SUPERSEDED


def test_of_pauses_that_are_over_the_latest_are_kept(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "KEPT_MAX", 3)
    for _ in range(6):
        pause(story)
        story.now_ms += 1_000
        resume(story)
        story.now_ms += 1_000
    pause(story)

    assert story.store.value("SELECT count(*) FROM pauses") == 4
    assert story.machine.state.paused_through_ms == pauses.NEVER_MS
    resume(story)
    assert story.machine.state.paused_through_ms == story.now_ms


def test_the_time_that_pauses_kept_back_is_counted_once(story: Story) -> None:
    story.put(job())
    pause(story)
    story.now_ms += 10_000
    pause(story, "default")
    story.now_ms += 10_000
    resume(story)
    story.now_ms += 10_000
    resume(story, "default")
    story.now_ms += 10_000

    assert pauses.kept_back_ms(story.store, "default", START_MS + 5_000, story.now_ms) == 25_000
    assert pauses.kept_back_ms(story.store, "other", START_MS, story.now_ms) == 20_000
    assert pauses.kept_back_ms(story.store, "default", story.now_ms - 5_000, story.now_ms) == 0


def paused_until(story: Story, until_ms: int | None, reason: str = "stocktaking") -> None:
    story.tell_ok(c.PauseJob("default", "j", c.Actor("ann"), reason, until_ms))


def test_a_pause_of_a_job_ends_by_itself_and_loses_no_tick_behind_its_end(story: Story) -> None:
    story.put(job(trigger={"every": "10s", "id": "t"}, policies={"overlap": "allow"}))
    story.connect()
    until_ms = story.now_ms + 30_000
    paused_until(story, until_ms)
    assert story.job().pause_reason == f"paused by ann until {format_instant(until_ms)}: stocktaking"
    for _ in range(2):
        story.now_ms += 10_000
        story.plan_and_apply()
    story.reopen()
    story.now_ms += 20_000  # nobody leads at its end, and at the tick after it
    story.lead()
    for _ in range(5):
        story.tell(*story.plan())
    assert story.job().state == "active"
    assert [entry[0] for entry in story.ledger() if entry[2:] == ("skipped", "paused")] == [10, 20]
    ticks = story.store.rows("SELECT tick_ms FROM runs ORDER BY tick_ms")
    assert ticks == [(until_ms,), (until_ms + 10_000,)]
    assert job_pauses.next_ms(story.store) is None
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []


def test_a_pause_that_stands_gets_another_end_and_a_resume_takes_it_away(story: Story) -> None:
    story.put(job(trigger={"every": "10s", "id": "t"}))
    paused_until(story, story.now_ms + 30_000)
    paused_until(story, None, "for good")
    assert job_pauses.next_ms(story.store) is None
    assert story.job().pause_reason == "paused by ann: for good"
    paused_until(story, story.now_ms + 60_000)
    stale = c.EndJobPause(story.epoch, story.job().id, story.now_ms + 30_000)
    assert story.one(stale).code == Code.SUPERSEDED
    story.tell_ok(c.ResumeJob("default", "j"))
    assert job_pauses.next_ms(story.store) is None
    paused_until(story, story.now_ms + 60_000)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert job_pauses.next_ms(story.store) is None


def test_a_pause_of_a_job_that_would_be_over_is_refused(story: Story) -> None:
    story.put(job(trigger={"every": "10s", "id": "t"}))
    assert story.one(c.PauseJob("default", "j", until_ms=story.now_ms - 1)).code == Code.INVALID
    assert story.one(c.PauseJob("default", "j", reason="x" * 501)).code == Code.INVALID
