from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from scheduler.machine.steps import editing
from scheduler.model import parse_job, prepare
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import jobs as job_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler.story import START_MS, Story, job

MINUTELY = {"cron": "* * * * *", "id": "minutely"}
HOURLY = {"cron": "0 * * * *", "id": "hourly"}


def test_a_new_job_is_at_revision_1_with_its_triggers_ahead(story: Story) -> None:
    (put,) = story.put(job(trigger=MINUTELY))
    assert (put["revision"], put["created"], put["changed"]) == (1, True, True)
    assert story.told(e.JobPut) == [e.JobPut(put["job"], "default", "j", 1, True)]
    (trigger,) = story.triggers()
    assert (trigger.key, trigger.from_ms, trigger.next_due_ms) == ("minutely", START_MS, START_MS + 60_000)


def test_an_unchanged_job_makes_no_revision(story: Story) -> None:
    story.put(job(trigger=MINUTELY))
    (put,) = story.put(job(trigger=MINUTELY))
    assert (put["revision"], put["created"], put["changed"]) == (1, False, False)
    assert story.events == []


def test_revisions_go_on_through_deletion(story: Story) -> None:
    story.put(job())
    story.put(job(description="changed"))
    assert story.value(c.DeleteJob("default", "j"), "revision") == 3
    assert story.told(e.JobDeleted)
    (put,) = story.put(job())
    assert (put["revision"], put["created"]) == (4, True)
    revisions, _ = job_reads.revisions_page(story.store, "default", "j", before=None, limit=10)
    assert [row.deleted for row in revisions] == [0, 1, 0, 0]


def test_put_is_all_or_none(story: Story) -> None:
    story.put(job("a"))
    good = prepare(parse_job(job("b")), START_MS)
    stale = prepare(parse_job(job("a", description="new")), START_MS, if_revision=7)
    outcome = story.one(c.PutJobs((good, stale), START_MS))
    assert outcome.code == "revision_mismatch"
    assert outcome.value == {"kind": "job", "namespace": "default", "name": "a", "revision": 1}
    assert job_rows.find(story.store, "default", "b") is None


@pytest.mark.parametrize(
    "odd", [b'{"pool":["default"]}', b'{"labels":{"a":[]},"pool":"default"}', b'[]', b'"default"', b"null"]
)
def test_a_spec_whose_tasks_name_no_place_is_refused(story: Story, odd: bytes) -> None:
    sound = prepare(parse_job(job("a", on={"pool": "etl"})), START_MS)
    spec = sound.spec.replace(b'{"pool":"etl"}', odd)
    assert spec != sound.spec
    assert story.one(c.PutJobs((c.PreparedJob("default", "a", spec, ()),), START_MS)).code == "invalid"


CALLS_A_TASK_MAX = 8
"""Of Python's functions, to put a job of many tasks: each some tenths of a microsecond in every core. It
compiled each task by 12, made its selector anew, and read the whole text twice where anything had labels."""


def test_putting_a_large_job_costs_a_core_few_calls_for_each_task(story: Story) -> None:
    """Counted, not timed: a job of 1 MiB took a core 140 ms in one turn."""
    on = {"pool": "default", "labels": {"os": "linux"}}
    tasks = {
        f"t{i:04}": {"noop": True, "on": on, "needs": [f"t{i - 1:04}"] if i else []} for i in range(1_000)
    }
    command = c.PutJobs((prepare(parse_job({"job": "large", "tasks": tasks}), START_MS),), START_MS)
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            calls[frame.f_code.co_name] += 1

    sys.setprofile(note)
    try:
        outcome = story.one(command)
    finally:
        sys.setprofile(None)
    assert outcome.ok
    assert calls.total() < CALLS_A_TASK_MAX * len(tasks), calls.most_common(12)
    assert calls["_job"] == 1
    assert calls["of_task"] == 1


def test_if_revision_0_means_that_it_must_not_exist(story: Story) -> None:
    only_new = prepare(parse_job(job("a")), START_MS, if_revision=0)
    assert story.one(c.PutJobs((only_new,), START_MS)).ok
    assert story.one(c.PutJobs((only_new,), START_MS)).code == "exists"
    missing = prepare(parse_job(job("b")), START_MS, if_revision=3)
    assert story.one(c.PutJobs((missing,), START_MS)).code == "not_found"


def test_one_name_twice_in_a_command_is_refused(story: Story) -> None:
    twice = prepare(parse_job(job("a")), START_MS)
    assert story.one(c.PutJobs((twice, twice), START_MS)).code == "invalid"


def test_a_spec_that_is_none_is_refused(story: Story) -> None:
    nonsense = c.PreparedJob("default", "a", b"{}", ())
    assert story.one(c.PutJobs((nonsense,), START_MS)).code == "invalid"
    assert story.one(c.PutJobs((c.PreparedJob("default", "a", b"\xff", ()),), START_MS)).code == "invalid"


def test_an_idempotency_key_gives_the_first_outcome_again(story: Story) -> None:
    story.put(job())
    first = story.one(c.RunJob("default", "j", b"{}", START_MS, key="k", body=b"1"))
    again = story.one(c.RunJob("default", "j", b"{}", START_MS + 5, key="k", body=b"1"))
    assert first.ok
    assert again == first
    assert len(story.runs()) == 1
    assert story.one(c.RunJob("default", "j", b"{}", START_MS, key="k", body=b"2")).code == "key_reused"


def test_a_refusal_does_not_use_its_key_up(story: Story) -> None:
    run = c.RunJob("default", "j", b"{}", START_MS, key="k", body=b"1")
    assert story.one(run).code == "not_found"
    story.put(job())
    assert story.one(run).ok


def test_an_unchanged_trigger_keeps_its_era_and_watermark(story: Story) -> None:
    story.put(job(trigger=[MINUTELY, HOURLY]))
    story.now_ms += 90_000
    story.plan_and_apply()
    story.put(job(trigger=[MINUTELY, {**HOURLY, "tz": "Europe/Berlin"}]))
    minutely, hourly, new_hourly = story.triggers()
    assert (minutely.until_ms, minutely.next_due_ms) == (None, START_MS + 120_000)
    assert (hourly.until_ms, hourly.next_due_ms) == (START_MS + 90_000, None)
    assert (new_hourly.from_ms, new_hourly.until_ms) == (START_MS + 90_000, None)


def test_a_tick_fired_ahead_is_never_due_again_in_the_era_that_follows(story: Story) -> None:
    # Given a tick that was fired 50 ms ahead of its instant.
    story.put(job(trigger=MINUTELY))
    story.now_ms = START_MS + 59_950
    (trigger,) = story.triggers()
    tick_ms = START_MS + 60_000
    story.tell_ok(c.Fire(story.epoch, trigger.id, tick_ms, tick_ms + 60_000))
    # When the trigger changes before that instant.
    story.put(job(trigger={**MINUTELY, "dst": "skip"}))
    closed, new = story.triggers()
    # Then the old era ends with the tick, and the new one passes it.
    assert (closed.until_ms, closed.next_due_ms) == (tick_ms, None)
    assert (new.from_ms, new.next_due_ms) == (tick_ms, tick_ms)
    story.now_ms = START_MS + 60_010
    (passed,) = [command for command in story.plan_and_apply() if isinstance(command, c.Account)]
    assert passed.count == 0
    assert story.triggers()[1].next_due_ms == tick_ms + 60_000
    assert story.ledger() == []


def test_what_was_due_when_a_trigger_went_still_runs_and_nothing_of_it_comes_after(story: Story) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies={"overlap": "allow"}))
    story.now_ms += 110_000
    story.put(job(policies={"overlap": "allow"}))
    assert story.triggers()[0].next_due_ms == START_MS + 60_000
    story.now_ms += 600_000
    story.settle()
    assert story.ledger() == [(60, 1, "ran", "")]
    assert story.triggers()[0].next_due_ms is None


def test_what_was_due_when_a_job_was_deleted_is_skipped_as_cancelled(story: Story) -> None:
    story.put(job(trigger=MINUTELY))
    story.now_ms += 150_000
    story.tell_ok(c.DeleteJob("default", "j"))
    story.settle()
    assert story.ledger() == [(60, 2, "skipped", "cancelled")]


def test_deleting_a_job_cancels_what_has_not_started_and_lets_the_rest_run(story: Story) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY, policies={"overlap": "allow"}))
    running = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    story.plan_and_apply()
    (attempt,) = story.attempts(running)
    assert story.claim(attempt.id).ok
    pending = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.run(pending).state == "cancelled"
    assert story.run(running).state == "running"
    assert story.finish(attempt.id).ok
    assert story.run(running).state == "succeeded"


def test_no_run_of_a_deleted_job_starts_however_many_waited(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "ACTIVE_RUNS_CANCELLED_MAX", 2)
    story.put(job())
    story.tell_ok(*[c.RunJob("default", "j", b"{}", START_MS)] * 5)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert [state for _, state in story.runs()].count("cancelled") == 2
    story.connect()
    story.settle()
    assert story.runs() == [("manual", "cancelled")] * 5
    assert story.store.value("SELECT count(*) FROM attempts") == 0


def test_pause_and_resume(story: Story) -> None:
    story.put(job(trigger=MINUTELY))
    story.tell_ok(c.PauseJob("default", "j", c.Actor("ann")))
    assert (story.job().state, story.job().pause_reason) == ("paused", "paused by ann")
    story.put(job(trigger=MINUTELY, description="an edit does not resume it"))
    assert story.job().state == "paused"
    story.tell_ok(c.ResumeJob("default", "j"))
    assert story.job().state == "active"
    assert story.one(c.PauseJob("default", "none")).code == "not_found"


def test_what_came_due_in_a_pause_that_nobody_accounted_for_is_not_run_on_resume(story: Story) -> None:
    # Given a pause during which no leader planned, longer than any grace.
    story.connect()
    story.put(job(trigger=[MINUTELY, {"at": "2027-01-15T08:05:00Z", "id": "once"}]))
    story.tell_ok(c.PauseJob("default", "j"))
    story.now_ms += 600_500
    # When it is resumed before the next plan.
    story.tell_ok(c.ResumeJob("default", "j"))
    story.settle()
    # Then nothing is caught up, and the ledger says why; a second resume changes nothing.
    assert story.runs() == []
    assert story.ledger() == [(60, 10, "skipped", "paused"), (300, 1, "skipped", "paused")]
    eras = len(story.triggers())
    story.tell_ok(c.PauseJob("default", "j"), c.ResumeJob("default", "j"))
    assert len(story.triggers()) == eras
    story.now_ms = START_MS + 660_000
    story.settle()
    assert story.runs() == [("tick", "succeeded")]
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_a_tick_whose_jittered_instant_is_yet_to_come_survives_a_pause(story: Story) -> None:
    story.connect()
    story.put(job(trigger={**MINUTELY, "jitter": "50s"}))
    jitter_ms = story.triggers()[0].jitter_ms
    assert jitter_ms > 1_000
    story.tell_ok(c.PauseJob("default", "j"))
    story.now_ms = START_MS + 60_000 + jitter_ms - 500
    story.tell_ok(c.ResumeJob("default", "j"))
    story.now_ms += 500
    story.settle()
    assert story.ledger() == [(60, 1, "ran", "")]


def test_a_trigger_that_goes_and_comes_back_does_not_repeat_a_tick_that_was_fired_ahead(story: Story) -> None:
    story.connect()
    story.put(job(trigger=[MINUTELY, HOURLY], policies={"overlap": "allow"}))
    story.now_ms = START_MS + 59_950
    (trigger, _) = story.triggers()
    tick_ms = START_MS + 60_000
    story.tell_ok(c.Fire(story.epoch, trigger.id, tick_ms, tick_ms + 60_000))
    story.put(job(trigger=HOURLY, policies={"overlap": "allow"}))
    story.put(job(trigger=[MINUTELY, HOURLY], policies={"overlap": "allow"}))
    story.now_ms = tick_ms + 30_000
    story.settle()
    assert story.ledger() == [(60, 1, "ran", "")]
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_a_job_deleted_and_put_again_does_not_repeat_a_tick_that_was_fired_ahead(story: Story) -> None:
    story.connect()
    story.put(job(trigger=MINUTELY))
    story.now_ms = START_MS + 59_950
    tick_ms = START_MS + 60_000
    story.tell_ok(c.Fire(story.epoch, story.triggers()[0].id, tick_ms, tick_ms + 60_000, 1))
    assert story.claim(1).ok
    story.tell_ok(c.DeleteJob("default", "j"))
    # By a node whose clock is behind.
    story.put(job(trigger=MINUTELY), after_ms=story.now_ms - 400)
    assert (story.triggers()[0].from_ms, story.triggers()[0].next_due_ms) == (tick_ms, tick_ms)
    story.now_ms = tick_ms + 30_000
    story.settle()
    assert story.ledger() == [(60, 1, "ran", "")]


ONCE = {"at": "2027-01-15T08:05:00Z", "id": "once"}  # five minutes after the start


def test_a_job_whose_one_instant_is_over_may_be_put_again_and_edited(story: Story) -> None:
    story.connect()
    story.put(job(trigger=ONCE))
    story.now_ms += 600_000
    story.settle()
    (same,) = story.put(job(trigger=ONCE))
    assert (same["revision"], same["changed"]) == (1, False)
    (edited,) = story.put(job(trigger=[ONCE, MINUTELY], description="new"), job("other", trigger=HOURLY))[:1]
    assert (edited["revision"], edited["changed"]) == (2, True)
    # A jitter is no instant; nothing runs again.
    story.put(job(trigger={**ONCE, "jitter": "10s"}))
    story.settle()
    assert story.runs() == [("catchup", "succeeded")]
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


@pytest.mark.parametrize(
    "trigger",
    [
        {"at": "2027-01-15T08:04:00Z", "id": "once"},  # another instant
        {**ONCE, "id": "another"},
        [ONCE, {**ONCE, "id": "second"}],
    ],
)
def test_a_new_instant_in_the_past_is_refused_with_all_that_came_along(story: Story, trigger: object) -> None:
    story.put(job(trigger=ONCE))
    story.now_ms += 600_000
    good = prepare(parse_job(job("good")), story.now_ms)
    past = prepare(parse_job(job(trigger=trigger)), story.now_ms)
    outcome = story.one(c.PutJobs((good, past), story.now_ms))
    place = 1 if isinstance(trigger, list) else 0
    assert (outcome.code, outcome.value) == ("past", {"triggers": [[1, place]]})
    assert job_rows.find(story.store, "default", "good") is None


def test_what_a_deleted_job_or_an_older_revision_had_is_new(story: Story) -> None:
    story.put(job(trigger=ONCE))
    story.put(job(trigger={**ONCE, "at": "2027-01-15T08:06:00Z"}))
    story.now_ms += 600_000
    old = prepare(parse_job(job(trigger=ONCE)), story.now_ms)
    assert story.one(c.PutJobs((old,), story.now_ms)).code == "past"
    story.tell_ok(c.DeleteJob("default", "j"))
    again = prepare(parse_job(job(trigger={**ONCE, "at": "2027-01-15T08:06:00Z"})), story.now_ms)
    assert story.one(c.PutJobs((again,), story.now_ms)).code == "past"


def test_a_cron_that_never_comes_again_is_refused_only_when_it_is_new(story: Story) -> None:
    gap_only = {"cron": "30 2 * 3 0L", "tz": "Europe/Berlin", "dst": "skip", "id": "gap"}
    new = prepare(parse_job(job(trigger=gap_only)), START_MS)
    assert story.one(c.PutJobs((new,), START_MS)).code == "past"


def test_an_edit_to_an_instant_that_the_stamp_has_passed_is_refused(story: Story) -> None:
    # Given a proposer whose clock is behind: what it takes for the future would be passed over in silence.
    story.put(job(trigger=MINUTELY))
    story.now_ms += 1_000
    late = prepare(parse_job(job(trigger={"at": "2027-01-15T08:00:00.800Z"})), story.now_ms - 500)
    assert late.triggers[0].first_due_ms is not None
    assert story.one(c.PutJobs((late,), story.now_ms - 500)).code == "past"


GRAPH = {
    "flaky": {"run": "x", "on": {"pool": "default"}, "retry": {"max": 3, "first": "1s"}},
    "next": {"noop": True, "needs": ["flaky"]},
    "told": {"noop": True, "needs": ["flaky"], "rule": "any_failed"},
}


def begun(story: Story, **fields: Any) -> int:
    """A run of which the first task runs; its attempt has its id."""
    story.connect()
    story.put(job(**fields))
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    story.plan_and_apply()
    assert story.claim(run).ok
    return run


@pytest.mark.parametrize("reason", ["exit", "timeout", "gone"])
def test_nothing_of_a_deleted_job_starts_again(story: Story, reason: str) -> None:
    policies = {"on_lost": "retry", "idempotent": True}
    run = begun(story, tasks=GRAPH, policies=policies)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.run(run).state == "running"
    assert story.attempt(run).state == "granted", "what runs is left alone"
    story.finish(run, exit_code=1, reason=reason)
    ended = {"exit": "failed", "timeout": "timed_out", "gone": "lost"}[reason]
    assert story.tasks(run) == {"flaky": ended, "next": "cancelled", "told": "cancelled"}
    assert story.run(run).state == ended
    assert story.run(run).reason.startswith("job deleted")
    assert "not tried again" in story.run(run).reason
    story.now_ms += 3_600_000
    story.settle()
    assert len(story.attempts(run)) == 1


def test_a_retry_that_waits_is_cancelled_with_its_job(story: Story) -> None:
    run = begun(story, tasks=GRAPH)
    story.finish(run, exit_code=1)
    assert story.tasks(run)["flaky"] == "retry_wait"
    story.tell_ok(c.DeleteJob("default", "j"))
    assert (story.run(run).state, story.run(run).reason) == ("cancelled", "job deleted")
    story.now_ms += 60_000
    story.settle()
    assert len(story.attempts(run)) == 1


def test_what_succeeds_after_its_job_was_deleted_has_succeeded(story: Story) -> None:
    run = begun(story, tasks={"only": {"run": "x", "retry": {"max": 3}}})
    story.tell_ok(c.DeleteJob("default", "j"))
    story.finish(run)
    assert story.run(run).state == "succeeded"


def test_an_attempt_without_its_grant_does_not_start_when_the_job_is_deleted(story: Story) -> None:
    two = {"a": {"run": "x"}, "b": {"run": "x"}}
    run = begun(story, tasks=two)
    (first, second) = story.attempts(run)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.attempt(second.id).state == "revoked"
    assert story.claim(second.id).code == "revoked"
    story.finish(first.id)
    assert (story.run(run).state, story.run(run).reason) == ("cancelled", "job deleted")


def test_a_run_of_a_deleted_job_can_still_be_cancelled_and_times_out(story: Story) -> None:
    cancelled = begun(story, policies={"timeout": "1m", "overlap": "allow"})
    timed_out = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    story.plan_and_apply()
    assert story.claim(timed_out).ok
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.one(c.CancelRun(cancelled)).ok
    assert story.attempt(cancelled).state == "cancelling"
    story.now_ms += 61_000
    story.plan_and_apply()
    assert story.attempt(timed_out).state == "cancelling"
    for attempt in (cancelled, timed_out):
        story.finish(attempt, exit_code=None, reason="cancelled")
    assert [story.run(run).state for run in (cancelled, timed_out)] == ["cancelled", "timed_out"]


def test_runs_beyond_those_that_a_deletion_ends_at_once_start_nothing_either(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "ACTIVE_RUNS_CANCELLED_MAX", 1)
    begun(story, tasks={**GRAPH, "beside": {"run": "x"}}, policies={"overlap": "allow"})
    late = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    story.plan_and_apply()
    beside, flaky = sorted(story.attempts(late), key=lambda attempt: attempt.id)
    assert story.claim(flaky.id).ok
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.claim(beside.id).code == "revoked"
    story.finish(flaky.id, exit_code=1)
    assert story.run(late).stopping == "let_end" or story.run(late).finished_ms
    story.now_ms += 3_600_000
    story.settle()
    assert "not tried again" in story.run(late).reason
    assert all(attempt.fence is None for attempt in story.attempts(late) if attempt.id != flaky.id)
    assert story.run(late).finished_ms is not None


def test_many_names_are_looked_up_in_slices(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some are there, some were, some never: as if each had been asked for by itself."""
    monkeypatch.setattr(job_rows, "NAMES_MAX", 2)
    story.put(job("kept"), job("changed"), job("gone"))
    story.tell_ok(c.DeleteJob("default", "gone"))
    names = ["kept", "new-1", "changed", "gone", "new-2"]
    put = story.put(*(job(name, **({"description": "x"} if name == "changed" else {})) for name in names))
    assert [(each["name"], each["revision"], each["created"], each["changed"]) for each in put] == [
        ("kept", 1, False, False),
        ("new-1", 1, True, True),
        ("changed", 2, False, True),
        ("gone", 3, True, True),
        ("new-2", 1, True, True),
    ]


def test_a_job_of_many_costs_a_statement_a_row(story: Story) -> None:
    """Its own, its revision's and its trigger's; all that is looked up is asked for all of them together."""
    told: list[str] = []
    story.store._connection.set_trace_callback(told.append)
    story.put(*(job(f"j{number}", trigger=MINUTELY) for number in range(100)))
    story.store._connection.set_trace_callback(None)
    inserts = ("INSERT INTO jobs", "INSERT INTO revisions", "INSERT INTO triggers")
    rows = [text for text in told if text.startswith(inserts)]
    assert len(rows) == 300
    looked_up = [text for text in told if text.startswith(("SELECT", "WITH"))]
    assert len(looked_up) < 60, "with the comparison of what is kept"
