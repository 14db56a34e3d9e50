"""The examples under docs/examples do what their pages say."""

from __future__ import annotations

from pathlib import Path

import yaml

from scheduler.store.tables import lock_holds
from scheduler.store.tables import tasks as task_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.machine.test_conditions import ASSIGNED
from tests.scheduler.story import START_MS, Story

FOLDER = Path(__file__).parents[2] / "docs/examples"


def test_a_schedule_of_chronos_and_the_jobs_after_it(story: Story) -> None:
    story.connect()
    story.put(*yaml.safe_load_all((FOLDER / "chronos/jobs.yaml").read_text()))
    for _ in range(30):
        story.now_ms += 1_000
        story.settle()
    runs = story.store.rows(
        "SELECT name, count(*) FROM runs WHERE state = 'succeeded' GROUP BY name ORDER BY name"
    )
    assert runs == [("clean", 5), ("fetch", 5), ("report", 5)]
    assert story.store.value("SELECT count(*) FROM runs") == 15
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_a_workflow_of_js7(story: Story) -> None:
    """The check fails at first, the load always, and after three times nothing is left."""
    story.connect("one")
    story.connect("two")
    assert story.apply(*yaml.safe_load_all((FOLDER / "js7/jobs.yaml").read_text())).ok
    run = story.value(c.RunJob("default", "stock", b"{}", story.now_ms, plan_day=20_000), "run")
    held = []
    for _ in range(60):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            task = task_rows.get(story.store, story.attempt(attempt).task)
            assert task is not None
            if name in ("load", "take-back"):
                held.append(lock_holds.use_of(story.store, "default/staging").held)
            assert story.claim(attempt).ok
            outputs = b'{"left":"%d"}' % (2 - task.round) if name == "take" else b""
            fails = name == "load" or (name == "check" and task.round == 0)
            assert story.finish(attempt, exit_code=int(fails), outputs=outputs).ok
        story.now_ms += 500
    ends: dict[str, list[str]] = {}
    for each in sorted(task_rows.of_run(story.store, run), key=lambda each: each.round):
        ends.setdefault(each.name, []).append(each.state)
    assert story.run(run).state == "succeeded"
    assert ends["check"] == ["failed", "succeeded"]
    assert (ends["load"], ends["take-back"]) == (["failed"], ["succeeded"])
    assert ends["book"] == ["succeeded"] * 3
    fetched = "SELECT count(DISTINCT agent) FROM attempts a JOIN tasks t ON t.id = a.task WHERE t.round = 0"
    assert story.store.value(f"{fetched} AND t.name IN ('download', 'check')") == 1
    assert held == [1, 1]
    assert story.store.rows("SELECT cause, state, plan_day FROM runs WHERE name = 'publish'") == [
        ("notice", "succeeded", 20_000)
    ]
