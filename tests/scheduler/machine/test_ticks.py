from __future__ import annotations

import pytest

from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.state import LEDGER_START
from scheduler.store.tables.ledger import chain
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Outcome
from tests.scheduler.story import START_MS, Story, job

SECONDLY = {"cron": "* * * * * *", "id": "secondly"}


def fire(story: Story, second: int, *, agent: int = 0, epoch: int | None = None) -> Outcome:
    """Fire the tick of one second after the start."""
    due_ms = START_MS + second * 1_000
    trigger = story.triggers()[-1].id
    return story.one(c.Fire(epoch or story.epoch, trigger, due_ms, due_ms + 1_000, agent))


def a_job(story: Story, overlap: str) -> None:
    story.connect()
    story.put(job(trigger=SECONDLY, policies={"overlap": overlap}))


def test_a_tick_makes_a_run_and_its_first_start_writes_the_entry(story: Story) -> None:
    a_job(story, "skip")
    story.now_ms += 950
    assert fire(story, 1, agent=1).value == {"run": 1}
    assert [type(event) for event in story.events] == [e.RunCreated, e.AttemptAssigned]
    assert story.ledger() == []
    (attempt,) = story.attempts(1)
    granted = story.claim(attempt.id)
    assert granted.value == {"fence": story.machine.state.idx}
    assert story.ledger() == [(1, 1, "ran", "")]
    assert story.run(1).state == "running"
    # Granted ahead, it starts at its instant.
    assert story.run(1).started_ms == START_MS + 1_000
    story.finish(attempt.id)
    assert (story.run(1).state, story.run(1).exit_code) == ("succeeded", 0)
    assert story.ledger() == [(1, 1, "ran", "")]


def test_a_tick_fires_once(story: Story) -> None:
    a_job(story, "allow")
    assert fire(story, 1).ok
    assert fire(story, 1).code == "stale_due"
    assert fire(story, 3).code == "stale_due"
    assert len(story.runs()) == 1


def test_a_deposed_leader_decides_nothing(story: Story) -> None:
    a_job(story, "allow")
    old = story.epoch
    story.lead()
    assert fire(story, 1, epoch=old).code == "stale_epoch"
    assert story.runs() == []


def test_a_watermark_that_does_not_move_on_is_refused(story: Story) -> None:
    a_job(story, "allow")
    due_ms = START_MS + 1_000
    assert story.one(c.Fire(story.epoch, 1, due_ms, due_ms)).code == "invalid"


@pytest.mark.parametrize(
    ("overlap", "runs", "entries"),
    [
        ("skip", [("tick", "pending")], [(2, 1, "skipped", "overlap"), (3, 1, "skipped", "overlap")]),
        ("queue_one", [("tick", "pending")] * 2, [(3, 1, "skipped", "overlap")]),
        ("queue_all", [("tick", "pending")] * 3, []),
        ("allow", [("tick", "pending")] * 3, []),
        (
            "cancel_running",
            [("tick", "cancelled"), ("tick", "cancelled"), ("tick", "pending")],
            [(1, 1, "skipped", "cancelled"), (2, 1, "skipped", "cancelled")],
        ),
    ],
)
def test_overlap(
    story: Story, overlap: str, runs: list[tuple[str, str]], entries: list[tuple[int, int, str, str]]
) -> None:
    a_job(story, overlap)
    for second in (1, 2, 3):
        assert fire(story, second).ok
    assert story.runs() == runs
    assert story.ledger() == entries


def test_a_skip_says_which_run_was_in_the_way(story: Story) -> None:
    a_job(story, "skip")
    fire(story, 1)
    assert fire(story, 2).value == {"outcome": "skipped", "reason": "overlap", "run": 1}


def test_queued_runs_follow_one_another(story: Story) -> None:
    a_job(story, "queue_all")
    for second in (1, 2, 3):
        fire(story, second)
    assert [set(story.tasks(run).values()) for run in (1, 2, 3)] == [{"queued"}, {"blocked"}, {"blocked"}]
    for run in (1, 2, 3):
        story.plan_and_apply()
        (attempt,) = story.attempts(run)
        story.claim(attempt.id)
        story.finish(attempt.id)
    assert [state for _, state in story.runs()] == ["succeeded"] * 3


def test_the_queue_of_a_job_is_bounded(story: Story) -> None:
    a_job(story, "queue_all")
    for second in range(1, 102):
        assert fire(story, second).value == {"run": second}
    assert fire(story, 102).value == {"outcome": "missed", "reason": "buffer_full", "run": 2}


def test_cancel_running_waits_for_what_runs_already(story: Story) -> None:
    a_job(story, "cancel_running")
    fire(story, 1, agent=1)
    (first,) = story.attempts(1)
    story.claim(first.id)
    fire(story, 2, agent=1)
    assert story.attempt(first.id).state == "cancelling"
    assert story.tasks(2) == {"main": "blocked"}
    story.finish(first.id, exit_code=None, reason="cancelled")
    assert story.run(1).state == "cancelled"
    assert story.tasks(2) == {"main": "active"}


def test_a_manual_run_is_taken_whatever_overlap_says_and_counts(story: Story) -> None:
    a_job(story, "skip")
    fire(story, 1)
    assert story.one(c.RunJob("default", "j", b"{}", START_MS)).ok
    story.one(c.CancelRun(1))
    assert fire(story, 2).value == {"outcome": "skipped", "reason": "overlap", "run": 2}


def test_ticks_of_a_paused_job_are_skipped(story: Story) -> None:
    a_job(story, "skip")
    story.tell_ok(c.PauseJob("default", "j"))
    assert fire(story, 1).value == {"outcome": "skipped", "reason": "paused", "run": 0}


def test_an_instant_of_the_era_before_is_not_fired(story: Story) -> None:
    a_job(story, "allow")
    story.now_ms = START_MS + 950
    assert fire(story, 1).ok
    story.put(job(trigger={**SECONDLY, "dst": "skip"}, policies={"overlap": "allow"}))
    assert story.triggers()[-1].next_due_ms == START_MS + 1_000
    assert fire(story, 1).code == "invalid"
    assert len(story.runs()) == 1


def test_a_deleted_job_fires_nothing_whatever_the_planner_saw(story: Story) -> None:
    a_job(story, "allow")
    story.now_ms += 2_500
    # Planned while the trigger lived, applied after it went.
    story.tell_ok(c.DeleteJob("default", "j"))
    planned = c.Fire(story.epoch, 1, START_MS + 1_000, START_MS + 2_000)
    assert story.one(planned).value == {"outcome": "skipped", "reason": "cancelled", "run": 0}
    first_ms, last_ms = START_MS + 2_000, START_MS + 3_000
    beyond = c.Account(story.epoch, 1, first_ms, last_ms, 2, last_ms + 1_000, "missed", "window")
    assert story.one(beyond).code == "stale_due"
    story.settle()
    assert story.runs() == []
    assert story.ledger() == [(1, 1, "skipped", "cancelled"), (2, 1, "skipped", "cancelled")]


def test_a_range_is_one_entry(story: Story) -> None:
    a_job(story, "skip")
    first_ms, last_ms = START_MS + 1_000, START_MS + 9_000
    account = c.Account(story.epoch, 1, first_ms, last_ms, 9, last_ms + 1_000, "missed", "window")
    assert story.one(account).ok
    assert story.ledger() == [(1, 9, "missed", "window")]
    assert story.one(account).code == "stale_due"


def test_only_instants_before_the_era_may_go_without_an_outcome(story: Story) -> None:
    a_job(story, "skip")
    first_ms = START_MS + 1_000
    nothing = c.Account(story.epoch, 1, first_ms, first_ms, 0, first_ms + 1_000, "skipped", "")
    assert story.one(nothing).code == "invalid"


def test_the_ledger_is_chained(story: Story) -> None:

    a_job(story, "skip")
    for second in range(1, 6):
        fire(story, second)
    head = LEDGER_START
    for entry, written in ledger_reads.after(story.store, 0, limit=10):
        head = chain(head, entry)
        assert written == head
    assert story.machine.state.ledger_head == head


def test_an_expired_run_misses_its_tick(story: Story) -> None:
    story.put(job(trigger=SECONDLY, policies={"start_deadline": "10s", "overlap": "allow"}))
    fire(story, 1)
    story.now_ms = START_MS + 12_000
    assert story.one(c.ExpireRun(story.epoch, 1)).ok
    assert story.run(1).state == "expired"
    assert story.tasks(1) == {"main": "expired"}
    assert story.ledger() == [(1, 1, "missed", "deadline")]


def test_a_run_cancelled_before_any_start_skips_its_tick(story: Story) -> None:
    a_job(story, "skip")
    fire(story, 1)
    assert story.one(c.CancelRun(1)).ok
    assert story.ledger() == [(1, 1, "skipped", "cancelled")]
    assert story.one(c.CancelRun(1)).code == "ended"


EU = {"region": {"type": "string", "default": "eu"}, "day": {"type": "integer", "default": 1}}


@pytest.mark.parametrize(
    ("of_trigger", "params"),
    [
        ({}, '{"day":1,"region":"eu"}'),
        ({"params": {"region": "us"}}, '{"day":1,"region":"us"}'),
        ({"overlap": "allow"}, '{"day":1,"region":"eu"}'),
    ],
)
def test_a_tick_has_the_values_of_its_trigger_else_the_defaults(
    story: Story, of_trigger: dict[str, object], params: str
) -> None:
    story.put(job(trigger={**SECONDLY, **of_trigger}, params=EU))
    fire(story, 1)
    assert story.run(1).params == params


def test_a_trigger_without_an_id_keeps_its_values_too(story: Story) -> None:
    story.put(job(triggers=[{"cron": "* * * * * *", "params": {"region": "us"}}], params=EU))
    fire(story, 1)
    assert story.run(1).params == '{"day":1,"region":"us"}'


def test_a_trigger_s_overlap_counts_over_the_job_s(story: Story) -> None:
    nightly = {"cron": "*/2 * * * * *", "id": "twos", "overlap": "queue_all"}
    story.put(job(triggers=[nightly, SECONDLY]))
    story.connect()
    twos, secondly = (trigger.id for trigger in story.triggers())
    at = START_MS + 1_000
    story.one(c.Fire(story.epoch, secondly, at, at + 1_000, 0))
    story.one(c.Fire(story.epoch, secondly, at + 1_000, at + 2_000, 0))
    story.one(c.Fire(story.epoch, twos, at + 1_000, at + 3_000, 0))
    story.one(c.Fire(story.epoch, twos, at + 3_000, at + 5_000, 0))
    assert story.runs() == [("tick", "pending")] * 3
    assert story.ledger() == [(2, 1, "skipped", "overlap")]


def test_what_an_edit_changes_of_a_trigger_s_values_counts_from_then_on(story: Story) -> None:
    story.put(job(trigger={**SECONDLY, "params": {"region": "us"}}, params=EU, policies={"overlap": "allow"}))
    fire(story, 1)
    story.put(job(trigger={**SECONDLY, "params": {"region": "eu"}}, params=EU, policies={"overlap": "allow"}))
    assert len(story.triggers()) == 1  # the same instants: the era goes on
    fire(story, 2)
    assert [story.run(run).params for run in (1, 2)] == ['{"day":1,"region":"us"}', '{"day":1,"region":"eu"}']
