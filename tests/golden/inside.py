"""The golden story of what happens inside a run without an agent."""

from __future__ import annotations

from typing import Any

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job


def inside(story: Recorder) -> None:
    story.connect("inside", slots=4, session="inside")
    _finish(story)


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


def run(story: Recorder, name: str) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))
