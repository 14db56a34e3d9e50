"""The golden story of admission windows and blackouts, delays after failures, and what runs require."""

from __future__ import annotations

import datetime

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

HOUR_MS = 3_600_000


def windows(story: Recorder) -> None:
    """Runs wait for windows, are let pass, wait again, are stopped; ticks are skipped by both."""
    opens = _clock(story.now_ms + HOUR_MS)
    night = {"windows": [f"{opens}-{_clock(story.now_ms + 3 * HOUR_MS)}"], "tz": "Europe/Berlin"}
    policies = {"overlap": "allow", "start_deadline": "10m", "admission": {**night, "at_end": "terminate"}}
    freeze = [{"from": _text(story.now_ms), "until": _text(story.now_ms + HOUR_MS), "reason": "inventory"}]
    story.put(
        job("night", policies=policies),
        job("day", trigger={"every": "10m"}, policies={"admission": {**night, "outside": "skip"}}),
        job("frozen", trigger={"every": "10m"}, policies={"blackout": freeze}),
    )
    waits = _run(story)
    passes = _run(story, ignore_admission=True)
    let = _run(story)
    story.tell(c.Rejudge(story.epoch, waits), c.Rejudge(story.epoch, 1 << 40))
    story.tell_ok(c.ReleaseRun(let), c.CancelRun(passes), c.CancelRun(let))
    for _ in range(4):
        story.now_ms += HOUR_MS
        story.tell(*story.plan())
        if story.run(waits).state == "pending" and (live := story.store.value(
            "SELECT id FROM attempts WHERE run = ? AND state = 'assigned'", (waits,)
        )):  # fmt: skip
            story.claim(live)
    story.tell_ok(*(c.DeleteJob("default", name) for name in ("day", "frozen")))
    _requires(story)


def _requires(story: Recorder) -> None:
    """Ends, notices and verdicts are waited for; patience ends; a notice is used up; failures delay."""
    assert story.apply({"board": "needed"}).ok
    asks = [{"job": "feeds", "since": "plan_date", "count": 2}, {"notice": "needed", "consume": True}]
    hasty = {"timeout": "10m", "on_timeout": "skip", "if_not_planned": "go"}
    story.put(job("feeds", policies={"failures": {1: "1m", 3: "pause"}}))
    story.put(
        job("needs", requires=asks, policies={"overlap": "allow", "start_deadline": "1h"}),
        job("hasty", requires=[{"job": "feeds", "since": "6h"}], requires_policy=hasty),
        job("heeds", requires=[{"job": "needs"}]),
        job("sums", requires=[{"job": "feeds", "since": "plan_date", "count": "all"}]),
        job("looks", requires=[{"check": {"run": "x", "every": "5s", "max": 2}}, {"exists": "/in/done"}],
            requires_policy={"need": "any"}),
    )
    first, second, hasty_one = _run(story, "needs"), _run(story, "needs"), _run(story, "hasty")
    _run(story, "heeds", ignore_admission=True)
    summed, looks = _run(story, "sums"), _run(story, "looks")
    story.tell(*story.plan())
    for attempt in story.attempts(looks):
        story.claim(attempt.id)
        story.finish(attempt.id, exit_code=1)
    story.tell_ok(c.RunJob("default", "feeds", b"{}", story.now_ms, plan_day=story.run(first).plan_day - 1))
    story.tell(c.RejudgeRequired(story.epoch, "job/default/nobody"))
    for exit_code in (0, 1):
        story.tell(*story.plan())
        fed = _run(story, "feeds")
        story.tell(*story.plan())
        for attempt in story.attempts(fed):
            story.claim(attempt.id)
            story.finish(attempt.id, exit_code=exit_code)
    story.tell_ok(c.OverrideRun(fed, "succeeded", "by hand"))
    story.tell(*story.plan())
    for _ in range(2):
        story.tell_ok(c.PostNotice("default", "needed", "k", HOUR_MS))
        story.tell(*story.plan())
    story.work()
    story.now_ms += HOUR_MS
    story.tell(*story.plan())
    left = [each for each in (first, second, hasty_one, summed, looks) if story.run(each).finished_ms is None]
    story.tell(*(c.ReleaseRun(each) for each in left))
    story.tell(*(c.CancelRun(each) for each in left))


def _run(story: Recorder, name: str = "night", *, ignore_admission: bool = False) -> int:
    command = c.RunJob("default", name, b"{}", story.now_ms, ignore_admission=ignore_admission)
    made: int = story.value(command, "run")
    return made


def _clock(at_ms: int) -> str:
    """As walls of Berlin show it in winter."""
    return datetime.datetime.fromtimestamp(at_ms / 1_000 + 3_600, datetime.UTC).strftime("%H:%M")


def _text(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms // 1_000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
