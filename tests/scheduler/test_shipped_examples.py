"""The examples under docs/examples do what their pages say."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from scheduler.model.documents import load_yaml
from scheduler.store.tables import lock_holds
from scheduler.store.tables import tasks as task_rows
from scheduler.ticks import plan_days
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.machine.test_conditions import ASSIGNED
from tests.scheduler.story import START_MS, Story

FILES = b'{"files":"[1,2,3,4]"}'
DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "examples"


def pattern(page: str, number: int) -> dict[str, Any]:
    """The job of a pattern of this page."""
    texts = re.findall(r"```yaml\n(.*?)```", (DOCS / f"guides/patterns/{page}.md").read_text(), re.S)
    (document,) = load_yaml(texts[number], page)
    assert isinstance(document.data, dict)
    return document.data


def begun(story: Story, name: str) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))


def live(story: Story) -> dict[str, int]:
    """The attempts that agents have, by member, or task."""
    rows = story.store.rows(
        "SELECT a.id, t.name, t.member FROM attempts a JOIN tasks t ON t.id = a.task WHERE a.live = 1"
        " ORDER BY a.id"
    )
    return {member or name: attempt for attempt, name, member in rows}


def ended(story: Story, attempt: int, *, exit_code: int = 0, outputs: bytes = b"") -> None:
    assert story.claim(attempt).ok
    assert story.finish(attempt, exit_code=exit_code, outputs=outputs).ok


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


def member_states(story: Story, run: int, name: str) -> list[str]:
    return [task.state for task in task_rows.of_run(story.store, run) if task.name == name and task.member]


def test_servers_restart_two_at_a_time_and_no_further_after_a_failure(story: Story) -> None:
    for number in range(5):
        story.connect(f"web-{number}", pool="web")
    assert story.apply(pattern("in-batches", 0)).ok
    run = begun(story, "restart-web")
    for _ in range(40):
        story.plan_and_apply()
        assert not member_states(story, run, "restart") or len(live(story)) <= 2
        for attempt in list(live(story).values())[:1]:
            is_third = member_states(story, run, "restart").count("succeeded") == 2
            ended(story, attempt, exit_code=int(is_third))
    states = member_states(story, run, "restart")
    assert sorted(states) == ["cancelled", "cancelled", "failed", "succeeded", "succeeded"]
    assert (story.run(run).state, member_states(story, run, "rotate")) == ("failed", ["succeeded"] * 5)


def test_workers_are_upgraded_with_pauses_and_some_failures_borne(story: Story) -> None:
    for number in range(10):
        story.connect(f"worker-{number}", pool="worker")
    story.connect("other")
    assert story.apply(pattern("in-batches", 1)).ok
    run, begins = begun(story, "upgrade-workers"), dict[str, int]()
    for _ in range(60):
        story.plan_and_apply()
        assert len(live(story)) <= 3
        for member, attempt in live(story).items():
            begins.setdefault(member, story.now_ms)
            ended(story, attempt, exit_code=int(member in ("worker-1", "worker-2")))
        story.now_ms += 10_000
    instants = sorted(at for member, at in begins.items() if member.startswith("worker"))
    assert len(instants) == 10
    assert all(later - before >= 30_000 for before, later in pairwise(instants))
    assert member_states(story, run, "upgrade").count("failed") == 2
    assert (story.run(run).state, story.tasks(run)["tell"]) == ("succeeded", "succeeded")


def test_licences_are_held_by_members_of_all_runs_together_and_by_a_block_to_its_end(story: Story) -> None:
    story.connect()
    assert story.apply(
        {"resource": "yard-licences", "count": 3}, pattern("licence-pool", 0), pattern("licence-pool", 1)
    ).ok
    runs = [begun(story, "convert-all"), begun(story, "simulate"), begun(story, "convert-all")]
    for _ in range(60):
        story.plan_and_apply()
        held = lock_holds.use_of(story.store, "default/yard-licences").held
        working = story.store.rows(
            "SELECT t.name FROM attempts a JOIN tasks t ON t.id = a.task WHERE a.live = 1 ORDER BY a.id"
        )
        taken = sum({"convert": 1, "mesh": 2, "solve": 2}.get(name, 0) for (name,) in working)
        assert taken <= held <= 3
        for name, attempt in list(live(story).items())[:2]:
            ended(story, attempt, outputs=FILES if name == "list" else b"")
    assert [story.run(run).state for run in runs] == ["succeeded"] * 3
    assert lock_holds.use_of(story.store, "default/yard-licences").held == 0


def test_the_days_of_a_bank(story: Story) -> None:
    """A holiday, what it moves, a closed date, a moved tick, the last working day of a month."""
    story.connect()
    assert story.apply(*yaml.safe_load_all((FOLDER / "day/jobs.yaml").read_text())).ok
    day, hour = 86_400_000, 3_600_000
    midnight = START_MS // day * day  # of 15 January 2027, a Friday
    assert story.one(c.ClosePlan("default", midnight // day + 5, "stocktaking")).ok
    moved = midnight + 6 * day + 9 * hour
    assert story.one(c.ChangeTick("default", "rates", "morning", moved, "move", "", moved + 3 * hour)).ok
    for date in range(15):
        for clock in (9, 11, 12, 18):
            story.now_ms = max(story.now_ms, midnight + date * day + clock * hour)
            story.settle()

    decided = story.store.rows(
        "SELECT j.name, l.first_ms, l.outcome, l.reason, r.due_ms, r.plan_day FROM ledger l"
        " JOIN jobs j ON j.id = l.job LEFT JOIN runs r ON r.id = l.run ORDER BY l.seq"
    )
    told = {
        (name, 15 + (at_ms - midnight) // day): (outcome, reason, due_ms and due_ms % day // hour)
        for name, at_ms, outcome, reason, due_ms, _ in decided
    }
    assert [on for name, on in told if name == "rates"] == [15, 19, 20, 21, 22, 25, 26, 27, 28, 29]
    assert told["rates", 20] == ("skipped", "plan_closed", None)
    assert told["rates", 21] == ("ran", "", 12)
    statements = {on: said for (name, on), said in told.items() if name == "statements"}
    assert statements == {19: ("ran", "", 11)}
    assert [on for name, on in told if name == "close-books"] == [29]
    dates = {name: plan_day - midnight // day + 15 for name, *_, plan_day in decided if name != "rates"}
    assert dates == {"statements": 18, "close-books": 29}
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).problems == []


def test_an_and_group_and_a_precheck_of_jams(story: Story) -> None:
    """Over a whole night, with another leader in the middle."""
    story.connect(slots=20)
    hour_ms = 3_600_000
    story.now_ms = START_MS + 14 * hour_ms  # 22:00, on the day before
    for each in yaml.safe_load_all((FOLDER / "jams/jobs.yaml").read_text()):
        assert story.apply(each).ok
    plan_date = "2027-01-16"

    def until(time: str) -> None:
        hours, minutes = map(int, time.split(":"))
        end_ms = START_MS + (16 + hours) * hour_ms + minutes * 60_000
        while story.now_ms < end_ms:
            story.now_ms = min(end_ms, story.now_ms + 15 * 60_000)
            for _ in range(3):
                story.tell(*story.plan())
                for attempt in live(story).values():
                    if story.run(story.attempt(attempt).run).name != "close":
                        ended(story, attempt)

    until("03:00")
    story.tell_ok(c.PostNotice("default", "bank", "plan_date", 48 * hour_ms))
    story.reopen()
    story.lead()
    until("05:59")
    assert story.store.rows("SELECT id FROM runs WHERE name = 'close'") == [], "it is not six yet"
    until("06:00")
    ((close, waiting),) = story.store.rows("SELECT id, waiting FROM runs WHERE name = 'close'")
    assert waiting == 4
    assert plan_days.text_of(story.run(close).plan_day) == plan_date
    asked = live(story)
    assert set(asked) == {"@requires-1", "@requires-2"}, "the rates of the date are all there"
    ended(story, asked["@requires-1"], exit_code=1)
    ended(story, asked["@requires-2"])
    story.now_ms += 10_000
    for _ in range(3):
        story.tell(*story.plan())
    assert story.run(close).started_ms is None
    ended(story, live(story)["@requires-1"])
    story.settle()
    assert story.tasks(close) == {
        "@requires-1": "succeeded", "@requires-2": "succeeded", "book": "succeeded", "report": "succeeded",
    }  # fmt: skip
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []
