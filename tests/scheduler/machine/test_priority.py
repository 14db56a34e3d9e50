"""What waits goes on by its effective priority: pools' queues, locks and explain by the same function."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.explain.findings import Cluster
from scheduler.explain.runs import explain_run
from scheduler.machine.rules import priority
from scheduler.words import commands as c
from scheduler.words.causes import Kind
from tests.scheduler.story import Story, job

MINUTE_MS = 60_000
PRIORITIES = st.integers(0, 100)
INSTANTS = st.integers(0, 10_000_000)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def by_the_contract(own: int, waited_ms: int) -> int:
    """priority + 1 for each 30 s of waiting, at most 100."""
    return min(100, own + waited_ms // 30_000)


@given(PRIORITIES, INSTANTS, INSTANTS)
def test_it_is_the_jobs_and_one_more_for_each_30_s(own: int, since_ms: int, waited_ms: int) -> None:
    rank_ms = priority.rank(since_ms, own, Kind.TICK)
    assert priority.effective(rank_ms, since_ms + waited_ms) == by_the_contract(own, waited_ms)


@given(PRIORITIES, INSTANTS, PRIORITIES, INSTANTS, INSTANTS)
def test_who_has_more_of_it_is_first_at_every_moment(
    own: int, since_ms: int, other: int, other_since_ms: int, later_ms: int
) -> None:
    now_ms = max(since_ms, other_since_ms) + later_ms
    ranks = priority.rank(since_ms, own, Kind.TICK), priority.rank(other_since_ms, other, Kind.TICK)
    mine, theirs = (priority.effective(rank_ms, now_ms) for rank_ms in ranks)
    if mine > theirs:
        assert ranks[0] < ranks[1]


def run_of(story: Story, own: int, **fields: object) -> int:
    name = f"p{own}"
    story.put(job(name, policies={"priority": own}, **fields))
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))


def queued(story: Story, run: int) -> str:
    told = explain_run(story.store, story.run(run), Cluster(story.now_ms, "node-a", True), story.compiled)
    return next(gate.reason for gate in told.tasks[0].gates if gate.state != "ready")


@pytest.mark.parametrize("locks", [[], ["yard"]], ids=["pool", "lock"])
@pytest.mark.parametrize("waited_ms", [25 * MINUTE_MS - 1, 25 * MINUTE_MS + 1])
def test_who_has_waited_long_enough_is_before_what_matters_more(
    story: Story, locks: list[str], waited_ms: int
) -> None:
    story.apply({"resource": "yard", "count": 1})
    low = run_of(story, 0, locks=locks)
    story.now_ms += waited_ms
    high = run_of(story, 50, locks=locks)
    story.connect(slots=1)
    story.plan_and_apply()

    placed = next(run for run in (low, high) if story.attempts(run))
    assert placed == (low if waited_ms > 25 * MINUTE_MS else high)


def test_explain_says_what_it_is_and_why(story: Story) -> None:
    story.connect(slots=1)
    first, second = run_of(story, 60), run_of(story, 50)
    story.plan_and_apply()
    third = run_of(story, 40)
    story.now_ms += 3 * MINUTE_MS + 29_999
    story.connect("agent-2", slots=1)

    assert story.attempts(first)
    assert queued(story, third).endswith("; it has priority 46 (40 of its job; it has waited)")
    assert second
