"""The golden story of admission windows and blackouts."""

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


def _run(story: Recorder, *, ignore_admission: bool = False) -> int:
    command = c.RunJob("default", "night", b"{}", story.now_ms, ignore_admission=ignore_admission)
    made: int = story.value(command, "run")
    return made


def _clock(at_ms: int) -> str:
    """As walls of Berlin show it in winter."""
    return datetime.datetime.fromtimestamp(at_ms / 1_000 + 3_600, datetime.UTC).strftime("%H:%M")


def _text(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms // 1_000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
