"""What the end of an attempt comes to where the task says so: warned, skipped, tried again, by its exit code
and by what was written to stderr.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.store.reads import outbox
from scheduler.store.reads import runs as run_reads
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.outbox import OPEN, Effect
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler.story import START_MS, Story, job

EXIT = {"warn": [4], "skip": [99]}
RETRIED = {**EXIT, "retry": ["75-76"]}
AGAIN = {"max": 2, "first": "10s", "backoff": "constant"}


def begin(story: Story, **task: Any) -> int:
    """The first attempt of a run whose first task says this, granted. The second task needs it."""
    story.connect()
    story.put(
        job(
            tasks={"a": {"run": "x", **task}, "b": {"noop": True, "needs": ["a"]}},
            notify=[{"on": ["failed", "warned", "recovered"], "webhook": "https://ops.example.org"}],
        )
    )
    story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    return granted(story)


def granted(story: Story) -> int:
    while story.plan_and_apply():
        pass
    attempt: int = story.store.value("SELECT max(id) FROM attempts WHERE state = 'assigned'")
    assert story.claim(attempt).ok
    return attempt


def effects(story: Story) -> list[Effect]:
    return outbox.page(story.store, after=0, limit=9, states=OPEN, namespaces=None)


def task(story: Story, name: str = "a") -> task_rows.Task:
    return next(row for row in task_rows.of_run(story.store, 1) if row.name == name)


def test_an_exit_code_that_warns_is_a_good_end_and_marks_task_and_run(story: Story) -> None:
    attempt = begin(story, exit=EXIT)
    story.finish(attempt, exit_code=4)

    assert (story.attempt(attempt).state, task(story).state) == ("succeeded", "succeeded")
    assert task(story).warned == 1
    assert task(story).reason == story.attempt(attempt).reason == "exit code 4 is a warning"
    assert story.run(1).warned == 1, "while it still runs too"
    story.settle()
    assert (story.run(1).state, story.run(1).warned, task(story, "b").warned) == ("succeeded", 1, 0)


def test_the_end_of_a_warned_run_is_told(story: Story) -> None:
    story.finish(begin(story, exit=EXIT), exit_code=4)
    story.plan_and_apply()
    story.finish(granted(story))

    assert story.told(e.RunEnded) == [e.RunEnded(1, 1, "default", "j", "succeeded", 0, True)]
    notices = [json.loads(row.payload) for row in effects(story)]
    assert [(each["about"], each["state"]) for each in notices] == [("warned", "succeeded")]


def test_who_recovers_with_a_warning_tells_of_both(story: Story) -> None:
    story.finish(begin(story, exit=EXIT), exit_code=1)
    story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    story.finish(granted(story), exit_code=4)
    story.finish(granted(story))

    rows = effects(story)
    assert [json.loads(row.payload)["about"] for row in rows] == ["failed", "recovered", "warned"]


def test_a_run_that_fails_after_a_warning_has_failed(story: Story) -> None:
    story.finish(begin(story, exit=EXIT), exit_code=4)
    story.finish(granted(story), exit_code=1)

    assert (story.run(1).state, story.run(1).warned) == ("failed", 1)
    rows = effects(story)
    assert [json.loads(row.payload)["about"] for row in rows] == ["failed"]


def test_an_exit_code_that_skips_ends_the_task_as_its_rule_would(story: Story) -> None:
    attempt = begin(story, exit=EXIT)
    story.finish(attempt, exit_code=99)

    assert (story.attempt(attempt).state, task(story).state) == ("succeeded", "skipped")
    assert task(story).reason == "exit code 99 skips it"
    assert (task(story, "b").state, task(story, "b").reason) == ("skipped", "upstream")
    assert (story.run(1).state, story.run(1).exit_code, story.run(1).warned) == ("succeeded", None, 0)


def test_an_exit_code_to_be_tried_again_is_and_others_are_not(story: Story) -> None:
    attempt = begin(story, exit=RETRIED, retry=AGAIN)
    story.finish(attempt, exit_code=76)
    assert (story.attempt(attempt).state, task(story).state) == ("failed", "retry_wait")
    story.now_ms += 10_000
    story.finish(granted(story), exit_code=1)
    assert (task(story).state, task(story).attempts) == ("failed", 2), "of exit codes those named alone"


def test_at_last_what_is_to_be_tried_again_has_failed(story: Story) -> None:
    attempt = begin(story, exit=RETRIED, retry={"delays": ["1s", "3s"]})
    for wait_ms in (1_000, 3_000):
        story.finish(attempt, exit_code=75)
        assert task(story).wake_ms == story.now_ms + wait_ms
        story.now_ms += wait_ms
        attempt = granted(story)
    story.finish(attempt, exit_code=75)
    assert (task(story).state, task(story).exit_code, story.run(1).state) == ("failed", 75, "failed")


def test_a_timeout_is_no_exit_code_and_tried_again(story: Story) -> None:
    story.finish(begin(story, exit=RETRIED, retry=AGAIN), reason="timeout", exit_code=None)
    assert task(story).state == "retry_wait"


@pytest.mark.parametrize(
    ("on", "reason", "exit_code", "state"),
    [
        (["timed_out"], "timeout", None, "retry_wait"),
        (["timed_out"], "exit", 1, "failed"),
        (["timed_out"], "exit", 75, "retry_wait"),  # exit.retry wins
        ([1], "exit", 1, "retry_wait"),
        ([1], "exit", 2, "failed"),
        ([1], "timeout", None, "timed_out"),
        ([1], "start_failed", None, "failed"),
        (["failed"], "exit", 2, "retry_wait"),
        (["failed"], "start_failed", None, "retry_wait"),
        (["failed"], "timeout", None, "timed_out"),
    ],
)
def test_retry_on_says_which_ends_are_tried_again(
    story: Story, on: list[Any], reason: str, exit_code: int | None, state: str
) -> None:
    retry = {**AGAIN, "on": on}
    story.finish(begin(story, exit=RETRIED, retry=retry), reason=reason, exit_code=exit_code)
    assert task(story).state == state


def test_an_exit_code_of_zero_fails_where_it_is_no_good_one(story: Story) -> None:
    attempt = begin(story, exit={"ok": [1]})
    story.finish(attempt, exit_code=0)
    assert (task(story).state, task(story).reason) == ("failed", "exit code 0 is no good end of it")


def test_who_is_killed_has_no_exit_code(story: Story) -> None:
    story.finish(begin(story, exit={"ok": ["0-255"]}), exit_code=None, signal=9)
    assert task(story).state == "failed"


@pytest.mark.parametrize(
    ("stderr", "wrote", "exit_code", "state", "warned", "reason"),
    [
        ("warn", False, 0, "succeeded", 0, ""),
        ("warn", True, 0, "succeeded", 1, "it wrote to stderr"),
        ("warn", True, 1, "failed", 0, ""),
        ("warn", None, 0, "succeeded", 1, "its agent does not tell whether it wrote to stderr"),
        ("fail", False, 0, "succeeded", 0, ""),
        ("fail", False, 4, "succeeded", 1, "exit code 4 is a warning"),
        ("fail", True, 0, "failed", 0, "it wrote to stderr"),
        ("fail", True, 4, "failed", 0, "it wrote to stderr"),
        ("fail", True, 99, "skipped", 0, "exit code 99 skips it"),
        ("fail", None, 0, "succeeded", 1, "its agent does not tell whether it wrote to stderr"),
    ],
)
def test_what_was_written_to_stderr_counts(
    story: Story, stderr: str, wrote: bool | None, exit_code: int, state: str, warned: int, reason: str
) -> None:
    attempt = begin(story, exit={"warn": [4], "skip": [99]}, stderr=stderr)
    story.finish(attempt, exit_code=exit_code, wrote_stderr=wrote)
    assert (task(story).state, task(story).warned, task(story).reason) == (state, warned, reason)


def test_the_words_of_the_agent_follow_ours_and_a_report_sent_again_is_the_same(story: Story) -> None:
    attempt = begin(story, exit=EXIT)
    for _ in range(2):
        story.finish(attempt, exit_code=4, detail="9 bytes of output lost")
    row = story.attempt(attempt)
    assert row.reason == "exit code 4 is a warning; 9 bytes of output lost"
    assert row.late == "", "it is no other report"


def test_the_end_of_output_is_kept_longer_of_a_warning(story: Story) -> None:
    attempt = begin(story, exit={"ok": [3], "warn": [4]})
    story.finish(attempt, exit_code=3, tail=bytes(5_000))
    assert len(story.attempt(attempt).tail) == 2_048
    story.finish(granted(story))
    story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    attempt = granted(story)
    story.finish(attempt, exit_code=4, tail=bytes(5_000))
    assert len(story.attempt(attempt).tail) == 5_000


def test_after_hears_of_warnings(story: Story) -> None:
    story.connect()
    story.put(job("parent", tasks={"a": {"run": "x", "exit": EXIT}}))
    story.put(
        job("on-warning", trigger={"after": "parent.warned"}),
        job("on-clean", trigger={"after": "parent.succeeded and not parent.warned"}),
    )
    for exit_code in (0, 4, 1):
        story.value(c.RunJob("default", "parent", b"{}", story.now_ms), "run")
        story.finish(granted(story), exit_code=exit_code)
        story.settle()
    runs = story.store.rows("SELECT name, cause_key FROM runs WHERE cause = 'after' ORDER BY id")
    assert [(name, key.rpartition("/")[2]) for name, key in runs] == [("on-clean", "1"), ("on-warning", "3")]
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_runs_with_a_warning_are_found_by_an_index(story: Story) -> None:
    story.finish(begin(story, exit=EXIT), exit_code=4)
    story.settle()
    story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    story.settle()

    def found(**wanted: Any) -> list[int]:
        return [run.id for run in run_reads.page(story.store, run_reads.Wanted(**wanted), limit=9)[0]]

    assert (found(warned=True), found(warned=False), found()) == ([1], [2], [2, 1])
    assert found(warned=True, states=("failed",)) == []
    way = run_reads.Wanted(warned=True).ways()[0]
    plan = story.store.rows(f"EXPLAIN QUERY PLAN SELECT id {way.source} ORDER BY id DESC", way.values)
    assert "USING COVERING INDEX runs_warned" in str(plan) or "USING INDEX runs_warned" in str(plan)


@pytest.mark.parametrize(
    ("reason", "exit_code", "state", "warned", "said"),
    [
        ("exists", None, "succeeded", 0, "exists: /made is there"),
        ("unmet", 0, "failed", 0, "unmet: /made: it is not there"),
        ("unmet", 4, "failed", 0, "unmet: /made: it is not there"),
        ("unmet", 1, "failed", 0, "unmet: /made: it is not there"),
        ("unmet", 99, "skipped", 0, "exit code 99 skips it; unmet: /made: it is not there"),
    ],
)
def test_what_was_to_be_made_decides(
    story: Story, reason: str, exit_code: int | None, state: str, warned: int, said: str
) -> None:
    attempt = begin(story, exit=EXIT, skip_if_exists="/made")
    detail = "/made is there" if reason == "exists" else "/made: it is not there"
    story.finish(attempt, reason=reason, exit_code=exit_code, detail=detail)
    assert (task(story).state, task(story).warned, task(story).reason) == (state, warned, said)
    story.settle()
    assert story.run(1).state == ("failed" if state == "failed" else "succeeded")


def test_what_was_not_made_is_tried_again_as_any_failure(story: Story) -> None:
    attempt = begin(story, skip_if_exists="/made", retry=AGAIN)
    story.finish(attempt, reason="unmet", exit_code=0)
    assert task(story).state == "retry_wait"
