"""A planner of one office over a real state: what it proposes, and in what sizes."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from api.ports import NodeStatus
from node import overload as module
from node.clock import wall_base_ms
from node.config import load_config
from node.front import unknown_status
from node.grid import Grid
from node.planner import COMMANDS_FIRST, Planner
from scheduler.model.by_revision import CompiledJobs
from scheduler.store import state as state_rows
from scheduler.words.commands import Account, Command, Fire, TellOverload
from scheduler.words.outcomes import Outcome
from tests.node.test_config import GOOD, write
from tests.node.test_planner import peer
from tests.scheduler.story import Story, job

DEADLINE_S = 120.0
LATE_MS = 20_000
HOUR_S = 3_600


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path / "s.db", now_ms=int(time.time() * 1000))
    made.lead()
    yield made
    made.close()


class Office:
    """The planner's, whose plans are applied at once."""

    def __init__(self, story: Story, status: NodeStatus) -> None:
        self.plans: list[Sequence[Command]] = []
        self.looks = 0
        self.status = status
        self._story = story
        self.planner = Planner(
            node="node-a",
            open_store=lambda: story.store,
            compiled=CompiledJobs(),
            status=self._look,
            propose=self._propose,
            hand_over=lambda reason, heir: None,
            grid=Grid(),
            bootstrap_token=None,
        )

    def _look(self) -> NodeStatus:
        self.looks += 1
        return self.status

    async def _propose(self, commands: Sequence[Command], can_wait: bool) -> list[Outcome]:
        self.plans.append(commands)
        return self._story.tell(*commands)

    def said(self, kind: type[Command]) -> list[Command]:
        return [command for plan in self.plans for command in plan if isinstance(command, kind)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.01)


def leading(story: Story, tmp_path: Path) -> NodeStatus:
    known = unknown_status(load_config(write(tmp_path, GOOD), {}), "uid")
    return dataclasses.replace(
        known, node="node-a", state="leader", ready=True, quorum=True, term=story.machine.state.leader_term
    )


@pytest.fixture
async def office(story: Story, tmp_path: Path) -> AsyncIterator[Office]:
    """Of a leader that was away while much came due."""
    policies = {"overlap": "allow", "catchup": {"grace": "1h"}}
    jobs = (job(f"j-{n}", trigger={"every": "1s"}, policies=policies) for n in range(40))
    story.put(*jobs, after_ms=story.now_ms - LATE_MS)
    office = Office(story, leading(story, tmp_path))
    running = asyncio.create_task(office.planner.run())
    yield office
    running.cancel()
    await asyncio.wait({running})


async def test_who_takes_office_decides_a_little_first_and_the_rest_later(
    office: Office, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SUSTAINED_S", 3_600.0)  # however slow the machine is
    await office.until(lambda: len(office.said(Fire)) >= 40 * LATE_MS // 1000)
    assert len(office.plans[0]) == COMMANDS_FIRST // 2
    assert state_rows.overload(story.store) is None
    assert office.said(Account) == []


async def test_full_plans_that_stay_late_declare_an_overload_with_what_shows_it(
    office: Office, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SUSTAINED_S", 0.0)
    await office.until(lambda: bool(office.said(Account)))
    (told,) = office.said(TellOverload)[:1]
    assert isinstance(told, TellOverload)
    assert (told.begins, told.due) == (True, 40)
    assert told.late_ms > module.LATE_MS
    ended = [command for command in office.said(Account) if isinstance(command, Account)]
    assert {command.reason for command in ended} == {"overload"}


async def test_office_that_most_clocks_misled_goes_by_them_once_they_are_right(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three were an hour behind as it was taken. What is due does not wait for an hour."""
    story.put(job(trigger={"every": "1s"}), after_ms=story.now_ms - LATE_MS)
    known, right_ms = leading(story, tmp_path), wall_base_ms()
    wrong, right = peer("b", 0), peer("c", HOUR_S * 1000)
    with monkeypatch.context() as clocks:
        clocks.setattr(time, "time", lambda: time.time_ns() / 1e9 - HOUR_S)
        misled = dataclasses.replace(known, wall_base_ms=wall_base_ms(), peers=(wrong, right))
        office = Office(story, misled)
        running = asyncio.create_task(office.planner.run())
        await office.until(lambda: office.looks > 4)  # it has planned
        assert office.plans == []
    office.status = dataclasses.replace(known, wall_base_ms=right_ms, peers=(peer("b", 0), peer("c", 0)))
    await office.until(lambda: bool(office.said(Fire)))
    running.cancel()
    await asyncio.wait({running})
