"""The golden story of what a run asks a person."""

from __future__ import annotations

from typing import Any

from scheduler.model import parse_job, prepare
from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

ANN, BOB = c.Actor("ann", "10.0.0.7"), c.Actor("bob", "10.0.0.9", by_session=True)


def asking(story: Recorder) -> None:
    """Approved, rejected, answered too late, never, by whom it may not, and once more."""
    tasks: dict[str, dict[str, Any]] = {
        "a": {"noop": True},
        "ask": {"approval": {"by": ["ann", "bob"], "expires": "10s", "text": "Go on?"}, "needs": ["a"]},
        "b": {"noop": True, "needs": ["ask"]},
        "eyes": {"approval": {"four_eyes": True, "expires": "1h"}, "rule": "all_done", "needs": ["b"]},
    }
    story.put(job("asks", tasks=tasks), actor=BOB)
    story.connect("asking", slots=4, session="asking")
    yes, no, late, stopped = (_asked(story) for _ in range(4))
    story.tell(_answer(yes, "approved", c.NOBODY), c.AnswerApproval(yes, "b", "approved", actor=ANN))
    story.tell_ok(_answer(yes, "approved", ANN, "it is right"), _answer(yes, "approved", ANN))
    story.tell(_answer(yes, "rejected", BOB))
    story.tell_ok(_answer(no, "rejected", BOB, "not today"), c.CancelRun(stopped, ANN))
    story.settle()
    story.tell(c.AnswerApproval(yes, "eyes", "approved", actor=ANN))
    story.tell_ok(c.AnswerApproval(yes, "eyes", "approved", actor=BOB))
    story.now_ms += 10_000
    story.tell(_answer(late, "approved", ANN))
    story.settle()
    story.tell_ok(c.AnswerApproval(late, "eyes", "approved", actor=BOB))
    story.tell_ok(c.RerunRun(late, b"{}", story.now_ms, from_failed=True, actor=ANN))
    story.settle()
    _counted(story)


def _counted(story: Recorder) -> None:
    """In a namespace that counts its starts; and finally somebody is asked once more."""
    story.tell_ok(c.PutNamespace("asked", b"{}", starts_max=50))
    tasks: dict[str, dict[str, Any]] = {"ask": {"approval": {}}, "last": {"approval": {"expires": "1h"}}}
    asks = parse_job({"job": "asks", "namespace": "asked", "tasks": tasks, "finally": ["last"]})
    story.tell_ok(c.PutJobs((prepare(asks, story.now_ms),), story.now_ms, actor=ANN))
    for reason in ("not today", "nor tomorrow"):
        run = int(story.value(c.RunJob("asked", "asks", b"{}", story.now_ms, actor=ANN), "run"))
        story.now_ms += 1_000
        story.tell_ok(_answer(run, "rejected", BOB, reason))
        story.settle()


def _asked(story: Recorder) -> int:
    run = int(story.value(c.RunJob("default", "asks", b"{}", story.now_ms, actor=ANN), "run"))
    story.settle()
    return run


def _answer(run: int, answer: str, actor: c.Actor, reason: str = "") -> c.AnswerApproval:
    return c.AnswerApproval(run, "ask", answer, reason, actor=actor)
