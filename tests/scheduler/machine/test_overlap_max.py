"""overlap: {max, then}: so many runs of a job may be active before what fires is judged by the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.model import JobError, canonical, compile_job, parse_job
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

WORDS = "skip, queue_one, queue_all, cancel_running, terminate_running, allow"


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def put(story: Story, **overlap: Any) -> None:
    story.put(job(trigger={"every": "1s", "id": "t"}, policies={"overlap": overlap}))


def ticks(story: Story, number: int) -> None:
    for _ in range(number):
        story.now_ms += 1_000
        story.plan_and_apply()


def waiting(story: Story) -> list[int]:
    rows = story.store.rows("SELECT waiting FROM runs WHERE finished_ms IS NULL ORDER BY id")
    return [row[0] for row in rows]


def told(story: Story) -> list[tuple[str, str]]:
    return [entry[2:] for entry in story.ledger()]


def test_what_fires_beyond_is_skipped(story: Story) -> None:
    put(story, max=3)
    ticks(story, 5)
    assert waiting(story) == [0, 0, 0]
    assert told(story) == [("skipped", "overlap")] * 2
    story.tell_ok(c.CancelRun(2))
    ticks(story, 2)
    assert waiting(story) == [0, 0, 0]
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []


def test_what_fires_beyond_waits_and_goes_on_one_for_one(story: Story) -> None:
    put(story, max=2, then="queue_all")
    ticks(story, 5)
    assert waiting(story) == [0, 0, 1, 1, 1]
    story.tell_ok(c.CancelRun(1))
    assert waiting(story) == [0, 0, 1, 1]
    story.tell_ok(c.CancelRun(2), c.CancelRun(3))
    assert waiting(story) == [0, 0]
    story.tell_ok(c.CancelRun(4))
    ticks(story, 1)
    assert waiting(story) == [0, 0]


def test_one_may_wait_beyond(story: Story) -> None:
    put(story, max=2, then="queue_one")
    ticks(story, 4)
    assert waiting(story) == [0, 0, 1]
    assert told(story) == [("skipped", "overlap")]


def test_a_run_of_a_person_counts_and_is_never_judged(story: Story) -> None:
    put(story, max=2)
    for _ in range(3):
        story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    ticks(story, 1)
    assert waiting(story) == [0, 0, 0]
    assert told(story) == [("skipped", "overlap")]


@pytest.mark.parametrize("then", ["queue_all", "cancel_running"])
def test_what_waits_behind_a_run_of_a_person_is_decided_once_where_both_are_stopped(
    story: Story, then: str
) -> None:
    """The end of that run would admit it, and its own end decide it again."""
    document = {
        "job": "j", "tasks": {"t": {"sleep": "1h"}}, "triggers": {"every": "1s", "id": "t"},
        "policies": {"overlap": "queue_all"},
    }  # fmt: skip
    story.put(document)
    ticks(story, 2)
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.tell_ok(c.CancelRun(1))
    assert waiting(story) == [1, 0]
    if then == "queue_all":
        story.tell_ok(c.DeleteJob("default", "j"))
        assert told(story) == [("ran", ""), ("skipped", "cancelled")]
    else:
        story.put({**document, "policies": {"overlap": then}})
        ticks(story, 1)
        assert told(story) == [("ran", ""), ("skipped", "cancelled"), ("ran", "")]
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []


def test_a_hook_with_more_triggers_than_may_be_active(story: Story) -> None:
    """Of one notice that three triggers of the job hear, two go on, and as many wait as their queue takes."""
    assert story.apply({"board": "stock"}).ok
    names = ("a", "b", "c", "d")
    triggers = [{"notice": {"board": "stock"}, "id": name, "overlap": "queue_all"} for name in names]
    story.put(job(trigger=triggers, policies={"overlap": {"max": 2}}))
    story.tell_ok(c.PostNotice("default", "stock", "k", 3_600_000))
    for _ in range(6):
        story.plan_and_apply()
    assert waiting(story) == [0, 0, 1, 1]


def parsed(overlap: Any) -> Any:
    return compile_job(canonical(parse_job({"job": "j", "noop": True, "policies": {"overlap": overlap}})))


def test_it_is_stored_as_it_is_said() -> None:
    assert (parsed({"max": 3}).overlap, parsed({"max": 3}).overlap_max) == ("skip", 3)
    assert (parsed("queue_all").overlap, parsed("queue_all").overlap_max) == ("queue_all", 1)
    document = parse_job({"job": "j", "noop": True, "policies": {"overlap": {"max": 3, "then": "queue_one"}}})
    assert document.public()["policies"]["overlap"] == {"max": 3, "then": "queue_one"}
    assert parse_job(document.public()) == document


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("all", f"overlap must be one of {WORDS}, not 'all'"),
        (3, f"overlap must be one of {WORDS}, not a number"),
        ("terminate_runing", f"{WORDS}, not 'terminate_runing' (did you mean terminate_running?)"),
        ({}, "max is a whole number from 1 to 100"),
        ({"max": 0}, "max is a whole number from 1 to 100"),
        ({"max": True}, "max is a whole number from 1 to 100"),
        ({"max": 2, "then": "allow"}, "then must be one of skip, queue_one, queue_all"),
        ({"max": 2, "than": "skip"}, "unknown field 'than' (known here: max, key, then)"),
    ],
)
def test_what_is_no_overlap_is_refused(given: Any, said: str) -> None:
    with pytest.raises(JobError) as found:
        parsed(given)
    assert "/policies/overlap: " in str(found.value)
    assert said in str(found.value)
