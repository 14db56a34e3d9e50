"""The golden story of dates that jobs say by words."""

from __future__ import annotations

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

DAY_MS = 86_400_000
MOVES = (
    "plan_date - 1 workday", "month_start", "month_end + 1 month", "last friday of quarter", "next monday",
    "first workday of year", "+ 3 weeks previous sunday", "week_end - 2 days", "tick - 2 hours",
)  # fmt: skip


def dates(story: Recorder) -> None:
    """Ticks and a person's run have theirs; a day that the calendar does not know is missed."""
    declared = {f"p{place}": {"type": "date", "default": said} for place, said in enumerate(MOVES)}
    declared["at"] = {"type": "datetime", "default": "tick - 1 day month_start"}
    calendar = {"calendar": "working", "exclude": ["01-01"]}
    policies = {"calendar": "working"}
    far = {"day": {"type": "date", "default": "+ 9 years next workday"}}
    every = {"every": "10s", "id": "t"}
    story.apply(
        calendar,
        job("dated", trigger=every, params=declared, policies=policies),
        job("far", trigger=every, params=far, policies=policies, criticality="critical"),
    )
    story.now_ms += 10_000
    story.tell(*story.plan())
    given = b'{"p0":"plan_date + 1 workday","p1":"2026-02-28","at":"2027-01-01T01:00:00+01:00"}'
    story.tell_ok(c.RunJob("default", "dated", given, story.now_ms, plan_day=story.now_ms // DAY_MS + 3))
    story.tell(c.RunJob("default", "far", b'{"day":"+ 9 years next workday"}', story.now_ms))
    story.tell_ok(*(c.DeleteJob("default", name) for name in ("dated", "far")))
