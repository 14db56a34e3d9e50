"""Where tasks go: patterns over labels and names of agents, the agent of another task."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine.rules import selectors
from scheduler.plan.places import Places
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job
from tests.scheduler.test_explain import of_task

DB1 = {"tier": "prod", "host": "db-1.example.org"}


def taken_by(story: Story, **on: Any) -> list[str]:
    """Agents that took one of as many runs as there are agents, by name."""
    story.put(job("j", tasks={"a": {"noop": True, "on": on}}))
    for _ in range(4):
        story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    while story.plan_and_apply():
        pass
    rows = story.store.rows(
        "SELECT DISTINCT g.name FROM attempts a JOIN agents g ON g.id = a.agent ORDER BY g.name"
    )
    return [name for (name,) in rows]


@pytest.mark.parametrize(
    ("on", "agents"),
    [
        ({}, ["db-1", "db-2", "web-1"]),
        ({"match": {"tier": "pro*"}}, ["db-1"]),
        ({"match": {"tier": "*"}}, ["db-1", "db-2"]),
        ({"not": {"tier": "test"}}, ["db-1", "web-1"]),
        ({"not": {"tier": "*"}}, ["web-1"]),
        ({"match": {"host": "db-?"}}, ["db-2"]),  # db-1 has a label host, which counts instead of its name
        ({"match": {"host": "db-*"}}, ["db-1", "db-2"]),
        ({"match": {"host": "regex:(db|web)-[0-9]+"}}, ["db-2", "web-1"]),
        ({"match": {"host": "*"}, "not": {"host": "web*", "tier": "regex:t.*"}}, ["db-1"]),
        ({"match": {"tier": "*"}, "labels": {"tier": "test"}}, ["db-2"]),
        ({"match": {"rack": "*"}}, []),
    ],
)
def test_patterns_say_who_may_take_it(story: Story, on: dict[str, Any], agents: list[str]) -> None:
    story.connect("db-1", slots=4, labels=b'{"host":"db-1.example.org","tier":"prod"}')
    story.connect("db-2", slots=4, labels=b'{"tier":"test"}')
    story.connect("web-1", slots=4)

    found = taken_by(story, **on)

    assert set(found) <= set(agents)
    assert bool(found) == bool(agents)
    selector = story.store.value("SELECT selector FROM tasks ORDER BY id LIMIT 1")
    assert Places(story.store).free(selector, 99) == 4 * len(agents) - (4 if found else 0)


def test_who_is_not_meant_is_refused_by_the_machine_too(story: Story) -> None:
    story.connect("db-1", labels=b'{"tier":"prod"}')
    web = story.connect("web-1")
    story.put(job(tasks={"a": {"noop": True, "on": {"match": {"tier": "prod"}, "not": {"host": "web*"}}}}))
    run = story.value(c.RunJob("default", "j", b"{}", START_MS, agent=web), "run")
    assert story.tasks(run) == {"a": "queued"}
    assert story.one(c.Place(story.epoch, 1, web)).code == Code.NOT_CONNECTED


def test_a_selector_says_its_patterns_and_keeps_them_where_it_is_bound(story: Story) -> None:
    agent = story.connect("db-1", labels=b'{"tier":"prod"}')
    story.put(job(tasks={"a": {"noop": True, "on": {"match": {"tier": "p*"}, "not": {"host": "x*"}}}}))
    story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    text = story.store.value("SELECT selector FROM tasks")
    wanted, bound = selectors.parse(text), selectors.parse(selectors.bound(text, agent))
    assert selectors.words(wanted) == "pool default, label tier like p*, host not like x*"
    assert bound == wanted._replace(agent=agent)


CHAIN: dict[str, dict[str, Any]] = {
    "a": {"noop": True},
    "b": {"noop": True, "needs": ["a"]},
    "c": {"noop": True, "needs": ["b"], "on": {"same_as": "a"}, "retry": {"max": 3, "first": "1s"}},
}


def test_a_task_follows_another_to_its_agent_also_when_it_is_tried_again(story: Story) -> None:
    for number in range(3):
        story.connect(f"agent-{number}", slots=1)
    story.put(job(tasks=CHAIN))
    for _ in range(3):  # one of them is not by chance the least loaded
        run = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
        for exit_code in (0, 0, 1, 1, 0):
            story.now_ms += 60_000
            while story.plan_and_apply():
                pass
            attempt = story.store.value("SELECT max(id) FROM attempts WHERE run = ?", (run,))
            assert story.claim(attempt).ok
            story.finish(attempt, exit_code=exit_code)
        rows = story.store.rows(
            "SELECT t.name, a.agent FROM attempts a JOIN tasks t ON t.id = a.task WHERE a.run = ?"
            " AND a.state <> 'revoked' ORDER BY a.id",
            (run,),
        )
        assert [name for name, _ in rows] == ["a", "b", "c", "c", "c"]
        assert {agent for name, agent in rows if name == "c"} == {rows[0][1]}
        assert story.run(run).state == "succeeded"


def test_it_waits_for_that_agent_and_says_so(story: Story) -> None:
    first = story.connect("first")
    story.put(job(tasks={"a": {"noop": True}, "c": {**CHAIN["c"], "needs": ["a"]}}))
    run = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    while story.plan_and_apply():
        pass
    assert story.claim(1).ok
    story.finish(1)
    story.connect("second")
    story.disconnect(first)
    while story.plan_and_apply():
        pass
    assert story.tasks(run)["c"] == "queued"
    told = of_task(story, run, "c")
    gates = {finding.gate: finding.reason for finding in told.gates}
    assert gates["agent"] == "it is for first, which is disconnected: a ran there"

    story.connect("first", session="s2")
    story.settle()
    assert story.run(run).state == "succeeded"


def test_where_the_other_had_no_agent_it_goes_to_any(story: Story) -> None:
    story.connect("first")
    tasks = {
        "z": {"noop": True},
        "a": {"noop": True, "needs": ["z"], "rule": "any_failed"},
        "c": {"noop": True, "needs": ["a"], "rule": "all_done", "on": {"same_as": "a"}},
    }
    story.put(job(tasks=tasks))
    run = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    story.settle()
    assert story.tasks(run) == {"z": "succeeded", "a": "skipped", "c": "succeeded"}


def test_what_is_not_restartable_is_neither_suspended_nor_resumed_once_it_has_begun(story: Story) -> None:
    story.connect()
    two = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}
    story.put(job(tasks=two, policies={"not_restartable": True}))
    run = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    assert story.one(c.SuspendRun(run)).ok, "nothing of it has begun"
    assert story.one(c.ResumeRun(run)).ok
    while story.plan_and_apply():
        pass
    attempt = story.store.value("SELECT max(id) FROM attempts WHERE run = ? AND state = 'assigned'", (run,))
    assert story.claim(attempt).ok
    for command in (c.SuspendRun(run), c.ResumeRun(run)):
        outcome = story.one(command)
        assert outcome.code == Code.CONFLICT
        assert "default/j is not_restartable" in outcome.detail
    story.finish(attempt)
    story.settle()
    assert story.run(run).state == "succeeded"
