"""Admission windows and blackouts: when runs of a job may start at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.runs import explain_run
from scheduler.explain.ticks import explain_instant
from scheduler.plan.planner import wake_ms
from scheduler.store.tables import run_waits
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

HOUR_MS = 3_600_000
NIGHT = {"windows": ["Mon-Fri 20:00-06:00"]}
"""START_MS is a Friday at 08:00 UTC: it opens twelve hours later."""
OPENS_MS = START_MS + 12 * HOUR_MS
ENDS_MS = OPENS_MS + 10 * HOUR_MS
HOURLY = {"every": "1h", "id": "t"}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def put(story: Story, *, trigger: Any = HOURLY, **policies: Any) -> None:
    story.put(job(trigger=trigger, policies=policies))


def run(story: Story, **fields: Any) -> int:
    made: int = story.value(c.RunJob("default", "j", b"{}", story.now_ms, **fields), "run")
    return made


def says(story: Story, number: int) -> list[tuple[str, str, int | None]]:
    cluster = Cluster(story.now_ms, "node-a", True)
    told = explain_run(story.store, story.run(number), cluster, story.compiled)
    return [(each.gate, each.reason, each.opens_ms) for each in told.gates if each.state != "ready"]


def by_hour(story: Story) -> dict[int, tuple[str, str]]:
    return {
        at // 3_600 + place: (outcome, reason)
        for at, count, outcome, reason in story.ledger()
        for place in range(count)
    }


def sound(story: Story) -> None:
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []


# -- blackouts ---------------------------------------------------------------------------------------------


def blackout(from_h: float, until_h: float, reason: str = "inventory") -> dict[str, str]:
    def text(hours: float) -> str:
        minutes = int(hours * 60)
        return f"2027-01-15T{8 + minutes // 60:02}:{minutes % 60:02}:00Z"

    return {"from": text(from_h), "until": text(until_h), "reason": reason}


def test_what_comes_due_in_a_blackout_is_skipped_and_a_person_may_run_it(story: Story) -> None:
    put(story, blackout=[blackout(1.5, 3)])
    for _ in range(4):
        story.now_ms += HOUR_MS
        story.settle()

    assert [(at // 3_600, outcome, reason) for at, _, outcome, reason in story.ledger()] == [
        (1, "ran", ""), (2, "skipped", "blackout"), (3, "ran", ""), (4, "ran", ""),
    ]  # fmt: skip
    sound(story)


def test_in_a_blackout_a_person_may_run_it(story: Story) -> None:
    put(story, blackout=[blackout(0, 3)])
    made = run(story)
    story.settle()

    assert story.run(made).state == "succeeded"


def test_what_is_late_does_not_start_in_a_blackout(story: Story) -> None:
    put(story, blackout=[blackout(1.01, 3)], catchup={"grace": "1h"})
    story.now_ms += HOUR_MS + 120_000  # due before it, and nobody led
    story.settle()

    assert story.ledger()[0][2:] == ("skipped", "blackout")
    sound(story)


@pytest.mark.parametrize("mode", ["latest", "all", "none"])
def test_of_missed_ticks_those_of_the_blackout_are_skipped(story: Story, mode: str) -> None:
    put(story, blackout=[blackout(1.5, 3.5)], catchup={"mode": mode, "grace": "10s"})
    story.now_ms += 5 * HOUR_MS + 60_000
    for _ in range(5):
        story.settle()

    told = by_hour(story)
    assert told[2] == told[3] == ("skipped", "blackout")
    ran = {"latest": [5], "all": [1, 4, 5], "none": []}[mode]
    assert [at for at, (outcome, _) in sorted(told.items()) if outcome == "ran"] == ran
    sound(story)


def test_a_blackout_stops_nothing_for_a_tick_that_it_skips(story: Story) -> None:
    put(story, blackout=[blackout(1, 3)], overlap="cancel_running")
    made = run(story)
    story.now_ms += HOUR_MS
    story.plan_and_apply()

    assert story.run(made).stopping == ""
    assert story.ledger()[-1][2:] == ("skipped", "blackout")


def test_a_tick_at_the_end_of_a_blackout_fires_though_it_is_decided_before(story: Story) -> None:
    put(story, blackout=[blackout(0, 1)])
    trigger = story.triggers()[0]
    story.now_ms += HOUR_MS - 50
    story.tell_ok(c.Fire(story.epoch, trigger.id, START_MS + HOUR_MS, START_MS + 2 * HOUR_MS))

    assert story.runs() == [("tick", "pending")]


# -- admission ---------------------------------------------------------------------------------------------


def test_a_run_waits_for_its_window_and_goes_on_when_that_opens(story: Story) -> None:
    put(story, trigger=None, admission=NIGHT)
    made = run(story)

    assert (story.run(made).waiting, story.tasks(made)) == (3, {"main": "blocked"})
    assert [each.until_ms for each in story.told(e.RunWaits)] == [OPENS_MS]
    assert says(story, made) == [
        ("admission", "outside of its admission windows: Mon-Fri 20:00-06:00 (UTC)", OPENS_MS)
    ]
    assert not story.plan_and_apply()
    assert wake_ms(story.store) == OPENS_MS, "time opens it"
    story.now_ms = OPENS_MS - 1
    assert not story.plan_and_apply()
    story.now_ms = OPENS_MS
    story.settle()
    assert story.run(made).state == "succeeded"
    assert run_waits.next_ms(story.store) is None


def test_skip_takes_ticks_outside_and_lets_a_person_s_run_wait(story: Story) -> None:
    put(story, admission={**NIGHT, "outside": "skip"})
    for _ in range(13):
        story.now_ms += HOUR_MS
        story.settle()

    told = [(at // 3_600, outcome, reason) for at, _, outcome, reason in story.ledger()]
    assert told[:11] == [(hour, "skipped", "admission") for hour in range(1, 12)]
    assert told[11:] == [(12, "ran", ""), (13, "ran", "")]
    story.now_ms = ENDS_MS
    assert story.run(run(story)).waiting == 3
    sound(story)


def test_missed_ticks_outside_are_skipped_and_those_inside_caught_up(story: Story) -> None:
    put(story, admission={**NIGHT, "outside": "skip"}, catchup={"mode": "all", "grace": "10s"})
    story.now_ms = OPENS_MS + 2 * HOUR_MS + 60_000
    for _ in range(5):
        story.settle()

    told = by_hour(story)
    assert {hour for hour, each in told.items() if each == ("skipped", "admission")} == set(range(1, 12))
    assert {hour for hour, each in told.items() if each == ("ran", "")} == {12, 13, 14}
    sound(story)


def test_a_window_goes_by_its_zone_and_the_data_in_force(story: Story) -> None:
    put(story, trigger=None, admission={**NIGHT, "tz": "Europe/Berlin"})
    run(story)

    assert story.machine.state.zones, "it names a zone, so zone data is in force"
    assert run_waits.next_ms(story.store) == OPENS_MS - HOUR_MS


def test_a_person_lets_a_run_pass(story: Story) -> None:
    put(story, trigger=None, admission={**NIGHT, "at_end": "terminate"}, overlap="allow")
    ignoring, made = run(story, ignore_admission=True), run(story)
    assert [story.run(each).waiting for each in (ignoring, made)] == [0, 3]
    story.tell_ok(c.ReleaseRun(made))

    assert story.tasks(made) == {"main": "queued"}
    story.now_ms = ENDS_MS
    assert not [each for each in story.plan() if isinstance(each, c.Rejudge)], "no window concerns them"


def test_what_has_not_started_at_the_end_waits_for_the_next_window(tmp_path: Path) -> None:
    story = Story(tmp_path / "state.db")
    story.lead()
    put(story, trigger=None, admission=NIGHT)
    story.now_ms = OPENS_MS
    made = run(story)
    assert story.tasks(made) == {"main": "queued"}, "there is no agent"
    story.now_ms = ENDS_MS
    story.settle()
    assert (story.run(made).waiting, story.tasks(made)) == (3, {"main": "blocked"})
    story.connect()
    story.settle()
    assert story.run(made).state == "pending"
    story.now_ms = OPENS_MS + 3 * 24 * HOUR_MS  # Monday
    story.settle()
    assert story.run(made).state == "succeeded"


def test_an_attempt_without_a_grant_is_taken_back_when_the_window_ends(story: Story) -> None:
    put(story, trigger=None, admission=NIGHT)
    story.now_ms = OPENS_MS
    made = run(story)
    story.plan_and_apply()
    (attempt,) = story.attempts(made)
    story.now_ms = ENDS_MS
    assert story.claim(attempt.id).detail == "its admission window has ended", "before the planner says so"
    story.plan_and_apply()

    assert story.attempts(made)[0].state == "revoked"
    assert story.claim(attempt.id).code == Code.REVOKED
    assert story.run(made).waiting == 3


@pytest.mark.parametrize(
    ("at_end", "states"),
    [("let_run", ("running", "running")), ("terminate", ("running", "cancelling"))],
)
def test_what_runs_when_its_window_ends_goes_on_or_is_stopped(
    story: Story, at_end: str, states: tuple[str, str]
) -> None:
    put(story, trigger=None, admission={**NIGHT, "at_end": at_end})
    story.now_ms = OPENS_MS
    made = run(story)
    story.plan_and_apply()
    (attempt,) = story.attempts(made)
    story.claim(attempt.id)
    story.tell_ok(c.ReportRunning(attempt.id, attempt.agent, story.now_ms))
    story.now_ms = ENDS_MS
    story.plan_and_apply()
    assert (story.run(made).state, story.attempts(made)[0].state) == states
    assert not [each for each in story.plan() if isinstance(each, c.Rejudge)]
    if at_end == "terminate":
        story.tell_ok(c.Finish(attempt.id, attempt.agent, OPENS_MS, ENDS_MS, None, "cancelled", 15))
        assert (story.run(made).state, story.run(made).reason) == ("timed_out", "admission")
    else:
        story.work()
        assert story.run(made).state == "succeeded"
    assert run_waits.next_ms(story.store) is None


def test_behind_another_run_a_run_waits_for_its_window_when_its_turn_comes(story: Story) -> None:
    put(story, admission=NIGHT, overlap="queue_one", trigger={"every": "6h", "id": "t"})
    story.now_ms = OPENS_MS - 6 * HOUR_MS
    story.settle()
    story.now_ms = OPENS_MS
    commands = story.plan()
    story.tell_ok(*[each for each in commands if isinstance(each, c.Fire)])
    assert [(row.waiting) for row in (story.run(1), story.run(2))] == [3, 1]
    story.now_ms = ENDS_MS
    story.tell_ok(c.CancelRun(1))
    assert story.run(2).waiting == 3, "its window has ended meanwhile"


def test_a_start_deadline_stands_still_while_it_waits(story: Story) -> None:
    put(story, trigger=None, admission=NIGHT, start_deadline="10m")
    story.disconnect(1)
    made = run(story)
    assert story.run(made).deadline_ms is None
    story.now_ms = OPENS_MS
    story.plan_and_apply()
    assert story.run(made).deadline_ms == OPENS_MS + 600_000
    story.now_ms += 600_000 - 1
    story.plan_and_apply()
    assert story.run(made).state == "pending"
    story.now_ms += 1
    story.settle()
    assert story.run(made).state == "expired"


def test_held_and_suspended_beside_it_count_once(story: Story) -> None:
    put(story, trigger=None, admission=NIGHT, start_deadline="10m", overlap="allow")
    story.disconnect(1)
    held, suspended = run(story, held=True), run(story)
    story.tell_ok(c.SuspendRun(suspended))
    story.now_ms += HOUR_MS
    story.tell_ok(c.ReleaseRun(held))
    assert (story.run(held).waiting, story.run(held).deadline_ms) == (3, None)
    story.now_ms = OPENS_MS + HOUR_MS
    story.plan_and_apply()
    assert story.run(suspended).deadline_ms is None, "a person keeps it back"
    assert story.run(held).deadline_ms == story.now_ms + 600_000
    story.now_ms += HOUR_MS
    story.tell_ok(c.ResumeRun(suspended))
    assert story.run(suspended).deadline_ms == story.now_ms + 600_000
    story.now_ms += 600_000
    story.settle()
    assert [story.run(each).state for each in (held, suspended)] == ["expired", "expired"]


def test_a_namespace_s_quota_is_asked_when_the_window_opens(story: Story) -> None:
    story.tell_ok(c.PutNamespace("default", b"{}", active_max=1))
    put(story, trigger=None, admission=NIGHT, overlap="allow")
    story.put(job("other"))
    runs = [run(story), run(story)]
    other = story.value(c.RunJob("default", "other", b"{}", story.now_ms), "run")
    assert story.run(other).waiting == 0, "who waits for a window is not active"
    story.now_ms = OPENS_MS
    story.plan_and_apply()
    assert [story.run(each).waiting for each in runs] == [2, 2]
    story.settle()
    assert [story.run(each).state for each in (*runs, other)] == ["succeeded"] * 3
    assert story.store.rows("SELECT active FROM counts WHERE active <> 0") == []


def test_who_waits_for_a_quota_waits_for_the_window_when_it_ends(story: Story) -> None:
    story.tell_ok(c.PutNamespace("default", b"{}", active_max=1))
    put(story, trigger=None, admission=NIGHT, overlap="allow")
    story.now_ms = OPENS_MS
    runs = [run(story), run(story)]
    assert [story.run(each).waiting for each in runs] == [0, 2]
    story.disconnect(1)
    story.now_ms = ENDS_MS
    story.settle()
    assert [story.run(each).waiting for each in runs] == [3, 3]
    assert story.store.rows("SELECT run FROM quota_waits") == []
    assert story.store.rows("SELECT active FROM counts WHERE active <> 0") == []


def test_a_run_that_is_cancelled_while_it_waits_leaves_nothing(story: Story) -> None:
    put(story, trigger=None, admission=NIGHT)
    made = run(story)
    story.tell_ok(c.CancelRun(made))
    story.settle()

    assert story.run(made).state == "cancelled"
    assert run_waits.next_ms(story.store) is None


def test_nobody_turns_a_run_whose_instant_has_not_come(story: Story) -> None:
    put(story, trigger=None, admission=NIGHT)
    made = run(story)

    assert story.one(c.Rejudge(story.epoch, made)).code == Code.SUPERSEDED
    assert story.one(c.Rejudge(story.epoch, 99)).code == Code.SUPERSEDED
    story.now_ms = OPENS_MS
    assert story.one(c.Rejudge(story.epoch - 1, made)).code != Code.OK, "of a leader that was deposed"


def test_a_coming_tick_is_explained_by_blackout_and_window(story: Story) -> None:
    put(story, admission={**NIGHT, "outside": "skip"}, blackout=[blackout(2, 3)])
    cluster = Cluster(story.now_ms, "node-a", True)

    def gates(hours: int) -> list[tuple[str, str]]:
        at_ms = START_MS + hours * HOUR_MS
        told = explain_instant(story.store, [story.job().id], at_ms, cluster, story.compiled)
        return [(each.gate, each.outcome) for each in told.ticks[0].gates if each.outcome]

    assert gates(1) == [("admission", "skipped(admission)")]
    assert gates(2) == [("blackout", "skipped(blackout)"), ("admission", "skipped(admission)")]
    assert gates(13) == []


def test_notices_wait_for_the_end_of_a_blackout(story: Story) -> None:
    story.apply({"board": "stock"})
    put(story, trigger={"notice": {"board": "stock"}}, blackout=[blackout(0, 2)])
    story.tell_ok(c.PostNotice("default", "stock", "k", 9 * HOUR_MS))
    story.settle()
    assert story.runs() == []
    story.now_ms += 2 * HOUR_MS
    story.settle()
    assert story.runs() == [("notice", "succeeded")]


# -- delays after failures ---------------------------------------------------------------------------------


def fail(story: Story) -> None:
    """Fire what is due, and let all of it fail."""
    story.settle(exit_code=1)


def test_after_so_many_failures_the_next_waits_and_a_success_ends_it(story: Story) -> None:
    put(story, trigger={"every": "10s", "id": "t"}, failures={2: "25s", 3: "1m"})
    story.now_ms += 10_000
    fail(story)
    story.now_ms += 10_000
    fail(story)  # after one: at once
    assert story.job().failures == 2
    story.now_ms += 10_000
    story.plan_and_apply()
    assert story.run(3).waiting == 3
    assert says(story, 3) == [("failures", "2 runs of its job failed in a row", START_MS + 45_000)]
    assert wake_ms(story.store) == START_MS + 40_000, "the next tick, which is skipped"
    story.now_ms += 15_000 - 1
    story.settle()
    assert story.run(3).waiting == 3
    story.now_ms += 1
    fail(story)
    assert (story.run(3).state, story.job().failures) == ("failed", 3)
    assert run_waits.next_ms(story.store) is None
    story.now_ms = START_MS + 50_000
    story.plan_and_apply()
    assert run_waits.next_ms(story.store) == START_MS + 45_000 + 60_000, "the next step"
    story.now_ms = START_MS + 105_000
    story.settle()
    assert story.job().failures == 0
    story.now_ms = START_MS + 110_000
    story.plan_and_apply()
    assert story.store.value("SELECT waiting FROM runs ORDER BY id DESC LIMIT 1") == 0
    sound(story)


def test_what_a_person_asks_for_waits_for_no_delay_and_a_release_ends_it(story: Story) -> None:
    put(story, trigger={"every": "10s", "id": "t"}, failures={1: "1h"}, overlap="allow")
    story.now_ms += 10_000
    fail(story)
    story.now_ms += 10_000
    story.plan_and_apply()
    assert [story.run(2).waiting, story.run(run(story)).waiting] == [3, 0]
    story.tell_ok(c.ReleaseRun(2))
    assert story.run(2).waiting == 0
    story.settle()
    assert story.run(2).state == "succeeded"


def test_the_last_step_pauses_the_job(story: Story) -> None:
    put(story, trigger={"every": "10s", "id": "t"}, failures={"2": "pause"})
    for _ in range(2):
        assert story.job().state == "active"
        story.now_ms += 10_000
        fail(story)

    assert (story.job().state, story.job().pause_reason) == ("paused", "failures")


def test_behind_a_run_that_fails_the_next_waits_its_delay(story: Story) -> None:
    put(
        story, trigger={"every": "10s", "id": "t"}, failures={1: "25s"}, overlap="queue_one",
        start_deadline="5s",
    )  # fmt: skip
    story.now_ms += 10_000
    story.plan_and_apply()
    story.claim(story.attempts(1)[0].id)
    story.now_ms += 10_000
    story.plan_and_apply()
    assert story.run(2).waiting == 1
    story.finish(story.attempts(1)[0].id, exit_code=1)
    assert (story.run(2).waiting, story.run(2).deadline_ms) == (3, None)
    story.now_ms += 25_000
    story.settle()
    assert story.run(2).state == "succeeded", "its start deadline stood still"
