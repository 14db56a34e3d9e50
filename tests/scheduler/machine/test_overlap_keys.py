"""overlap: {key: …}: runs of one key are in each other's way, and no others; and what ends others for a newer
one, by request or by force."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.runs import of_run
from scheduler.model import JobError, parse_job
from scheduler.model.overlap_key import ANY, RENDERED_LETTERS_MAX, parts_of, rendered
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.tables import overlap_keys, terminated
from scheduler.store.tables.restores import SPAN
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.machine.test_restores import HOLD_MS, ran, restore, tell
from tests.scheduler.story import START_MS, Story, job

PARAMS = {"region": {"type": "string", "default": "none"}, "size": {"type": "integer"}}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def put(story: Story, overlap: Any, **fields: Any) -> None:
    triggers = [{"every": "1s", "id": name, "params": {"region": name}} for name in ("eu", "us")]
    fields = {"trigger": triggers, "params": PARAMS, **fields}
    story.put(job(policies={"overlap": overlap}, **fields))


def ticks(story: Story, number: int) -> None:
    for _ in range(number):
        story.now_ms += 1_000
        story.plan_and_apply()


def active(story: Story) -> list[tuple[str, int]]:
    """Key and `waiting` of the runs that have not ended."""
    rows = story.store.rows("SELECT id, waiting FROM runs WHERE finished_ms IS NULL ORDER BY id")
    return [(overlap_keys.of(story.store, run) or "", waiting) for run, waiting in rows]


def ask(story: Story, params: bytes = b"{}") -> int:
    return int(story.value(c.RunJob("default", "j", params, story.now_ms), "run"))


def proven(story: Story) -> bool:
    return not verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems


def test_each_key_has_its_own_turn(story: Story) -> None:
    put(story, {"key": "{params.region}"})
    ticks(story, 2)
    assert active(story) == [("eu", 0), ("us", 0)]
    assert Counter(entry[2:] for entry in story.ledger()) == {("skipped", "overlap"): 2}
    story.tell_ok(c.CancelRun(1))
    ticks(story, 1)
    assert active(story) == [("us", 0), ("eu", 0)]
    assert proven(story)


def test_who_waits_goes_on_when_one_of_its_key_ends(story: Story) -> None:
    put(story, {"key": "{params.region}", "then": "queue_all"})
    ticks(story, 3)
    assert active(story) == [("eu", 0), ("us", 0), ("eu", 1), ("us", 1), ("eu", 1), ("us", 1)]
    story.tell_ok(c.CancelRun(2))  # of us: the first that waits is of eu, and stays
    assert active(story) == [("eu", 0), ("eu", 1), ("us", 0), ("eu", 1), ("us", 1)]
    for _ in range(20):
        sql = "SELECT id FROM runs WHERE finished_ms IS NULL AND waiting = 0 ORDER BY id"
        running = story.store.rows(sql)
        assert len({overlap_keys.of(story.store, run) for (run,) in running}) == len(running)
        if not running:
            break
        story.tell_ok(c.CancelRun(running[0][0]))
    assert active(story) == []
    assert story.store.rows("SELECT * FROM overlap_keys") == []


def test_so_many_of_each_key(story: Story) -> None:
    put(story, {"max": 2, "key": "{params.region}", "then": "queue_one"})
    ticks(story, 4)
    assert active(story) == [("eu", 0), ("us", 0)] * 2 + [("eu", 1), ("us", 1)]


def test_what_a_person_asks_for_counts_under_its_own_key(story: Story) -> None:
    put(story, {"key": "{params.region}-{params.size}"})
    ask(story, b'{"region":"eu"}')
    ask(story, b'{"region":"eu","size":3}')
    ticks(story, 1)
    assert active(story) == [("eu-", 0), ("eu-3", 0), ("us-", 0)]


def test_runs_of_before_the_key_are_in_the_way_of_their_own(story: Story) -> None:
    put(story, "allow")
    ticks(story, 1)
    put(story, {"key": "{params.region}"})
    assert active(story) == [("eu", 0), ("us", 0)]
    ticks(story, 1)
    assert active(story) == [("eu", 0), ("us", 0)]
    put(story, "skip")  # without a key all count, those with one too
    story.tell_ok(c.CancelRun(1))
    ticks(story, 1)
    assert active(story) == [("us", 0)]
    assert proven(story)


@pytest.mark.parametrize("before", [{"key": "{params.region}"}, "skip"])
def test_one_of_before_a_restore_is_in_the_way_of_every_key(story: Story, before: Any) -> None:
    story.connect()
    put(story, before)
    restore(story)
    gone_on = ran(SPAN // 2, SPAN // 2, ended=False, tick_ms=START_MS - 1_000)
    tell(story, gone_on)
    story.connect()
    put(story, {"key": "{params.region}"})
    story.now_ms += HOLD_MS
    ticks(story, 2)
    ticks(story, 1)
    assert active(story) == [(ANY, 0)], "nobody knows of which key it is"
    assert {each[2:] for each in story.ledger() if each[0] * 1_000 > HOLD_MS} == {("skipped", "overlap")}
    assert story.finish(SPAN // 2).ok
    assert active(story) == []
    ticks(story, 1)
    assert active(story) == [("eu", 0), ("us", 0)]


def test_a_full_queue_of_one_key_keeps_nothing_of_another_back(story: Story) -> None:
    assert story.apply({"board": "stock"}).ok
    triggers = [
        {"notice": {"board": "stock"}, "id": name, "params": {"region": name[:2]}, "overlap": "queue_one"}
        for name in ("eu-1", "eu-2", "eu-3", "us-1")
    ]
    put(story, {"key": "{params.region}"}, trigger=triggers)
    story.tell_ok(c.PostNotice("default", "stock", "k", 3_600_000))
    for _ in range(6):
        story.plan_and_apply()
    assert sorted(active(story)) == [("eu", 0), ("eu", 1), ("us", 0)]
    story.tell_ok(c.CancelRun(1))
    for _ in range(3):
        story.plan_and_apply()
    assert sorted(active(story)) == [("eu", 0), ("eu", 1), ("us", 0)]


def test_explain_names_the_key(story: Story) -> None:
    put(story, {"key": "{params.region}", "then": "queue_all"})
    ticks(story, 2)
    told = of_run(story.store, story.run(4), story.now_ms, story.compiled)
    assert "it waits behind run 2 of the job (key 'us')" in [each.reason for each in told]


@pytest.mark.parametrize("policy", ["cancel_running", "terminate_running"])
def test_of_so_many_the_oldest_makes_room(story: Story, policy: str) -> None:
    put(story, {"max": 2, "then": policy}, trigger={"every": "1s", "id": "t"})
    ticks(story, 4)  # without an agent: what has not started is gone at once
    assert active(story) == [("", 0), ("", 0)]
    assert [entry[2:] for entry in story.ledger()] == [("skipped", "cancelled")] * 2
    assert proven(story)


def running(story: Story, policy: str, **fields: Any) -> int:
    """A run of `j` whose attempt has started, and a tick came after."""
    put(story, policy, trigger={"every": "1s", "id": "t"}, **fields)
    story.connect("a")
    ticks(story, 1)
    assert story.claim(1).ok
    ticks(story, 1)
    return 1


@pytest.mark.parametrize("policy", ["cancel_running", "terminate_running"])
def test_the_new_one_starts_when_the_end_of_the_old_one_is_known(story: Story, policy: str) -> None:
    running(story, policy)
    (row,) = attempt_reads.dispatch(story.store, [1])
    assert (row.state, bool(row.terminated)) == ("cancelling", policy == "terminate_running")
    assert active(story) == [("", 0), ("", 1)]
    story.reopen()
    story.lead()  # another leader
    story.plan_and_apply()
    assert active(story) == [("", 0), ("", 1)]
    story.finish(1, reason="cancelled", exit_code=None)
    assert active(story) == [("", 0)]
    assert not terminated.has(story.store, 1)
    assert story.store.rows("SELECT * FROM terminated") == []


def test_what_is_done_finally_has_its_grace(story: Story) -> None:
    tasks = {"work": {"noop": True}, "tidy": {"noop": True}}
    running(story, "terminate_running", tasks=tasks, **{"finally": ["tidy"]})
    story.finish(1, reason="cancelled", exit_code=None)
    story.plan_and_apply()
    assert story.tasks(1) == {"work": "cancelled", "tidy": "active"}
    assert active(story) == [("", 0), ("", 1)], "the new one waits for that too"
    assert not terminated.has(story.store, 1)


def test_a_run_that_it_waits_for_is_ended_without_grace_too(story: Story) -> None:
    story.put(job("inner"))
    story.connect("a")
    tasks = {"call": {"job": {"name": "inner"}}}
    put(story, "terminate_running", trigger={"every": "1s", "id": "t"}, tasks=tasks)
    ticks(story, 1)
    for _ in range(3):
        story.plan_and_apply()
    assert story.run(2).name == "inner"
    assert story.claim(1).ok
    ticks(story, 1)
    story.plan_and_apply()
    (row,) = attempt_reads.dispatch(story.store, [1])
    assert (row.state, row.terminated) == ("cancelling", 1)


@pytest.mark.parametrize(
    ("overlap", "said"),
    [
        ({"key": "region"}, "/policies/overlap: key 'region' is not made of parameters"),
        ({"key": "{params.region}{x}"}, "key '{params.region}{x}' is not made of parameters"),
        ({"key": 3}, "/policies/overlap: key is text, not a number"),
        ({"key": "{params.region}" * 40}, "/policies/overlap: key is longer than 500 characters"),
        (
            {"key": "{params.regoin}"},
            "/policies/overlap/key: key names the parameter 'regoin', which the job does not declare"
            " (did you mean region?)",
        ),
        ({"key": "{params.region}", "then": "allow"}, "/policies/overlap: then must be one of skip"),
    ],
)
def test_what_is_no_key_is_refused(overlap: Any, said: str) -> None:
    with pytest.raises(JobError) as found:
        parse_job(job(policies={"overlap": overlap}, params=PARAMS))
    assert said in str(found.value)


def test_a_key_is_rendered_whatever_its_run_was_given() -> None:
    parts = parts_of("a{params.x}b{params.y}")
    assert rendered(parts, '{"x":"1","y":true}') == "a1btrue"
    assert rendered(parts, '{"x":1.5}') == "a1.5b"
    assert rendered(parts, "no json") == rendered(parts, "[]") == "ab"
    long = rendered(parts, '{"x":"%s"}' % ("é" * RENDERED_LETTERS_MAX))
    assert long.startswith("sha256:")
    assert len(long) == 71
