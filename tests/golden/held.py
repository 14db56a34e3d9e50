"""The golden story of what groups hold, and of runs that wait for each other in a circle."""

from __future__ import annotations

from typing import Any

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

NOOP: dict[str, Any] = {"noop": True}


def held(story: Recorder) -> None:
    story.connect("held-1", slots=2, session="held-1")
    story.connect("held-2", slots=2, session="held-2")
    _groups(story)
    _circle(story)


def _groups(story: Recorder) -> None:
    """One that stays on an agent, a few at once, with a lock over its rounds; taken back, and begun anew."""
    inside = {"a": NOOP, "b": NOOP, "c": NOOP, "d": {**NOOP, "needs": ["a"]}}
    box = {
        "tasks": list(inside), "sticky": True, "max_parallel": 2, "locks": ["staging"],
        "retry": {"max": 1, "first": "1s"},
    }  # fmt: skip
    boxed = job("boxed", tasks={**inside, "last": {**NOOP, "needs": ["box"]}}, groups={"box": box})
    assert story.apply({"resource": "staging"}, boxed, job("stages", locks=["staging"])).ok
    run = story.value(c.RunJob("default", "boxed", b"{}", story.now_ms), "run")
    _rest(story)
    for attempt in story.attempts(run):
        story.tell_ok(c.Revoke(story.epoch, attempt.id, "unclaimed"))
    story.tell_ok(c.RunJob("default", "stages", b"{}", story.now_ms))
    _rest(story)
    story.work(exit_code=1)
    story.settle()
    story.now_ms += 1_000
    story.settle()
    assert story.run(run).state == "succeeded"


def _circle(story: Recorder) -> None:
    tasks = {"first": NOOP, "run": {"job": {"name": "wants-a"}, "needs": ["first"]}}
    more = {"first": NOOP, "more": {**NOOP, "locks": ["b"], "needs": ["first"]}}
    jobs = [
        job("wants-a", locks=["a"]), job("has-b", tasks=tasks, policies={"locks": ["b"]}),
        job("has-a", tasks=more, policies={"locks": ["a"]}),
    ]  # fmt: skip
    assert story.apply({"resource": "a"}, {"resource": "b"}, *jobs).ok
    runs = [story.value(c.RunJob("default", name, b"{}", story.now_ms), "run") for name in ("has-b", "has-a")]
    _rest(story)
    story.work()
    _rest(story)
    story.now_ms += 1_000
    story.settle()
    assert [story.run(run).state for run in runs] == ["failed", "succeeded"]


def _rest(story: Recorder) -> None:
    for _ in range(10):
        story.plan_and_apply()
