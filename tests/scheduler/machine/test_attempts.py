from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.machine.steps import ends
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Outcome
from tests.scheduler.story import START_MS, Story, job


def granted(story: Story, **fields: Any) -> int:
    """A run of a job with these fields, its first attempt granted to agent 1; returns the attempt."""
    if story.store.value("SELECT count(*) FROM agents") == 0:
        story.connect()
    story.put(job(**fields))
    run = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    story.plan_and_apply()
    (attempt,) = story.attempts(run)
    assert story.claim(attempt.id).ok
    return attempt.id


def test_a_claim_sent_again_gets_the_same_grant(story: Story) -> None:
    attempt = granted(story)
    fence = story.attempt(attempt).fence
    assert story.claim(attempt).value == {"fence": fence}


def test_another_claim_or_session_of_a_granted_attempt_is_refused(story: Story) -> None:
    attempt = granted(story)
    assert story.one(c.Grant(attempt, 1, "s1", "another")).code == "superseded"
    assert story.one(c.Grant(attempt, 1, "s2", f"claim {attempt}")).code == "superseded"
    assert story.one(c.Grant(attempt, 2, "s1", f"claim {attempt}")).code == "superseded"
    assert story.one(c.Grant(99, 1, "s1", "x")).code == "not_found"


def test_a_fenced_session_gets_no_grant_and_the_newer_one_does(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    story.connect(session="s2")
    assert story.one(c.Grant(1, 1, "s1", "old")).code == "superseded"
    assert story.one(c.Grant(1, 1, "s2", "new")).ok


def test_what_another_agent_reports_changes_nothing(story: Story) -> None:
    attempt = granted(story)
    other = story.connect("agent-2")
    before = story.attempt(attempt)
    assert story.one(c.ReportRunning(attempt, other, START_MS + 7)).code == "superseded"
    assert story.one(c.Finish(attempt, other, START_MS, START_MS, 0, "exit")).code == "superseded"
    assert story.one(c.Finish(attempt, other, None, START_MS, None, "gone")).code == "superseded"
    assert story.attempt(attempt) == before
    assert story.events == []


def test_what_has_no_grant_cannot_run(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    assert story.one(c.ReportRunning(1, 1, START_MS)).code == "superseded"
    assert (story.attempt(1).state, story.attempt(1).started_ms) == ("assigned", None)


def test_a_claim_of_a_disconnected_agent_is_no_grant(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    story.disconnect(1)
    assert story.claim(1).code == "not_connected"
    assert story.attempt(1).fence is None
    story.connect(node="node-b")
    assert story.claim(1).ok
    # What was granted before stays so, through whichever node it is asked for.
    story.disconnect(1, "node-b")
    assert story.claim(1).ok


def test_a_revoked_attempt_is_refused_and_its_task_placed_anew(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    assert story.one(c.Revoke(story.epoch, 1, "test")).ok
    assert story.told(e.AttemptEnded)[0].state == "revoked"
    assert story.claim(1).code == "revoked"
    story.plan_and_apply()
    # A revoked attempt does not count as a try.
    assert [(a.state, a.number) for a in story.attempts(1)] == [("revoked", 1), ("assigned", 1)]
    assert story.one(c.Revoke(story.epoch, 1, "again")).code == "superseded"


def test_what_is_granted_cannot_be_revoked(story: Story) -> None:
    attempt = granted(story)
    assert story.one(c.Revoke(story.epoch, attempt, "test")).code == "superseded"


@pytest.mark.parametrize(
    ("exit_code", "reason", "state"),
    [
        (0, "exit", "succeeded"),
        (3, "exit", "failed"),
        (None, "timeout", "timed_out"),
        (None, "start_failed", "failed"),
        (None, "gone", "lost"),
        # Nobody asked for it: the spooler did it at the end of its lease.
        (None, "cancelled", "lost"),
    ],
)
def test_an_attempt_ends_as_its_agent_reports(
    story: Story, exit_code: int | None, reason: str, state: str
) -> None:
    attempt = granted(story)
    assert story.finish(attempt, exit_code=exit_code, reason=reason).ok
    assert story.attempt(attempt).state == state
    assert story.run(1).state == state
    assert story.run(1).exit_code == exit_code
    assert story.job().last_state == state


def never_started(story: Story, attempt: int, detail: str = "") -> Outcome:
    agent = story.attempt(attempt).agent
    return story.one(c.Finish(attempt, agent, None, story.now_ms, None, "unstarted", detail=detail))


@pytest.mark.parametrize("said", ["in its report", "when it comes back"])
def test_what_surely_never_started_is_queued_again_with_another_fence_and_no_retry_used(
    story: Story, said: str
) -> None:
    attempt = granted(story, policies={"on_lost": "fail"})
    fence = story.attempt(attempt).fence
    if said == "in its report":
        assert never_started(story, attempt, "slept").ok
    else:
        story.connect(session="s2", held=((attempt, "unstarted"),))
    assert story.attempt(attempt).state == "unstarted"
    assert story.tasks(1) == {"main": "queued"}
    assert story.run(1).state == "running"
    assert story.store.value("SELECT busy FROM agents") == 0
    story.plan_and_apply()
    assert [(row.state, row.number) for row in story.attempts(1)] == [("unstarted", 1), ("assigned", 1)]
    assert story.claim(2).ok
    assert story.attempt(2).fence != fence
    story.finish(2)
    assert story.run(1).state == "succeeded"
    # What it says later of the first one changes nothing.
    assert never_started(story, attempt, "slept").ok
    assert story.attempt(attempt).state == "unstarted"


def test_what_never_starts_again_and_again_is_lost(story: Story) -> None:
    attempt = granted(story)
    for _ in range(ends.UNSTARTED_MAX):
        never_started(story, attempt)
        story.plan_and_apply()
        attempt = story.attempts(1)[-1].id
        assert story.claim(attempt).ok
    never_started(story, attempt, "slept")
    assert [row.state for row in story.attempts(1)] == ["unstarted"] * 5 + ["lost"]
    assert (story.run(1).state, story.attempt(attempt).reason) == ("lost", "unstarted: slept")


def test_what_was_told_to_run_has_started_whatever_is_said_then(story: Story) -> None:
    attempt = granted(story)
    story.tell_ok(c.ReportRunning(attempt, 1, START_MS))
    never_started(story, attempt)
    assert (story.attempt(attempt).state, story.run(1).state) == ("lost", "lost")


def test_what_says_when_it_started_has_started(story: Story) -> None:
    attempt = granted(story)
    story.finish(attempt, exit_code=None, reason="unstarted")
    assert story.attempt(attempt).state == "lost"


def test_what_never_started_on_a_host_that_booted_since_may_have_been_forgotten_by_it(story: Story) -> None:
    attempt = granted(story)
    story.connect(session="s2", boot_id="boot-2", held=((attempt, "unstarted"),))
    assert story.attempt(attempt).state == "lost"


def test_what_never_started_and_was_to_stop_has_stopped(story: Story) -> None:
    attempt = granted(story)
    story.tell_ok(c.CancelRun(1))
    assert story.attempt(attempt).state == "cancelling"
    never_started(story, attempt)
    assert (story.attempt(attempt).state, story.run(1).state) == ("cancelled", "cancelled")


def test_a_report_sent_again_changes_nothing_and_a_later_one_is_kept_beside(story: Story) -> None:
    attempt = granted(story)
    story.now_ms += 1_000
    finish = c.Finish(attempt, 1, START_MS, story.now_ms, 0, "exit", tail=b"out")
    assert story.one(finish).ok
    ended = story.attempt(attempt)
    assert story.one(finish).ok
    assert story.attempt(attempt) == ended
    late = c.Finish(attempt, 1, START_MS, story.now_ms + 5, 9, "exit")
    assert story.one(late).value == {"state": "succeeded", "late": True}
    kept = story.attempt(attempt)
    assert kept._replace(late="") == ended
    assert json.loads(kept.late)["exit_code"] == 9
    assert story.one(c.Finish(attempt, 1, START_MS, story.now_ms + 9, 8, "exit")).ok
    assert story.attempt(attempt) == kept


def test_running_is_reported_once(story: Story) -> None:
    attempt = granted(story)
    assert story.one(c.ReportRunning(attempt, 1, START_MS + 7)).ok
    assert story.told(e.AttemptRunning) == [e.AttemptRunning(attempt, 1, 1, START_MS + 7)]
    assert story.one(c.ReportRunning(attempt, 1, START_MS + 7)).ok
    assert story.told(e.AttemptRunning) == []
    assert story.attempt(attempt).started_ms == START_MS + 7


def test_an_agent_that_cannot_take_it_gives_it_back(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    assert story.finish(1, exit_code=None, reason="gone").value == {"revoked": True}
    assert story.tasks(1) == {"main": "queued"}
    assert story.store.value("SELECT busy FROM agents") == 0


def test_a_failure_is_tried_again_with_growing_waits(story: Story) -> None:
    retry = {"max": 2, "backoff": "exponential", "first": "10s", "cap": "15s"}
    granted(story, retry=retry)
    story.finish(1, exit_code=1)
    waits = []
    for attempt in (2, 3):
        assert story.tasks(1) == {"main": "retry_wait"}
        wake_ms = story.store.value("SELECT wake_ms FROM tasks")
        waits.append(wake_ms - story.now_ms)
        story.now_ms = wake_ms
        story.plan_and_apply()
        story.plan_and_apply()
        assert story.claim(attempt).ok
        story.finish(attempt, exit_code=1)
    assert waits == [10_000, 15_000]
    assert story.run(1).state == "failed"
    assert [a.number for a in story.attempts(1)] == [1, 2, 3]


def test_lost_is_tried_again_only_when_the_policy_says_so(story: Story) -> None:
    granted(story, retry={"max": 3})
    story.finish(1, exit_code=None, reason="gone")
    assert story.run(1).state == "lost"


def test_on_lost_retry_tries_again(story: Story) -> None:
    granted(story, policies={"on_lost": "retry", "idempotent": True})
    story.finish(1, exit_code=None, reason="gone")
    assert story.tasks(1) == {"main": "retry_wait"}
    story.now_ms += 3_600_000
    story.plan_and_apply()
    story.plan_and_apply()
    assert story.claim(2).ok
    story.finish(2, exit_code=None, reason="gone")
    assert story.run(1).state == "lost"


def test_cancel_asks_the_agent_and_a_real_exit_wins(story: Story) -> None:
    attempt = granted(story)
    story.tell_ok(c.CancelRun(1, c.Actor("ann")))
    assert story.told(e.AttemptCancelling) == [e.AttemptCancelling(attempt, 1, 1)]
    assert story.run(1).state == "running"
    story.finish(attempt, exit_code=0)
    assert story.run(1).state == "succeeded"


@pytest.mark.parametrize("reason", ["exit", "timeout", "gone"])
def test_what_fails_while_its_run_is_cancelled_is_not_tried_again(story: Story, reason: str) -> None:
    attempt = granted(story, retry={"max": 3}, policies={"on_lost": "retry", "idempotent": True})
    story.tell_ok(c.CancelRun(1))
    story.finish(attempt, exit_code=1 if reason == "exit" else None, reason=reason)
    assert (story.run(1).state, story.tasks(1)["main"] == "retry_wait") == ("cancelled", False)


def test_a_cancelled_run_says_by_whom(story: Story) -> None:
    attempt = granted(story, retry={"max": 3})
    story.tell_ok(c.CancelRun(1, c.Actor("ann")))
    story.finish(attempt, exit_code=None, reason="cancelled")
    assert (story.run(1).state, story.run(1).reason) == ("cancelled", "cancelled by ann")


def test_a_run_that_succeeds_all_the_same_was_cancelled_too_late(story: Story) -> None:
    attempt = granted(story)
    story.tell_ok(c.CancelRun(1, c.Actor("ann")))
    story.finish(attempt, exit_code=0)
    assert (story.run(1).state, story.run(1).reason) == ("succeeded", "too late: cancelled by ann")


def test_a_run_that_succeeds_though_its_time_is_over_was_stopped_too_late(story: Story) -> None:
    attempt = granted(story, policies={"timeout": "1m"})
    assert story.one(c.StopRun(story.epoch, 1)).ok
    story.finish(attempt, exit_code=0)
    assert (story.run(1).state, story.run(1).reason) == ("succeeded", "too late: timeout")


def test_a_run_that_succeeds_after_its_job_is_gone_needs_no_reason(story: Story) -> None:
    attempt = granted(story)
    story.tell_ok(c.DeleteJob("default", "j"))
    story.finish(attempt, exit_code=0)
    assert (story.run(1).state, story.run(1).reason) == ("succeeded", "")


def test_a_run_past_its_timeout_is_stopped(story: Story) -> None:
    attempt = granted(story, policies={"timeout": "1m"})
    assert story.run(1).stop_ms == START_MS + 60_000
    assert story.one(c.StopRun(story.epoch, 1)).ok
    story.finish(attempt, exit_code=None, reason="cancelled")
    assert story.run(1).state == "timed_out"


def test_only_a_run_that_runs_is_stopped_by_its_timeout(story: Story) -> None:
    attempt = granted(story, policies={"timeout": "1m"})
    pending = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    assert story.one(c.StopRun(story.epoch, pending)).code == "ended"
    story.finish(attempt)
    # Planned before the end was applied.
    assert story.one(c.StopRun(story.epoch, 1)).code == "ended"
    assert story.one(c.StopRun(story.epoch, 99)).code == "ended"
    assert (story.run(1).state, story.run(pending).state) == ("succeeded", "pending")


def test_a_timeout_does_not_overrule_a_person_s_cancellation(story: Story) -> None:
    attempt = granted(story, policies={"timeout": "1m"})
    story.tell_ok(c.CancelRun(1))
    assert story.one(c.StopRun(story.epoch, 1)).code == "ended"
    story.finish(attempt, exit_code=None, reason="cancelled")
    assert story.run(1).state == "cancelled"


def test_a_task_is_not_given_to_an_agent_that_has_gone(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    (planned,) = story.plan()
    story.disconnect(1)
    assert story.one(planned).code == "not_connected"
    assert story.tasks(1) == {"main": "queued"}


def test_failures_in_a_row_pause_the_job(story: Story) -> None:
    story.connect()
    story.put(job(policies={"pause_after_failures": 2}))
    for run in (1, 2):
        assert story.job().state == "active"
        story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
        story.plan_and_apply()
        story.claim(run)
        story.finish(run, exit_code=1)
    assert story.told(e.JobPaused)[0].reason == "failures"
    assert (story.job().state, story.job().pause_reason, story.job().failures) == ("paused", "failures", 2)
    story.tell_ok(c.ResumeJob("default", "j"))
    assert story.job().failures == 0


def test_busy_slots_are_not_given_twice(story: Story) -> None:
    story.connect(slots=1)
    story.put(job())
    story.tell_ok(*[c.RunJob("default", "j", b"{}", START_MS)] * 2)
    story.tell_ok(c.Place(story.epoch, 1, 1))
    assert story.one(c.Place(story.epoch, 2, 1)).code == "not_connected"
    assert story.one(c.Place(story.epoch, 1, 1)).code == "superseded"
