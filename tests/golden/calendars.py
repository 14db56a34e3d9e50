"""What the golden logs tell of calendars that are edited."""

from __future__ import annotations

from scheduler.model import parse_job, prepare
from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job


def dates_change(story: Recorder) -> None:
    """Two are edited before any trigger has taken over the dates of either."""
    rule = {"exclude": ["off", "elsewhere/closed"], "nonworking": "after"}
    dated = job("dated", trigger={"cron": "0 9 * * *", "id": "t", "calendar": rule})
    calendars = [{"calendar": "off"}, {"calendar": "closed", "namespace": "elsewhere"}]
    assert story.apply(*calendars, dated).ok
    for calendar, day in zip(calendars, ("12-31", "12-30"), strict=True):
        story.now_ms += 1_000
        assert story.apply({**calendar, "exclude": [day]}, actor=c.Actor("ben", "10.0.0.9")).ok
    stale = prepare(parse_job({**dated, "owner": "ben"}), story.now_ms)
    refused = story.tell(c.PutJobs((stale,), story.now_ms), c.ResumeJob("default", "dated"))
    assert [outcome.code for outcome in refused] == ["switching", "switching"]
    while commands := [each for each in story.plan() if isinstance(each, c.Redate)]:
        story.tell_ok(*commands)
        story.tell(c.Redate(story.epoch - 1, 1, ()), c.Redate(story.epoch, 77, ()))
    assert story.one(c.PutJobs((stale,), story.now_ms)).code == "superseded"
