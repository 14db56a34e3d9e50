"""So many members of a divided task at a time on one agent (`max_per_agent`), whatever slots it has."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import lock_holds
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_conditions import explained
from tests.scheduler.machine.test_fanout import assigned, begun, closed, end, members, placed, states
from tests.scheduler.machine.test_locks import held, put, resource
from tests.scheduler.machine.test_restores import HOLD_MS, ran, restore, tell
from tests.scheduler.story import Story, job


def on(story: Story, run: int) -> Counter[int]:
    """How many of its attempts each agent has."""
    return Counter(row.agent for row in story.attempts(run) if row.live)


def rooms(story: Story) -> int:
    return int(story.store.value("SELECT count(*) FROM resource_uses WHERE resource >= '@'"))


@pytest.mark.parametrize("fanout", [{"n": 7}, {"foreach": list("abcdefg")}, {"n": 7, "max_parallel": 3}])
def test_no_agent_has_more_members_than_it_may(story: Story, fanout: dict[str, Any]) -> None:
    story.connect("agent-2", slots=3)
    run = begun(story, {**fanout, "max_per_agent": 2})
    most = 0
    for _ in range(60):
        placed(story)  # nothing is proposed that is refused
        now = on(story, run)
        assert not now or max(now.values()) <= 2
        most = max(most, now.total())
        for attempt in list(assigned(story).values())[:1]:
            assert story.claim(attempt).ok
            assert story.finish(attempt).ok
    assert most == fanout.get("max_parallel", 4)
    assert story.run(run).state == "succeeded"
    closed(story, run)
    assert rooms(story) == 0


def test_two_tasks_do_not_count_for_each_other_and_other_work_for_neither(story: Story) -> None:
    run = begun(story, {"n": 3, "max_per_agent": 1}, tasks={
        "more": {"run": "true", "fanout": {"n": 3, "max_per_agent": 2}}, "beside": {"noop": True},
    })  # fmt: skip
    placed(story)
    names = [row.task for row in story.attempts(run) if row.live]
    assert len(names) == 1 + 2 + 1
    story.settle()
    assert story.run(run).state == "succeeded"


def test_who_waits_for_that_says_so_and_a_new_agent_takes_it(story: Story) -> None:
    run = begun(story, {"n": 3, "max_per_agent": 1})
    placed(story)
    found = explained(story, run).tasks[-1]
    gate = next(gate for gate in found.gates if gate.gate == "agent")
    said = "each agent that fits has as many members of its task as it may: 1 (max_per_agent)"
    assert (found.member, gate.state, gate.reason) == ("2", "waits", said)
    story.connect("agent-2")
    placed(story)
    assert states(story, run) == "aaq"


def test_a_proposal_that_is_out_of_date_is_refused(story: Story) -> None:
    run = begun(story, {"n": 2, "max_per_agent": 1})
    placed(story)
    (agent,) = on(story, run)
    waits = story.store.value("SELECT id FROM tasks WHERE run = ? AND member = '1'", (run,))
    outcome = story.one(c.Place(story.epoch, waits, agent))
    assert outcome.code == Code.NOT_CONNECTED
    assert states(story, run) == "aq"


@pytest.mark.parametrize("how", ["revoked", "retried", "lost"])
def test_what_an_agent_has_no_more_counts_no_more(story: Story, how: str) -> None:
    policies = {"on_lost": "retry", "idempotent": True}
    run = begun(story, {"n": 2, "max_per_agent": 1}, retry={"max": 1, "first": "1h"}, policies=policies)
    placed(story)
    attempt = assigned(story)["0"]
    if how == "revoked":
        story.tell_ok(c.Revoke(story.epoch, attempt, "the agent did not claim it"))
    else:
        assert story.claim(attempt).ok
        agent = story.attempt(attempt).agent
        if how == "retried":
            assert story.finish(attempt, exit_code=1).ok
        else:
            story.disconnect(agent)
            placed(story)
            assert on(story, run) == {agent: 1}, "it may be at work there"
            since_ms = story.store.value("SELECT disconnected_ms FROM agents WHERE id = ?", (agent,))
            story.tell_ok(c.Lose(story.epoch, attempt, "its lease is over", since_ms))
            story.connect(session="s2")
    placed(story)
    (row,) = [row for row in story.attempts(run) if row.live]
    assert attempt_rows.live_of_task(story.store, row.task) is not None
    assert rooms(story) == 1
    assert members(story, run)["0" if how == "revoked" else "1"] == "active"


def test_beside_locks_and_a_group_that_holds_some(story: Story) -> None:
    put(story, resource(), resource("pool", count=3))
    run = begun(story, {"n": 4, "max_per_agent": 2}, tasks={
        "first": {"noop": True},
        "many": {"run": "true", "fanout": {"n": 4, "max_per_agent": 2}, "locks": ["pool"]},
        "last": {"noop": True, "needs": ["g"]},
    }, groups={"g": {"tasks": ["first", "many"], "locks": ["lock"]}})  # fmt: skip
    placed(story)
    assert {**held(story), "lock": 1, "pool": 2} == held(story)
    assert on(story, run).total() == 3
    story.connect("agent-2")
    placed(story)
    assert {**held(story), "lock": 1, "pool": 3} == held(story)
    story.settle()
    assert (story.run(run).state, held(story), rooms(story)) == ("succeeded", {}, 0)


def test_who_waits_for_an_agent_lets_others_pass_to_the_locks_that_it_asks_for(story: Story) -> None:
    put(story, resource("pool", count=2), job("k", locks=["pool"]))
    run = begun(story, {"n": 2, "max_per_agent": 1}, tasks={
        "many": {"run": "true", "fanout": {"n": 2, "max_per_agent": 1}, "locks": ["pool"]},
    })  # fmt: skip
    placed(story)
    assert states(story, run) == "aq"
    other = int(story.value(c.RunJob("default", "k", b"{}", story.now_ms), "run"))
    placed(story)
    assert story.tasks(other) == {"main": "active"}
    story.settle()
    assert (story.run(run).state, rooms(story)) == ("succeeded", 0)


def test_a_member_that_an_agent_tells_of_after_a_restore_counts_there(story: Story) -> None:
    run = begun(story, {"n": 3, "max_parallel": 2, "max_per_agent": 1})
    placed(story)
    restore(story)
    tell(story, ran(900, run, task="many", member="2", ended=False))
    whole = story.store.value("SELECT id FROM tasks WHERE run = ? AND name = 'many' AND member = ''", (run,))
    agent = story.attempt(900).agent
    assert lock_holds.use_of(story.store, f"@{whole}:{agent}/1").held == 1
    story.now_ms += HOLD_MS + 1
    story.connect(session="s2", held=((900, "running"),))
    for _ in range(20):
        placed(story)
        assert max(on(story, run).values(), default=0) <= 1
        for member in list(assigned(story))[:1]:
            end(story, member)
    assert story.run(run).finished_ms is not None
    assert rooms(story) == 0
