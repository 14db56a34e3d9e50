"""Random runs whose tasks are divided, whose groups, runs and tasks hold locks, and which wait for runs of
each other, on agents that are lost and come back: nothing is held twice, nothing starves, every deadlock
is named, and every run ends.

Who holds what is told by what works, and by the jobs: the rows of the product are not asked. An attempt
works from its claim until it has ended, its agent says that it is gone, or its lease is over.
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.plan.passes.deadlocks import EACH_MS
from scheduler.store.tables import nested
from scheduler.store.tables import tasks as task_rows
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_locks import held, put, resource
from tests.scheduler.machine.test_locks import run as run_job
from tests.scheduler.story import Story, job

NOOP: dict[str, Any] = {"noop": True}
NAMES = ("a", "b", "c", "d")
AGENTS = ("one", "two", "three")
JOBS = ("j0", "j1", "j2", "j3")
PER_AGENT = 1
ON_LOST: tuple[dict[str, Any], ...] = (
    {"on_lost": "fail"}, {"on_lost": "retry", "idempotent": True}, {"on_lost": "wait"},
)  # fmt: skip


@st.composite
def one_of(draw: st.DrawFn, behind: str) -> list[str]:
    """A resource that is taken while this one is held, or none."""
    later = [name for name in NAMES if name > behind]
    takes = bool(later) and draw(st.booleans())
    return [draw(st.sampled_from(later))] if takes else []


@st.composite
def works(draw: st.DrawFn, behind: str, later: tuple[str, ...], *, inside: bool) -> dict[str, Any]:
    """A task: plain, divided, or one that waits for a run."""
    kind = draw(st.sampled_from(["plain", "divided", "agents", "nested"]))
    if kind == "nested" and later:
        return {"job": {"name": draw(st.sampled_from(later))}}
    task: dict[str, Any] = {**NOOP, "retry": {"max": draw(st.integers(0, 1)), "first": "1s"}}
    if locks := draw(one_of(behind)):
        task["locks"] = locks
    if kind == "divided":
        most: dict[str, Any] = draw(
            st.sampled_from([
                {}, {"max_parallel": 1}, {"max_parallel": 2, "stagger": "1s"},
                {"max_per_agent": PER_AGENT}, {"max_per_agent": PER_AGENT, "max_parallel": 2},
            ])
        )  # fmt: skip
        task |= {
            "fanout": {"n": draw(st.integers(1, 4)), **most},
            "join": draw(st.sampled_from(["all", "any", "60%"])),
        }
    if kind == "agents":
        task["fanout"] = {"all": draw(st.sampled_from(["registered", "connected"])), "ttl": "20s"}
    return task


@st.composite
def jobs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One resource at a time: each level takes its own with its first task (docs/reference/resource.md)."""
    found = []
    for number, name in enumerate(JOBS):
        later = JOBS[number + 1 :]
        of_run = draw(one_of(""))
        behind = max(of_run, default="")
        of_group = draw(one_of(behind))
        tasks: dict[str, Any] = {"t0": NOOP, "g0": NOOP}
        for inside in ["g1", "g2"][: draw(st.integers(0, 2))]:
            tasks[inside] = {
                "needs": ["g0"],
                **draw(works(max(of_group, default=behind), later, inside=True)),
            }
        group: dict[str, Any] = {"tasks": [each for each in tasks if each != "t0"], "needs": ["t0"]}
        group |= {"locks": of_group} if of_group else {}
        group |= {"max_parallel": 1} if draw(st.integers(0, 4)) == 0 else {}
        group |= {"retry": {"max": 1, "first": "1s"}} if draw(st.integers(0, 3)) == 0 else {}
        if draw(st.booleans()):
            tasks["t1"] = {"needs": ["t0"], **draw(works(behind, later, inside=False))}
        policies = {
            **draw(st.sampled_from(ON_LOST)),
            **({"locks": of_run} if of_run else {}),
            "overlap": "allow",
        }
        found.append(job(name, tasks=tasks, groups={"g": group}, policies=policies))
    return found


class World:
    """The agents, and what works on them."""

    def __init__(self, story: Story, documents: list[dict[str, Any]], counts: dict[str, int]) -> None:
        self.story, self.counts = story, counts
        self.documents = {each["job"]: each for each in documents}
        self.working: set[int] = set()
        self.agents = {name: story.connect(name, slots=4) for name in AGENTS}
        self.away: set[str] = set()
        self.sessions = 1

    def on(self, name: str) -> list[int]:
        return [
            attempt
            for attempt in sorted(self.working)
            if self.story.attempt(attempt).agent == self.agents[name]
        ]

    def lose(self, name: str) -> None:
        self.story.disconnect(self.agents[name])
        self.away.add(name)

    def bring_back(self, name: str, rng: random.Random) -> None:
        """With what it still runs; the rest is gone."""
        here = [each for each in self.on(name) if self.story.attempt(each).live]
        kept = {each for each in here if rng.random() < 0.5}
        self.working -= set(self.on(name)) - kept
        self.sessions += 1
        told = tuple((each, "running" if each in kept else "gone") for each in here)
        self.agents[name] = self.story.connect(name, slots=4, session=f"s1.{self.sessions:04}", held=told)
        self.away.discard(name)

    def end_leases(self) -> list[tuple[int, int]]:
        """Of all who are away: what they ran is dead by then."""
        ended = []
        for name in sorted(self.away):
            since_ms = self.story.store.value(
                "SELECT disconnected_ms FROM agents WHERE id = ?", (self.agents[name],)
            )
            ended += [(attempt, since_ms) for attempt in self.on(name)]
            self.working -= set(self.on(name))
        return ended

    def step(self, rng: random.Random) -> bool:
        """Some of what was assigned is claimed, and some of what works ends. Whether there was any."""
        story = self.story
        connected = [agent for name, agent in self.agents.items() if name not in self.away]
        live = [
            (attempt, state)
            for attempt, state, agent in story.store.rows(
                "SELECT id, state, agent FROM attempts WHERE live = 1 ORDER BY id"
            )
            if agent in connected
        ]
        for attempt, state in rng.sample(live, len(live))[: max(1, len(live) // 2)]:
            if state == "assigned":
                if story.claim(attempt).ok:
                    self.working.add(attempt)
                    self.judge()
            elif attempt in self.working or state == "cancelling":
                self.working.discard(attempt)
                stopped = state == "cancelling"
                assert story.finish(
                    attempt, exit_code=None if stopped else int(rng.random() < 0.1),
                    reason="cancelled" if stopped else "exit",
                ).ok  # fmt: skip
        return bool(live)

    def judge(self) -> None:
        """Of each resource no more have some than there are, and no agent more members than it may."""
        members: dict[tuple[int, int], int] = defaultdict(int)
        for attempt in self.working:
            on = self._room_of(attempt)
            members[on] += on[0] > 0
        assert max(members.values(), default=0) <= PER_AGENT, members
        holders: dict[str, set[object]] = defaultdict(set)
        for attempt in self.working:
            for name, holder in self._held_by(attempt).items():
                holders[name].add(holder)
        for name, by in holders.items():
            assert len(by) <= self.counts[name], (name, by)

    def _room_of(self, attempt: int) -> tuple[int, int]:
        """The whole, of which one agent may have so many members, and the agent; 0: any number."""
        found = self.story.attempt(attempt)
        row = task_rows.get(self.story.store, found.task)
        assert row is not None
        task = self.documents[self.story.run(row.run).name]["tasks"][row.name]
        return row.of_group if "max_per_agent" in task.get("fanout", ()) else 0, found.agent

    def _held_by(self, attempt: int) -> dict[str, object]:
        """By resource, the outermost that takes it: of the runs above, then of its own, run, group, task."""
        row = task_rows.get(self.story.store, self.story.attempt(attempt).task)
        assert row is not None
        found: dict[str, object] = {}
        leaf, task, run = True, row.name, row.run
        while True:
            document = self.documents[self.story.run(run).name]
            group = document["groups"]["g"]
            levels: list[tuple[object, Any]] = [(("run", run), document["policies"].get("locks", ()))]
            if task in group["tasks"]:
                levels.append((("group", run), group.get("locks", ())))
            if leaf:
                levels.append((("task", attempt), document["tasks"][task].get("locks", ())))
            found |= {name: holder for holder, names in reversed(levels) for name in names}
            child = nested.get(self.story.store, run)
            if child is None or not child.waits:
                return found
            above = task_rows.get(self.story.store, child.task)
            assert above is not None
            leaf, task, run = False, above.name, child.parent


@given(documents=jobs(), rng=st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_held_twice_nothing_starves_and_every_run_ends(
    documents: list[dict[str, Any]], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "state.db", room=rng.choice([1, 60, 12_500]))
        story.lead()
        counts = {name: rng.choice([1, 1, 2]) for name in NAMES}
        put(story, *[resource(name, count=count) for name, count in counts.items()], *documents)
        world = World(story, documents, counts)
        runs = [run_job(story, rng.choice(JOBS)) for _ in range(5)]
        for turn in range(1_500):
            quiet = turn > 60
            if not quiet and rng.random() < 0.25:
                name = rng.choice(AGENTS)
                if name in world.away:
                    world.bring_back(name, rng)
                else:
                    world.lose(name)
            for name in sorted(world.away) if quiet else ():
                world.bring_back(name, rng)
            leases = world.end_leases() if rng.random() < 0.2 else []
            planned = story.plan(leases=leases)
            for outcome in story.tell(*planned) if planned else ():
                # What a lost attempt ends may be what is placed beside that.
                assert outcome.ok or outcome.code in (Code.SUPERSEDED, Code.ENDED), outcome
            worked = world.step(rng)
            world.judge()
            if not planned and not worked:
                if quiet and all(story.run(run).finished_ms for run in runs):
                    break
                story.now_ms += EACH_MS
        _ended(story, runs)
        story.close()


def _ended(story: Story, runs: list[int]) -> None:
    open_ones = story.store.rows(
        "SELECT run, name, member, state, selector FROM tasks WHERE finished_ms IS NULL ORDER BY id"
    )
    assert open_ones == []
    assert [story.run(run).state for run in runs if not story.run(run).finished_ms] == []
    for table in ("rounds", "tells", "clocks", "run_holds", "fanout_lists"):
        assert story.store.value(f"SELECT count(*) FROM {table}") == 0, table
    assert held(story) == {}
    untried = story.store.rows(
        "SELECT run, name, reason FROM tasks WHERE state = 'failed' AND attempts = 0 AND exit_code IS NULL"
        " AND name <> 'g' AND selector <> '' ORDER BY id"
    )
    carried = ("no agent that it means", "run ")  # of a divided task, and of one that waited for a run
    for run, name, reason in untried:
        if "members failed" not in reason and not reason.startswith(carried):
            assert reason.startswith("deadlock: "), (run, name, reason)
            assert f"run {run} " in reason, reason
