"""The golden story of what is expected of jobs: late, at risk, short, long, stalled, too few."""

from __future__ import annotations

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NOTIFY = [{"on": ["late", "stalled", "too_few"], "webhook": "https://hooks.example.org/expected"}]


def expected(story: Recorder) -> None:
    """Each thing that can be told; over again, or left open; told twice to nobody."""
    lasts = {"min": "50%", "max": "150%"}
    expect = {"start_by": "10m", "end_by": "40m", "duration": lasts, "output_within": "5m"}
    story.put(
        job("nightly", trigger={"every": "2h"}, expect=expect, notify=NOTIFY, policies={"overlap": "allow"}),
        job("owed", namespace="ledgers", expect={"at_least": {"n": 2, "per": "1h"}}, notify=NOTIFY),
    )
    for _ in range(3):
        _ends(story, _run(story, "nightly"), 20 * MINUTE_MS)
    _ends(story, _run(story, "nightly"), MINUTE_MS)  # short
    story.now_ms = (story.now_ms // (2 * HOUR_MS) + 1) * 2 * HOUR_MS
    story.tell(*story.plan())
    first = _newest(story, "nightly")
    for minutes in (10, 10, 10):  # late to start, then not likely to end
        story.now_ms += minutes * MINUTE_MS
        story.tell(*story.plan())
    story.tell(c.JudgeWatch(story.epoch, first), c.JudgePeriod(story.epoch, 1 << 40, story.now_ms))
    attempt = _claimed(story, first)
    story.tell_ok(c.ReportRunning(attempt, story.attempt(attempt).agent, story.now_ms))
    agent, since_ms = story.attempt(attempt).agent, story.now_ms
    story.now_ms += 6 * MINUTE_MS
    story.tell(c.ReportSilence(1 << 40, agent, since_ms, True))
    story.tell_ok(c.ReportSilence(attempt, agent, since_ms, True))
    story.tell_ok(c.ReportSilence(attempt, agent, story.now_ms, False))
    unmet = story.machine.state.last_unmet
    story.tell(c.Acknowledge(unmet, story.now_ms), c.Acknowledge(1 << 40, story.now_ms + HOUR_MS))
    story.tell_ok(c.Acknowledge(unmet, story.now_ms + HOUR_MS, "known", c.Actor("ada")))
    for minutes in (6, 30):  # late to end, and long
        story.now_ms += minutes * MINUTE_MS
        story.tell(*story.plan())
    story.finish(attempt, exit_code=1)
    story.now_ms = (story.now_ms // (2 * HOUR_MS) + 1) * 2 * HOUR_MS
    story.tell(*story.plan())
    story.finish(_claimed(story, _newest(story, "nightly")), exit_code=1)  # another may yet end in time
    story.now_ms = (story.now_ms // (2 * HOUR_MS) + 1) * 2 * HOUR_MS
    story.tell(*story.plan())
    story.finish(_claimed(story, _newest(story, "nightly")), exit_code=1)  # before its time
    _ends(story, _run(story, "nightly"), MINUTE_MS)
    _periods(story)
    story.tell_ok(c.DeleteJob("default", "nightly"), c.DeleteJob("ledgers", "owed"))
    story.settle()


def _periods(story: Recorder) -> None:
    for _ in range(2):
        _ends(story, _run(story, "owed", "ledgers"), MINUTE_MS)
    for _ in range(3):
        story.now_ms += HOUR_MS
        story.tell(*story.plan())
    story.tell_ok(c.PauseJob("ledgers", "owed"))
    story.now_ms += HOUR_MS
    story.tell(*story.plan())
    story.tell_ok(c.ResumeJob("ledgers", "owed"))


def _run(story: Recorder, name: str, namespace: str = "default") -> int:
    run: int = story.value(c.RunJob(namespace, name, b"{}", story.now_ms), "run")
    return run


def _newest(story: Recorder, name: str) -> int:
    run: int = story.store.value("SELECT max(id) FROM runs WHERE name = ?", (name,))
    return run


def _claimed(story: Recorder, run: int) -> int:
    """Its attempt, once it has the grant."""
    live = "SELECT id FROM attempts WHERE run = ? AND state = 'assigned'"
    if story.store.value(live, (run,)) is None:
        story.tell(*story.plan())
    attempt: int = story.store.value(live, (run,))
    assert story.claim(attempt).ok
    return attempt


def _ends(story: Recorder, run: int, took_ms: int) -> None:
    attempt = _claimed(story, run)
    story.now_ms += took_ms
    story.finish(attempt)
