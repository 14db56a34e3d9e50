"""finally: tasks that begin once all the rest of a run has ended, however that ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.context import ROW
from scheduler.model import compile_job
from scheduler.store.tables import jobs, rests
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_sleep import run_job, task
from tests.scheduler.story import START_MS, Story, job
from tests.scheduler.test_explain import of_run

ADA = c.Actor("ada")
TASKS: dict[str, dict[str, Any]] = {
    "work": {"noop": True},
    "more": {"noop": True, "needs": ["work"]},
    "tidy": {"noop": True},
    "close": {"noop": True, "needs": ["tidy"], "rule": "all_done"},
}
LAST = ["tidy", "close"]


def last(*names: str) -> dict[str, Any]:
    return {"finally": list(names)}


@pytest.fixture(autouse=True)
def _whole(story: Story) -> Iterator[None]:
    """Nothing of the rest is left behind of a run that has ended."""
    yield
    left = "SELECT count(*) FROM rests JOIN runs ON runs.id = run WHERE finished_ms IS NOT NULL"
    assert story.store.value(left) == 0


def begun(story: Story, tasks: dict[str, dict[str, Any]] = TASKS, **fields: Any) -> int:
    """A run of which the first task runs."""
    story.connect()
    story.put(job(tasks=tasks, **{**last(*LAST), **fields}))
    run = run_job(story)
    story.plan_and_apply()
    assert story.claim(story.attempts(run)[0].id).ok
    return run


def end_attempt(story: Story, run: int, exit_code: int = 0, reason: str = "exit") -> None:
    live = [each for each in story.attempts(run) if each.live]
    if live[0].fence is None:
        assert story.claim(live[0].id).ok
    assert story.finish(live[0].id, exit_code=exit_code, reason=reason).ok


def test_it_comes_behind_all_the_rest_and_then_in_its_own_order(story: Story) -> None:
    run = begun(story)
    end_attempt(story, run)
    assert story.tasks(run) == {"work": "succeeded", "more": "active", "tidy": "blocked", "close": "blocked"}
    assert story.told(e.FinallyBegun) == []
    story.plan_and_apply()
    end_attempt(story, run)
    assert [each.state for each in story.told(e.FinallyBegun)] == ["succeeded"]
    assert story.tasks(run)["tidy"] == "active"
    assert (story.run(run).state, story.run(run).open_tasks) == ("running", 2)
    story.settle()
    assert (story.run(run).state, set(story.tasks(run).values())) == ("succeeded", {"succeeded"})


@pytest.mark.parametrize(("tidied", "state", "reason"), [(0, "failed", ""), (9, "failed", "")])
def test_a_failure_before_it_stays_what_it_was(story: Story, tidied: int, state: str, reason: str) -> None:
    run = begun(story)
    end_attempt(story, run, exit_code=3)
    assert story.tasks(run)["more"] == "skipped"
    story.settle(exit_code=tidied)
    ended = story.run(run)
    assert (ended.state, ended.exit_code, ended.reason) == (state, 3, reason)
    assert story.tasks(run)["close"] == ("failed" if tidied else "succeeded")


@pytest.mark.parametrize(("may_fail", "state", "code"), [(False, "failed", 9), (True, "succeeded", 0)])
def test_its_own_failure_fails_a_run_that_went_well(
    story: Story, may_fail: bool, state: str, code: int
) -> None:
    tasks = {"work": {"noop": True}, "tidy": {"noop": True, "allow_failure": may_fail}}
    run = begun(story, tasks, **last("tidy"))
    end_attempt(story, run)
    story.settle(exit_code=9)
    ended = story.run(run)
    assert (ended.state, ended.exit_code) == (state, code)
    assert ended.reason == ("" if may_fail else "finally")


def test_a_cancelled_run_does_it_and_a_second_cancel_breaks_that_off(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.CancelRun(run, ADA))
    assert story.tasks(run) == {"work": "active", "more": "cancelled", "tidy": "blocked", "close": "blocked"}
    end_attempt(story, run, exit_code=1, reason="cancelled")
    assert story.tasks(run)["tidy"] == "active"
    now = story.run(run)
    assert (now.state, now.stopping, now.reason) == ("running", "", "")
    rest = rests.get(story.store, run)
    assert rest is not None
    assert (rest.state, rest.reason) == ("cancelled", "cancelled by ada")
    story.plan_and_apply()
    story.claim(story.attempts(run)[-1].id)
    story.tell_ok(c.CancelRun(run, c.Actor("bob")))
    assert story.tasks(run)["close"] == "cancelled"
    end_attempt(story, run, exit_code=1, reason="cancelled")
    assert (story.run(run).state, story.run(run).reason) == ("cancelled", "cancelled by ada")


def test_a_cancel_of_what_it_does_finally_cancels_a_run_that_went_well(story: Story) -> None:
    run = begun(story)
    end_attempt(story, run)
    story.plan_and_apply()
    end_attempt(story, run)
    story.tell_ok(c.CancelRun(run, ADA))
    assert (story.run(run).state, story.run(run).reason) == ("cancelled", "finally: cancelled by ada")


def test_of_a_run_that_never_began_nothing_is_done(story: Story) -> None:
    story.put(job(tasks=TASKS, **last(*LAST), policies={"start_deadline": "1m"}))
    cancelled, expired = run_job(story), run_job(story)
    story.tell_ok(c.CancelRun(cancelled, ADA))
    assert (story.run(cancelled).state, set(story.tasks(cancelled).values())) == ("cancelled", {"cancelled"})
    story.now_ms += 60_001
    story.settle()
    assert (story.run(expired).state, set(story.tasks(expired).values())) == ("expired", {"expired"})


def test_the_time_out_of_a_run_ends_the_rest_and_counts_no_more(story: Story) -> None:
    tasks: dict[str, dict[str, Any]] = {**TASKS, "nap": {"sleep": "1h"}}
    run = begun(story, tasks, policies={"timeout": "1m"})
    story.now_ms += 60_000
    late = c.StopRun(story.epoch, run)
    story.plan_and_apply()
    end_attempt(story, run, exit_code=1, reason="cancelled")
    assert story.run(run).stop_ms is None
    story.now_ms += 600_000
    assert story.one(late).code == Code.ENDED
    story.settle()
    assert (story.run(run).state, story.tasks(run)["close"]) == ("timed_out", "succeeded")


def test_each_has_a_timeout_of_its_own(story: Story) -> None:
    tasks = {**TASKS, "close": {"sleep": "1s"}, "tidy": {"run": "x", "timeout": "1h"}, "log": {"run": "x"}}
    story.put(job(tasks=tasks, **last("tidy", "close", "log")))
    found = {each.name: each.timeout_ms for each in compiled(story).tasks}
    assert found == {"work": None, "more": None, "close": None, "log": 300_000, "tidy": 3_600_000}


def compiled(story: Story) -> Any:
    spec = jobs.spec_of(story.store, "default", "j", 1)
    assert spec is not None
    return compile_job(spec)


def test_what_a_finish_leaves_is_followed_by_it(story: Story) -> None:
    tasks = {**TASKS, "stop": {"finish": "failed", "needs": ["work"]}}
    run = begun(story, tasks)
    end_attempt(story, run)
    story.settle()
    assert (story.run(run).state, story.run(run).reason) == ("failed", "finished by stop")
    assert story.tasks(run)["close"] == "succeeded"


def test_a_finish_among_them_ends_a_run_that_went_well_and_hides_nothing(story: Story) -> None:
    tasks: dict[str, dict[str, Any]] = {
        "work": {"noop": True}, "tidy": {"noop": True}, "bad": {"finish": "failed"},
    }  # fmt: skip
    run = begun(story, tasks, **last("tidy", "bad"))
    end_attempt(story, run)
    story.settle()
    assert (story.run(run).state, story.run(run).reason) == ("failed", "finally: finished by bad")
    assert story.tasks(run) == {"work": "succeeded", "tidy": "cancelled", "bad": "succeeded"}


def test_conditions_among_them_ask_how_all_else_ended(story: Story) -> None:
    tasks = {
        **TASKS, "tidy": {"noop": True, "when": "work.failed and more.skipped"},
        "close": {"noop": True, "needs": ["tidy"], "rule": "none_failed", "when": "work.succeeded"},
        "tell": {"noop": True, "needs": ["close"], "when": "close.skipped or more.cancelled"},
    }  # fmt: skip
    run = begun(story, tasks, **last("tidy", "close", "tell"))
    end_attempt(story, run, exit_code=1)
    story.settle()
    assert story.tasks(run) == {
        "work": "failed", "more": "skipped", "tidy": "succeeded", "close": "skipped", "tell": "skipped"
    }  # fmt: skip
    other = run_job(story)
    story.settle()
    assert story.tasks(other)["close"] == "succeeded"
    stopped = run_job(story)
    story.plan_and_apply()
    end_attempt(story, stopped)
    story.tell_ok(c.CancelRun(stopped, ADA))
    story.settle()
    assert story.tasks(stopped) == {
        "work": "succeeded", "more": "cancelled", "tidy": "skipped", "close": "succeeded", "tell": "succeeded"
    }  # fmt: skip


def test_a_run_of_which_nothing_was_to_run_does_it_all_the_same(story: Story) -> None:
    tasks = {"work": {"noop": True, "when": "plan_date < '2000-01-01'"}, "tidy": {"noop": True}}
    story.connect()
    trigger = {"at": "2027-01-15T08:01:00Z"}
    story.put(job(tasks=tasks, trigger=trigger, **last("tidy")))
    story.now_ms = START_MS + 60_000
    story.settle()
    assert story.tasks(1) == {"work": "skipped", "tidy": "succeeded"}
    assert (story.run(1).state, story.ledger()) == ("succeeded", [(60, 1, "ran", "")])
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_nothing_of_a_deleted_job_is_done(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.DeleteJob("default", "j"))
    end_attempt(story, run)
    assert (story.run(run).state, story.tasks(run)["tidy"]) == ("cancelled", "cancelled")


def test_a_job_that_is_deleted_while_it_stops_does_nothing_more_either(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.CancelRun(run, ADA))
    story.tell_ok(c.DeleteJob("default", "j"))
    end_attempt(story, run, exit_code=1, reason="cancelled")
    story.settle()
    assert (story.run(run).state, story.tasks(run)["tidy"]) == ("cancelled", "cancelled")
    assert story.run(run).reason == "cancelled by ada"


def test_a_suspended_run_does_it_when_it_goes_on_and_a_cancelled_one_at_once(story: Story) -> None:
    tasks = {"work": {"noop": True}, "tidy": {"noop": True}}
    run = begun(story, tasks, **last("tidy"))
    story.tell_ok(c.SuspendRun(run, "look"))
    end_attempt(story, run)
    story.settle()
    assert (story.run(run).state, story.tasks(run)["tidy"]) == ("suspended", "blocked")
    story.tell_ok(c.ResumeRun(run))
    story.settle()
    assert story.run(run).state == "succeeded"
    other = run_job(story)
    story.plan_and_apply()
    story.claim(story.attempts(other)[0].id)
    story.tell_ok(c.SuspendRun(other, "look"), c.CancelRun(other, ADA))
    end_attempt(story, other, exit_code=1, reason="cancelled")
    assert (story.run(other).state, story.tasks(other)["tidy"]) == ("running", "active")
    story.tell_ok(c.SuspendRun(other, "look again"))
    assert story.tasks(other)["tidy"] == "blocked"
    story.tell_ok(c.ResumeRun(other))
    story.settle()
    assert (story.run(other).state, story.tasks(other)["tidy"]) == ("cancelled", "succeeded")


def test_a_lost_agent_and_a_failure_that_waits_for_a_person_come_first(story: Story) -> None:
    run = begun(story, policies={"on_failure": "hold"})
    end_attempt(story, run, exit_code=1)
    story.settle()
    assert story.tasks(run) == {"work": "held", "more": "blocked", "tidy": "blocked", "close": "blocked"}
    story.tell_ok(c.ReleaseTask(run, "work"))
    story.settle()
    assert (story.run(run).state, story.tasks(run)["close"]) == ("failed", "succeeded")
    lost = run_job(story)
    story.plan_and_apply()
    story.claim(story.attempts(lost)[0].id)
    live = story.attempts(lost)[0]
    story.tell_ok(c.Finish(live.id, live.agent, story.now_ms, story.now_ms, None, "gone"))
    story.tell_ok(c.ReleaseTask(lost, "work"))
    story.settle()
    assert (story.run(lost).state, story.tasks(lost)["close"]) == ("lost", "succeeded")


def test_hands_on_it_before_it_begins(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.HoldTask(run, "close", "look"), c.SkipTask(run, "tidy", "not today", passes=True))
    end_attempt(story, run)
    story.plan_and_apply()
    end_attempt(story, run)
    assert story.tasks(run) == {"work": "succeeded", "more": "succeeded", "tidy": "skipped", "close": "held"}
    story.tell_ok(c.ReleaseTask(run, "close"))
    story.settle()
    assert story.run(run).state == "succeeded"
    other = run_job(story)
    story.plan_and_apply()
    story.tell_ok(c.SkipTask(other, "tidy"), c.HoldTask(other, "close"), c.ReleaseTask(other, "close"))
    assert story.tasks(other)["close"] == "blocked"
    story.tell_ok(c.SkipTask(other, "close"))
    story.settle()
    assert (story.run(other).state, story.tasks(other)["close"]) == ("succeeded", "skipped")


def test_a_newer_tick_waits_for_it(story: Story) -> None:
    """overlap: cancel_running does not cut short what a run does finally."""
    story.connect()
    tasks = {"work": {"noop": True}, "tidy": {"noop": True}}
    policies = {"overlap": "cancel_running"}
    story.put(job(tasks=tasks, trigger={"every": "1m"}, policies=policies, **last("tidy")))
    story.now_ms = START_MS + 60_000
    story.plan_and_apply()
    story.claim(story.attempts(1)[0].id)
    story.finish(story.attempts(1)[0].id)
    story.plan_and_apply()
    story.claim(story.attempts(1)[1].id)
    story.now_ms += 60_000
    story.plan_and_apply()
    assert (story.run(1).stopping, story.attempts(1)[1].state) == ("", "granted")
    assert story.run(2).waiting == 1
    story.settle()
    assert [story.run(run).state for run in (1, 2)] == ["succeeded", "succeeded"]


def test_it_goes_on_over_a_restart_and_a_new_leader(story: Story) -> None:
    run = begun(story)
    end_attempt(story, run, exit_code=1)
    story.reopen()
    story.lead()
    story.settle()
    assert (story.run(run).state, story.tasks(run)["close"]) == ("failed", "succeeded")


def test_explain_says_what_it_waits_for(story: Story) -> None:
    run = begun(story)
    told = explained(story, run)
    assert told["tidy"] == [
        ("rest", "waits", "it begins when all the rest of its run has ended", "the end of 2 more tasks")
    ]


def explained(story: Story, run: int) -> dict[str, list[tuple[str, str, str, str]]]:
    return {
        each.name: [(gate.gate, gate.state, gate.reason, gate.opens) for gate in each.gates if gate.reason]
        for each in of_run(story, run).tasks
    }


@pytest.fixture
def slices(tmp_path: Path) -> Iterator[Story]:
    story = Story(tmp_path / "slices.db", room=6 * ROW)
    story.lead()
    yield story
    story.close()


@pytest.mark.parametrize("cancelled", [False, True])
def test_of_very_many_tasks_in_slices(slices: Story, cancelled: bool) -> None:
    story = slices
    names = [f"last-{n}" for n in range(40)]
    tasks = {
        "work": {"noop": True}, **{f"t{n:03}": {"noop": True, "needs": ["work"]} for n in range(60)},
        **{name: {"noop": True} for name in names},
    }  # fmt: skip
    story.connect(slots=500)
    story.put(job(tasks=tasks, **last(*names)))
    run = run_job(story)
    for _ in range(40):
        story.plan_and_apply()
    story.claim(story.attempts(run)[0].id)
    if cancelled:
        story.tell_ok(c.CancelRun(run, ADA))
    end_attempt(story, run, exit_code=int(cancelled), reason="cancelled" if cancelled else "exit")
    story.settle()
    states = story.tasks(run)
    assert {states[name] for name in names} == {"succeeded"}
    assert story.run(run).state == ("cancelled" if cancelled else "succeeded")
    assert task(story, run, "t000").state == ("cancelled" if cancelled else "succeeded")
