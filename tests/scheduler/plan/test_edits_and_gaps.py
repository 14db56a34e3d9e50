"""Ticks of jobs that are edited while ticks are due, and `catchup: all`: planner and machine together."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from scheduler.plan import Limits, PlanCache, wake_ms
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
MINUTELY: dict[str, Any] = {"cron": "* * * * *", "id": "minutely"}
SKIP_ALL: dict[str, Any] = {"overlap": "skip", "catchup": {"mode": "all"}}


def agrees(story: Story) -> None:
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    assert verdict.overdue == 0


def outcomes(story: Story) -> dict[int, str]:
    """What became of each minute."""
    found: dict[int, str] = {}
    for first, last, outcome, reason in story.store.rows(
        "SELECT first_ms, last_ms, outcome, reason FROM ledger ORDER BY seq"
    ):
        for at_ms in range(first, last + 1, MINUTE_MS):
            assert at_ms not in found
            found[(at_ms - START_MS) // MINUTE_MS] = f"{outcome}({reason})" if reason else outcome
    return dict(sorted(found.items()))


# -- edits ----------------------------------------------------------------------------------------

EDITS: list[tuple[str, Any]] = [
    ("jitter", {**MINUTELY, "jitter": "51s"}),
    ("cron", {**MINUTELY, "cron": "*/5 * * * *", "jitter": "50s"}),
    ("zone", {**MINUTELY, "tz": "Europe/Berlin", "jitter": "50s"}),
    ("period", {"every": "1h", "id": "minutely"}),
    ("id", {**MINUTELY, "id": "another", "jitter": "50s"}),
    ("removed", None),
]


@pytest.mark.parametrize("edit", [row[1] for row in EDITS], ids=[row[0] for row in EDITS])
@pytest.mark.parametrize("fails_over", [False, True])
def test_a_tick_that_waits_for_its_jitter_runs_when_it_was_due_whatever_is_edited(
    story: Story, edit: Any, fails_over: bool
) -> None:
    story.connect()
    story.put(job(trigger={**MINUTELY, "jitter": "50s"}))
    jitter_ms = story.triggers()[0].jitter_ms
    assert jitter_ms > 2_000
    story.now_ms = START_MS + MINUTE_MS + 1_000
    story.settle()
    story.put(job(trigger=edit))
    if fails_over:
        story.lead()
        story.cache = PlanCache()
    story.settle()
    assert story.runs() == []
    waits_ms = wake_ms(story.store)
    assert waits_ms is not None
    assert waits_ms > story.now_ms, "nothing is planned again and again until then"
    story.now_ms = START_MS + MINUTE_MS + jitter_ms
    story.settle()
    assert outcomes(story) == {1: "ran"}
    (due_ms,) = story.store.rows("SELECT due_ms FROM runs WHERE cause = 'tick'")[0]
    assert due_ms == START_MS + MINUTE_MS + jitter_ms
    story.now_ms = START_MS + 10 * MINUTE_MS + 55_000
    story.settle()
    agrees(story)


def test_an_edit_fires_nothing_at_once_and_old_and_new_have_one_border(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"every": "7s", "id": "a"}), job("k", trigger={"every": "1h", "id": "a"}))
    story.settle()
    story.put(job(trigger={"every": "1s", "id": "a"}), job("k", trigger={"every": "1s", "id": "a"}))
    story.settle()
    assert story.runs() == []
    closed, new = story.triggers()
    assert (closed.until_ms, new.from_ms, new.until_ms) == (START_MS, START_MS, None)


@pytest.mark.parametrize("ahead_ms", [-900, -1, 0, 1, 900])
def test_no_instant_falls_between_two_eras_whatever_the_clock_of_the_editor(
    story: Story, ahead_ms: int
) -> None:
    """Both schedules have every tenth of a second; the editor's clock is not the leader's."""
    story.connect()
    policies = {"overlap": "allow"}
    story.put(job(trigger={"every": "100ms", "id": "a"}, policies=policies))
    for number in range(1, 9):
        story.now_ms += 450
        if number % 2:
            story.plan_and_apply()
        every = {"every": "100ms", "id": "a", "start": f"1970-01-01T00:00:0{number}Z"}
        story.put(job(trigger=every, policies=policies), after_ms=story.now_ms + ahead_ms)
    story.now_ms += 1_000
    story.settle()
    ran = [row[0] for row in story.store.rows("SELECT first_ms FROM ledger ORDER BY first_ms")]
    assert ran == list(range(START_MS + 100, story.now_ms + 1, 100))
    agrees(story)


def test_edits_back_and_forth_lose_and_double_nothing(story: Story) -> None:
    story.connect()
    seconds = {"cron": "* * * * * *", "id": "s"}
    policies = {"overlap": "allow"}
    rng = random.Random(6)
    story.put(job(trigger=seconds, policies=policies))
    jitter_ms = 0
    for _ in range(120):
        story.now_ms += rng.choice((0, 10, 300, 1_700))
        if rng.random() < 0.4:
            story.plan_and_apply()
        jitter = rng.choice(("1s", "3s", "5s", None))
        trigger = seconds if jitter is None else {**seconds, "jitter": jitter}
        story.put(job(trigger=trigger, policies=policies), after_ms=story.now_ms + rng.randrange(-300, 300))
        jitter_ms = max(jitter_ms, story.triggers()[-1].jitter_ms)
        if rng.random() < 0.05:
            story.lead()
    last_ms = story.now_ms
    story.now_ms += jitter_ms + 1_000
    story.settle()
    ran = [row[0] for row in story.store.rows("SELECT first_ms FROM ledger WHERE outcome = 'ran' ORDER BY 1")]
    due = list(range(START_MS + 1_000, last_ms - last_ms % 1_000 + 1, 1_000))
    assert [at_ms for at_ms in ran if at_ms <= last_ms] == due
    agrees(story)


def test_what_was_missed_before_an_edit_is_caught_up_as_the_job_says_now(story: Story) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY))
    story.now_ms = START_MS + 10 * MINUTE_MS + 30_000
    story.put(job(trigger={**MINUTELY, "dst": "skip"}, policies={"catchup": {"mode": "none"}}))
    story.settle()
    assert set(list(outcomes(story).values())[:9]) == {"missed(window)"}
    agrees(story)


def test_a_pause_or_deletion_after_an_edit_skips_what_was_left_of_the_era_before(story: Story) -> None:
    story.connect()
    for name in ("paused", "gone"):
        story.put(job(name, trigger={**MINUTELY, "jitter": "50s"}))
    story.now_ms = START_MS + MINUTE_MS + 500
    for name in ("paused", "gone"):
        story.put(job(name, trigger={**MINUTELY, "jitter": "40s"}))
    story.tell_ok(c.PauseJob("default", "paused"), c.DeleteJob("default", "gone"))
    story.now_ms = START_MS + MINUTE_MS + 59_000
    story.tell_ok(c.ResumeJob("default", "paused"))
    story.settle()
    assert story.runs() == []
    assert sorted(entry[3] for entry in story.ledger()) == ["cancelled", "paused"]
    agrees(story)


# -- catchup: all ---------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all", "cancel_running", "allow"])
def test_each_missed_tick_runs_whatever_the_overlap_says(story: Story, overlap: str) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies={**SKIP_ALL, "overlap": overlap}))
    story.now_ms = START_MS + 4 * MINUTE_MS + 30_000
    story.settle()
    assert outcomes(story) == dict.fromkeys((1, 2, 3, 4), "ran")
    assert sorted(story.runs()) == [("catchup", "succeeded")] * 3 + [("tick", "succeeded")]
    agrees(story)


def test_missed_ticks_wait_as_one_range_and_run_one_at_a_time_oldest_first(story: Story) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies=SKIP_ALL))
    story.now_ms = START_MS + 5 * MINUTE_MS + 30_000
    for _ in range(4):
        story.plan_and_apply()
    # The live one first; the others make no run while it is active.
    assert story.store.rows("SELECT cause, tick_ms FROM runs") == [("tick", START_MS + 5 * MINUTE_MS)]
    behind = story.store.rows("SELECT from_ms, until_ms, next_due_ms FROM triggers WHERE closed = 'behind'")
    assert behind == [(START_MS, START_MS + 4 * MINUTE_MS, START_MS + MINUTE_MS)]
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert (verdict.ok, verdict.undecided, verdict.overdue) == (True, 4, 0)
    assert story.plan() == [], "nothing asks again and again"
    for _ in range(30):
        story.work()
        assert story.store.value("SELECT count(*) FROM runs WHERE finished_ms IS NULL") <= 1
        story.plan_and_apply()
    ticks = [row[0] for row in story.store.rows("SELECT tick_ms FROM runs ORDER BY id")]
    assert ticks == [START_MS + number * MINUTE_MS for number in (5, 1, 2, 3, 4)]
    agrees(story)


@pytest.mark.parametrize("overlap", ["skip", "queue_one"])
def test_a_live_tick_queues_behind_a_run_that_catches_up(story: Story, overlap: str) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies={**SKIP_ALL, "overlap": overlap}))
    story.now_ms = START_MS + 2 * MINUTE_MS + 59_000
    story.settle()
    assert outcomes(story) == {1: "ran", 2: "ran"}
    story.put(job(trigger=MINUTELY, policies={**SKIP_ALL, "overlap": overlap}, description="gap"))
    story.now_ms = START_MS + 4 * MINUTE_MS + 30_000
    story.settle()
    story.now_ms = START_MS + 9 * MINUTE_MS + 58_000
    story.plan_and_apply()
    story.plan_and_apply()
    story.work()  # the live one ended
    story.plan_and_apply()
    (tick_ms, cause) = story.store.rows("SELECT tick_ms, cause FROM runs WHERE finished_ms IS NULL")[0]
    assert (tick_ms, cause) == (START_MS + 5 * MINUTE_MS, "catchup")
    # While it runs, two live ticks come: the first queues, the second is skipped by the first.
    story.now_ms = START_MS + 10 * MINUTE_MS
    story.plan_and_apply()
    story.now_ms = START_MS + 11 * MINUTE_MS
    story.plan_and_apply()
    queued = story.store.row("SELECT id, tick_ms FROM runs WHERE waiting = 1")
    assert queued is not None
    assert queued[1] == START_MS + 10 * MINUTE_MS
    assert story.store.rows("SELECT first_ms, reason, run FROM ledger WHERE outcome = 'skipped'") == [
        (START_MS + 11 * MINUTE_MS, "overlap", queued[0])
    ]
    story.settle()
    assert "missed" not in "".join(outcomes(story).values())
    agrees(story)


def test_a_person_s_run_holds_missed_ticks_up_and_loses_none(story: Story) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies=SKIP_ALL))
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    assert story.claim(1).ok
    story.now_ms = START_MS + 3 * MINUTE_MS + 30_000
    for _ in range(5):
        story.plan_and_apply()
    assert outcomes(story) == {3: "skipped(overlap)"}
    assert story.finish(1).ok
    story.settle()
    assert outcomes(story) == {1: "ran", 2: "ran", 3: "skipped(overlap)"}
    agrees(story)


def test_the_newest_max_within_the_window_are_kept_of_a_long_gap(story: Story) -> None:
    story.connect()
    catchup = {"mode": "all", "max": 40, "window": "6h"}
    story.put(job(trigger=MINUTELY, policies={"overlap": "skip", "catchup": catchup}))
    story.now_ms = START_MS + 100 * HOUR_MS + 30_000
    story.plan_and_apply(limits=Limits(backlog_instants=500))
    story.settle(limits=Limits(backlog_instants=500))
    counted: dict[tuple[str, str], int] = {}
    for _, count, outcome, reason in story.ledger():
        counted[outcome, reason] = counted.get((outcome, reason), 0) + count
    assert counted == {("missed", "window"): 5_640, ("missed", "buffer_full"): 319, ("ran", ""): 41}
    assert story.store.value("SELECT count(*) FROM ledger WHERE outcome <> 'ran'") < 30
    agrees(story)


def test_a_start_deadline_of_missed_ticks_counts_from_when_each_has_its_turn(story: Story) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies={**SKIP_ALL, "start_deadline": "2m"}))
    story.now_ms = START_MS + 4 * MINUTE_MS + 30_000
    story.plan_and_apply()
    for _ in range(12):
        story.plan_and_apply()
        story.work()
        story.now_ms += 20_000
    story.settle()
    assert "missed(deadline)" not in outcomes(story).values()
    agrees(story)


CHANGES: list[tuple[str, list[str], str]] = [
    ("paused", ["pause"], "skipped(paused)"),
    ("resumed", ["pause", "resume"], "skipped(paused)"),
    ("deleted", ["delete"], "skipped(cancelled)"),
    ("edited", ["edit"], "ran"),
    ("catchup none", ["none"], "missed(window)"),
    ("put again", ["delete", "edit"], "skipped(cancelled)"),
    ("failed over", ["lead"], "ran"),
]


@pytest.mark.parametrize(("acts", "said"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
@pytest.mark.parametrize("busy", [True, False])
def test_what_waits_to_be_caught_up_when_the_job_changes(
    story: Story, acts: list[str], said: str, busy: bool
) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies=SKIP_ALL))
    story.now_ms = START_MS + 5 * MINUTE_MS + 59_500
    story.plan_and_apply()
    if busy:
        story.plan_and_apply()  # the live tick has its run
    for act in acts:
        match act:
            case "pause":
                story.tell_ok(c.PauseJob("default", "j"))
            case "resume":
                story.tell_ok(c.ResumeJob("default", "j"))
            case "delete":
                story.tell_ok(c.DeleteJob("default", "j"))
            case "lead":
                story.lead()
                story.cache = PlanCache()
            case "none":
                story.put(job(trigger=MINUTELY, policies={"catchup": {"mode": "none"}}))
            case _:
                story.put(job(trigger={**MINUTELY, "dst": "skip"}, policies=SKIP_ALL))
    story.settle()
    found = outcomes(story)
    assert {found[minute] for minute in (1, 2, 3, 4)} == {said}
    agrees(story)


def held_up(story: Story, *outages: int, trigger: Any = MINUTELY, catchup: Any = None) -> None:
    """A person's run goes on while so many outages, each an hour long up to these hours, set gaps aside."""
    policies = {"overlap": "skip", "catchup": {"mode": "all", **(catchup or {})}}
    story.put(job(trigger=trigger, policies=policies))
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    assert story.claim(1).ok
    for hour in outages:
        story.now_ms = START_MS + hour * HOUR_MS + 30_000
        for _ in range(4):
            story.plan_and_apply()


def gaps(story: Story) -> int:
    count: int = story.store.value(
        "SELECT count(*) FROM triggers WHERE closed = 'behind' AND next_due_ms IS NOT NULL"
    )
    return count


def test_two_outages_leave_two_ranges_and_both_run(story: Story) -> None:
    story.connect()
    held_up(story, 1, 2, catchup={"max": 118})
    assert gaps(story) == 2
    assert story.finish(1).ok
    story.settle(rounds=2_000)
    said = outcomes(story)
    assert [minute for minute, outcome in said.items() if outcome != "ran"] == [60, 120]
    agrees(story)


@pytest.mark.parametrize("most", [1, 30, 59, 60, 117])
def test_of_several_gaps_together_the_newest_max_are_kept(story: Story, most: int) -> None:
    story.connect()
    held_up(story, 1, 2, 3, catchup={"max": most})
    assert gaps(story) == -(-most // 59)
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.undecided == most
    assert story.plan() == [], "nothing asks again and again"
    assert story.finish(1).ok
    story.settle(rounds=2_000)
    said = outcomes(story)
    live = {60, 120, 180}  # each met the person's run
    assert {said[minute] for minute in live} == {"skipped(overlap)"}
    missed = [minute for minute in range(1, 180) if minute not in live]
    assert {said[minute] for minute in missed[-most:]} == {"ran"}
    assert {said[minute] for minute in missed[:-most]} == {"missed(buffer_full)"}
    agrees(story)


def test_gaps_of_a_trigger_that_is_no_more_count_with_those_of_any(story: Story) -> None:
    story.connect()
    held_up(story, 1, catchup={"max": 70})
    policies = {"overlap": "skip", "catchup": {"mode": "all", "max": 70}}
    story.put(job(trigger={"cron": "*/2 * * * *", "id": "another"}, policies=policies))
    story.now_ms = START_MS + 2 * HOUR_MS + 30_000
    for _ in range(4):
        story.plan_and_apply()
    assert verify(story.store, 0, story.now_ms, now_ms=story.now_ms).undecided == 70
    agrees(story)


def test_gaps_of_one_trigger_take_no_room_of_another_s(story: Story) -> None:
    story.connect()
    hourly = {"cron": "30 * * * *", "id": "hourly"}
    held_up(story, 1, 2, 3, trigger=[MINUTELY, hourly], catchup={"max": 59})
    story.finish(1)
    story.settle(rounds=2_000)
    ran = story.store.value(
        "SELECT count(*) FROM ledger l JOIN triggers t ON t.id = l.trigger"
        " WHERE t.key = 'hourly' AND l.outcome = 'ran'"
    )
    assert ran == 3


def test_thousands_of_missed_ticks_of_many_jobs_run_behind_what_is_live(story: Story) -> None:
    story.connect(slots=1_000)
    seconds = {"cron": "* * * * * *", "id": "s"}
    policies = {"overlap": "skip", "catchup": {"mode": "all", "max": 1_000, "grace": "1s"}}
    story.put(*(job(f"j-{number}", trigger=seconds, policies=policies) for number in range(10)))
    story.now_ms += 600_000
    story.put(job("live", trigger=seconds, policies={"overlap": "allow"}))
    for _ in range(20):
        story.now_ms += 1_000
        story.settle(rounds=10_000)
        newest_ms = story.store.value("SELECT max(due_ms) FROM runs WHERE name = 'live'")
        assert newest_ms == story.now_ms
    rows = story.store.rows("SELECT outcome, sum(count) FROM ledger GROUP BY outcome ORDER BY outcome")
    # Of the two that were within their grace at the end of the outage, one was in the other's way.
    assert rows == [("ran", 10 * 619 + 20), ("skipped", 10)]
    agrees(story)


def test_the_same_log_gives_the_same_state_with_gaps_and_edits(tmp_path: Path) -> None:
    told = Story(tmp_path / "told.db")
    told.lead()
    told.connect()
    told.put(job(trigger=MINUTELY, policies=SKIP_ALL))
    for step in range(12):
        told.now_ms += 90_000
        told.put(job(trigger={**MINUTELY, "jitter": f"{20 + step % 3}s"}, policies=SKIP_ALL))
        told.plan_and_apply()
        told.work()
        if step % 4 == 3:
            told.lead()
    told.settle()
    for reverse in (False, True):
        again = Story(tmp_path / f"again-{reverse}.db", reverse=reverse)
        for now_ms, frame in told.frames:
            again.now_ms = now_ms
            again.enter(frame)
        assert again.machine.state.hash == told.machine.state.hash
        again.close()
    agrees(told)
    told.close()
