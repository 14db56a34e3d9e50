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


def run(story: Recorder, name: str) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))
