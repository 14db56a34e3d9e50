"""A backup is taken between any two entries of what takes several: the state that it becomes goes on with
it, takes what agents tell as its own tasks' work, comes to the same, and does nothing twice.

Each story is told once to its end, with a copy of the state after every entry. From each copy a cluster is
restored; the agents tell it all that they were granted, in the order of their names and in the other; then
the hold passes and what is left is done."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine import AppliedEntry, upkeep
from scheduler.machine.context import ROW
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.machine.test_restores import phase, ran, restore, settle, tell
from tests.scheduler.story import START_MS, Story, job

AGENTS = ("agent-1", "agent-2")
ROOM = 8 * ROW  #: so little that whatever takes several entries takes many
NOOP: dict[str, Any] = {"noop": True}
AGAIN: dict[str, Any] = {"on_lost": "retry", "idempotent": True}


class Copied(Story):
    """Keeps a copy of the state after every entry, from when it is told to."""

    copies: list[Path]
    copying = False

    def enter(self, *frames: bytes) -> AppliedEntry:
        entry = super().enter(*frames)
        if self.copying:
            path = self.path.with_name(f"{len(self.copies)}.db")
            with sqlite3.connect(self.path) as source, sqlite3.connect(path) as copy:
                source.backup(copy)
            source.close()
            copy.close()
            self.copies.append(path)
        return entry


def run_now(story: Story, **fields: Any) -> None:
    story.put(job(**fields))
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))


def large_graph(story: Story, policies: dict[str, Any]) -> None:
    tasks = {f"t{at:02}": NOOP for at in range(20)}
    run_now(story, tasks={**tasks, "last": {**NOOP, "needs": list(tasks)}}, policies=policies)


def members(story: Story, policies: dict[str, Any]) -> None:
    many = {"run": "x", "fanout": {"n": 24, "max_parallel": 6}}
    run_now(story, tasks={"many": many, "last": {**NOOP, "needs": ["many"]}}, policies=policies)


def over_agents(story: Story, policies: dict[str, Any]) -> None:
    many = {"run": "x", "needs": ["first"], "fanout": {"all": "registered"}}
    run_now(story, tasks={"first": NOOP, "many": many}, policies=policies)


def a_join_met_early(story: Story, policies: dict[str, Any]) -> None:
    many = {"run": "x", "fanout": {"n": 20}, "join": 3}
    run_now(story, tasks={"many": many, "last": {**NOOP, "needs": ["many"]}}, policies=policies)


def rounds_of_a_group(story: Story, policies: dict[str, Any]) -> None:
    inside = {f"g{at:02}": NOOP for at in range(14)}
    group = {"tasks": list(inside), "repeat": {"until": "g00.failed", "max": 2}}
    run_now(story, tasks={**inside, "last": NOOP}, groups={"load": group}, policies=policies)


def many_dependents(story: Story, policies: dict[str, Any]) -> None:
    tasks = {f"t{at:02}": {**NOOP, "needs": ["first"]} for at in range(20)}
    run_now(story, tasks={"first": NOOP, **tasks}, policies=policies)


def two_divided(story: Story, policies: dict[str, Any]) -> None:
    """Of which the second needs the first, and both are over agents."""
    each = {"run": "x", "fanout": {"all": "registered"}}
    run_now(story, tasks={"a": each, "b": {**each, "needs": ["a"]}}, policies=policies)


def a_rerun(story: Story, policies: dict[str, Any]) -> None:
    """Which takes over what succeeded, and repeats one."""
    tasks = {f"t{at:02}": NOOP for at in range(18)}
    run_now(story, tasks={**tasks, "last": {**NOOP, "needs": list(tasks)}}, policies=policies)
    story.settle()
    (run,) = (row[0] for row in story.store.rows("SELECT id FROM runs"))
    story.tell_ok(c.RerunRun(run, b"{}", story.now_ms, from_task="last"))


Begin = Callable[[Story, dict[str, Any]], None]
STORIES: dict[str, Begin] = {
    each.__name__: each
    for each in (
        large_graph, members, over_agents, a_join_met_early, rounds_of_a_group, many_dependents, two_divided,
        a_rerun,
    )
}  # fmt: skip


def told_by(story: Story) -> dict[str, list[c.RanAttempt]]:
    """By agent, all that was granted, as journals tell of it."""
    found: dict[str, list[c.RanAttempt]] = {name: [] for name in AGENTS}
    for name, *facts in story.store.rows(
        "SELECT g.name, a.id, a.run, t.name, t.member, t.round, a.number, r.tick_ms, a.exit_code"
        " FROM attempts a JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = a.run"
        " JOIN agents g ON g.id = a.agent WHERE a.fence IS NOT NULL ORDER BY a.id"
    ):
        attempt, run, task, member, number_of_round, number, tick_ms, exit_code = facts
        found[name].append(
            ran(
                attempt, run, task=task, member=member, round=number_of_round, number=number, tick_ms=tick_ms,
                exit_code=exit_code,
            )
        )
    return found


def told_to_the_end(
    path: Path, begin: Begin, policies: dict[str, Any]
) -> tuple[list[Path], dict[str, list[Any]], list[Any]]:
    """Copies, what each agent has to tell, and what became of the runs."""
    story = Copied(path, room=ROOM)
    story.copies = []
    story.lead()
    for name in AGENTS:
        story.connect(name, slots=3)
    story.copying = True
    begin(story, policies)
    for _ in range(3):
        story.settle()
        story.now_ms += 10_000
    story.copying = False
    told, ends = told_by(story), ends_of(story)
    assert {state for _, state, _ in ends} <= {"succeeded", "failed"}
    story.close()
    return story.copies, told, ends


def ends_of(story: Story) -> list[Any]:
    return story.store.rows("SELECT id, state, cause FROM runs ORDER BY id")


def restored(path: Path) -> Story:
    """A cluster that begins with this state."""
    copy = path.with_name("restored.db")
    for old in path.parent.glob("restored.db*"):
        old.unlink()
    shutil.copy(path, copy)
    story = Story(copy, room=ROOM)
    restore(story)
    return story


@pytest.mark.parametrize(
    ("policies", "others_first"),
    [({}, False), ({}, True), (AGAIN, True)],
    ids=["in order", "others first", "again"],
)
@pytest.mark.parametrize("name", STORIES)
def test_what_is_told_of_after_a_backup_in_between_is_its_own_tasks_work(
    tmp_path: Path, name: str, policies: dict[str, Any], *, others_first: bool
) -> None:
    copies, told, ends = told_to_the_end(tmp_path / "state.db", STORIES[name], policies)
    wrong: dict[int, str] = {}
    for at, path in enumerate(copies):
        story = restored(path)
        if story.store.value("SELECT count(*) FROM runs") == len(ends):  # else one is an orphan, rightly
            for agent in sorted(told, reverse=others_first):
                tell(story, *told[agent], name=agent)
            for agent in AGENTS:
                story.connect(agent, session="s2")
            settle(story)
            wrong[at] = _wrong(story, ends)
        story.close()
    assert wrong
    assert {at: said for at, said in wrong.items() if said} == {}


def _wrong(story: Story, ends: list[Any]) -> str:
    if phase(story) != "done":
        return "the restore is not done"
    if ends_of(story) != ends:
        return f"runs came to something else: {ends_of(story)}"
    twice = story.store.rows("SELECT task, count(*) FROM attempts GROUP BY task HAVING count(*) > 1")
    if twice:
        return f"tasks were done twice: {twice}"
    if not verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok:
        return "verify sees something"
    left = story.store.value("SELECT count(*) FROM told_early")
    return f"{left} attempts are kept for later" if left else ""


def test_what_was_about_to_be_purged_is_no_orphan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tasks go before its row does: agents that still remember them tell of a run that is half gone."""
    monkeypatch.setattr(upkeep, "ROWS_MAX", 3)
    story = Copied(tmp_path / "state.db")
    story.copies = []
    story.lead()
    story.connect(AGENTS[0])
    run_now(story, tasks={f"t{at}": NOOP for at in range(8)})
    story.settle()
    told, ends = told_by(story)[AGENTS[0]], ends_of(story)
    story.now_ms += 1_000
    story.copying = True
    while ends_of(story):
        story.tell_ok(c.Purge(story.epoch, story.job().id, through=ends[0][0], limit=1))
    story.close()
    assert len(story.copies) > 3
    for path in story.copies:
        later = restored(path)
        tell(later, *told)
        settle(later)
        assert ends_of(later) in (ends, [])
        later.close()


def test_what_no_task_came_for_is_shown_beside_its_run(story: Story) -> None:
    """One agent tells of a second task that is divided, and the one that did the first never comes back."""
    for name in AGENTS:
        story.connect(name)
    two_divided(story, {})
    ((run,),) = story.store.rows("SELECT id FROM runs")
    restore(story)
    many = [ran(900 + at, run, task="b", member=f"agent-{at}") for at in range(150)]
    for at in (0, 100):
        tell(story, *many[at : at + 100], name=AGENTS[1], last=at == 100)
    assert ends_of(story) == [(run, "pending", "manual")]
    settle(story)
    assert phase(story) == "done"
    (own, beside) = ends_of(story)
    assert (own, beside[1:]) == ((run, "expired", "manual"), ("succeeded", "orphan"))
    assert story.store.value("SELECT count(*) FROM attempts WHERE run = ?", (beside[0],)) == len(many)
    assert story.store.value("SELECT count(*) FROM told_early") == 0
