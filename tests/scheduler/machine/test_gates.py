"""The lists of what may keep a tick, a run or a task from going on: each gate by itself, and their order."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import READY, Never, PlaceView, RunView, TaskView, TickView, Waits, user
from scheduler.store.tables import runs, triggers
from scheduler.store.tables.runs import Run
from scheduler.store.tables.triggers import BEHIND, DELETED, EDITED, PAUSED, FiringTrigger
from scheduler.words.commands import RunJob
from scheduler.words.lifecycle import RunEvent
from tests.scheduler.story import START_MS, Story, job

NO_GATES = {"verdict", "views"}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def trigger(**fields: Any) -> FiringTrigger:
    usual = FiringTrigger(
        id=1, job=1, jitter_ms=0, from_ms=0, until_ms=None, next_due_ms=5, namespace="default", name="j",
        revision=1, state="active", active_runs=0, closed="",
    )  # fmt: skip
    return usual._replace(**fields)


def run(**fields: Any) -> Run:
    usual = dict.fromkeys(Run._fields, 0) | {"stopping": "", "walk": "", "reason": "", "waiting": 0}
    return Run(**usual | fields)  # type: ignore[arg-type]  # a row of zeros is enough


def test_every_gate_of_the_folder_stands_in_a_list_under_a_name_of_its_own() -> None:
    files = {module.name for module in pkgutil.iter_modules(gates.__path__)} - NO_GATES
    lists = (gates.TICK, gates.FIRE, gates.RUN, gates.ADMIT, gates.TASK, gates.PLACE)
    listed = [gate for each in lists for gate in each]

    assert {vars(gate)["__name__"].rpartition(".")[2] for gate in listed} == files
    for each in lists:
        names = [gate.NAME for gate in each]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, READY),
        ({"closed": EDITED}, READY),
        ({"namespace": None}, Never("skipped", "cancelled")),
        ({"closed": DELETED}, Never("skipped", "cancelled")),
        ({"closed": PAUSED}, Never("skipped", "paused")),
        ({"state": "paused"}, Never("skipped", "paused")),
        ({"closed": BEHIND}, READY),
        ({"closed": BEHIND, "active_runs": 1}, Waits("a run of the job is active")),
        ({"closed": BEHIND, "active_runs": 1, "state": "paused"}, Never("skipped", "paused")),
        ({"closed": DELETED, "state": "paused"}, Never("skipped", "cancelled")),
        ({"closed": DELETED, "paused": True}, Never("skipped", "cancelled")),
        ({"closed": BEHIND, "active_runs": 1, "paused": True}, Never("skipped", "paused")),
    ],
)
def test_a_tick_fires_unless_its_first_closed_gate_says_otherwise(
    fields: dict[str, object], verdict: gates.Verdict
) -> None:
    row = {name: value for name, value in fields.items() if name != "paused"}
    view = TickView(trigger(**row), "paused" in fields)

    assert gates.judge(gates.TICK, view) == verdict


@pytest.mark.parametrize(
    ("fields", "rule", "counts", "verdict"),
    [
        ({}, "all_success", (0, 0, 0), READY),
        ({}, "all_success", (2, 0, 2), READY),
        ({}, "all_success", (2, 1, 1), Waits("tasks that it needs have not ended")),
        ({}, "all_success", (2, 1, 0), Never("skipped", "upstream")),
        ({}, "all_done", (2, 0, 2), READY),
        ({}, "any_failed", (2, 1, 1), READY),
        ({}, "any_failed", (2, 1, 0), Waits("tasks that it needs have not ended")),
        ({}, "any_success", (2, 0, 0), Never("skipped", "upstream")),
        ({}, "n_of", (3, 1, 2), READY),
        ({}, "n_of", (3, 1, 1), Waits("tasks that it needs have not ended")),
        ({}, "n_of", (3, 1, 0), Never("skipped", "upstream")),
        ({"waiting": 1}, "all_success", (0, 0, 0), Waits("its run waits")),
        ({"stopping": "cancelled", "reason": "by a"}, "all_success", (0, 0, 0), Never("cancelled", "by a")),
        ({"stopping": "timed_out", "reason": "over"}, "all_success", (2, 1, 1), Never("cancelled", "over")),
        ({"stopping": "expired", "walk": "deadline"}, "all_success", (0, 0, 0), Never("expired", "deadline")),
    ],
)  # fmt: skip
def test_a_task_is_queued_unless_its_first_closed_gate_says_otherwise(
    fields: dict[str, object], rule: str, counts: tuple[int, int, int], verdict: gates.Verdict
) -> None:
    needs, open_needs, met = counts
    wanted = {"any_success": 1, "any_failed": 1, "n_of": 2}.get(rule, needs)
    view = TaskView(run(**fields), rule, needs, wanted, open_needs, met)
    assert gates.judge(gates.TASK, view) == verdict


@pytest.mark.parametrize(
    ("view", "verdict"),
    [
        (PlaceView(7, None, 0, 1, True, False), READY),
        (PlaceView(7, None, 0, 0, True, False), Waits("no agent can take it now")),
        (PlaceView(7, None, 0, 0, False, False), Waits("no agent offers its kind of work")),
        (PlaceView(7, None, 0, 1, False, False), Waits("no agent offers its kind of work")),
        (PlaceView(7, None, 0, 0, False, False, False), Waits(user.WAITS.reason)),
        (PlaceView(7, None, 0, 0, False, True, False), Waits("everything is paused")),
        (PlaceView(7, None, 7, 1, False, True), Waits("a restore holds it up")),
        (PlaceView(7, START_MS, 7, 1, False, True), Waits("the pause before its next try")),
    ],
)
def test_a_task_is_given_to_an_agent_unless_its_first_closed_gate_says_otherwise(
    view: PlaceView, verdict: gates.Verdict
) -> None:
    assert gates.judge(gates.PLACE, view) == verdict


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        ("allow", READY),
        ("skip", Never("skipped", "overlap", 1)),
        ("queue_one", Waits("behind other runs of the job")),
        ("queue_all", Waits("behind other runs of the job")),
        ("cancel_running", Waits("behind other runs of the job")),
    ],
)
def test_a_run_beside_another_is_judged_by_the_policy(
    story: Story, policy: str, verdict: gates.Verdict
) -> None:
    story.put(job())
    other = story.value(RunJob("default", "j", b"{}", START_MS), "run")
    view = RunView(story.store, story.job().id, 0, policy, 1)

    assert other == 1
    assert gates.judge(gates.RUN, view) == verdict


def test_of_runs_that_wait_the_oldest_goes_on_once_none_is_admitted(story: Story) -> None:
    story.put(job(trigger={"cron": "* * * * * *"}, policies={"overlap": "queue_all"}))
    story.now_ms += 3_000
    story.plan_and_apply()
    story.plan_and_apply()
    job_id = story.job().id
    first, second, third = [row[0] for row in story.store.rows("SELECT id FROM runs ORDER BY id")]

    def verdict(of: int) -> gates.Verdict:
        return gates.judge(gates.RUN, RunView(story.store, job_id, of))

    assert verdict(second) == verdict(third) == Waits("behind other runs of the job", first)

    runs.move(story.store, story.run(first), RunEvent.CANCELLED, finished_ms=START_MS)

    assert verdict(second) is READY
    assert verdict(third) == Waits("behind other runs of the job", second)


def test_a_tick_view_is_what_the_machine_reads_at_the_moment_of_firing(story: Story) -> None:
    story.put(job(trigger={"cron": "* * * * * *"}))
    row = triggers.firing(story.store, story.triggers()[0].id)

    assert row is not None
    assert gates.judge(gates.TICK, TickView(row, False)) is READY
