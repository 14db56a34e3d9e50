"""The golden story of hands on live runs."""

from __future__ import annotations

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

ADA = c.Actor("ada", "10.0.0.7")
LONG = {"start_deadline": "1h", "timeout": "2h"}


def hands(story: Recorder) -> None:
    story.put(job("handled", policies=LONG, tasks={"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}))
    agent = story.connect("hands", slots=2, session="by hand")
    held = run(story, held=True, reason="after the audit")
    story.tell(c.SuspendRun(held), c.ResumeRun(held), c.ReleaseRun(1 << 40))
    story.now_ms += 60_000
    story.tell_ok(c.ReleaseRun(held, "the audit is over", ADA))
    story.plan_and_apply()
    story.tell_ok(c.SuspendRun(held, "too early", ADA), c.SuspendRun(held, "far too early", ADA))
    story.tell(c.ReleaseRun(held))
    story.now_ms += 60_000
    story.tell_ok(c.ResumeRun(held, "now", ADA))
    story.plan_and_apply()
    claim(story, held, agent)
    story.tell_ok(c.SuspendRun(held, "", ADA))
    story.now_ms += 60_000
    story.work()
    story.tell_ok(c.ResumeRun(held, "", ADA), c.ResumeRun(held, "", ADA))
    story.settle()
    kept = run(story)
    story.tell_ok(c.SuspendRun(kept, "for good", ADA))


def run(story: Recorder, name: str = "handled", **fields: object) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms, ADA, **fields), "run"))  # type: ignore[arg-type]


def claim(story: Recorder, run: int, agent: int) -> None:
    for attempt in story.attempts(run):
        if attempt.state == "assigned":
            story.tell_ok(c.Grant(attempt.id, attempt.agent, story.sessions[attempt.agent], "by hand"))
