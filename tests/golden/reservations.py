"""The golden story of agents that have ticks in advance, and what becomes of those."""

from __future__ import annotations

from scheduler.protocol import RESERVES
from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import KINDS, job

MINUTE_MS = 60_000
ADA = c.Actor("ada", "10.0.0.7")


def reservations(story: Recorder) -> None:
    """Two agents have the ticks of a job each: some are fired, some started by the agent alone, some given
    back for each reason there is, and the rest is given up."""
    names = ("alone-1", "alone-2")
    kinds = (*KINDS, RESERVES)
    agents = {name: story.connect(name, pool=name, kinds=kinds) for name in names}
    story.put(job("alone-1", on={"pool": "alone-1"}))
    for name, window in zip(names, ("5m", "1d"), strict=True):
        period = "1m" if name == "alone-1" else "1h"
        policies = {"autonomy": {"window": window}}
        story.put(job(name, trigger={"every": period, "id": "t"}, policies=policies, on={"pool": name}))
    story.tell_ok(*story.plan())
    story.now_ms += MINUTE_MS
    story.settle()
    first, second = (_attempts(story, name) for name in names)
    assert len(first) == 4
    assert second
    one, two = agents["alone-1"], agents["alone-2"]
    story.tell(c.Reserve(story.epoch, 1 << 40, 1, 2, one), c.FireReserved(story.epoch, 1 << 40))
    story.disconnect(one)
    story.now_ms += 2 * MINUTE_MS
    story.settle()
    story.tell(c.RunJob("default", "alone-1", b"{}", story.now_ms))
    story.connect("alone-1", pool="alone-1", kinds=kinds, session="s2", held=((first[1], "unstarted"),))
    story.tell_ok(c.ReportRunning(first[0], one, story.now_ms - 2 * MINUTE_MS))
    story.tell_ok(c.GiveBack(one, (first[2],), "overlap", first[0]))
    story.tell(c.GiveBack(one, tuple(range(1, 102))), c.GiveUpReserved("default", "alone-1", ADA))
    story.tell_ok(c.Finish(first[0], one, story.now_ms - 2 * MINUTE_MS, story.now_ms, 0, "exit"))
    story.settle()
    story.tell_ok(c.Unreserve("default", "alone-1", ADA))
    story.tell_ok(c.GiveBack(one, tuple(_attempts(story, "alone-1"))))
    story.tell_ok(c.PauseJob("default", "alone-2", ADA))
    story.tell_ok(*story.plan())
    story.disconnect(two)
    story.tell_ok(c.GiveUpReserved("default", "alone-2", ADA))
    story.tell(c.GiveUpReserved("default", "alone-2", ADA), c.Unreserve("default", "nobody", ADA))
    story.tell_ok(*(c.DeleteJob("default", name) for name in names))
    story.disconnect(one)
    story.settle()


def _attempts(story: Recorder, name: str) -> list[int]:
    rows = story.store.rows(
        "SELECT attempt FROM reservations WHERE job = (SELECT id FROM jobs WHERE name = ?) ORDER BY at_ms",
        (name,),
    )
    return [row[0] for row in rows]
