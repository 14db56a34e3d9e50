"""The leader's look through the ledger: what is planted is found in its period, told once, and taken back."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api.ports import Proved
from node.watch import Watch, _Spent
from scheduler.store.connection import Store
from scheduler.store.tables import differences
from scheduler.verify import Problem, Verification, verify
from scheduler.words import events as e
from scheduler.words.commands import Command, TellProof
from scheduler.words.outcomes import Outcome
from tests.scheduler.story import START_MS, Story, job

DEADLINE_S = 60.0
PERIOD_S = 0.02
HOUR_MS = 3_600_000


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path / "s.db")
    made.lead()
    made.connect()
    made.put(job(trigger={"every": "10s"}))
    for _ in range(30):
        made.now_ms += 10_000
        made.settle()
    yield made
    made.close()


class Leader:
    """A front that leads, whose commands are applied at once."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.told: list[Command] = []
        self.events: list[object] = []
        self.epoch: int | None = story.epoch
        self.proved = Proved()
        self.watch = Watch(
            epoch_held=lambda: self.epoch,
            open_store=lambda: Store.open_reader(story.path),
            now_ms=lambda: story.now_ms,
            propose=self._propose,
            proved=self.proved,
            period_s=PERIOD_S,
            share=0.99,
        )

    async def _propose(self, commands: Sequence[Command]) -> list[Outcome]:
        self.told += commands
        outcomes = self.story.tell(*commands)
        self.events += self.story.events
        return outcomes

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            watching = asyncio.create_task(self.watch.run())
            while not condition() and not watching.done():
                await asyncio.sleep(PERIOD_S)
            watching.cancel()
            await asyncio.wait({watching})
            if not watching.cancelled():
                watching.result()


def plant(story: Story, statement: str, values: Sequence[object] = ()) -> None:
    """As no command does it, and not through what the machine keeps in memory."""
    story.store.close()
    with contextlib.closing(sqlite3.connect(story.path)) as file, file:
        file.execute(statement, values)
    story.open()


async def test_where_all_is_well_it_says_until_when_and_proposes_nothing(story: Story) -> None:
    leader = Leader(story)
    await leader.until(lambda: leader.proved.whole_ms is not None)
    assert leader.told == []
    assert (leader.proved.whole_ms, leader.proved.due, leader.proved.entries) == (story.now_ms, 30, 30)


@pytest.mark.parametrize(
    ("statement", "kind", "at_ms"),
    [
        ("UPDATE triggers SET next_due_ms = next_due_ms + 50000", "missing", START_MS + 310_000),
        ("UPDATE ledger SET decided_ms = decided_ms + 1 WHERE seq = 7", "chain", START_MS + 70_000),
        ("DELETE FROM ledger WHERE seq = 5", "chain", START_MS + 60_000),
    ],
)
async def test_a_planted_difference_is_found_told_once_and_taken_back(
    story: Story, statement: str, kind: str, at_ms: int
) -> None:
    before = list(story.store.rows("SELECT * FROM ledger WHERE seq IN (5, 7) ORDER BY seq"))
    due_ms = story.store.value("SELECT next_due_ms FROM triggers")
    plant(story, statement)
    story.now_ms += 30_000
    leader = Leader(story)
    await leader.until(lambda: bool(leader.told))
    found = differences.get(story.store)
    assert found is not None
    assert (found.kind, found.at_ms) == (kind, at_ms)
    (told,) = leader.events
    assert isinstance(told, e.DifferenceFound)

    again = Leader(story)
    await again.until(lambda: again.proved.recent_ms is not None)
    assert again.told == [], "what is known is told once"

    plant(story, "DELETE FROM ledger WHERE seq IN (5, 7)")
    for row in before:
        plant(story, f"INSERT INTO ledger VALUES ({', '.join('?' * len(row))})", row)
    plant(story, f"UPDATE triggers SET next_due_ms = {due_ms}")
    last = Leader(story)
    await last.until(lambda: bool(last.events))
    assert [type(each) for each in last.events] == [e.DifferenceGone]
    assert differences.get(story.store) is None


async def test_who_does_not_lead_looks_at_nothing(story: Story) -> None:
    leader = Leader(story)
    leader.epoch = None
    looks = 0

    def held() -> int | None:
        nonlocal looks
        looks += 1
        return None

    leader.watch = Watch(
        epoch_held=held, open_store=lambda: story.store, now_ms=lambda: 0, propose=leader._propose,
        proved=leader.proved, period_s=PERIOD_S,
    )  # fmt: skip
    await leader.until(lambda: looks > 2)
    assert leader.proved == Proved()


def test_it_rests_for_a_multiple_of_the_processor_time_that_it_took() -> None:
    class Ends:
        waited = 0.0

        def wait(self, seconds: float) -> None:
            self.waited += seconds

        def is_set(self) -> bool:
            return False

    ends = Ends()
    spent = _Spent(0.05, ends)  # type: ignore[arg-type]  # it takes the place of the clock
    began_s = time.thread_time()
    while time.thread_time() - began_s < 0.02:
        pass
    spent.rest()
    assert ends.waited >= 19 * 0.02


def test_a_difference_of_another_office_is_refused(story: Story) -> None:
    outcome = story.one(TellProof(story.epoch - 1, 1, "missing", 1, START_MS, "no outcome"))
    assert not outcome.ok
    assert differences.get(story.store) is None


def test_what_is_told_is_cut_and_where_it_moves_since_stays(story: Story) -> None:
    story.tell_ok(TellProof(story.epoch, 1, "missing", 1, START_MS, "x" * 1_000))
    first = differences.get(story.store)
    assert first is not None
    assert len(first.detail) == 300
    story.now_ms += 1_000
    story.tell_ok(TellProof(story.epoch, 2, "missing", 1, START_MS, "no outcome"))
    second = differences.get(story.store)
    assert second is not None
    assert (second.since_ms, second.problems) == (first.since_ms, 2)
    assert not story.one(TellProof(story.epoch, 2, "missing", 1, START_MS, "no outcome")).ok


def test_a_look_that_saw_a_difference_that_is_gone_is_no_look_without_any(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen behind it is looked at as well: else it were taken back."""
    plant(story, "UPDATE triggers SET next_due_ms = next_due_ms + 50000")
    story.now_ms += 30_000
    leader = Leader(story)
    watch = leader.watch
    found = watch._verified(0, lambda _: None)
    assert not found.ok
    calls: list[int] = []

    def once_more_before(store: Store, from_ms: int, to_ms: int, **more: Any) -> Verification:
        made = verify(store, from_ms, to_ms, **more)
        if not calls:
            made.problems.insert(0, Problem("missing", 1, 1, START_MS + 20_000, 0, "by now decided"))
            made.problem_count += 1
        calls.append(from_ms)
        return made

    monkeypatch.setattr("node.watch.verify", once_more_before)
    again = watch._verified(0, lambda _: None)
    assert again.problems == found.problems
