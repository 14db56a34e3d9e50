"""The golden story of overlap by keys, and of runs that are ended by force for a newer one."""

from __future__ import annotations

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job


def overlaps(story: Recorder) -> None:
    """Each key waits for its own; an edit brings a key in; the old run is killed, and the new one follows."""
    triggers = [{"every": "10s", "id": name, "params": {"region": name}} for name in ("eu", "us")]
    params = {"region": {"type": "string", "default": "eu"}}
    story.put(
        job("keyed", trigger=triggers, params=params, policies={"overlap": "allow"}),
        job("forced", trigger={"every": "10s"}, policies={"overlap": "terminate_running"}),
    )
    story.connect("forcer", slots=20)
    _pass(story)
    keyed = {"overlap": {"key": "{params.region}", "then": "queue_all"}}
    story.put(job("keyed", trigger=triggers, params=params, policies=keyed))
    story.put(job("twin", params=params, policies=keyed))  # its keys are its own
    story.tell_ok(c.RunJob("default", "twin", b'{"region":"eu"}', story.now_ms))
    for _ in range(2):
        sql = "SELECT id FROM runs WHERE name = 'forced' AND finished_ms IS NULL AND waiting = 0"
        attempt = story.attempts(story.store.value(sql))[-1]
        story.claim(attempt.id)
        _pass(story)
        story.finish(attempt.id, reason="cancelled", exit_code=None)
        story.tell(*story.plan())
    story.tell_ok(c.PauseJob("default", "keyed", reason="stocktaking", until_ms=story.now_ms + 10_000))
    _pass(story)
    story.tell_ok(c.PauseJob("default", "forced", until_ms=story.now_ms + 10_000))
    _pass(story)
    _pass(story)
    for (run,) in story.store.rows("SELECT id FROM runs WHERE name = 'keyed' AND waiting = 0 ORDER BY id"):
        story.tell(c.CancelRun(run))
    story.tell_ok(*(c.DeleteJob("default", name) for name in ("keyed", "forced", "twin")))


def _pass(story: Recorder) -> None:
    story.now_ms += 10_000
    story.tell(*story.plan())
