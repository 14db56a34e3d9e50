"""Where the tasks of a group go, how many at once, and what it holds: `sticky`, `max_parallel`, `locks`."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model.parse import parse_job
from scheduler.model.problems import JobError
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler.machine.test_conditions import ASSIGNED
from tests.scheduler.machine.test_locks import held, put, resource
from tests.scheduler.machine.test_locks import run as run_job
from tests.scheduler.machine.test_restores import HOLD_MS, ran, restore, tell
from tests.scheduler.story import Story, job
from tests.scheduler.test_explain import of_run

NOOP: dict[str, Any] = {"noop": True}


def grouped(name: str = "j", tasks: dict[str, Any] | None = None, **group: Any) -> dict[str, Any]:
    """A group of two tasks beside each other, of one after them and one that catches; and one after it."""
    inside = {"a": NOOP, "b": NOOP, "c": {**NOOP, "needs": ["a", "b"]}, "fix": NOOP}
    outside = {"last": {**NOOP, "needs": ["g"]}}
    box = {"tasks": ["a", "b", "c"], "catch": ["fix"], **group}
    return job(name, tasks={**inside, **outside, **(tasks or {})}, groups={"g": box})


def live(story: Story) -> dict[str, int]:
    """Of the tasks that an agent has, which one."""
    return {name: story.attempt(attempt).agent for attempt, name in story.store.rows(ASSIGNED)}


def place(story: Story) -> dict[str, int]:
    """Until the plan comes to rest: then who has what."""
    while story.plan_and_apply():
        pass
    return live(story)


def end(story: Story, *names: str, exit_code: int = 0) -> None:
    for attempt, name in story.store.rows(ASSIGNED):
        if name in names:
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=exit_code).ok


def waits(story: Story, run: int, task: str) -> str:
    """Why it does, in words."""
    (found,) = [each for each in of_run(story, run).tasks if each.name == task]
    return "; ".join(f"{gate.reason} → {gate.opens}" for gate in found.gates if gate.state == "waits")


# -- sticky ---------------------------------------------------------------------------------------------


def test_all_of_a_round_goes_to_the_agent_that_the_first_one_found(story: Story) -> None:
    here, there = story.connect("here", slots=1), story.connect("there", slots=3)
    put(story, grouped(sticky=True, retry={"max": 1, "first": "1s"}), job("other", tasks={"x": NOOP}))
    busy = run_job(story, "other")
    assert place(story) == {"x": here}
    run = run_job(story)
    assert place(story) == {"x": here, "a": there, "b": there}, "beside each other, in one plan"
    assert story.claim(story.attempts(busy)[0].id).ok
    story.finish(story.attempts(busy)[0].id)
    end(story, "a")
    story.disconnect(there)
    assert place(story) == {}, "what was taken back waits, though another has a slot"
    story.reopen()
    story.connect("there", slots=3)
    place(story)
    end(story, "b", exit_code=1)  # c is skipped, and the round over
    story.now_ms += 1_000
    story.disconnect(there)
    story.settle()
    assert {attempt.agent for attempt in story.attempts(run)[3:]} == {here}, "another round finds another"
    assert story.run(run).state == "succeeded"


def test_what_waits_for_an_agent_that_is_away_says_so(story: Story) -> None:
    here = story.connect("here", slots=1)
    story.connect("there", slots=3)
    put(story, grouped(sticky=True))
    run = run_job(story)
    assert place(story) == {"a": here}, "which of two is less loaded is not asked for the second"
    end(story, "a")
    assert place(story) == {"b": here}
    end(story, "b")
    story.disconnect(here)
    assert story.plan_and_apply() == []
    assert waits(story, run, "c") == (
        "it is for here, which is disconnected: its group g is sticky, and has gone there"
        " → that agent, or another round of its group"
    )
    story.connect("here", slots=1)
    assert place(story) == {"c": here}
    story.settle()
    assert live(story) == {}
    assert story.run(run).state == "succeeded"


def test_an_agent_that_gave_all_back_before_anything_began_binds_nothing(story: Story) -> None:
    story.connect("gone", slots=1)
    put(story, grouped(sticky=True))
    run = run_job(story)
    place(story)
    (attempt,) = [each.id for each in story.attempts(run)]
    there = story.connect("there")
    story.tell_ok(c.Revoke(story.epoch, attempt, "the agent did not claim it"))
    story.disconnect(story.attempt(attempt).agent)
    assert place(story) == {"a": there, "b": there}
    # One that surely never started is as if it had not been there.
    first = story.attempts(run)[1].id
    story.tell_ok(c.Revoke(story.epoch, story.attempts(run)[2].id, "no room"))
    assert story.claim(first).ok
    assert story.one(c.Finish(first, there, None, story.now_ms, None, "unstarted")).ok
    story.disconnect(there)
    back = story.connect("gone")
    place(story)
    assert set(live(story).values()) == {back}


def test_a_sticky_group_finds_an_agent_that_offers_what_all_of_it_asks_for(story: Story) -> None:
    story.connect("plain", kinds=("shell",), slots=9)
    both = story.connect("both", kinds=("exec", "shell"), slots=1)
    python = {"python": {"call": "a:b"}, "needs": ["a"]}
    group = {"tasks": ["a", "b"], "sticky": True}
    put(story, job(tasks={"a": {"run": "x"}, "b": python}, groups={"g": group}))
    run_job(story)
    assert place(story) == {"a": both}


# -- max_parallel ---------------------------------------------------------------------------------------


def test_agents_have_no_more_of_a_group_at_once_than_it_lets(story: Story) -> None:
    story.connect()
    names = [f"t{number}" for number in range(5)]
    tasks = {**dict.fromkeys(names, NOOP), "beside": NOOP}
    put(story, job(tasks=tasks, groups={"g": {"tasks": names, "max_parallel": 2}}))
    run, other = run_job(story), run_job(story)
    assert sorted(place(story)) == ["beside", "t0", "t1"]
    assert len(story.attempts(other)) == 3, "each run has its own"
    assert story.told(e.LocksTaken) == [], "it is nobody's resource"
    assert waits(story, run, "t2") == (
        "agents have 2 tasks of its group g, which lets 2 go on at once → the end of one of them"
    )
    before = held(story)
    story.reopen()
    end(story, "t0")
    assert sorted(place(story)) == ["beside", "t1", "t2"]
    assert held(story) == before
    story.settle()
    assert (story.run(run).state, story.run(other).state, held(story)) == ("succeeded", "succeeded", {})


# -- locks ----------------------------------------------------------------------------------------------


def test_a_group_holds_its_locks_from_its_first_placement_over_its_rounds_to_its_end(story: Story) -> None:
    story.connect(slots=20)
    retry = {"max": 1, "first": "10s"}
    put(story, resource(), resource("two"), grouped(locks=["lock"], retry=retry), job("k", locks=["lock"]))
    run = run_job(story)
    place(story)
    other = run_job(story, "k")
    assert sorted(place(story)) == ["a", "b"], "what is inside has it"
    assert held(story) == {"lock": 1}
    assert "held by run 1 of default/j" in waits(story, other, "main")
    end(story, "a", "b", exit_code=1)
    assert (place(story), held(story)) == ({}, {"lock": 1}), "between two rounds too"
    story.reopen()
    story.now_ms += 10_000
    place(story)
    end(story, "a", "b", exit_code=1)
    assert (sorted(place(story)), held(story)) == (["fix"], {"lock": 1})
    end(story, "fix")
    assert [told.resources for told in story.told(e.LocksGivenBack)] == [("default/lock",)]
    assert sorted(place(story)) == ["last", "main"]
    story.settle()
    assert (story.run(run).state, held(story)) == ("succeeded", {})


@pytest.mark.parametrize("how", ["approval", "hold"])
def test_a_lock_over_a_block_is_kept_while_a_person_is_asked_in_it(story: Story, how: str) -> None:
    """JS7's lock over a block with a prompt: nobody comes in between, and who waits sees who has it."""
    story.connect()
    asks: dict[str, Any] = {"approval": {"by": ["ann"], "expires": "1h"}} if how == "approval" else dict(NOOP)
    tasks = {"load": NOOP, "ask": {**asks, "needs": ["load"]}, "publish": {**NOOP, "needs": ["ask"]}}
    block = {"tasks": list(tasks), "locks": ["lock"]}
    put(story, resource(), job(tasks=tasks, groups={"g": block}))
    first, second = run_job(story), run_job(story)
    place(story)
    if how == "hold":
        story.tell_ok(c.HoldTask(first, "ask"))
    end(story, "load")
    for _ in range(3):
        story.now_ms += 60_000
        story.reopen()
        assert place(story) == {}, "its turn is not over"
        assert held(story) == {"lock": 1}
    assert f"held by run {first} of default/j" in waits(story, second, "load")
    if how == "approval":
        story.tell_ok(c.AnswerApproval(first, "ask", "approved", actor=c.Actor("ann")))
    else:
        story.tell_ok(c.ReleaseTask(first, "ask"))
        place(story)
        end(story, "ask")
    assert sorted(place(story)) == ["publish"]
    end(story, "publish")
    assert story.run(first).state == "succeeded"
    assert sorted(place(story)) == ["load"], "of the other one"
    assert held(story) == {"lock": 1}
    story.tell_ok(c.CancelRun(second))
    story.settle()


@pytest.mark.parametrize("way", ["revoked", "cancelled", "stopped", "deleted"])
def test_a_group_gives_back_when_nothing_of_it_began_and_with_its_run(story: Story, way: str) -> None:
    story.connect()
    put(story, resource(), grouped(locks=["lock"]))
    run = run_job(story)
    place(story)
    (first, second) = [each.id for each in story.attempts(run)]
    story.tell_ok(c.Revoke(story.epoch, first, "the agent did not claim it"))
    assert held(story) == {"lock": 1}, "for the other one"
    if way == "revoked":
        story.tell_ok(c.Revoke(story.epoch, second, "the agent did not claim it"))
    else:
        assert story.claim(second).ok
        match way:
            case "cancelled":
                story.tell_ok(c.CancelRun(run))
            case "stopped":
                story.tell_ok(c.StopTask(run, "g"))
            case "deleted":
                story.tell_ok(c.DeleteJob("default", "j", None))
        place(story)
        assert held(story) == {"lock": 1}, "until that is over"
        assert story.finish(second, exit_code=None, reason="cancelled").ok
    assert held(story) == {}
    story.settle()
    assert held(story) == {}


def test_what_agents_tell_of_after_a_restore_holds_what_its_group_takes(story: Story) -> None:
    story.connect()
    put(story, resource(), grouped(locks=["lock"], sticky=True))
    run = run_job(story)
    restore(story)
    agent = story.connect()
    tell(story, ran(attempt=1, run=run, task="a", ended=False))
    assert held(story) == {"lock": 1}
    story.connect("other")
    story.now_ms += HOLD_MS
    place(story)
    assert live(story)["b"] == agent


# -- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "pointer", "said"),
    [
        ({"sticky": True, "on": {"pool": "gpu"}}, "/tasks/b/on", "a and b of group g ask for other agents"),
        ({"sticky": True, "on": {"same_as": "a"}}, "/tasks/b/on/same_as", "its group g says where it goes"),
        ({"max_parallel": 0}, "/groups/g/max_parallel", "at least 1"),
        ({"locks": ["x", "x"]}, "/groups/g/locks/1", "default/x is named by number 0 already"),
        ({"locks": ["a"]}, "/groups/g/locks/0", "default/a sorts before default/m, which its job holds"),
        ({"locks": [{"resource": "m", "amount": 2}]}, "/groups/g/locks/0", "its job holds 1 of default/m"),
        ({"locks": ["z"], "of_task": ["n"]}, "/tasks/b/locks/0", "default/n sorts before default/z, which"),
        (
            {"locks": ["z"], "of_task": [{"resource": "z", "amount": 3}]},
            "/tasks/b/locks/0", "its group g holds 1 of default/z, and it asks for 3",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_where_it_stands(fields: dict[str, Any], pointer: str, said: str) -> None:
    own = {key: fields.pop(name) for name, key in (("on", "on"), ("of_task", "locks")) if name in fields}
    tasks = {"a": NOOP, "b": {**NOOP, "needs": ["a"], **own}}
    shape = job(tasks=tasks, groups={"g": {"tasks": ["a", "b"], **fields}}, policies={"locks": ["m"]})
    with pytest.raises(JobError) as refused:
        parse_job(shape)
    (problem,) = refused.value.problems
    assert (problem.pointer, said in problem.detail) == (pointer, True), problem
    assert problem.hint or "at least" in said


def test_a_sticky_group_without_work_on_agents_is_refused() -> None:
    with pytest.raises(JobError, match="none of its tasks happens on an agent"):
        parse_job(job(tasks={"a": {"sleep": "1s"}}, groups={"g": {"tasks": ["a"], "sticky": True}}))
