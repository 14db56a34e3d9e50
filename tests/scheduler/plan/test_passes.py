"""What a plan consists of: every pass is asked, for commands and for when to plan next."""

from __future__ import annotations

import pkgutil
import re

import pytest

from scheduler.plan import Limits, PlanCache, passes, plan, wake_ms
from scheduler.plan.due import Due
from scheduler.plan.hold import NOTHING, hold_of
from scheduler.plan.passes import PASSES, PLACED_FIRST, WORKS_ON
from scheduler.plan.pausing import pauses_of
from scheduler.plan.places import Places
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import returns
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job


def name_of(each: object) -> str:
    return getattr(each, "__name__", "").rpartition(".")[2]


def wakes(story: Story) -> dict[str, int]:
    """What each pass says of when to plan next."""
    outlook = Outlook(story.store, hold_of(story.store), pauses_of(story.store), 0, PlanCache())
    said = {name_of(each): each.wake(outlook) for each in PASSES}
    found = {name: instant for name, instant in said.items() if instant is not None}
    assert wake_ms(story.store) == min(found.values(), default=None)
    return found


def test_every_file_of_the_folder_is_in_the_plan_once() -> None:
    files = sorted(module.name for module in pkgutil.iter_modules(passes.__path__))
    assert sorted(name_of(each) for each in PASSES) == files
    assert set(PLACED_FIRST) < set(PASSES)


def test_each_clock_wakes_the_planner_by_itself(story: Story) -> None:
    story.connect()
    assert wakes(story) == {}
    tasks = {"a": {"noop": True, "retry": {"max": 1, "first": "2s"}}}
    policies = {"start_deadline": "30s", "timeout": "40s"}
    minutely = {"cron": "* * * * *", "id": "m"}
    story.put(job(trigger=minutely, tasks=tasks, policies=policies))
    live = {"live": START_MS + 60_000}
    assert wakes(story) == live
    story.now_ms = START_MS + 60_000
    story.plan_and_apply()
    live = {"live": START_MS + 120_000}
    deadline = {"deadlines": START_MS + 90_000}
    story.plan_and_apply()
    assert wakes(story) == {**live, **deadline, "leases": story.now_ms + 15_001}
    assert story.claim(1).ok
    timeout = {"timeouts": START_MS + 100_000}
    assert wakes(story) == {**live, **timeout}
    story.tell_ok(c.Finish(1, 1, story.now_ms, story.now_ms, 1, "exit"))
    retry = {"wakes": story.now_ms + 2_000}
    assert wakes(story) == {**live, **timeout, **retry}
    story.tell_ok(c.Pause("", "why", story.now_ms + 500))
    assert wakes(story) == {**live, **timeout, **retry, "pauses": story.now_ms + 500}
    story.put(job("warm", trigger={"startup": {"delay": "1m"}}))
    story.connect("booted")
    assert wakes(story)["startups"] == story.now_ms + 60_000
    returns.put(story.store, returns.Return(1, 0))
    assert wakes(story)["returns"] == 0


def view_of(story: Story) -> View:
    store, cache = story.store, PlanCache()
    return View(
        store=store, hold=NOTHING, pauses=pauses_of(store), lead_ms=0, now_ms=story.now_ms, epoch=story.epoch,
        limits=Limits(), cache=cache, places=Places(store, ()), ended=(), silent_nodes=(), quiet_nodes=(),
        due=Due(store, cache, NOTHING, story.now_ms, story.now_ms, limit=10), overloaded=False, room=10,
    )  # fmt: skip


@pytest.mark.parametrize("each", WORKS_ON, ids=name_of)
def test_a_pass_that_is_not_asked_looks_at_no_table_but_those_it_is_said_to_work_on(
    story: Story, each: passes.Pass
) -> None:
    """While they are empty. Of the row of the state it may know that it has nothing to do."""
    told: list[str] = []
    view = view_of(story)
    story.store._connection.set_trace_callback(told.append)
    assert not each.plan(view)
    assert each.wake(view) is None
    story.store._connection.set_trace_callback(None)
    assert set(re.findall(r"(?:FROM|JOIN) (\w+)", "\n".join(told))) - {"state"} == WORKS_ON[each]


def test_what_nobody_uses_costs_a_plan_no_query(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * *"}))
    told: list[str] = []
    story.store._connection.set_trace_callback(told.append)
    assert plan(story.store, story.now_ms, epoch=story.epoch, lead_ms=0, cache=story.cache) == []
    wake_ms(story.store, cache=story.cache)
    story.store._connection.set_trace_callback(None)
    assert sum(each.startswith("SELECT") for each in told) <= 34
