"""The golden story of what happens inside a run without an agent."""

from __future__ import annotations

from typing import Any

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job


def inside(story: Recorder) -> None:
    story.connect("inside", slots=4, session="inside")
    _finish(story)
    _finally(story)
    _post(story)
    _nested(story)


def _finish(story: Recorder) -> None:
    tasks: dict[str, dict[str, Any]] = {
        "a": {"noop": True}, "nap": {"sleep": "1h"}, "work": {"noop": True, "needs": ["a"]},
        "well": {"finish": "succeeded", "needs": ["a"]},
        "ill": {"finish": "failed", "needs": ["a"], "rule": "any_failed"},
    }  # fmt: skip
    story.put(job("finishes", tasks=tasks))
    for exit_code in (0, 1):
        run(story, "finishes")
        story.settle(exit_code=exit_code)


def _finally(story: Recorder) -> None:
    tasks: dict[str, dict[str, Any]] = {
        "a": {"noop": True}, "b": {"noop": True, "needs": ["a"]},
        "y": {"noop": True, "when": "b.succeeded"}, "z": {"noop": True, "needs": ["y"], "rule": "all_done"},
    }  # fmt: skip
    story.put(job("concludes", tasks=tasks, policies={"timeout": "1h"}, **{"finally": ["y", "z"]}))
    for exit_code in (0, 1):
        run(story, "concludes")
        story.settle(exit_code=exit_code)
    stopped = run(story, "concludes")
    story.plan_and_apply()
    story.claim(story.machine.state.last_attempt)
    story.tell_ok(c.CancelRun(stopped, c.Actor("ada")))
    story.work(exit_code=1)
    story.plan_and_apply()
    story.tell_ok(c.CancelRun(stopped, c.Actor("bob")))
    story.tell(c.StopRun(story.epoch, stopped))


def _post(story: Recorder) -> None:
    post = {"board": "told", "key": "plan_date", "expires": "1h"}
    tasks: dict[str, dict[str, Any]] = {"a": {"noop": True}, "b": {"post": post, "needs": ["a"]}}
    heir = job("hears", trigger={"notice": {"board": "told"}})
    assert story.apply({"board": "told"}, job("tells", tasks=tasks), heir).ok
    run(story, "tells")
    story.settle()


def _nested(story: Recorder) -> None:
    """Waited for, not waited for, with its parent cancelled, run out of time, ended ill, and in another."""
    child = {"n": {"type": "integer", "default": 1}}
    tasks: dict[str, dict[str, Any]] = {
        "a": {"job": {"name": "nested", "params": {"n": 2}}, "timeout": "10s"},
        "b": {"job": {"name": "nested", "wait": False}},
    }  # fmt: skip
    naps = job("nested", params=child, tasks={"nap": {"sleep": "5s"}})
    work = {"run": "x", "exit": {"warn": [4]}}
    above = {"a": {"job": {"name": "works"}}}
    story.put(naps, job("nests", tasks=tasks), job("works", tasks={"a": work}), job("above", tasks=above))
    story.put(job("top", tasks={"a": {"job": {"name": "above"}}}))
    for exit_code in (0, 3, 4):
        run(story, "top")
        story.settle(exit_code=exit_code)
    first = run(story, "nests")
    story.settle()
    story.now_ms += 5_000
    story.settle()
    assert story.run(first).state == "succeeded"
    stopped = run(story, "nests")
    story.settle()
    story.tell_ok(c.CancelRun(stopped, c.Actor("ada")))
    story.settle()
    story.put(job("nested", params=child, tasks={"nap": {"sleep": "1h"}}))
    late = run(story, "nests")
    story.settle()
    story.now_ms += 10_000
    story.settle()
    assert story.run(late).state == "timed_out"


def run(story: Recorder, name: str) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))
