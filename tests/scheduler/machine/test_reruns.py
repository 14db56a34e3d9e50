"""Runs that repeat another: what is made anew, what is taken over, what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.context import ROOM
from scheduler.model.outputs import outputs_of
from scheduler.store.tables import outputs, reruns
from scheduler.store.tables import tasks as task_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_hands import ADA, run_job
from tests.scheduler.machine.test_task_hands import task
from tests.scheduler.story import START_MS, Story, job

LOAD: dict[str, dict[str, Any]] = {
    "extract": {"run": "./extract", "outputs": ["rows"]},
    "check": {"noop": True, "needs": ["extract"], "allow_failure": True},
    "load": {"noop": True, "needs": ["extract"]},
    "eu": {"noop": True, "needs": ["extract"], "when": "params.region == 'eu'"},
    "report": {"noop": True, "needs": ["load", "eu", "check"], "rule": "none_failed"},
    "tell": {"noop": True, "needs": ["report"]},
}
PARAMS = {"region": {"type": "string", "default": "us"}}
US, EU = b'{"region":"us"}', b'{"region":"eu"}'


def work(story: Story, *, failing: tuple[str, ...] = (), rows: int = 0) -> None:
    """Until nothing is left to do: these tasks fail, and `extract` writes so many rows."""
    for _ in range(100):
        planned = story.plan_and_apply()
        live = story.store.rows("SELECT id FROM attempts WHERE live = 1 ORDER BY id")
        for (number,) in live:
            attempt = story.attempt(number)
            if attempt.state == "assigned":
                story.claim(number)
            row = task_rows.get(story.store, attempt.task)
            assert row is not None
            told = json.dumps({"rows": rows}).encode() if rows and row.name == "extract" else b""
            ended = (number, attempt.agent, story.now_ms, story.now_ms, int(row.name in failing), "exit")
            story.tell_ok(c.Finish(*ended, outputs=told))
        if not planned and not live:
            return
    raise AssertionError("it never comes to rest")


def loaded(story: Story, *, failing: tuple[str, ...] = ("load", "check"), **fields: Any) -> int:
    """A run that has ended, of which these tasks failed."""
    story.connect(slots=8)
    story.put(job(tasks=LOAD, params=PARAMS, **fields))
    run = int(story.value(c.RunJob("default", "j", US, story.now_ms), "run"))
    work(story, failing=failing, rows=7)
    assert story.run(run).finished_ms is not None
    return run


def rerun(story: Story, run: int, **fields: Any) -> int:
    command = c.RerunRun(run, fields.pop("params", US), story.now_ms, actor=ADA, **fields)
    return int(story.value(command, "run"))


def children(story: Story) -> int:
    return int(story.store.value("SELECT count(*) FROM runs WHERE name = 'child'"))


def anew(story: Story, run: int) -> list[str]:
    """The tasks of a run that were not taken over, nor left out."""
    plan = reruns.get(story.store, run)
    assert plan is not None
    names = [row.name for row in task_rows.of_run(story.store, run)]
    return [name for name, letter in zip(names, plan.plan, strict=True) if letter == ord(".")]


# -- from what failed -------------------------------------------------------------------------------


def test_from_failed_takes_over_what_ended_well_with_its_outputs(story: Story) -> None:
    old = loaded(story)
    assert story.tasks(old) == {
        "check": "failed", "eu": "skipped", "extract": "succeeded", "load": "failed", "report": "skipped",
        "tell": "skipped",
    }  # fmt: skip
    new = rerun(story, old, from_failed=True)
    assert anew(story, new) == ["load", "report", "tell"]
    assert {name: story.tasks(new)[name] for name in ("check", "eu", "extract")} == {
        "check": "failed", "eu": "skipped", "extract": "succeeded"
    }  # fmt: skip
    work(story)
    assert story.run(new).state == "succeeded"  # a failure that is allowed stays one
    assert [story.tasks(new)[name] for name in ("load", "report", "tell")] == ["succeeded"] * 3
    assert len(story.attempts(new)) == 3
    text = outputs.of_task(story.store, task(story, new, "extract").id)
    assert text is not None
    assert outputs_of(text) == {"rows": 7}
    taken = reruns.taken(story.store, task(story, new, "extract").id)
    assert taken is not None
    assert (taken.run, taken.origin) == (old, task(story, old, "extract").id)
    assert story.run(old).state == "failed"
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_one_that_was_taken_over_twice_is_still_of_the_first(story: Story) -> None:
    old = loaded(story)
    second = rerun(story, old, from_failed=True)
    work(story, failing=("tell",))
    third = rerun(story, second, from_failed=True)
    assert anew(story, third) == ["tell"]
    taken = reruns.taken_between(story.store, story.run(third).first_task, story.run(third).last_task)
    by_name = {row.name: taken.get(row.id) for row in task_rows.of_run(story.store, third)}
    assert by_name == {
        "check": old, "eu": old, "extract": old, "load": second, "report": second, "tell": None
    }  # fmt: skip
    work(story)
    assert story.run(third).state == "succeeded"


def test_a_run_of_which_nothing_failed_is_not_repeated_from_there(story: Story) -> None:
    old = loaded(story, failing=())
    outcome = story.one(c.RerunRun(old, US, story.now_ms, from_failed=True))
    assert (outcome.code, "nothing of run" in outcome.detail) == (Code.CONFLICT, True)
    assert story.run(rerun(story, old)).state == "pending"


def test_what_a_person_skipped_is_made_anew(story: Story) -> None:
    story.connect()
    graph = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}
    story.put(job(tasks=graph))
    old = run_job(story)
    story.tell_ok(c.SkipTask(old, "a", "not today", passes=True))
    work(story, failing=("b",))
    new = rerun(story, old, from_failed=True, params=b"{}")
    assert anew(story, new) == ["a", "b"]


def test_a_task_that_its_exit_code_skipped_is_taken_over(story: Story) -> None:
    story.connect()
    graph = {
        "a": {"run": "./a", "exit": {"skip": [1]}},
        "b": {"noop": True, "needs": ["a"], "rule": "none_failed"},
        "c": {"noop": True, "needs": ["a"]},
    }
    story.put(job(tasks=graph))
    old = run_job(story)
    work(story, failing=("a", "b"))
    assert story.tasks(old) == {"a": "skipped", "b": "failed", "c": "skipped"}
    new = rerun(story, old, from_failed=True, params=b"{}")
    assert anew(story, new) == ["b"]


def test_a_task_that_ended_its_run_ends_the_one_that_repeats_it(story: Story) -> None:
    story.connect()
    graph = {
        "a": {"noop": True, "allow_failure": True},
        "stop": {"finish": "failed", "needs": ["a"], "when": "a.failed"},
        "b": {"noop": True, "needs": ["a"], "rule": "all_done"},
    }
    story.put(job(tasks=graph))
    old = run_job(story)
    work(story, failing=("a",))
    assert story.run(old).reason == "finished by stop"
    new = rerun(story, old, from_failed=True, params=b"{}")
    assert "stop" in anew(story, new)
    work(story)
    assert (story.run(new).state, story.run(new).reason) == ("failed", "finished by stop")


def test_what_a_run_does_finally_is_done_in_each(story: Story) -> None:
    story.connect()
    graph = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}, "clean": {"noop": True}}
    story.put({**job(tasks=graph), "finally": ["clean"]})
    old = run_job(story)
    work(story, failing=("b",))
    new = rerun(story, old, from_failed=True, params=b"{}")
    assert anew(story, new) == ["b", "clean"]
    work(story)
    assert (story.run(new).state, story.tasks(new)["clean"]) == ("succeeded", "succeeded")
    first = rerun(story, old, until_task="a", params=b"{}")
    assert anew(story, first) == ["a", "clean"]
    assert story.one(c.RerunRun(old, b"{}", story.now_ms, from_task="clean")).code == Code.INVALID
    assert story.one(c.RerunRun(old, b"{}", story.now_ms, until_task="clean")).code == Code.INVALID
    assert story.one(c.RerunRun(new, b"{}", story.now_ms, from_failed=True)).code == Code.CONFLICT


def test_a_condition_is_judged_again_with_other_parameters(story: Story) -> None:
    old = loaded(story)
    new = rerun(story, old, from_failed=True, params=EU)
    assert set(anew(story, new)) == {"load", "eu", "report", "tell"}
    work(story)
    assert story.tasks(new)["eu"] == "succeeded"
    again = rerun(story, new, params=US, from_task="report")
    assert "eu" not in anew(story, again)


def test_what_can_never_be_is_skipped_at_once(story: Story) -> None:
    """Its need was taken over, and is none that its rule asks for."""
    story.connect()
    graph = {
        "a": {"noop": True, "when": "params.go == 'yes'"},
        "b": {"noop": True},
        "c": {"noop": True, "needs": ["a", "b"], "rule": "any_success"},
        "d": {"noop": True, "needs": ["a"]},
        "e": {"noop": True, "needs": ["d"], "rule": "all_done"},
    }
    story.put(job(tasks=graph, params={"go": {"type": "string"}}))
    params = b'{"go":"no"}'
    old = int(story.value(c.RunJob("default", "j", params, story.now_ms), "run"))
    work(story, failing=("b",))
    new = rerun(story, old, params=params, from_task="d")
    assert set(anew(story, new)) == {"b", "c", "d", "e"}
    assert story.tasks(new)["d"] == "skipped"
    work(story)
    assert story.tasks(new) == {
        "a": "skipped", "b": "succeeded", "c": "succeeded", "d": "skipped", "e": "succeeded"
    }  # fmt: skip
    assert story.run(new).state == "succeeded"


# -- from a task, until a task ----------------------------------------------------------------------


def test_from_a_task_all_before_it_is_taken_over_and_all_after_it_made_anew(story: Story) -> None:
    old = loaded(story, failing=())
    new = rerun(story, old, from_task="report")
    assert anew(story, new) == ["report", "tell"]
    work(story)
    assert story.run(new).state == "succeeded"
    assert len(story.attempts(new)) == 2


def test_from_a_task_whose_needs_did_not_end_well_is_refused_by_name(story: Story) -> None:
    old = loaded(story)
    outcome = story.one(c.RerunRun(old, US, story.now_ms, from_task="report"))
    assert outcome.code == Code.CONFLICT
    assert outcome.detail.startswith("load comes before report, and was failed in it")
    other = story.one(c.RerunRun(old, EU, story.now_ms, from_task="report"))
    assert other.detail.startswith(("load comes before", "eu comes before"))


def test_until_a_task_the_rest_is_left_out(story: Story) -> None:
    old = loaded(story)
    new = rerun(story, old, until_task="load")
    assert anew(story, new) == ["extract", "load"]
    work(story)
    assert story.run(new).state == "succeeded"
    assert story.tasks(new) == {
        "check": "skipped", "eu": "skipped", "extract": "succeeded", "load": "succeeded", "report": "skipped",
        "tell": "skipped",
    }  # fmt: skip
    assert task(story, new, "tell").reason == "not before the last task that is repeated"
    assert len(story.attempts(new)) == 2
    both = rerun(story, old, from_failed=True, until_task="load")
    assert anew(story, both) == ["load"]


def test_what_was_left_out_is_made_anew_the_next_time(story: Story) -> None:
    old = loaded(story)
    new = rerun(story, old, until_task="load")
    work(story)
    last = rerun(story, new, from_failed=True)
    assert set(anew(story, last)) == {"check", "eu", "report", "tell"}


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"from_task": "laod"}, Code.MISSING, "has no task 'laod'"),
        ({"until_task": "laod"}, Code.MISSING, "has no task 'laod'"),
        ({"from_task": "tell", "until_task": "load"}, Code.INVALID, "tell does not come before load"),
        ({"from_failed": True, "from_task": "load"}, Code.INVALID, "not both"),
        ({"revision": 7}, Code.MISSING, "has no revision 7"),
        ({"reason": "x" * 501}, Code.INVALID, "500 letters"),
    ],
)
def test_what_cannot_be_repeated_so_is_refused(
    story: Story, fields: dict[str, Any], code: Code, said: str
) -> None:
    old = loaded(story)
    outcome = story.one(c.RerunRun(old, US, story.now_ms, **fields))
    assert (outcome.code, said in outcome.detail) == (code, True), outcome


# -- what the new run is ----------------------------------------------------------------------------


def test_it_is_of_the_same_tick_and_plan_date_and_names_the_run_that_it_repeats(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"every": "1h", "start": "2026-01-01T00:00:00Z"}, tasks={"a": {"noop": True}}))
    story.now_ms += 3_700_000
    work(story, failing=("a",))
    old = story.run(1)
    assert old.tick_ms is not None
    story.now_ms += 48 * 3_600_000
    new = story.run(rerun(story, old.id, params=b"{}"))
    assert (new.tick_ms, new.plan_day, new.trigger, new.cause) == (old.tick_ms, old.plan_day, 0, "rerun")
    assert new.cause_key == f"{old.id}/{new.id}"
    assert [(event.run, event.cause) for event in story.told(e.RunCreated)] == [(new.id, "rerun")]
    again = rerun(story, old.id, params=b"{}")
    work(story)
    assert story.run(again).state == "succeeded"
    entries = len(story.ledger())
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok
    assert reruns.of_source(story.store, old.id, 10) == [again, new.id]
    assert entries == len(story.ledger())


def test_it_is_of_the_old_revision_and_vars_or_of_those_that_it_is_asked_for(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}))
    old = run_job(story)
    work(story, failing=("b",))
    story.put(job(tasks={"a": {"noop": True}, "b": {"noop": True, "needs": ["a", "c"]}, "c": {"noop": True}}))
    same = story.run(rerun(story, old, from_failed=True, params=b"{}"))
    assert (same.revision, anew(story, same.id)) == (1, ["b"])
    latest = story.run(rerun(story, old, from_failed=True, params=b"{}", revision=2))
    assert (latest.revision, anew(story, latest.id)) == (2, ["c", "b"])
    assert story.one(c.RerunRun(old, b"{}", story.now_ms, from_task="c")).code == Code.MISSING
    work(story)
    assert story.run(latest.id).state == story.run(same.id).state == "succeeded"


def test_it_has_the_vars_that_the_run_had_or_with_another_revision_those_of_now(story: Story) -> None:
    story.connect()
    graph = {"a": {"noop": True, "when": "vars.go == 'yes'"}, "b": {"noop": True}}
    story.apply({"vars": "v", "values": {"go": "no"}}, job(tasks=graph, vars=["v"]))
    old = run_job(story)
    work(story, failing=("b",))
    story.apply({"vars": "v", "values": {"go": "yes"}})
    same, now = (
        rerun(story, old, from_failed=True, params=b"{}"),
        rerun(story, old, from_failed=True, params=b"{}", revision=1),
    )
    assert (anew(story, same), anew(story, now)) == (["b"], ["a", "b"])
    whole = rerun(story, old, params=b"{}")
    work(story)
    assert [story.tasks(run)["a"] for run in (same, now, whole)] == ["skipped", "succeeded", "skipped"]


def test_a_run_that_goes_on_is_not_repeated(story: Story) -> None:
    story.connect()
    story.put(job())
    run = run_job(story)
    outcome = story.one(c.RerunRun(run, b"{}", story.now_ms))
    assert (outcome.code, outcome.detail) == (
        Code.CONFLICT, f"run {run} is pending: what is repeated has ended"
    )  # fmt: skip
    assert story.one(c.RerunRun(1 << 40, b"{}", story.now_ms)).code == Code.NOT_FOUND


def test_of_a_job_that_was_deleted_nothing_is_repeated(story: Story) -> None:
    old = loaded(story)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.one(c.RerunRun(old, US, story.now_ms)).code == Code.ENDED
    story.put(job(tasks=LOAD, params=PARAMS))
    assert story.one(c.RerunRun(old, US, story.now_ms)).code == Code.ENDED


def test_one_that_may_not_go_on_in_the_middle_is_repeated_as_a_whole_alone(story: Story) -> None:
    old = loaded(story, policies={"not_restartable": True})
    for fields in ({"from_failed": True}, {"from_task": "extract"}):
        outcome = story.one(c.RerunRun(old, US, story.now_ms, **fields))
        assert (outcome.code, "not_restartable" in outcome.detail) == (Code.CONFLICT, True)
    assert len(anew(story, rerun(story, old))) == len(LOAD)


def test_jobs_that_wait_for_its_end_hear_of_it_where_that_is_asked(story: Story) -> None:
    old = loaded(story)
    story.put(job("child", trigger={"after": "j.ended"}))
    rerun(story, old, from_failed=True)
    work(story)
    assert children(story) == 0
    last = rerun(story, old, from_failed=True, heard=True)
    work(story)
    assert children(story) == 1
    assert story.run(last).state == "succeeded"


def test_a_verdict_over_one_that_nobody_hears_of_is_not_heard_either(story: Story) -> None:
    old = loaded(story)
    story.put(job("child", trigger={"after": "j.succeeded"}))
    new = rerun(story, old, from_failed=True)
    work(story)
    story.tell_ok(c.OverrideRun(new, "succeeded", "it did"))
    work(story)
    assert children(story) == 0


def test_one_that_is_held_waits_with_what_it_took_over(story: Story) -> None:
    old = loaded(story)
    new = rerun(story, old, from_failed=True, held=True, reason="look first")
    work(story)
    assert (story.run(new).state, story.tasks(new)["load"]) == ("held", "blocked")
    story.tell_ok(c.ReleaseRun(new))
    work(story)
    assert story.run(new).state == "succeeded"


def test_the_same_request_makes_one(story: Story) -> None:
    old = loaded(story)
    command = c.RerunRun(old, US, story.now_ms, from_failed=True, key="k", body=b"b")
    assert story.value(command, "run") == story.value(command, "run")


def test_a_run_goes_and_what_it_gave_stays_with_those_that_repeat_it(story: Story) -> None:
    old = loaded(story)
    new = rerun(story, old, from_failed=True)
    work(story)
    number = story.run(old).job
    story.tell_ok(c.Purge(story.epoch, number, old, 10))
    assert outputs.of_task(story.store, task(story, new, "extract").id) is not None
    assert story.value(c.Purge(story.epoch, number, new, 10), "runs") == 1
    for table in ("reruns", "taken_tasks", "outputs"):
        assert story.store.value(f"SELECT count(*) FROM {table}") == 0, table


def test_a_task_goes_where_the_one_went_that_was_taken_over(story: Story) -> None:
    story.connect("one")
    story.connect("two")
    graph = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"], "on": {"same_as": "a"}}}
    story.put(job(tasks=graph))
    for _ in range(4):
        old = run_job(story)
        work(story, failing=("b",))
        new = rerun(story, old, from_failed=True, params=b"{}")
        work(story)
        (attempt,) = story.attempts(new)
        assert attempt.agent == story.attempts(old)[0].agent


def test_a_run_of_another_job_is_begun_anew_or_taken_over_with_its_task(story: Story) -> None:
    """The run that it began is as it was; one that is repeated by itself changes nothing of who waited."""
    story.connect()
    graph = {"one": {"job": {"name": "child"}}, "two": {"noop": True, "needs": ["one"]}}
    story.put(job("child", tasks={"main": {"noop": True}}), job(tasks=graph))
    old = run_job(story)
    work(story, failing=("two",))
    assert (story.run(old).state, story.run(old + 1).state, children(story)) == ("failed", "succeeded", 1)
    new = rerun(story, old, from_failed=True, params=b"{}")
    work(story)
    assert (story.run(new).state, children(story)) == ("succeeded", 1), "its task is taken over"
    whole = rerun(story, old, params=b"{}")
    work(story, failing=("main",))
    assert (story.run(whole).state, children(story)) == ("failed", 2), "it is begun anew"
    begun = whole + 1
    alone = rerun(story, begun, params=b"{}")
    work(story)
    assert (story.run(alone).name, story.run(alone).state) == ("child", "succeeded")
    assert (story.run(whole).state, story.tasks(whole)["one"]) == ("failed", "failed"), "that has ended"
    again = rerun(story, whole, from_failed=True, params=b"{}")
    work(story)
    assert (story.run(again).state, children(story)) == ("succeeded", 4)


def in_slices(path: Path, room: int = 1) -> Story:
    """One task of a run is made at a time."""
    story = Story(path / "slices.db", room=room)
    story.lead()
    story.connect()
    return story


@pytest.mark.parametrize("room", [1, ROOM])
def test_where_what_is_done_finally_failed_alone_it_alone_is_done_again(tmp_path: Path, room: int) -> None:
    story = in_slices(tmp_path, room)
    graph = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}, "clean": {"noop": True}}
    story.put({**job(tasks=graph), "finally": ["clean"]})
    old = run_job(story)
    work(story, failing=("clean",))
    assert story.run(old).state == "failed"
    new = rerun(story, old, from_failed=True, params=b"{}")
    work(story)
    assert (story.run(new).state, story.tasks(new)) == ("succeeded", dict.fromkeys(graph, "succeeded"))
    assert [task.attempts for task in task_rows.of_run(story.store, new)] == [0, 0, 1]
    refusal = story.one(c.RerunRun(new, b"{}", story.now_ms, from_failed=True, actor=ADA))
    assert refusal.code is Code.CONFLICT
    # One that may fail is no reason.
    graph["clean"] = {"noop": True, "allow_failure": True}
    story.put({**job(tasks=graph), "finally": ["clean"]})
    forgiven = run_job(story)
    work(story, failing=("clean",))
    assert story.run(forgiven).state == "succeeded"
    assert not story.one(c.RerunRun(forgiven, b"{}", story.now_ms, from_failed=True, actor=ADA)).ok


def test_of_very_many_rounds_the_newest_are_read_alone(story: Story) -> None:
    steps: list[int] = []
    for rounds in (1, 40):
        repeat = {"until": "params.go != 'on'", "max": rounds}
        tasks = {"nap": {"sleep": "1s"}, "tell": {"noop": True, "needs": ["again"]}}
        story.put(
            job(
                name=f"j{rounds}", params={"go": {"type": "string", "default": "on"}}, tasks=tasks,
                groups={"again": {"tasks": ["nap"], "repeat": repeat}},
            )
        )
        run = int(story.value(c.RunJob("default", f"j{rounds}", b'{"go":"on"}', story.now_ms), "run"))
        for _ in range(4 * rounds + 4):
            story.plan_and_apply()
            story.now_ms += 2_000
        ended = task_rows.ends(story.store, run)
        assert {name: end.state for name, end in ended.items()} == {
            "again": "failed", "nap": "succeeded", "tell": "skipped"
        }  # fmt: skip
        connection, looks = story.store._connection, list[None]()
        connection.set_progress_handler(lambda looks=looks: looks.append(None), 10)
        task_rows.ends(story.store, run)
        connection.set_progress_handler(None, 0)
        steps.append(len(looks))
    assert steps[1] <= 2 * steps[0], steps
