"""Work in the state: a sleep is active without agent, slot or attempt, and ends by its own instant."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine.renewal import Renewal, renew
from scheduler.plan import wake_ms
from scheduler.store.connection import Store
from scheduler.store.tables import clocks
from scheduler.store.tables import tasks as task_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
SLEEP: dict[str, Any] = {"sleep": "10m"}
AFTER_WORK: dict[str, dict[str, Any]] = {
    "first": {"noop": True},
    "wait": {**SLEEP, "needs": ["first"]},
    "last": {"noop": True, "needs": ["wait"]},
}


def run_job(story: Story, name: str = "j") -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))


def task(story: Story, run: int, name: str = "main") -> task_rows.Task:
    row = task_rows.find(story.store, run, name, task_rows.ONLY, task_rows.FIRST)
    assert row is not None
    return row


def pass_time(story: Story, minutes: int) -> None:
    story.now_ms += minutes * MINUTE_MS
    story.settle()


def asleep(story: Story) -> int:
    """A run of three tasks of which the second sleeps."""
    story.connect()
    story.put(job(tasks=AFTER_WORK))
    run = run_job(story)
    story.settle()
    assert story.tasks(run) == {"first": "succeeded", "wait": "active", "last": "blocked"}
    return run


def test_a_sleep_needs_no_agent_and_starts_its_run(story: Story) -> None:
    story.put(job(tasks={"main": SLEEP}, trigger={"at": "2027-01-15T08:01:00Z"}))
    story.now_ms = START_MS + MINUTE_MS
    story.settle()
    assert story.ledger() == [(60, 1, "ran", "")]
    assert (story.run(1).state, story.run(1).started_ms) == ("running", story.now_ms)
    assert story.attempts(1) == []
    assert wake_ms(story.store) == story.now_ms + 10 * MINUTE_MS
    story.now_ms += 10 * MINUTE_MS - 1
    assert story.plan() == []
    story.now_ms += 1
    story.settle()
    ended = task(story, 1)
    assert (story.run(1).state, ended.state, ended.wake_ms) == ("succeeded", "succeeded", None)
    assert (ended.started_ms, ended.finished_ms) == (START_MS + MINUTE_MS, story.now_ms)
    assert [each.state for each in story.told(e.TaskEnded)] == ["succeeded"]
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_a_sleep_that_is_fired_ahead_of_its_instant_counts_from_that(story: Story) -> None:
    story.put(job(tasks={"main": SLEEP}))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms + 40), "run"))
    assert (task(story, run).started_ms, task(story, run).wake_ms) == (START_MS + 40, START_MS + 600_040)


def test_what_follows_goes_on_and_the_exit_code_is_that_of_work_that_has_one(story: Story) -> None:
    run = asleep(story)
    pass_time(story, 9)
    assert story.tasks(run)["last"] == "blocked"
    pass_time(story, 1)
    assert story.tasks(run) == dict.fromkeys(AFTER_WORK, "succeeded")
    assert (story.run(run).state, story.run(run).exit_code) == ("succeeded", 0)


def test_a_sleep_holds_no_slot_and_its_neighbours_go_on(story: Story) -> None:
    story.connect(slots=1)
    story.put(job(tasks={"a": SLEEP, "b": SLEEP, "c": {"noop": True}}))
    run = run_job(story)
    story.settle()
    assert story.tasks(run) == {"a": "active", "b": "active", "c": "succeeded"}
    assert story.store.value("SELECT sum(busy) FROM agents") == 0
    assert story.store.value("SELECT count(*) FROM runs WHERE state = 'running'") == 1
    pass_time(story, 10)
    assert story.run(run).state == "succeeded"


def test_a_run_that_waits_for_others_sleeps_when_it_is_its_turn(story: Story) -> None:
    story.put(job(tasks={"main": SLEEP}, trigger={"every": "1m"}, policies={"overlap": "queue_one"}))
    pass_time(story, 1)
    pass_time(story, 1)
    assert [task(story, run).state for run in (1, 2)] == ["active", "blocked"]
    pass_time(story, 9)
    assert [task(story, run).state for run in (1, 2)] == ["succeeded", "active"]
    assert task(story, 2).started_ms == story.now_ms


def test_a_run_of_a_hosts_boot_may_sleep(story: Story) -> None:
    story.put(job(tasks={"a": SLEEP, "b": {"noop": True, "needs": ["a"]}}, trigger={"startup": {}}))
    story.connect(boot_id="another boot")
    story.settle()
    assert story.tasks(1) == {"a": "active", "b": "blocked"}
    pass_time(story, 10)
    assert story.run(1).state == "succeeded"


def test_a_cancelled_sleep_ends_at_once(story: Story) -> None:
    run = asleep(story)
    story.tell_ok(c.CancelRun(run, c.Actor("ada")))
    assert story.tasks(run) == {"first": "succeeded", "wait": "cancelled", "last": "cancelled"}
    ended = task(story, run, "wait")
    assert (ended.started_ms, ended.finished_ms, ended.reason) == (START_MS, START_MS, "cancelled by ada")
    assert [each.state for each in story.told(e.TaskEnded)] == ["cancelled"]
    assert story.run(run).state == "cancelled"
    assert story.one(c.Wake(story.epoch, ended.id, START_MS + 10 * MINUTE_MS)).code == Code.ENDED


def test_a_sleep_of_a_deleted_job_is_broken_off(story: Story) -> None:
    run = asleep(story)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert (story.run(run).state, story.tasks(run)["wait"]) == ("cancelled", "cancelled")


def test_a_wake_of_another_instant_or_leadership_decides_nothing(story: Story) -> None:
    run = asleep(story)
    row = task(story, run, "wait")
    assert row.wake_ms is not None
    assert story.one(c.Wake(story.epoch, row.id, row.wake_ms - 1)).code == Code.SUPERSEDED
    assert story.one(c.Wake(story.epoch - 1, row.id, row.wake_ms)).code == Code.STALE_EPOCH
    assert story.one(c.Wake(story.epoch, 99, row.wake_ms)).code == Code.ENDED
    assert story.tasks(run)["wait"] == "active"


def test_a_sleep_goes_on_over_a_restart_and_a_new_leader(story: Story) -> None:
    run = asleep(story)
    story.now_ms += 4 * MINUTE_MS
    story.reopen()
    story.lead()
    story.settle()
    assert story.tasks(run)["wait"] == "active"
    story.now_ms += 60 * MINUTE_MS  # nobody led for an hour: it is over, and not begun anew
    story.lead()
    story.settle()
    assert story.run(run).state == "succeeded"


# -- a run's timeout ------------------------------------------------------------------------------


def timed(story: Story, **tasks: dict[str, Any]) -> int:
    story.put(job(tasks=tasks, policies={"timeout": "5m"}))
    return run_job(story)


def test_a_timeout_stands_still_while_only_sleeps_remain(story: Story) -> None:
    story.connect()
    run = timed(story, **AFTER_WORK)
    story.plan_and_apply()
    assert story.claim(1).ok
    pass_time(story, 2)  # `first` takes two minutes of the five, then `wait` its ten
    assert story.run(run).stop_ms is None
    pass_time(story, 9)
    assert story.run(run).state == "running"
    story.now_ms += MINUTE_MS
    story.plan_and_apply()
    story.plan_and_apply()
    assert story.run(run).stop_ms == story.now_ms + 3 * MINUTE_MS
    assert story.claim(2).ok
    story.now_ms += 3 * MINUTE_MS
    story.plan_and_apply()
    assert story.run(run).stopping == "timed_out"
    assert story.finish(2, exit_code=None, reason="cancelled").ok
    assert story.run(run).state == "timed_out"
    assert clocks.get(story.store, run) is None


@pytest.mark.parametrize("slots", [0, 1], ids=["in the queue", "on an agent"])
def test_a_timeout_goes_on_beside_a_task_that_moves(story: Story, slots: int) -> None:
    story.connect(slots=slots)
    run = timed(story, a={"sleep": "1h"}, b={"noop": True})
    story.plan_and_apply()
    assert story.run(run).stop_ms == START_MS + 5 * MINUTE_MS
    story.now_ms += 5 * MINUTE_MS
    story.plan_and_apply()
    assert story.run(run).stopping == "timed_out"
    assert story.tasks(run)["a"] == "cancelled"


def test_a_run_that_only_sleeps_is_never_timed_out(story: Story) -> None:
    run = timed(story, a={"sleep": "1h"}, b={"sleep": "2h", "needs": ["a"]})
    pass_time(story, 60)
    pass_time(story, 119)
    assert story.tasks(run) == {"a": "succeeded", "b": "active"}
    pass_time(story, 1)
    assert story.run(run).state == "succeeded"


def test_a_pause_before_a_retry_is_no_sleep(story: Story) -> None:
    story.connect()
    again = {"noop": True, "retry": {"max": 1, "first": "10m", "backoff": "constant"}}
    run = timed(story, a={"sleep": "1h"}, b=again)
    story.settle(exit_code=1)
    assert story.tasks(run) == {"a": "active", "b": "retry_wait"}
    pass_time(story, 5)
    assert story.run(run).state == "timed_out"


# -- a restore ------------------------------------------------------------------------------------


def restore(story: Story, *, catchup: bool = False) -> None:
    """The state becomes that of a new cluster, whose first leader takes office at this instant."""
    story.store.close()
    story.cluster = "restored"
    store = Store.open_alone(story.path)
    renew(store, Renewal("restore", "restored", 1, 10_000, catchup, b"node-a"))
    store.close()
    story.raft_index = 0
    story.open()
    story.lead()
    story.connect(session="s2")


def test_a_sleep_in_a_backup_is_given_up_since_what_followed_may_have_run(story: Story) -> None:
    run = asleep(story)
    story.now_ms += 20 * MINUTE_MS
    restore(story)
    story.settle()
    assert story.tasks(run)["wait"] == "active"  # while agents have their time to tell
    pass_time(story, 1)
    assert story.tasks(run) == {"first": "succeeded", "wait": "expired", "last": "skipped"}
    assert (story.run(run).state, task(story, run, "wait").reason) == ("expired", "restored")


@pytest.mark.parametrize("by", ["catchup", "on_lost"])
def test_a_sleep_in_a_backup_goes_on_where_running_twice_is_no_harm(story: Story, by: str) -> None:
    story.connect()
    policies = {"on_lost": "retry", "idempotent": True} if by == "on_lost" else {}
    story.put(job(tasks=AFTER_WORK, policies=policies))
    run = run_job(story)
    story.settle()
    story.now_ms += 5 * MINUTE_MS
    restore(story, catchup=by == "catchup")
    pass_time(story, 1)
    assert story.tasks(run)["wait"] == "active"
    pass_time(story, 4)
    assert story.run(run).state == "succeeded"


def test_no_sleep_of_before_a_restore_is_woken_before_it_is_given_up(story: Story) -> None:
    """More runs than one plan gives up: what follows those that are left must not count as new."""
    story.connect()
    story.put(job(tasks=AFTER_WORK, policies={"overlap": "allow"}))
    runs = [run_job(story) for _ in range(201)]
    story.settle()
    story.now_ms += 20 * MINUTE_MS
    restore(story)
    pass_time(story, 1)
    assert {story.run(run).state for run in runs} == {"expired"}
    assert {story.tasks(run)["last"] for run in runs} == {"skipped"}


def test_a_task_that_waited_for_its_next_try_is_no_exception(story: Story) -> None:
    story.connect()
    again = {"noop": True, "retry": {"max": 1, "first": "10m", "backoff": "constant"}}
    story.put(job(tasks={"a": again}, policies={"overlap": "allow"}))
    runs = [run_job(story) for _ in range(201)]
    story.settle(exit_code=1)
    story.now_ms += 20 * MINUTE_MS
    restore(story)
    pass_time(story, 1)
    assert {story.run(run).state for run in runs} == {"expired"}
