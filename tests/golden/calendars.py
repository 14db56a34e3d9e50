"""What the golden logs tell of calendars that are edited."""

from __future__ import annotations

from typing import Any

import msgspec

from scheduler.model import parse_job, prepare
from scheduler.ticks import zone_files
from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler import zone_data
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


def schedules_change(story: Recorder) -> None:
    """One is edited, and another takes its place; jobs follow, of which one was prepared by what was."""
    triggers = [{"cron": "0 9 * * *", "id": "t"}, {"every": "1h"}]
    nine: dict[str, Any] = {"schedule": "shared", "triggers": triggers}
    valid = {"from": "2027-02-01T00:00:00Z", "until": "2027-03-01T00:00:00Z"}
    february = {"schedule": "february", "substitute": "shared", "valid": valid, "triggers": [{"every": "2h"}]}
    elsewhere = {**nine, "schedule": "theirs", "namespace": "elsewhere"}
    users = [job(name, trigger={"schedule": "shared"}) for name in ("one", "other")]
    both = [{"schedule": "shared"}, {"schedule": "elsewhere/theirs"}]
    abroad = job("abroad", namespace="elsewhere", trigger={"schedule": "default/shared"})
    assert story.apply(nine, elsewhere, *users, abroad, job("both", trigger=both)).ok
    flood = [{"every": "100ms", "id": f"t{number}"} for number in range(40)]
    assert story.apply({**nine, "triggers": flood}).code == "too_many_ticks"
    story.now_ms += 1_000
    assert story.apply(february).ok
    before = prepare(parse_job(job("late", trigger={"schedule": "shared"})), story.now_ms)
    refused = story.tell(c.PutJobs((before,), story.now_ms), c.DeleteJob("default", "one"))
    assert [outcome.code for outcome in refused] == ["ok", "switching"]
    assert story.apply({**nine, "enabled": False}).code == "switching"
    while commands := [each for each in story.plan() if isinstance(each, c.Reschedule)]:
        story.tell_ok(*commands)
        story.tell(c.Reschedule(story.epoch - 1, 1, ()), c.Reschedule(story.epoch, 77, ()))
    assert story.apply({**february, "valid": {**valid, "from": "2027-02-10T00:00:00Z"}}).ok
    while commands := [each for each in story.plan() if isinstance(each, c.Reschedule)]:
        story.tell_ok(*commands)
    chain = {**february, "schedule": "march", "substitute": "february"}
    assert story.apply(chain).code == "not_allowed"
    assert story.apply(gone=[("schedule", "default", "shared")]).code == "referred"


def zones_change(story: Recorder) -> None:
    """One of the zones by which jobs are due shows other clocks, and so do plan dates by it."""
    berlin = "Europe/Berlin"
    before = story.machine.state.zones
    rules = story.calendars()("", berlin)["pin"]
    planned = c.PutNamespace(
        "planned", b"{}", plan_days=((0, 0),), plan_tz=berlin, plan_begin="06:00", plan_rules=rules
    )
    story.tell_ok(planned)
    story.tell(msgspec.structs.replace(planned, plan_rules="0"))
    story.now_ms += 1_000
    body = zone_data.body("2026z", Europe_Berlin="Europe/Moscow")
    plans = (c.Replanned(berlin, "06:00", ((-10_800_000, 0),)),)
    new = c.Retime(before, body, (berlin,), plans, c.Actor("ben", "10.0.0.9"))
    story.tell(c.KeepZones(body), c.Retime("", body, ()), msgspec.structs.replace(new, plans=()))
    story.tell_ok(new)
    while commands := [each for each in story.plan() if isinstance(each, c.Redate)]:
        story.tell_ok(*commands)
    assert zone_files.read(body).version == story.machine.state.tzdata
    story.now_ms += 2_000
    story.settle()


def delays_pass(story: Recorder) -> None:
    """Due, skipped, fired late, edited while it was due, deleted while it was due."""
    again: dict[str, Any] = job("again", trigger={"every": {"delay": "1s"}, "id": "t"})
    story.put(again, *(job(name, trigger={"every": {"delay": "1h"}}) for name in ("stays", "stays-too")))
    story.tell_ok(c.PauseJob("default", "again"))
    for step in range(3):
        story.now_ms += 1_000
        story.settle()
        if step == 1:
            story.now_ms += 1_000
            story.tell_ok(c.ResumeJob("default", "again"))
    story.tell(c.FireDelayed(story.epoch, 1, 0), c.FireDelayed(story.epoch - 1, 1, 0))
    story.now_ms += 1_000
    story.put({**again, "triggers": [{"every": {"delay": "2s"}, "id": "t"}]})
    story.settle()
    story.now_ms += 2_000
    story.tell_ok(c.DeleteJob("default", "again"))
    story.settle()
