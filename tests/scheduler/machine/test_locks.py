"""Locks: taken all at once with a placement, never more than there is; given back; nobody waits for ever."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.rules import selectors
from scheduler.model.documents import load_yaml
from scheduler.model.locks import RUN, TASK
from scheduler.plan.planner import wake_ms
from scheduler.store.tables import lock_holds
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import FOR_TIME
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_replay import LOCKS, command, random_steps
from tests.scheduler.machine.test_restores import HOLD_MS, ran, restore, tell
from tests.scheduler.story import Story, job

ALICE = c.Actor("alice", "", False)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def resource(name: str = "lock", **fields: Any) -> dict[str, Any]:
    return {"resource": name, **fields}


def put(story: Story, *documents: dict[str, Any]) -> None:
    outcome = story.apply(*documents)
    assert outcome.ok, outcome


def run(story: Story, name: str = "j", **fields: Any) -> int:
    found: int = story.value(c.RunJob("default", name, b"{}", story.now_ms, **fields), "run")
    return found


def active(story: Story) -> list[int]:
    """Runs of which an agent has a task."""
    rows = story.store.rows("SELECT DISTINCT run FROM attempts WHERE live = 1 ORDER BY run")
    return [row[0] for row in rows]


def held(story: Story) -> dict[str, int]:
    """Of each resource, as its holders say; the sums that are kept must agree."""
    found = story.store.rows("SELECT resource, sum(amount) FROM lock_holds GROUP BY 1 ORDER BY 1")
    sums: dict[str, int] = dict(row for row in found if row[1])
    assert sums == dict(story.store.rows("SELECT resource, held FROM resource_uses WHERE held <> 0"))
    outer = story.store.value("SELECT count(DISTINCT id) FROM lock_holds WHERE holder <> 'task'")
    assert outer == story.machine.state.locks
    return {key.removeprefix("default/"): amount for key, amount in sums.items()}


def only_attempt(story: Story, run: int) -> int:
    (attempt,) = [each.id for each in story.attempts(run) if each.live]
    return attempt


def place(story: Story) -> list[int]:
    story.plan_and_apply()
    return active(story)


def test_a_lock_is_held_by_one_and_goes_to_who_waits_longest(story: Story) -> None:
    put(story, resource(), job("j", locks=["lock"]))
    first, second, third = run(story), run(story), run(story)

    assert place(story) == [first]
    assert place(story) == [first], "nothing is proposed that would be refused"
    assert held(story) == {"lock": 1}
    story.claim(only_attempt(story, first))
    story.finish(only_attempt(story, first))
    assert story.told(e.LocksGivenBack)[0].resources == ("default/lock",)
    assert held(story) == {}
    assert place(story) == [second]
    story.settle()
    assert [story.run(each).state for each in (first, second, third)] == ["succeeded"] * 3
    assert held(story) == {}
    assert story.store.rows("SELECT * FROM resource_uses") == []


def test_all_that_a_task_asks_for_is_taken_or_none_of_it(story: Story) -> None:
    put(
        story, resource("a"), resource("b"), job("both", locks=["a", "b"]), job("a", locks=["a"]),
        job("b", locks=["b"]),
    )  # fmt: skip
    one, both, other = run(story, "a"), run(story, "both"), run(story, "b")

    assert place(story) == [one]
    assert held(story) == {"a": 1}, "b is kept for who has waited longer"
    story.settle()
    assert [story.run(each).state for each in (one, both, other)] == ["succeeded"] * 3


def test_who_asks_for_much_is_not_passed_by_those_who_ask_for_little(story: Story) -> None:
    put(
        story, resource("pool", count=3), job("one", locks=["pool"]),
        job("all", locks=[{"resource": "pool", "amount": 3}]),
    )  # fmt: skip
    first, everything, later = run(story, "one"), run(story, "all"), run(story, "one")
    assert place(story) == [first]
    story.now_ms += 1_000
    story.work()
    assert place(story) == [everything]
    assert held(story) == {"pool": 3}
    story.settle()
    assert story.run(later).state == "succeeded"


def test_a_more_important_run_passes_those_that_wait(story: Story) -> None:
    put(
        story, resource(), job("low", locks=["lock"], policies={"priority": 10}),
        job("high", locks=["lock"], policies={"priority": 90}),
    )  # fmt: skip
    holder, low = run(story, "low"), run(story, "low")
    place(story)
    high = run(story, "high")
    story.work()
    assert place(story) == [high]
    story.settle()
    assert {story.run(each).state for each in (holder, low, high)} == {"succeeded"}


def test_what_no_agent_can_take_holds_nothing_and_lets_others_pass(story: Story) -> None:
    put(
        story, resource(), job("away", locks=["lock"], on={"pool": "nowhere"}), job("j", locks=["lock"]),
    )  # fmt: skip
    away, here = run(story, "away"), run(story)
    assert place(story) == [here]
    story.work()
    assert held(story) == {}
    story.connect("agent-2", pool="nowhere")
    assert place(story) == [away]


def test_jobs_that_take_no_locks_are_not_held_up(story: Story) -> None:
    put(story, resource(), job("j", locks=["lock"]), job("free"))
    first, _, free = run(story), run(story), run(story, "free")
    assert place(story) == [first, free]


def test_a_revoked_attempt_gives_back_and_takes_again(story: Story) -> None:
    put(story, resource(), job("j", locks=["lock"]), job("k", policies={"locks": ["lock"]}))
    for name, holder in (("j", TASK), ("k", RUN)):
        number = run(story, name)
        place(story)
        assert [hold.holder for hold in lock_holds.on(story.store, "default/lock", 10)] == [holder]
        story.tell_ok(c.Revoke(story.epoch, only_attempt(story, number), "unclaimed"))
        assert held(story) == {}
        assert place(story) == [number]
        assert held(story) == {"lock": 1}
        story.settle()
        assert held(story) == {}


def test_a_task_gives_back_while_it_waits_for_a_retry_and_its_job_does_not(story: Story) -> None:
    retry = {"max": 1, "first": "10s"}
    put(
        story, resource(), job("task", locks=["lock"], retry=retry),
        job("whole", retry=retry, policies={"locks": ["lock"]}),
    )  # fmt: skip
    for name, while_waiting in (("task", {}), ("whole", {"lock": 1})):
        number = run(story, name)
        place(story)
        story.work(exit_code=1)
        assert story.tasks(number) == {"main": "retry_wait"}
        assert held(story) == while_waiting
        story.now_ms += 20_000
        story.settle()
        assert story.run(number).state == "succeeded"
        assert held(story) == {}


def test_a_run_holds_from_its_first_placement_to_its_end(story: Story) -> None:
    nap, last = {"sleep": "1m", "needs": ["a"]}, {"noop": True, "needs": ["nap"]}
    tasks = {"a": {"noop": True}, "nap": nap, "b": last}
    put(story, resource(), job("j", tasks=tasks, policies={"locks": ["lock"]}), job("k", locks=["lock"]))
    first, second = run(story), run(story, "k")
    assert held(story) == {}
    story.settle()
    assert story.tasks(first) == {"a": "succeeded", "nap": "active", "b": "blocked"}
    assert held(story) == {"lock": 1}
    assert story.tasks(second) == {"main": "queued"}
    story.now_ms += 61_000
    story.settle()
    assert [story.run(each).state for each in (first, second)] == ["succeeded"] * 2
    assert held(story) == {}


def test_tasks_beside_the_first_go_on_once_their_run_has_its_locks(story: Story) -> None:
    tasks: dict[str, Any] = {name: {"noop": True} for name in "abcd"}
    tasks["d"]["locks"] = ["z"]
    put(story, resource(), resource("z"), job("j", tasks=tasks, policies={"locks": ["lock"]}))
    first, second = run(story), run(story)
    place(story)
    place(story)
    assert active(story) == [first]
    assert set(story.tasks(first).values()) == {"active"}
    assert held(story) == {"lock": 1, "z": 1}
    assert set(story.tasks(second).values()) == {"queued"}
    story.settle()
    assert [story.run(each).state for each in (first, second)] == ["succeeded"] * 2
    assert held(story) == {}


def test_a_run_that_lost_its_locks_before_it_began_asks_for_them_again(story: Story) -> None:
    """Its other tasks had been told that it has them."""
    tasks = {"a": {"noop": True}, "b": {"noop": True, "on": {"pool": "other"}}}
    put(story, resource(), job("j", tasks=tasks, policies={"locks": ["lock"]}), job("k", locks=["lock"]))
    number = run(story)
    place(story)
    story.tell_ok(c.HoldTask(number, "a", "look first", ALICE))
    assert held(story) == {}
    other = run(story, "k")
    story.connect("agent-2", pool="other")
    story.now_ms += 1
    story.tell_ok(c.Place(story.epoch, _queued(story, other), 1))
    assert held(story) == {"lock": 1}
    assert story.one(c.Place(story.epoch, _queued(story, number), 2)).code != "ok"
    assert place(story) == [other]
    story.settle()
    assert story.tasks(number) == {"a": "held", "b": "succeeded"}
    assert held(story) == {"lock": 1}
    story.tell_ok(c.CancelRun(number))
    assert held(story) == {}


def _queued(story: Story, run: int) -> int:
    (task,) = [each.id for each in task_rows.of_run(story.store, run) if each.state == "queued"]
    return task


def test_who_cannot_be_reached_keeps_them_until_its_end_is_decided(story: Story) -> None:
    put(story, resource(), job("j", locks=["lock"]), job("wait", locks=["lock"]))
    first, second = run(story), run(story, "wait")
    place(story)
    attempt = only_attempt(story, first)
    story.claim(attempt)
    story.connect("agent-2")
    story.disconnect(1)
    since_ms = story.store.value("SELECT disconnected_ms FROM agents WHERE id = 1")
    story.now_ms += 60_000
    story.tell_ok(c.MarkUnreachable(story.epoch, attempt, since_ms))
    place(story)
    assert held(story) == {"lock": 1}
    assert story.tasks(second) == {"main": "queued"}
    story.tell_ok(c.ResolveRun(first, ALICE))
    assert held(story) == {}
    story.settle()
    assert story.run(second).state == "succeeded"


def test_what_never_started_gives_back_and_takes_again(story: Story) -> None:
    put(story, resource(), job("j", locks=["lock"]))
    number = run(story)
    place(story)
    attempt = only_attempt(story, number)
    story.claim(attempt)
    story.tell_ok(c.Finish(attempt, 1, None, story.now_ms, None, "unstarted"))
    assert (story.tasks(number), held(story)) == ({"main": "queued"}, {})
    story.settle()
    assert story.run(number).state == "succeeded"


def test_a_rate_is_spent_and_refills_by_time(story: Story) -> None:
    put(story, resource("calls", rate="2 per 1m"), job("j", locks=["calls"]))
    runs = [run(story) for _ in range(4)]
    story.settle()
    assert [story.run(each).state for each in runs] == ["succeeded", "succeeded", "pending", "pending"]
    woken = wake_ms(story.store, cache=story.cache)
    assert woken == story.now_ms + 30_000
    story.now_ms = woken - 1
    story.settle()
    assert story.run(runs[2]).state == "pending"
    story.now_ms = woken
    story.settle()
    assert [story.run(each).state for each in runs[2:]] == ["succeeded", "pending"]
    assert held(story) == {}


def test_a_rate_of_a_job_is_spent_once_a_run(story: Story) -> None:
    tasks = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}, "c": {"noop": True}}
    put(story, resource("calls", rate="2 per 1h"), job("j", tasks=tasks, policies={"locks": ["calls"]}))
    runs = [run(story) for _ in range(3)]
    story.settle()
    assert [story.run(each).state for each in runs] == ["succeeded", "succeeded", "pending"]


def test_a_smaller_amount_takes_nothing_away_and_nothing_new_is_given(story: Story) -> None:
    put(story, resource("pool", count=3), job("j", locks=["pool"]))
    runs = [run(story) for _ in range(5)]
    assert place(story) == runs[:3]
    put(story, resource("pool", count=1))
    for each in runs[:2]:
        story.claim(only_attempt(story, each))
        story.finish(only_attempt(story, each))
        assert place(story) == [each for each in runs[:3] if story.run(each).state != "succeeded"]
    put(story, resource("pool", count=2))
    assert place(story) == [runs[2], runs[3]]
    story.settle()
    assert held(story) == {}


def test_a_resource_that_jobs_name_stays_and_one_that_is_not_there_is_refused(story: Story) -> None:
    put(story, resource(), job("j", policies={"locks": ["lock"]}))
    refused = story.apply(gone=[("resource", "default", "lock")])
    assert (refused.code, refused.detail) == (
        "referred", "resource default/lock is referred to by job default/j",
    )  # fmt: skip
    missing = story.apply(job("k", locks=["lokc"]))
    assert missing.code == "missing"


def test_a_run_of_an_older_revision_waits_when_its_resource_is_gone(story: Story) -> None:
    put(story, resource(), job("j", locks=["lock"]))
    first, second = run(story), run(story)
    place(story)
    put(story, job("j"))
    assert story.apply(gone=[("resource", "default", "lock")]).ok
    story.settle()
    assert [story.run(each).state for each in (first, second)] == ["succeeded", "pending"]
    assert held(story) == {}
    put(story, resource())
    story.settle()
    assert story.run(second).state == "succeeded"


def test_a_run_in_the_middle_passes_those_who_wait_for_what_it_holds(story: Story) -> None:
    """`both` waits for a, which the run has, and so must not keep b from it."""
    tasks = {"x": {"noop": True}, "y": {"noop": True, "needs": ["x"], "locks": ["b"]}}
    put(
        story, resource("a"), resource("b"), job("j", tasks=tasks, policies={"locks": ["a"]}),
        job("both", locks=["a", "b"]),
    )  # fmt: skip
    inside = run(story)
    place(story)
    both = run(story, "both")
    story.now_ms += 1_000
    story.work()
    assert place(story) == [inside]
    assert held(story) == {"a": 1, "b": 1}
    story.settle()
    assert [story.run(each).state for each in (inside, both)] == ["succeeded"] * 2


def test_a_cancelled_a_deleted_and_a_suspended_run_give_back(story: Story) -> None:
    put(story, resource(), job("j", policies={"locks": ["lock"]}), job("k", locks=["lock"]))
    cancelled, waiting = run(story), run(story)
    place(story)
    story.tell_ok(c.SuspendRun(cancelled, "wait", ALICE))
    assert held(story) == {}, "it had not begun"
    assert place(story) == [waiting]
    story.tell_ok(c.ResumeRun(cancelled, "", ALICE), c.CancelRun(waiting))
    place(story)
    story.claim(only_attempt(story, cancelled))
    story.tell_ok(c.SuspendRun(cancelled, "wait", ALICE))
    assert held(story) == {"lock": 1}, "it had"
    story.finish(only_attempt(story, cancelled))
    assert held(story) == {}
    third = run(story)
    place(story)
    story.tell_ok(c.DeleteJob("default", "j", None, ALICE))
    assert story.run(third).state == "cancelled"
    assert held(story) == {}


def test_a_deposed_leader_cannot_give_a_lock_twice(story: Story) -> None:
    put(story, resource(), job("j", locks=["lock"]))
    first, second = run(story), run(story)
    place(story)
    outcome = story.one(c.Place(story.epoch, _queued(story, second), 1))
    said = f"task {_queued(story, second)} has to wait for a resource"
    assert (outcome.code, outcome.detail) == ("superseded", said)
    assert active(story) == [first]


AGAIN: dict[str, Any] = {"on_lost": "retry", "idempotent": True}


@pytest.mark.parametrize("of", [RUN, TASK])
def test_after_a_restore_locks_are_held_by_who_an_agent_tells_of(story: Story, of: str) -> None:
    locks: dict[str, Any] = {"locks": ["lock"]}
    fields: dict[str, Any] = {"policies": AGAIN | locks} if of == RUN else {"policies": AGAIN, **locks}
    put(story, resource(), job("j", **fields))
    first, second = run(story), run(story)
    restore(story)
    story.connect()
    assert place(story) == [], "nobody takes any while the restore holds up what was before it"
    tell(story, ran(900, second, ended=False))
    assert held(story) == {"lock": 1}
    story.now_ms += HOLD_MS
    for _ in range(3):
        assert place(story) == [second]
    tell(story, ran(900, second))
    assert held(story) == {}
    assert place(story) == [first]
    story.settle()
    assert held(story) == {}


def test_two_that_an_agent_tells_of_hold_a_lock_together_until_both_have_ended(story: Story) -> None:
    put(story, resource(), job("j", policies=AGAIN, locks=["lock"]))
    runs = [run(story), run(story), run(story)]
    restore(story)
    tell(story, *(ran(900 + each, each, ended=False) for each in runs[:2]))
    story.connect()
    story.now_ms += HOLD_MS
    for _ in range(3):
        assert place(story) == runs[:2]
    assert held(story) == {"lock": 2}
    assert story.finish(900 + runs[0]).ok
    assert place(story) == [runs[1]], "one of them still has it"
    assert story.finish(900 + runs[1]).ok
    assert place(story) == [runs[2]]


def test_a_start_deadline_stands_still_while_a_resource_is_lacking(story: Story) -> None:
    put(story, resource(), job("j", policies={"start_deadline": "1m"}, locks=["lock"]))
    first, second = run(story), run(story)
    assert place(story) == [first]
    assert story.claim(only_attempt(story, first)).ok
    for _ in range(3):
        story.now_ms += 61_000
        assert place(story) == [first]
        assert story.run(second).state == "pending"
    (agent,) = story.sessions
    assert story.finish(only_attempt(story, first)).ok
    story.disconnect(agent)
    story.now_ms += 61_000
    story.plan_and_apply()
    assert story.run(second).state == "expired", "nothing but an agent was lacking"
    assert held(story) == {}


def test_the_example_works_as_it_stands(story: Story) -> None:
    text = Path(__file__).parents[3] / "docs/examples/locks/warehouse.yaml"
    put(story, *[each.data for each in load_yaml(text.read_text(), text.name)])
    load, compact = run(story, "nightly-load"), run(story, "compact")
    story.plan_and_apply()
    assert active(story) == [load]
    story.settle()
    assert {story.run(each).state for each in (load, compact)} == {"succeeded"}


def test_what_a_task_asks_for_is_set_right_by_one_refusal_once_its_run_lost_its_locks(story: Story) -> None:
    two = {"a": {"noop": True}, "b": {"noop": True}}
    urgent_one = job("urgent", locks=["lock"], policies={"priority": 90})
    put(story, resource(), job(tasks=two, policies={"locks": ["lock"]}), urgent_one)
    number = run(story)
    story.plan_and_apply()
    story.plan_and_apply()  # the other is inside by now
    both = {attempt.task: attempt.id for attempt in story.attempts(number)}
    first, behind = sorted(both)
    story.tell_ok(c.Revoke(story.epoch, both[behind], "unclaimed"))
    assert held(story) == {"lock": 1}  # with the other attempt
    story.tell_ok(c.Revoke(story.epoch, both[first], "unclaimed"))
    assert held(story) == {}
    assert astray(story, [behind]) == {behind}
    urgent = run(story, "urgent")
    planned = story.plan()
    assert [each.task for each in planned if isinstance(each, c.Place)] == [max(both) + 1, behind]
    assert [outcome.code for outcome in story.tell(*planned)] == [Code.OK, Code.SUPERSEDED]
    assert astray(story, [behind]) == set()
    assert active(story) == [urgent]
    assert story.plan() == []
    story.settle()
    assert {story.run(each).state for each in (number, urgent)} == {"succeeded"}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_nobody_starves_and_all_is_given_back(seed: int, story: Story) -> None:
    assert story.apply(*LOCKS).ok
    steps = random_steps(random.Random(seed), 120, seconds=seed % 2 == 1)
    for step in [("put", 1, "allow", False), ("put", 5, "allow", False), ("plan", 4), *steps]:
        commands = command(story, step)
        if commands:
            story.tell(*commands)
    quiet_down(story)
    for _ in range(1_000):  # who takes a rate has a long queue
        settle(story)
        if not story.store.rows("SELECT id FROM runs WHERE finished_ms IS NULL"):
            break
        story.now_ms += 6_000
        kept = "SELECT run, name, member FROM tasks WHERE state = 'held' ORDER BY id"
        for run, task, member in story.store.rows(kept):
            story.tell(c.ReleaseTask(run, task, "why", member=member))
        for (run,) in story.store.rows(f"SELECT id FROM runs WHERE waiting = {FOR_TIME} ORDER BY id"):
            story.tell(c.CancelRun(run))  # its window may open tomorrow
        gone = [row[0] for row in story.store.rows("SELECT id FROM agents WHERE node = '' ORDER BY id")]
        for run, selector in story.store.rows("SELECT run, selector FROM tasks WHERE state = 'queued'"):
            if selectors.parse(selector).agent in gone:  # it is for an agent that will not come back
                story.tell(c.CancelRun(run))
    left = "SELECT r.id, r.state, t.name, t.state, t.selector FROM runs r LEFT JOIN tasks t ON t.run = r.id"
    assert story.store.rows(f"{left} AND t.finished_ms IS NULL WHERE r.finished_ms IS NULL") == []
    assert held(story) == {}


def settle(story: Story) -> None:
    """As the story does, but that a plan may meet tasks whose run lost its locks since they were queued:
    where these have to wait they are refused, or others in whose place they came. It sets them right.

    And the time of several members may be over in one plan: the first that ends takes the others along.
    """
    for _ in range(1_000):
        planned = story.plan()
        wrong = astray(story, [each.task for each in planned if isinstance(each, c.Place)])
        outcomes = story.tell(*planned) if planned else []
        refused = [each for each in zip(planned, outcomes, strict=True) if not each[1].ok]
        for proposed, outcome in refused:
            if isinstance(proposed, c.Wake):
                task = task_rows.get(story.store, proposed.task)
                assert (outcome.code, task and task.state) == (Code.ENDED, "cancelled"), refused
                continue
            assert wrong, refused
            assert isinstance(proposed, c.Place), refused
            assert outcome.code is Code.SUPERSEDED, refused
        assert astray(story, wrong) == set()
        if not story.work() and not planned:
            return
    raise AssertionError("the plan never comes to rest")


def astray(story: Story, tasks: Iterable[int]) -> set[int]:
    """Which of them wait as if their run had its locks, though it has none."""
    return {
        task.id
        for task in task_rows.of_ids(story.store, sorted(tasks))
        if task.state == "queued" and not lock_holds.holds(story.store, RUN, task.run)
        if any(lock.holder == selectors.HELD for lock in selectors.parse(task.selector).locks)
    }


def quiet_down(story: Story) -> None:
    """Nothing new comes, all agents are there, and nobody keeps anything back."""
    for _ in range(50):  # a staged apply may go live
        if story.one(c.PutNamespace("default", b"{}")).ok:
            break
        story.now_ms += 500
        story.tell(*story.plan())
    story.tell_ok(c.Resume(""), c.Resume("default"))
    for (name,) in story.store.rows("SELECT name FROM jobs ORDER BY name"):
        story.tell(c.PauseJob("default", name))
    agents = "SELECT name, installation FROM agents WHERE name NOT LIKE '%#%' ORDER BY id"
    for name, installation in story.store.rows(agents):
        story.tell(c.ResumeAgent(name))
        story.connect(name, session="the last", installation=installation)
    for (run,) in story.store.rows("SELECT id FROM runs WHERE finished_ms IS NULL ORDER BY id"):
        story.tell(c.ReleaseRun(run, "why"), c.ResumeRun(run, "why"), c.ResolveRun(run))
