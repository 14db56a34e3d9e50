"""Large graphs: every entry of the log stays small, and what is cut in slices ends as if it were not."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine import AppliedEntry
from scheduler.machine.context import ROOM, ROW
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

ROWS_MAX = 3_000
"""Of one entry: a task that is placed, starts or ends changes some rows beside its own."""
CPU_S_MAX = 1.0
"""Of one entry: ten times what is promised. Without counters two layers of 200 tasks took a minute."""


class Measured(Story):
    """Notes the most rows and the longest CPU time of an entry."""

    rows_most = 0
    cpu_most_s = 0.0

    def enter(self, *frames: bytes) -> AppliedEntry:
        before, began_s = self.store.value("SELECT total_changes()"), time.process_time()
        entry = super().enter(*frames)
        self.cpu_most_s = max(self.cpu_most_s, time.process_time() - began_s)
        self.rows_most = max(self.rows_most, self.store.value("SELECT total_changes()") - before)
        return entry

    def act(self, *, failing: frozenset[str] = frozenset(), rounds: int = 500) -> None:
        """Plan and work until nothing is left; an agent's claim may be refused, since its run stops."""
        for _ in range(rounds):
            planned = self.plan()
            if planned:
                self.tell(*planned)
            claims = self.store.rows(
                "SELECT a.id, a.agent, g.session FROM attempts a JOIN agents g ON g.id = a.agent"
                " WHERE a.state = 'assigned' ORDER BY a.id"
            )
            if claims:
                self.tell(*(c.Grant(a, agent, session, f"c{a}") for a, agent, session in claims))
            ends = self.store.rows(
                "SELECT a.id, a.agent, t.name FROM attempts a JOIN tasks t ON t.id = a.task"
                " WHERE a.state IN ('granted', 'running', 'cancelling') ORDER BY a.id"
            )
            if ends:
                now_ms = self.now_ms
                self.tell(
                    *(c.Finish(a, g, now_ms, now_ms, int(name in failing), "exit") for a, g, name in ends)
                )
            if not planned and not claims and not ends:
                return
        raise AssertionError("the plan never comes to rest")


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Measured]:
    story = Measured(tmp_path / "large.db")
    story.lead()
    story.connect(slots=500)
    yield story
    story.close()
    print(f"{story.rows_most} rows, {story.cpu_most_s * 1000:.0f} ms of CPU at most")
    assert story.rows_most <= ROWS_MAX
    assert story.cpu_most_s <= CPU_S_MAX


Tasks = dict[str, dict[str, Any]]
NOOP: dict[str, Any] = {"noop": True}


def layers(width: int) -> Tasks:
    first = {f"a{i}": NOOP for i in range(width)}
    return first | {f"b{i}": {"noop": True, "needs": list(first)} for i in range(width)}


def chain(length: int) -> Tasks:
    return {f"t{i:05}": {"noop": True, "needs": [f"t{i - 1:05}"] if i else []} for i in range(length)}


def fan(width: int) -> Tasks:
    return {"a": NOOP} | {f"t{i:05}": {"noop": True, "needs": ["a"]} for i in range(width)}


def independent(width: int) -> Tasks:
    return {f"t{i:05}": NOOP for i in range(width)}


def begin(story: Story, tasks: Tasks, **policies: Any) -> int:
    story.put(job(tasks=tasks, policies=policies))
    return int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))


def states(story: Story, run: int) -> dict[str, int]:
    return dict(
        story.store.rows(
            "SELECT state, count(*) FROM tasks WHERE run = ? GROUP BY state ORDER BY state", (run,)
        )
    )


def test_two_layers_of_which_each_needs_each_run_through(large: Measured) -> None:
    run = begin(large, layers(200))
    large.act()
    assert large.run(run).state == "succeeded"
    assert states(large, run) == {"succeeded": 400}


def test_a_failure_skips_a_whole_layer(large: Measured) -> None:
    run = begin(large, layers(200))
    large.act(failing=frozenset({"a17"}))
    assert large.run(run).state == "failed"
    assert states(large, run) == {"failed": 1, "skipped": 200, "succeeded": 199}


@pytest.mark.parametrize(
    ("tasks", "first"), [(chain(3_000), "t00000"), (fan(3_000), "a")], ids=["chain", "fan"]
)
def test_the_first_of_thousands_fails(large: Measured, tasks: Tasks, first: str) -> None:
    run = begin(large, tasks)
    large.act(failing=frozenset({first}))
    assert large.run(run).state == "failed"
    assert states(large, run) == {"failed": 1, "skipped": len(tasks) - 1}


def test_thousands_at_once_run_through(large: Measured) -> None:
    run = begin(large, independent(3_000))
    large.act()
    assert large.run(run).state == "succeeded"


def test_a_run_of_thousands_is_cancelled_while_it_is_made(large: Measured) -> None:
    run = begin(large, independent(3_000))
    assert large.run(run).unmade > 0
    large.tell(*large.plan())
    large.tell_ok(c.CancelRun(run, c.Actor("ada")))
    assert large.run(run).state == "pending"
    assert large.run(run).stopping == "cancelled"
    large.act()
    assert large.run(run).state == "cancelled"
    assert states(large, run) == {"cancelled": 3_000}


def test_no_attempt_starts_once_its_run_stops(tmp_path: Path) -> None:
    story = Measured(tmp_path / "s.db", room=10 * ROW)
    story.lead()
    story.connect()
    run = begin(story, independent(60))
    for _ in range(10):
        story.tell(*story.plan())
    assert len(story.attempts(run)) == 60
    story.tell_ok(c.CancelRun(run))
    assert story.claim(60).code == "revoked"
    assert story.finish(59, exit_code=None, reason="gone").ok  # its agent gives it back
    story.act()
    assert story.run(run).state == "cancelled"
    assert story.store.value("SELECT busy FROM agents") == 0
    story.close()


def test_a_start_deadline_passes_for_thousands(large: Measured) -> None:
    large.put(job(tasks=independent(3_000), trigger={"every": "1h"}, policies={"start_deadline": "10s"}))
    large.tell_ok(c.DisconnectAgent(1, large.sessions[1], "node-a"))
    large.now_ms = large.triggers()[0].next_due_ms or 0
    large.plan_and_apply()
    large.now_ms += 11_000
    large.act()
    assert large.runs() == [("tick", "expired")]
    assert states(large, 1) == {"expired": 3_000}
    assert [entry[2:] for entry in large.ledger()] == [("missed", "deadline")]


def test_runs_of_thousands_that_waited_are_admitted_one_after_the_other(large: Measured) -> None:
    large.put(job(tasks=independent(1_500), trigger={"every": "1h"}, policies={"overlap": "queue_all"}))
    for _ in range(2):
        large.now_ms = large.triggers()[0].next_due_ms or 0
        large.plan_and_apply()
    large.act()
    assert large.runs() == [("tick", "succeeded")] * 2


def test_many_runs_of_some_tasks_in_one_frame_are_bounded_together(large: Measured) -> None:
    large.put(job(tasks=fan(60)))
    large.tell_ok(*(c.RunJob("default", "j", b"{}", START_MS) for _ in range(100)))
    assert large.store.value("SELECT count(*) FROM tasks") < 1_000
    large.act()
    assert large.runs() == [("manual", "succeeded")] * 100


def test_a_small_run_is_made_at_once_however_much_is_left_of_others(large: Measured) -> None:
    begin(large, independent(3_000))
    large.put(job("small", tasks=fan(3)))
    run = large.value(c.RunJob("default", "small", b"{}", START_MS), "run")
    assert large.run(run).unmade == 0


def test_a_host_that_booted_anew_loses_thousands_of_attempts_in_slices(large: Measured) -> None:
    run = begin(large, independent(500))
    for _ in range(4):
        large.tell(*large.plan())
    live = large.store.rows("SELECT id FROM attempts WHERE state = 'assigned' ORDER BY id")
    for start in range(0, len(live), 300):
        large.tell_ok(*(c.Grant(a, 1, large.sessions[1], f"c{a}") for (a,) in live[start : start + 300]))
    large.connect(session="s2", boot_id="boot-2", slots=500)
    assert large.store.value("SELECT count(*) FROM attempts WHERE live = 1") > 300
    while planned := large.plan():
        large.tell_ok(*planned)
    assert large.run(run).state == "lost"
    assert states(large, run) == {"lost": 500}


def test_a_deposed_leader_goes_on_with_nothing(large: Measured) -> None:
    run = begin(large, independent(3_000))
    unmade = large.run(run).unmade
    assert large.one(c.Continue(large.epoch - 1, (run,))).code == "stale_epoch"
    assert large.run(run).unmade == unmade
    assert large.one(c.Continue(large.epoch, tuple(range(101)))).code == "limit"


def test_a_purge_drops_a_large_run_piece_by_piece(large: Measured) -> None:
    run = begin(large, independent(3_000))
    large.tell_ok(c.CancelRun(run))
    large.act()
    dropped = [large.value(c.Purge(large.epoch, 1, run, 10), "runs") for _ in range(4)]
    assert dropped == [0, 0, 0, 1]
    assert large.store.value("SELECT count(*) FROM tasks") == 0


# -- the same end, whatever the slices ------------------------------------------------------------

RULES = ("all_success", "all_done", "any_failed", "any_success")


def by_definition(tasks: Tasks, failing: frozenset[str]) -> dict[str, str]:
    """How each task ends, by the rules of the reference. Needs stand before those that need them."""
    ended: dict[str, str] = {}
    for name, task in tasks.items():
        how = [ended[need] for need in task["needs"]]
        forgiven = [
            state == "failed" and tasks[need]["allow_failure"]
            for need, state in zip(task["needs"], how, strict=True)
        ]
        starts = (
            not how
            or {
                "all_success": all(s == "succeeded" or f for s, f in zip(how, forgiven, strict=True)),
                "all_done": True,
                "any_failed": "failed" in how,
                "any_success": "succeeded" in how,
            }[task["rule"]]
        )
        ended[name] = ("failed" if name in failing else "succeeded") if starts else "skipped"
    return ended


@pytest.mark.parametrize("room", [ROW, 3 * ROW, ROOM])
@pytest.mark.parametrize("seed", range(8))
def test_any_graph_ends_as_its_rules_say_whatever_the_room(seed: int, room: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    names = [f"t{i:02}" for i in range(30)]
    tasks: Tasks = {}
    for place, name in enumerate(names):
        needs = rng.sample(names[:place], min(place, rng.choice((0, 1, 1, 2, 5))))
        rule = rng.choice(RULES) if needs else "all_success"
        tasks[name] = {"noop": True, "needs": needs, "rule": rule, "allow_failure": rng.random() < 0.2}
    failing = frozenset(rng.sample(names, 8))
    story = Measured(tmp_path / "s.db", room=room)
    story.lead()
    story.connect(slots=rng.choice((1, 4, 100)))
    run = begin(story, tasks)
    story.act(failing=failing)
    expected = by_definition(tasks, failing)
    assert story.tasks(run) == expected
    failed = any(state == "failed" and not tasks[name]["allow_failure"] for name, state in expected.items())
    assert story.run(run).state == ("failed" if failed else "succeeded")
    story.close()


def test_a_large_run_is_repeated_in_slices(large: Measured) -> None:
    """Of the first layer most is taken over, the second is all made anew, beside which the old run stays."""
    run = begin(large, fan(2_000) | {f"z{i}": {"noop": True, "needs": [f"t{i:05}"]} for i in range(2_000)})
    large.act(failing=frozenset(f"t{i:05}" for i in range(100)))
    assert states(large, run) == {"failed": 100, "skipped": 100, "succeeded": 3_801}
    again = int(large.value(c.RerunRun(run, b"{}", large.now_ms, from_failed=True), "run"))
    assert large.run(again).unmade > 0
    assert large.value(c.Purge(large.epoch, 1, run, 1), "runs") == 0  # it is still read
    large.act()
    assert states(large, again) == {"succeeded": 4_001}
    assert large.store.value("SELECT count(*) FROM attempts WHERE run = ?", (again,)) == 200
    assert large.store.value("SELECT count(*) FROM taken_tasks") == 3_801


def test_a_run_of_two_dense_layers_is_repeated(large: Measured) -> None:
    run = begin(large, layers(200))
    large.act(failing=frozenset({"b7"}))
    again = int(large.value(c.RerunRun(run, b"{}", large.now_ms, from_failed=True), "run"))
    large.act()
    assert large.store.value("SELECT count(*) FROM attempts WHERE run = ?", (again,)) == 1
