"""`enabled: false`: the job never runs by itself. Its triggers have no era meanwhile, so nothing is due,
missed or caught up; what was due before is decided as if nothing had been edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.explain import explain_instant
from scheduler.explain.findings import Cluster
from scheduler.model.compiled import CompiledJob, compile_job
from scheduler.store.reads import jobs as job_reads
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import Story, job

EVERY = {"every": "10s", "id": "t"}
ANN = c.Actor("ann")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def told(story: Story, at_ms: int | None) -> str:
    def compiled(job: int, revision: int, namespace: str, name: str) -> CompiledJob:
        spec = job_reads.spec_of(story.store, job, revision)
        assert spec is not None
        return compile_job(spec)

    return explain_instant(story.store, [1], at_ms, Cluster(story.now_ms, "node-a", True), compiled).said


def test_nothing_is_due_while_it_is_disabled_and_nothing_is_caught_up(story: Story) -> None:
    story.put(job("j", trigger=EVERY, policies={"catchup": {"mode": "all"}}))
    story.now_ms += 10_000
    story.settle()
    story.put(job("j", trigger=EVERY, enabled=False), actor=ANN)
    disabled_ms = story.now_ms
    for _ in range(6):
        story.now_ms += 10_000
        story.settle()
    assert [trigger for trigger in story.triggers("j") if trigger.until_ms is None] == []
    assert story.machine.state.last_run == 1

    story.put(job("j", trigger=EVERY))
    story.now_ms += 10_000
    story.settle()
    assert story.machine.state.last_run == 2, "the next instant, and none of those before"
    found = verify(story.store, disabled_ms - 20_000, story.now_ms, now_ms=story.now_ms)
    assert found.problems == []
    assert found.due == 2


def test_what_was_due_before_is_decided_as_if_nothing_had_been_edited(story: Story) -> None:
    story.put(job("j", trigger=EVERY))
    story.now_ms += 10_000
    story.put(job("j", trigger=EVERY, enabled=False))
    story.settle()
    assert story.machine.state.last_run == 1
    assert verify(story.store, story.now_ms - 20_000, story.now_ms, now_ms=story.now_ms).problems == []


def test_a_person_may_run_it_and_a_pause_is_another_thing(story: Story) -> None:
    story.put(job("j", trigger=EVERY, enabled=False))
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms), c.PauseJob("default", "j"))
    story.put(job("j", trigger=EVERY))
    story.now_ms += 10_000
    story.settle()
    assert story.machine.state.last_run == 1, "it is enabled, and still paused"


def test_explain_says_since_when_and_by_whom(story: Story) -> None:
    story.put(job("j", trigger=EVERY))
    story.now_ms += 5_000
    before_ms = story.now_ms - 1
    story.put(job("j", trigger=EVERY, enabled=False), actor=ANN)

    by = "the job is disabled (enabled: false) by revision 2, put by ann: no tick of it comes"
    assert told(story, None) == f"{by}: it runs when it is asked to"
    assert told(story, story.now_ms + 5_000) == by
    assert told(story, before_ms) == "no trigger of the job has this instant"
