"""What runs require of agents: a path that is there, a command that ends well. Asked again until then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import READY_WORD, Cluster
from scheduler.explain.runs import explain_run
from scheduler.model import JobError, canonical, parse_job
from scheduler.plan import cut_off
from scheduler.store.tables import run_waits
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

CHECK = {"check": {"run": "test -e /ready", "every": "30s"}}
HOURLY = {"every": "1h", "id": "t"}
HOUR_MS = 3_600_000


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def put(story: Story, *requires: dict[str, Any], policy: Any = None, **fields: Any) -> None:
    said = {"requires_policy": policy} if policy else {}
    assert story.apply(job(requires=list(requires), **said, **fields)).ok


def run(story: Story, **fields: Any) -> int:
    made: int = story.value(c.RunJob("default", "j", b"{}", story.now_ms, **fields), "run")
    story.plan_and_apply()
    return made


def asked(story: Story) -> list[str]:
    """States of the attempts, the oldest first."""
    return [row[0] for row in story.store.rows("SELECT state FROM attempts ORDER BY id")]


def answer(story: Story, exit_code: int = 0, **fields: Any) -> None:
    """The newest attempt was granted and ended; then the leader plans."""
    (attempt,) = story.store.rows("SELECT max(id) FROM attempts")[0]
    assert story.claim(attempt).ok
    story.finish(attempt, exit_code=exit_code, **fields)
    plan(story)


def plan(story: Story) -> None:
    for _ in range(3):  # it is judged, then placed; what is judged first may end what else is due
        story.tell(*story.plan())


def again(story: Story, wait_ms: int = 30_000) -> None:
    story.now_ms += wait_ms
    plan(story)


def lacks(story: Story, number: int) -> list[str]:
    told = explain_run(story.store, story.run(number), Cluster(story.now_ms, "a", True), story.compiled)
    return [each.reason for each in told.gates if each.gate == "requires" and each.reason]


def closed(story: Story, number: int) -> dict[str, list[str]]:
    """The gates that keep its tasks back."""
    told = explain_run(story.store, story.run(number), Cluster(story.now_ms, "a", True), story.compiled)
    return {each.name: [gate.gate for gate in each.gates if gate.state != READY_WORD] for each in told.tasks}


def state(story: Story, number: int) -> tuple[str, int]:
    row = story.run(number)
    return row.state, row.waiting


def proven(story: Story) -> None:
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []


def test_a_run_waits_until_the_command_ends_well(story: Story) -> None:
    put(story, CHECK, trigger=HOURLY)
    story.now_ms += HOUR_MS
    story.plan_and_apply()
    story.plan_and_apply()
    assert state(story, 1) == ("pending", 4)
    assert story.tasks(1) == {"@requires-0": "active", "main": "blocked"}
    assert lacks(story, 1) == ["it requires check 'test -e /ready' on pool default (asked once)"]
    answer(story, 1)
    assert story.tasks(1) == {"@requires-0": "retry_wait", "main": "blocked"}
    assert lacks(story, 1) == ["it requires check 'test -e /ready' on pool default (asked once, exit code 1)"]
    assert closed(story, 1) == {"@requires-0": ["retry"], "main": ["run"]}
    again(story, 29_999)
    assert asked(story) == ["failed"], "not before its time"
    again(story, 1)
    assert asked(story) == ["failed", "assigned"]
    assert story.ledger() == [], "its tick has not run"
    answer(story)
    assert state(story, 1)[0] == "pending"
    assert story.run(1).started_ms is None
    assert story.tasks(1) == {"@requires-0": "succeeded", "main": "active"}
    answer(story)
    assert state(story, 1)[0] == "succeeded"
    assert story.ledger()[0][2:] == ("ran", "")
    proven(story)


def test_a_path_is_looked_for_on_the_agents_that_it_names(story: Story) -> None:
    put(story, {"exists": "/in/done", "on": {"pool": "etl"}, "every": "10s"})
    made = run(story)
    assert asked(story) == []
    assert lacks(story, made) == ["it requires path /in/done on pool etl, which no agent was asked yet"]
    story.connect("etl-1", pool="etl")
    again(story, 0)
    compiled = story.compiled(0, 1, "default", "j")
    assert compiled.tasks[0].work["argv"] == ["test", "-e", "/in/done"]
    answer(story)
    assert story.tasks(made)["main"] == "active"


def test_a_leader_change_asks_no_second_time(story: Story) -> None:
    put(story, CHECK)
    made = run(story)
    (attempt,) = story.attempts(made)
    assert story.claim(attempt.id).ok
    story.reopen()
    story.lead()
    story.plan_and_apply()
    assert asked(story) == ["granted"]
    story.finish(attempt.id)
    plan(story)
    assert story.tasks(made) == {"@requires-0": "succeeded", "main": "active"}


def test_another_agent_is_asked_where_one_is_lost(story: Story) -> None:
    put(story, CHECK)
    made = run(story)
    (attempt,) = story.attempts(made)
    assert story.claim(attempt.id).ok
    story.disconnect(attempt.agent)
    story.connect("other")
    lost = {(each.id, each.since_ms) for each in cut_off(story.store)}
    for _ in range(3):
        story.tell(*story.plan(leases=lost))
    again(story)
    assert asked(story) == ["lost", "assigned"], "though the job says on_lost: wait"
    answer(story)
    assert story.tasks(made)["main"] == "active"


@pytest.mark.parametrize(
    ("then", "ended", "entry"),
    [
        ("fail", "expired", ("missed", "requires")),
        ("skip", "cancelled", ("skipped", "requires")),
        ("go", "pending", None),
    ],
)
@pytest.mark.parametrize("how", ["timeout", "max"])
def test_its_patience_ends(
    story: Story, then: str, ended: str, entry: tuple[str, str] | None, how: str
) -> None:
    check = {"run": "false", "every": "30s", **({"max": 2} if how == "max" else {})}
    patience = {"timeout": "1m"} if how == "timeout" else {}
    put(story, {"check": check}, policy={**patience, "on_timeout": then}, trigger=HOURLY)
    story.now_ms += HOUR_MS
    story.plan_and_apply()
    story.plan_and_apply()
    answer(story, 1)
    again(story)
    answer(story, 1)
    again(story, 30_000 if how == "timeout" else 0)
    assert story.run(1).state == ended
    assert [each[2:] for each in story.ledger()] == ([] if entry is None else [entry])
    assert (story.tasks(1)["main"] == "active") == (then == "go")
    proven(story)


def test_of_any_the_other_is_asked_no_more(story: Story) -> None:
    assert story.apply({"board": "stock"}).ok
    put(story, CHECK, {"notice": "stock"}, policy={"need": "any"})
    made = run(story)
    (attempt,) = story.attempts(made)
    assert story.claim(attempt.id).ok
    story.tell_ok(c.PostNotice("default", "stock", "k", HOUR_MS))
    plan(story)
    assert story.tasks(made) == {"@requires-0": "active", "main": "active"}
    assert story.attempt(attempt.id).state == "cancelling"
    story.finish(attempt.id, reason="cancelled", exit_code=None)
    answer(story)
    assert state(story, made)[0] == "succeeded"
    assert story.tasks(made)["@requires-0"] == "skipped"
    assert run_waits.get(story.store, made) is None


def test_a_person_lets_it_go_and_cancels_it(story: Story) -> None:
    put(story, CHECK, policies={"overlap": "allow"})
    released, cancelled = run(story), run(story)
    story.tell_ok(c.ReleaseRun(released), c.CancelRun(cancelled))
    assert story.tasks(released)["@requires-0"] == "skipped"
    assert story.run(cancelled).state == "cancelled"
    plan(story)
    assert story.tasks(released)["main"] == "active"


def test_behind_another_run_nobody_is_asked(story: Story) -> None:
    put(story, CHECK, policies={"overlap": "queue_one"}, trigger=HOURLY)
    for _ in range(2):
        story.now_ms += HOUR_MS
        story.plan_and_apply()
    assert [state(story, each) for each in (1, 2)] == [("pending", 4), ("pending", 1)]
    assert story.tasks(2) == {"@requires-0": "blocked", "main": "blocked"}
    story.tell_ok(c.CancelRun(1))
    story.plan_and_apply()
    assert state(story, 2) == ("pending", 4)
    assert story.tasks(2) == {"@requires-0": "active", "main": "blocked"}


def test_while_a_person_keeps_the_run_back_nobody_is_asked(story: Story) -> None:
    put(story, CHECK)
    made = run(story)
    story.tell_ok(c.SuspendRun(made))
    assert story.tasks(made)["@requires-0"] == "blocked"
    story.tell_ok(c.ResumeRun(made))
    story.plan_and_apply()
    assert story.tasks(made)["@requires-0"] == "active"
    answer(story)
    assert story.tasks(made)["main"] == "active"


def test_it_takes_none_of_the_locks_and_does_not_fail_the_run(story: Story) -> None:
    assert story.apply({"resource": "r"}).ok
    put(story, CHECK, policies={"locks": ["r"]}, policy={"timeout": "1m", "on_timeout": "go"})
    made = run(story)
    assert story.store.value("SELECT count(*) FROM lock_holds") == 0
    answer(story, 1)
    again(story, 60_000)
    answer(story)
    assert state(story, made)[0] == "succeeded"


def test_a_whole_repeat_asks_again(story: Story) -> None:
    put(story, CHECK)
    made = run(story)
    answer(story)
    answer(story, 1)
    assert state(story, made)[0] == "failed"
    again_run = int(story.value(c.RerunRun(made, b"{}", story.now_ms), "run"))
    story.plan_and_apply()
    assert story.tasks(again_run) == {"@requires-0": "active", "main": "blocked"}


TWO = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}


def test_what_repeats_a_run_up_to_a_task_asks_first(story: Story) -> None:
    put(story, CHECK, tasks=TWO)
    made = run(story)
    answer(story)
    answer(story)
    answer(story, 1)
    assert state(story, made)[0] == "failed"
    again_run = int(story.value(c.RerunRun(made, b"{}", story.now_ms, until_task="a"), "run"))
    plan(story)
    assert state(story, again_run) == ("pending", 4)
    answer(story)
    answer(story)
    assert story.tasks(again_run) == {"@requires-0": "succeeded", "a": "succeeded", "b": "skipped"}
    assert state(story, again_run)[0] == "succeeded"


def test_what_was_asked_in_vain_is_asked_anew_by_a_repeat_of_what_failed(story: Story) -> None:
    put(story, {"check": {"run": "x", "max": 1}}, tasks=TWO)
    made = run(story)
    answer(story, 1)
    assert state(story, made)[0] == "expired"
    again_run = int(story.value(c.RerunRun(made, b"{}", story.now_ms, from_failed=True), "run"))
    plan(story)
    assert state(story, again_run) == ("pending", 4)
    answer(story)
    assert story.tasks(again_run) == {"@requires-0": "succeeded", "a": "active", "b": "blocked"}
    answer(story)
    answer(story, 1)
    third = int(story.value(c.RerunRun(again_run, b"{}", story.now_ms, from_failed=True), "run"))
    plan(story)
    assert story.tasks(third) == {"@requires-0": "succeeded", "a": "succeeded", "b": "active"}


def test_that_it_was_asked_in_vain_alone_is_nothing_to_repeat(story: Story) -> None:
    put(story, {"check": {"run": "x", "max": 1}}, policy={"on_timeout": "go"}, tasks=TWO)
    made = run(story)
    for exit_code in (1, 0, 0):
        answer(story, exit_code)
    assert state(story, made)[0] == "succeeded"
    assert story.one(c.RerunRun(made, b"{}", story.now_ms, from_failed=True)).code == Code.CONFLICT


@pytest.mark.parametrize(
    ("allowed", "said", "hint"),
    [
        ({"pools": ("etl",)}, "asked of pool default; its namespace may use etl", "name one of etl"),
        ({"users": ("etl",)}, "as the agent's own user; tasks of its namespace run as etl", "let a task"),
    ],
)
def test_one_that_its_namespace_may_not_ask_is_refused(
    story: Story, allowed: dict[str, Any], said: str, hint: str
) -> None:
    story.tell_ok(c.PutNamespace("default", b"{}", **allowed))
    tasks = {"a": {"run": "x", "run_as": "etl", "on": {"pool": "etl"}}}
    refused = story.apply(job(requires=[{"exists": "/x", "on": {"pool": "etl"}}, CHECK], tasks=tasks))
    assert refused.code == Code.NOT_ALLOWED
    assert said in refused.detail
    value = refused.value or {}
    place = 1 if "pools" in allowed else 0
    assert value["pointer"] == f"/requires/{place}"
    assert str(value["hint"]).startswith(hint)


@pytest.mark.parametrize(
    ("given", "at", "said"),
    [
        ({"check": {}}, "/requires/0/check/run", "run is required"),
        ({"check": {"run": "x", "every": "1s"}}, "/requires/0/check/every", "asked too often"),
        ({"check": {"run": "x", "timeout": "1h"}}, "/requires/0/check/timeout", "a check is short"),
        ({"check": {"run": "x", "on": {"same_as": "a"}}}, "/requires/0/check/on", "before a task has run"),
        ({"check": {"run": "x"}, "every": "30s"}, "/requires/0", "write it within check"),
        ({"check": {"rum": "x"}}, "/requires/0/check/rum", "did you mean run?"),
        ({"exists": "in/done"}, "/requires/0/exists", "no absolute path"),
        ({"exists": "s3n://bucket/x"}, "/requires/0/exists", "write s3://bucket/key"),
        ({"exists": 3}, "/requires/0/exists", "exists is a path, not a number"),
        ({"exists": "/x", "job": "a"}, "/requires/0", "it names job and exists"),
        ({"job": "a", "every": "30s"}, "/requires/0", "every means nothing beside `job`"),
        ({}, "/requires/0", "give exactly one of job, notice, exists, check"),
        ({"job": "a", "count": "all"}, "/requires/0", "add since: plan_date"),
        ({"job": "a", "count": "al"}, "/requires/0/count", "a number or all"),
    ],
)
def test_what_is_wrong_with_one_is_said(given: Any, at: str, said: str) -> None:
    with pytest.raises(JobError) as found:
        parse_job(job(requires=[given]))
    told = [(each.pointer, f"{each.detail} {each.hint}") for each in found.value.problems]
    assert any(pointer == at and said in text for pointer, text in told), told


def test_it_is_stored_as_it_is_said() -> None:
    given = [
        {"check": {"run": "x", "on": {"pool": "etl"}, "max": 3}},
        {"exists": "/x", "timeout": "10s"},
        {"job": "a", "since": "plan_date", "count": "all"},
    ]
    document = parse_job(job(requires=given))
    stored = json.loads(canonical(document))["requires"]
    assert [sorted(each) for each in stored] == [["check"], ["exists", "timeout"], ["count", "job", "since"]]
    assert parse_job(document.public()) == document
