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
    tasks(story)
    story.put(job("heir", trigger={"after": "handled.failed"}))
    story.tell(c.OverrideRun(held, "lost", "why"), c.OverrideRun(1 << 40, "failed", "why"))
    story.tell_ok(c.OverrideRun(held, "failed", "the file was empty", ADA))
    again = run(story)
    story.settle()
    story.now_ms += 1_000
    story.tell_ok(c.OverrideRun(again, "failed", "this one too"), c.OverrideRun(held, "succeeded", "no"))
    story.plan_and_apply()
    repeated(story, held)
    kept = run(story)
    story.tell_ok(c.SuspendRun(kept, "for good", ADA))


def tasks(story: Recorder) -> None:
    """Held, released, skipped, tried now, stopped; and a failure that waits."""
    graph = {
        "a": {"noop": True, "retry": {"max": 1, "first": "1h"}}, "b": {"noop": True, "needs": ["a"]},
        "c": {"noop": True, "needs": ["a"], "rule": "all_done"}, "nap": {"sleep": "1h"},
    }  # fmt: skip
    story.put(job("waits", policies={"on_failure": "hold", "timeout": "3h"}, tasks=graph))
    agent = story.connect("hands", slots=2, session="by hand")
    one, other = run(story, "waits"), run(story, "waits")
    story.tell(c.HoldTask(one, "none"), c.HoldTask(one, "nap"), c.RetryTask(one, "b"), c.StopTask(one, "c"))
    story.tell_ok(c.HoldTask(one, "b", "look first", ADA), c.HoldTask(one, "a", "", ADA))
    story.tell_ok(c.ReleaseTask(one, "a", "", ADA), c.HoldTask(one, "c"), c.ReleaseTask(one, "c"))
    story.tell_ok(c.StopTask(one, "nap", "no sleep", ADA))
    story.plan_and_apply()
    story.tell_ok(c.SkipTask(other, "a", "not today", passes=True, actor=ADA))
    claim(story, one, agent)
    story.work(exit_code=1)
    story.tell_ok(c.RetryTask(one, "a", "", ADA))
    story.plan_and_apply()
    story.work(exit_code=1)
    story.tell_ok(c.RetryTask(one, "a", "once more", ADA))
    story.plan_and_apply()
    claim(story, one, agent)
    story.tell_ok(c.StopTask(one, "a", "", ADA))
    story.work(exit_code=1)
    story.settle(exit_code=1)
    story.tell_ok(c.ReleaseTask(other, "b"), c.SkipTask(other, "c", "", actor=ADA), c.StopTask(other, "nap"))
    story.settle()


def repeated(story: Recorder, done: int) -> None:
    """A run that has ended is repeated: what did not end well of it, as a whole, and up to a task."""
    graph = {
        "a": {"run": "./a", "outputs": ["rows"]}, "b": {"noop": True, "needs": ["a"]},
        "c": {"noop": True, "needs": ["b"], "rule": "all_done", "allow_failure": True},
    }  # fmt: skip
    _held_long(story)
    story.put(job("mended", tasks=graph))
    first = run(story, "mended")
    story.tell(c.RerunRun(first, b"{}", story.now_ms), c.RerunRun(1 << 40, b"{}", story.now_ms))
    work(story, first, failing=())
    work(story, first, failing=("b",))
    story.settle(exit_code=1)
    story.tell(c.RerunRun(first, b"{}", story.now_ms, from_task="none"))
    story.tell_ok(c.RerunRun(first, b"{}", story.now_ms, from_failed=True, reason="it is mended", actor=ADA))
    story.settle()
    story.tell_ok(c.RerunRun(first, b"{}", story.now_ms, revision=1, until_task="b", heard=True))
    story.settle()
    story.tell_ok(c.RerunRun(done, b"{}", story.now_ms, from_task="b", held=True))


def _held_long(story: Recorder) -> None:
    """For longer than the job's period, as a whole and a task; each is told once."""
    story.put(job("patient", trigger={"every": "1s", "id": "t"}, policies={"overlap": "skip"}))
    one = run(story, "patient", held=True)
    story.now_ms += 1_000
    story.tell(*(each for each in story.plan() if isinstance(each, c.TellHeld)))
    story.tell(c.TellHeld(story.epoch, one, 0, story.now_ms))
    story.tell_ok(c.ReleaseRun(one, "", ADA), c.HoldTask(one, "main", "", ADA))
    story.now_ms += 2_000
    story.tell(*(each for each in story.plan() if isinstance(each, c.TellHeld)))
    story.tell_ok(c.DeleteJob("default", "patient"))


def work(story: Recorder, run: int, *, failing: tuple[str, ...]) -> None:
    """What waits of a run is done, with outputs; or it fails."""
    story.plan_and_apply()
    for attempt in story.attempts(run):
        if attempt.live:
            story.claim(attempt.id)
            code = int(bool(failing))
            told = b"" if failing else b'{"rows":"7"}'
            story.tell_ok(
                c.Finish(attempt.id, attempt.agent, story.now_ms, story.now_ms, code, "exit", outputs=told)
            )


def run(story: Recorder, name: str = "handled", **fields: object) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms, ADA, **fields), "run"))  # type: ignore[arg-type]


def claim(story: Recorder, run: int, agent: int) -> None:
    for attempt in story.attempts(run):
        if attempt.state == "assigned":
            story.tell_ok(c.Grant(attempt.id, attempt.agent, story.sessions[attempt.agent], "by hand"))
