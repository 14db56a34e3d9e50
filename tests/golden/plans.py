"""The golden story of closed plan dates and of single ticks of which people say something."""

from __future__ import annotations

from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

HOUR_MS = 3_600_000
ADA, BEN = c.Actor("ada", "10.0.0.7"), c.Actor("ben")


def plans(story: Recorder) -> None:
    day = story.now_ms // 86_400_000
    hourly = {"every": "1h", "id": "t"}
    story.put(job("dated", trigger=hourly, policies={"overlap": "allow"}), job("web-dated", namespace="web"))
    story.tell_ok(c.ClosePlan("web", day + 30, "moving house", BEN))
    story.now_ms += 1
    story.tell_ok(c.ClosePlan("default", day, "bank holiday", ADA), c.ClosePlan("default", day, "again", ADA))
    story.tell(c.ClosePlan("default", -1, "why"), c.ClosePlan("default", day, ""), c.OpenPlan("nobody", day))
    story.tell(c.RunJob("default", "dated", b"{}", story.now_ms))
    story.tell_ok(c.RunJob("default", "dated", b"{}", story.now_ms, closed=True))
    story.now_ms += HOUR_MS
    story.plan_and_apply()
    for each in (0, 1):
        story.tell_ok(c.OpenPlan("default", day + each, BEN))
    _ticks(story)
    _closing_by_itself(story)
    story.tell_ok(c.DeleteJob("default", "dated"), c.DeleteJob("web", "web-dated"))
    story.tell_ok(c.OpenPlan("web", day + 30))
    story.plan_and_apply()


def _closing_by_itself(story: Recorder) -> None:
    """Dates close with their end, which comes in an hour; one is opened again, and in the end none closes
    any more."""
    day, ends_ms = story.now_ms // 86_400_000, story.now_ms + HOUR_MS
    story.put(job("shut-job", namespace="shut"))
    plan = {"plan_tz": "UTC", "plan_begin": "10:00", "plan_days": ((ends_ms - 86_400_000, day),)}
    story.tell_ok(c.PutNamespace("shut", b'{"namespace":"shut"}', close_after_ms=0, actor=ADA, **plan))  # type: ignore[arg-type]
    story.tell_ok(c.PutNamespace("late", b'{"namespace":"late"}', close_after_ms=HOUR_MS))
    story.tell_ok(c.OpenPlan("shut", day - 1, BEN), c.OpenPlan("late", day - 3, BEN))
    story.tell(c.RunJob("shut", "shut-job", b"{}", story.now_ms, plan_day=day - 2))
    story.now_ms = ends_ms
    story.tell(*story.plan())
    story.tell(c.CloseDates(story.epoch, "shut", story.now_ms))
    story.tell_ok(c.PutNamespace("shut", b"{}"), c.ClosePlan("shut", day - 1, "again", ADA))
    story.tell_ok(c.DeleteJob("shut", "shut-job"))


def _ticks(story: Recorder) -> None:
    """Of the coming ticks one is held and given up, one released late, others skipped, moved, edited away."""
    first = story.now_ms // HOUR_MS * HOUR_MS
    story.put(job("often", trigger={"every": "30m", "id": "u"}, policies={"overlap": "allow"}))

    def change(act: str, hours: float, name: str = "dated", key: str = "t", **fields: object) -> None:
        at_ms, who = first + int(hours * HOUR_MS), ADA if name == "dated" else BEN
        story.tell(c.ChangeTick("default", name, key, at_ms, act, f"{act} it", actor=who, **fields))  # type: ignore[arg-type]

    change("hold", 2)
    change("hold", 3)
    change("skip", 4)
    change("move", 5, to_ms=first + 7 * HOUR_MS)
    change("give", 5, params=b'{"region":"eu"}')
    change("give", 6, params=b"{}")
    change("skip", 2.5, "often", "u")
    change("move", 8.5, "often", "u", to_ms=first + 9 * HOUR_MS)
    for wrong in ("dance", "release", "hold"):
        change(wrong, 2.25)
    story.put(job("often", trigger={"every": "1h", "id": "u"}, policies={"overlap": "allow"}))
    for _ in range(7):
        story.now_ms += HOUR_MS
        story.tell(*story.plan())
        story.tell(*story.plan())
    change("release", 2)
    story.tell(c.FireChanged(story.epoch, 1 << 40, "t", first, first))
    story.tell(*story.plan())
    change("release", 3)
    change("hold", 30)
    story.tell_ok(c.DeleteJob("default", "often"))
    story.tell(*story.plan())


def fills(story: Recorder) -> None:
    """Of backfills one is done, though a run of it fails and is repeated; others are cancelled, or end with
    their job. A tick's run fails, and a person has the last word on it."""
    region = {"region": {"type": "string", "default": "us"}}
    story.put(
        job("filled", trigger={"every": "1h", "id": "t"}, params=region),
        job("refilled", namespace="web", trigger={"every": "2h", "id": "u"}),
    )

    def start(instants: int, active_max: int = 1, name: str = "default/filled", **fields: object) -> int:
        namespace, _, job_ = name.partition("/")
        key = "t" if namespace == "default" else "u"
        last = story.now_ms // HOUR_MS * HOUR_MS
        first_ms = last - instants * HOUR_MS * (1 if key == "t" else 2)
        outcome = story.one(
            c.StartBackfill(namespace, job_, key, first_ms, last, instants, active_max, **fields)  # type: ignore[arg-type]
        )
        return int(str((outcome.value or {}).get("backfill", 0)))

    first = start(3, 2, reason="the host was new", actor=ADA)
    start(0)
    start(1, name="web/nobody")
    story.settle(exit_code=1)
    runs = [row[0] for row in story.store.rows("SELECT id FROM runs WHERE cause = 'backfill' ORDER BY id")]
    story.tell_ok(c.RerunRun(runs[0], b"{}", story.now_ms))
    story.settle()
    story.tell_ok(c.OverrideRun(runs[1], "succeeded", "it was", BEN))
    start(3, missing_only=True, params=b'{"region":"eu"}', actor=BEN)
    today = story.now_ms // 86_400_000
    start(2, again=True, closed=True, first_day=today, last_day=today)
    story.settle()
    story.tell(c.AdvanceBackfill(story.epoch, first, 0), c.CancelBackfill(first, actor=BEN))
    story.now_ms += HOUR_MS
    stopped = start(5, 3, "web/refilled", actor=ADA)
    story.tell_ok(*story.plan())
    story.tell_ok(c.CancelBackfill(stopped, True, BEN))
    start(4, 2, "web/refilled")
    story.tell_ok(*story.plan())
    story.tell_ok(c.DeleteJob("default", "filled"), c.DeleteJob("web", "refilled"))
    story.settle()
