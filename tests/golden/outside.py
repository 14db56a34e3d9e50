"""The golden story of tasks that somebody outside completes."""

from __future__ import annotations

from typing import Any

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

ANN = c.Actor("ann", "10.0.0.7")


def outside(story: Recorder) -> None:
    """Completed before its process ended and behind that, well and badly, by its token and by a person,
    twice; told how far it is, too often; timed out, tried again, cancelled."""
    tasks: dict[str, dict[str, Any]] = {
        "submit": {
            "run": "submit", "async": {"timeout": "10s"}, "outputs": ["rows", "path"], "locks": ["yard"],
            "retry": {"max": 1, "first": "1s"}, "exit": {"ok": [1], "warn": [0]},
        },
        "after": {"noop": True, "needs": ["submit"], "when": "submit.outputs.rows == 3"},
    }  # fmt: skip
    story.apply({"resource": "yard", "count": 9})
    story.put(job("outside", tasks=tasks), actor=ANN)
    story.connect("outside", slots=4, session="outside")
    first, well, badly, never, stopped = (_begun(story) for _ in range(5))
    early = c.CompleteTask(
        first, "submit", "succeeded", "early", b'{"rows":3}', attempt=_attempt(story, first)
    )
    story.tell_ok(early, early, c.ReportProgress(first, early.attempt, 40, "copying"))
    story.tell(c.ReportProgress(first, early.attempt, 50), c.CompleteTask(first, "submit", "failed"))
    for run in (first, well, badly, never, stopped):
        _process_ended(story, run)
    story.tell_ok(c.CompleteTask(well, "submit", "succeeded", "", b'{"rows":3}', actor=ANN))
    story.tell_ok(
        c.CompleteTask(badly, "submit", "failed", "disk full", attempt=_attempt(story, badly)),
        c.CancelRun(stopped, ANN),
    )
    story.tell(c.CompleteTask(badly, "after", "succeeded"), c.CompleteTask(stopped, "submit", "succeeded"))
    story.now_ms += 10_000
    story.settle()
    for run in (badly, never):
        story.tell(c.CompleteTask(run, "submit", "succeeded", attempt=_attempt(story, run), actor=ANN))
    story.settle()


def _begun(story: Recorder) -> int:
    run = int(story.value(c.RunJob("default", "outside", b"{}", story.now_ms, actor=ANN), "run"))
    story.plan_and_apply()
    attempt = story.attempt(_attempt(story, run))
    story.tell_ok(c.Grant(attempt.id, attempt.agent, story.sessions[attempt.agent], "claim"))
    return run


def _attempt(story: Recorder, run: int) -> int:
    """The newest of it."""
    return int(story.store.value("SELECT max(id) FROM attempts WHERE run = ?", (run,)))


def _process_ended(story: Recorder, run: int) -> None:
    attempt = story.attempt(_attempt(story, run))
    end = c.Finish(
        attempt.id, attempt.agent, story.now_ms, story.now_ms, 0, "exit", tail=b"submitted",
        outputs=b'{"path":"/a"}',
    )  # fmt: skip
    story.tell_ok(end, end)
