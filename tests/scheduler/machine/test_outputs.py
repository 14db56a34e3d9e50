"""What tasks give to those after them: stored with the end that counts, asked by conditions, or wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.machine.steps.ends import WRONG
from scheduler.model import JobError, canonical, parse_job
from scheduler.model.compiled import compile_job
from scheduler.model.outputs import BYTES_MAX, RUN_BYTES_MAX, variable_of
from scheduler.store.reads import outputs as output_reads
from scheduler.store.tables import tasks as task_rows
from scheduler.words import commands as c
from tests.scheduler.machine.test_conditions import settle
from tests.scheduler.story import START_MS, Story, job

TASKS: dict[str, dict[str, Any]] = {
    "extract": {"run": "x", "outputs": ["rows", "path"], "retry": {"max": 1, "first": "1s"}},
    "load": {"run": "x", "needs": ["extract"], "when": "extract.outputs.rows > 10"},
    "none": {"run": "x", "needs": ["extract"], "when": "extract.outputs.path == '/a'"},
}


def begun(story: Story, tasks: dict[str, dict[str, Any]] = TASKS) -> int:
    story.connect()
    story.put(job(tasks=tasks))
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    story.plan_and_apply()
    assert story.claim(1).ok
    return run


def given(story: Story, run: int) -> dict[str, Any]:
    found = output_reads.of_tasks(story.store, run, story.tasks(run))
    return {task: json.loads(text) for task, text in found.items()}


def test_what_an_end_tells_is_asked_by_conditions(story: Story) -> None:
    run = begun(story)
    assert story.finish(1, outputs=b'{"rows":"42"}').ok
    assert given(story, run) == {"extract": {"rows": "42"}}
    settle(story)
    assert story.tasks(run) == {"extract": "succeeded", "load": "succeeded", "none": "skipped"}


def test_of_a_try_that_is_tried_again_nothing_is_kept(story: Story) -> None:
    run = begun(story)
    assert story.finish(1, exit_code=1, outputs=b'{"rows":"42"}').ok
    assert given(story, run) == {}
    story.now_ms += 1_000
    story.plan_and_apply()
    story.plan_and_apply()
    assert story.claim(2).ok
    assert story.finish(2, exit_code=1, outputs=b'{"rows":3}').ok
    assert given(story, run) == {"extract": {"rows": 3}}
    assert story.tasks(run) == {"extract": "failed", "load": "skipped", "none": "skipped"}


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (b'{"rwos":1}', f"{WRONG}: 'rwos' is none that the job declares"),
        (b"[]", f"{WRONG}: they are no object of values"),
        (b'{"rows":[]}', f"{WRONG}: they are no object of values"),
        (b'{"rows":"\xff"}', f"{WRONG}: they are no object of values"),
        (b'{"rows":"a\\u0000"}', f"{WRONG}: a value holds a NUL character"),
        (b'{"rows":"%s"}' % (b"x" * BYTES_MAX), f"{WRONG}: {BYTES_MAX + 11} bytes, {BYTES_MAX} at most"),
    ],
)
def test_what_no_agent_of_ours_tells_fails_the_attempt(story: Story, outputs: bytes, reason: str) -> None:
    run = begun(story, {"extract": {"run": "x", "outputs": ["rows"]}})
    assert story.finish(1, outputs=outputs).ok
    assert (story.run(run).state, story.attempt(1).reason) == ("failed", reason)
    assert given(story, run) == {}


def test_what_an_agent_cannot_read_fails_what_ended_well(story: Story) -> None:
    run = begun(story, {"extract": {"run": "x", "outputs": ["rows"], "exit": {"ok": [0, 4], "skip": [9]}}})
    assert story.finish(1, exit_code=4, outputs_wrong="line 2 is no KEY=VALUE").ok
    assert (story.run(run).state, story.attempt(1).reason) == ("failed", f"{WRONG}: line 2 is no KEY=VALUE")


def test_a_failure_keeps_its_own_reason(story: Story) -> None:
    run = begun(story, {"extract": {"run": "x", "outputs": ["rows"]}})
    assert story.finish(1, exit_code=5, detail="killed", outputs_wrong="line 2 is no KEY=VALUE").ok
    assert (story.run(run).exit_code, story.attempt(1).reason) == (5, "killed")


def test_what_an_exit_skips_gives_nothing(story: Story) -> None:
    run = begun(story, {"extract": {"run": "x", "outputs": ["rows"], "exit": {"skip": [9]}}})
    assert story.finish(1, exit_code=9, outputs=b'{"rows":1}').ok
    assert story.tasks(run) == {"extract": "skipped"}
    assert given(story, run) == {}


def test_a_task_that_declares_none_gives_none(story: Story) -> None:
    run = begun(story, {"main": {"run": "x"}})
    assert story.finish(1, outputs=b'{"rows":1}').ok
    assert (story.run(run).state, story.attempt(1).reason) == (
        "failed", f"{WRONG}: 'rows' is none that the job declares",
    )  # fmt: skip


def test_they_go_with_their_run(story: Story) -> None:
    run = begun(story)
    story.finish(1, outputs=b'{"rows":1}')
    settle(story)
    (task, *_) = task_rows.of_run(story.store, run)
    assert list(output_reads.between(story.store, task.id, task.id)) == [task.id]
    story.tell_ok(c.Purge(story.epoch, story.job().id, run, 10))
    assert story.store.rows("SELECT * FROM outputs") == []


def test_of_very_many_each_has_its_share() -> None:
    few = compile_job(canonical(parse_job(job(tasks=TASKS))))
    assert (few.outputs, few.outputs_bytes_max) == ({"extract": ("rows", "path")}, BYTES_MAX)
    tasks = {f"t{number}": {"run": "x", "outputs": ["a"]} for number in range(1_000)}
    many = compile_job(canonical(parse_job(job(tasks=tasks))))
    assert many.outputs_bytes_max * 1_000 <= RUN_BYTES_MAX
    assert many.tasks[0].work["outputs"] == [["a"], many.outputs_bytes_max]


@pytest.mark.parametrize(
    ("tasks", "pointer", "detail", "hint"),
    [
        ({"a": {"run": "x", "outputs": ["1st"]}}, "/tasks/a/outputs/0", "an output's name is letters", ""),
        ({"a": {"run": "x", "outputs": "rows"}}, "/tasks/a/outputs", "outputs must be a list, not text", ""),
        ({"a": {"noop": True, "outputs": ["b"]}}, "/tasks/a", "noop reads no outputs", "remove outputs"),
        ({"a": {"sleep": "1s", "outputs": ["b"]}}, "/tasks/a", "sleep reads no outputs", "remove outputs"),
        (
            {"a-b": {"run": "x", "outputs": ["c"]}, "a": {"run": "x", "outputs": ["B_c"]}},
            "/tasks/a/outputs/0", "B_c and c of a-b would share the variable CRONCLAVE_OUTPUT_A_B_C",
            "rename one",
        ),
        (
            {"a": {"run": "x", "outputs": ["b", "b"]}}, "/tasks/a/outputs/1",
            "b and b of a would share the variable CRONCLAVE_OUTPUT_A_B", "rename one",
        ),
        (
            {
                "a": {"run": "x", "outputs": ["rows"]},
                "b": {"run": "x", "needs": ["a"], "when": "a.outputs.row == 1"},
            },
            "/tasks/b/when", "at 1: a has no output 'row'", "did you mean a.outputs.rows?",
        ),
        (
            {"a": {"run": "x"}, "b": {"run": "x", "needs": ["a"], "when": "a.outputs.x == 1"}},
            "/tasks/b/when", "at 1: a has no output 'x'", "outputs: [x] in a declares it",
        ),
        (
            {"a": {"run": "x", "outputs": ["x"]}, "b": {"run": "x", "when": "a.outputs.x == 1"}},
            "/tasks/b/when", "at 1: it does not wait for a", "add a to its needs",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(
    tasks: dict[str, Any], pointer: str, detail: str, hint: str
) -> None:
    with pytest.raises(JobError) as refused:
        parse_job(job(tasks=tasks))
    (told,) = refused.value.problems
    assert (told.pointer, told.hint) == (pointer, hint)
    assert told.detail.startswith(detail)


def test_no_output_at_all_is_said_by_silence() -> None:
    given = parse_job(job(tasks={"a": {"run": "x", "outputs": []}}))
    assert canonical(given) == canonical(parse_job(job(tasks={"a": {"run": "x"}})))


def test_a_variable_is_named_by_task_and_output() -> None:
    assert variable_of("load-eu.2", "rows") == "CRONCLAVE_OUTPUT_LOAD_EU_2_ROWS"


def test_what_an_earlier_round_gave_is_not_given_where_the_newest_gave_nothing(story: Story) -> None:
    tasks = {
        "load": {"run": "x", "outputs": ["rows"]},
        "check": {"run": "x", "needs": ["load"], "when": "load.outputs.rows > 0"},
    }
    story.connect()
    story.put(job(tasks=tasks, groups={"feed": {"tasks": ["load", "check"], "retry": {"delays": ["1s"]}}}))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    for exit_code, outputs in ((0, b'{"rows":"42"}'), (1, b""), (0, b"")):
        while not (live := story.store.rows("SELECT id FROM attempts WHERE live = 1")):
            story.now_ms += 1_000
            story.plan_and_apply()
        assert story.claim(live[0][0]).ok
        assert story.finish(live[0][0], exit_code=exit_code, outputs=outputs).ok
    settle(story)
    check = task_rows.newest(story.store, run, "check")
    assert check is not None
    assert (check.round, check.state) == (1, "skipped"), "its condition asks the newest round"
    assert output_reads.of_tasks(story.store, run, ["load", "check"]) == {}
