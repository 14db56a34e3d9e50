"""Ticks that an agent has in advance: started where no node is reached, once, whatever dies, and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.clock import HostClock, NodeClock, boot_ms, wall_ms
from agent.journal import Journal
from agent.spool.client import SpoolerClient
from agent.work.starting import Place
from agent.work.worker import Worker
from scheduler.protocol import (
    CONTACT_MS,
    Ack,
    AllReserved,
    AskBack,
    Cancel,
    Claim,
    Finished,
    GivenBack,
    Grant,
    Message,
    Reserved,
)
from tests.agent.fake_node import DEADLINE_S, assign

MINUTE_MS = 60_000
M = TypeVar("M")


class Desk:
    """A worker without sockets, whose clocks a test sets on: what it says is in `said`."""

    def __init__(
        self, folder: Path, *, on_ms: float = 0.0, boot_id: str = "boot-1", contact: bool = True
    ) -> None:
        self.folder = folder
        self.said: list[Message] = []
        self.on_ms = on_ms  #: the host has been up for so much longer
        self.wall_ahead_ms = 0
        self.journal = Journal(folder / "journal", self._failed)
        spooler = SpoolerClient(folder, boot_id="b", installation="i", parent_pid=0, job_umask=0o022)
        clock = HostClock(
            boot_ms=lambda: boot_ms() + self.on_ms,
            wall_ms=lambda: int(wall_ms() + self.on_ms) + self.wall_ahead_ms,
        )
        self.node_clock = NodeClock(clock)
        self.clock = clock
        self.worker = Worker(
            place=Place("agent-1", "zone-a", "i", 1_000), session="s", slots=4, output=folder / "output",
            journal=self.journal, spooler=spooler, clock=self.node_clock, send=self.said.append,
            host_clock=clock, boot_id=boot_id,
        )  # fmt: skip
        self._closed = False
        if contact:
            self.contact()

    def _failed(self, error: BaseException) -> None:
        raise error

    def contact(self) -> None:
        """A node answers, whose clock is that of the host."""
        self.worker.contact(self.clock.boot_ms())
        self.node_clock.pong(self.clock.wall_ms(), self.clock.boot_ms())

    def on(self, ms: float) -> None:
        self.on_ms += ms
        self.worker.reserved.look()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.001)

    async def turns(self) -> None:
        """All that is ready has its turn."""
        for _ in range(20):
            await asyncio.sleep(0.001)

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in self.said if isinstance(message, kind)]

    async def reserve(self, *messages: Reserved) -> None:
        for message in messages:
            self.worker.receive(message)
        await self.until(lambda: all(self.worker.reserved.of(each.attempt) for each in messages))

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self.journal.close()

    async def anew(self, **changes: Any) -> Desk:
        """The process is killed, and another begins on what is on disk."""
        await self.close()
        self.worker.reserved.leaving = True
        return Desk(self.folder, on_ms=self.on_ms, **changes)


def reserved(attempt: int, in_ms: float = MINUTE_MS, **changes: Any) -> Reserved:
    due_ms = int(wall_ms() + in_ms)
    values: dict[str, Any] = {
        "attempt": attempt, "run": attempt, "job": "job", "namespace": "default", "task": "main",
        "tick_ms": due_ms, "due_ms": due_ms, "work": {"kind": "noop"}, "timeout_ms": None, "grace_ms": 5_000,
        "output_bytes_max": 1 << 20, "fence": 70 + attempt, "environment": {"CRONCLAVE_JOB": "job"},
        "before": "", "after": "", "alone": True, "late_ms": MINUTE_MS,
    }  # fmt: skip
    return Reserved(**{**values, **changes})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    await made.close()


async def test_where_a_node_is_reached_the_cluster_fires(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000))
    desk.on_ms += 1_500
    desk.contact()
    desk.on(CONTACT_MS - 500)
    await desk.turns()
    assert desk.said == []
    assert desk.worker.held() == ()


async def test_where_none_is_reached_it_starts_by_its_own_right(desk: Desk) -> None:
    await desk.reserve(reserved(1, 10_000))
    desk.on(9_000)
    await desk.turns()
    assert desk.worker.held() == (), "not before its instant"
    desk.on(1_001)
    await desk.until(lambda: desk.all(Finished))
    (end,) = desk.all(Finished)
    assert (end.attempt, end.reason, end.exit_code) == (1, "exit", 0)
    assert not desk.all(Claim), "nobody could have granted it"


async def test_two_hours_alone(desk: Desk) -> None:
    """Each of 120 minutes starts once, at its instant, and is told until that is acknowledged."""
    plan = [reserved(n, n * MINUTE_MS) for n in range(1, 121)]
    await desk.reserve(*plan)
    for number in range(1, 121):
        desk.on(MINUTE_MS)
        await desk.until(lambda number=number: len(desk.all(Finished)) == number)
    ends = desk.all(Finished)
    assert [end.attempt for end in ends] == [each.attempt for each in plan]
    desk.said.clear()
    desk.worker.welcomed()
    assert {end.attempt for end in desk.all(Finished)} == set(range(1, 121))
    desk.worker.receive(Ack(tuple(end.event for end in desk.all(Finished)), 5))
    assert desk.worker.held() == ()


async def test_a_process_that_dies_goes_on_with_what_is_on_disk(desk: Desk) -> None:
    await desk.reserve(*(reserved(n, n * MINUTE_MS) for n in range(1, 5)))
    desk.on(MINUTE_MS)
    await desk.until(lambda: desk.all(Finished))
    again = await desk.anew()
    again.on(CONTACT_MS + 1)
    await again.turns()
    assert again.all(Finished) == [], "what has ended never starts a second time"
    again.on(MINUTE_MS)
    await again.until(lambda: again.all(Finished))
    assert [end.attempt for end in again.all(Finished)] == [2]
    assert dict(again.worker.held()) == {1: "exited", 2: "exited"}
    await again.close()


async def test_the_clock_outlives_the_process_and_no_step_of_the_hosts_counts(desk: Desk) -> None:
    await desk.reserve(reserved(1, 10_000))
    again = await desk.anew(contact=False)
    again.wall_ahead_ms = 3_600_000
    again.on(CONTACT_MS + 1)
    await again.turns()
    assert again.worker.held() == (), "an hour ahead by the host's clock, and not due"
    again.on(10_000)
    await again.until(lambda: again.all(Finished))
    await again.close()


async def test_after_a_boot_of_the_host_its_own_clock_is_all_there_is(desk: Desk) -> None:
    await desk.reserve(reserved(1, 10_000))
    same = await desk.anew(contact=False)
    assert same.node_clock.offset is not None
    other = await same.anew(contact=False, boot_id="boot-2")
    assert other.node_clock.offset is None
    await other.close()


async def test_one_whose_grant_is_under_way_as_the_contact_ends(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000))
    desk.worker.receive(assign(1, {"kind": "noop"}, due_ms=wall_ms() + 1_000))
    await desk.until(lambda: desk.all(Claim))
    desk.on(CONTACT_MS + 1)
    await desk.until(lambda: desk.all(Finished))
    desk.worker.receive(Grant(1, desk.all(Claim)[0].claim, 9, 9))
    await desk.turns()
    assert len(desk.all(Finished)) == 1, "once, whatever comes late"


async def test_what_was_assigned_goes_the_usual_way(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000))
    desk.worker.receive(assign(1, {"kind": "noop"}, due_ms=wall_ms()))
    await desk.until(lambda: desk.all(Claim))
    desk.worker.receive(Grant(1, desk.all(Claim)[0].claim, 9, 9))
    await desk.until(lambda: desk.all(Finished))
    desk.on(CONTACT_MS + 5_000)
    await desk.turns()
    assert len(desk.all(Finished)) == 1


async def test_beside_another_of_its_job_it_is_given_back(desk: Desk) -> None:
    """A run of the job goes on: an attempt that was claimed, and whose grant never comes."""
    desk.worker.receive(assign(9, {"kind": "noop"}))
    await desk.until(lambda: desk.all(Claim))
    await desk.reserve(reserved(1, 1_000), reserved(2, 1_000, alone=False), reserved(3, 1_000, job="other"))
    desk.on(CONTACT_MS + 1)
    await desk.until(lambda: desk.all(GivenBack) and len(desk.all(Finished)) == 2)
    (back,) = desk.all(GivenBack)
    assert (back.attempts, back.reason, back.behind) == ((1,), "overlap", 9)
    assert {end.attempt for end in desk.all(Finished)} == {2, 3}


async def test_what_is_far_too_late_is_given_back(desk: Desk) -> None:
    """Its host slept through the instant, or this process was dead."""
    await desk.reserve(reserved(1, 1_000), reserved(2, 10 * MINUTE_MS))
    desk.on(5 * MINUTE_MS)
    await desk.until(lambda: desk.all(GivenBack))
    assert desk.all(GivenBack)[0].attempts == (1,)
    assert desk.worker.held() == ()


async def test_given_back_it_is_said_until_acknowledged_and_never_taken_again(desk: Desk) -> None:
    message = reserved(1, 1_000)
    await desk.reserve(message)
    desk.worker.receive(AskBack((1, 77)))
    await desk.until(lambda: desk.all(GivenBack))
    assert desk.all(GivenBack)[0].attempts == (77, 1), "what it never had it will not have either"
    desk.worker.receive(message)
    desk.worker.receive(assign(1, {"kind": "noop"}))
    desk.on(CONTACT_MS + 1)
    await desk.turns()
    assert desk.worker.held() == ()
    again = await desk.anew()
    again.worker.receive(message)
    again.on(CONTACT_MS + 1)
    await again.turns()
    assert again.worker.held() == (), "nor by the next process"
    again.worker.welcomed()
    (told,) = again.all(GivenBack)
    assert told == desk.all(GivenBack)[0]
    again.worker.receive(Ack((told.event,), 5))
    again.said.clear()
    again.worker.welcomed()
    assert again.all(GivenBack) == []
    await again.close()


async def test_what_it_started_is_not_given_back(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000))
    desk.on(CONTACT_MS + 1)
    await desk.until(lambda: desk.all(Finished))
    desk.worker.receive(AskBack((1,)))
    await desk.turns()
    assert desk.all(GivenBack) == []


async def test_one_that_was_fired_and_stopped_unheard(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000))
    desk.worker.receive(Cancel(1))
    await desk.until(lambda: desk.all(GivenBack))


async def test_what_a_person_gave_up_is_forgotten(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000), reserved(2, 1_000))
    desk.worker.receive(AllReserved((2, 3)))
    desk.on(CONTACT_MS + 1)
    await desk.until(lambda: desk.all(Finished))
    await desk.turns()
    assert [end.attempt for end in desk.all(Finished)] == [2]
    assert desk.all(GivenBack) == []


async def test_a_restored_cluster_gives_anew_what_is_to_come(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000))
    desk.worker.leave_cluster()
    desk.on(CONTACT_MS + 1)
    await desk.turns()
    assert desk.worker.held() == ()


async def test_a_process_that_ends_begins_nothing(desk: Desk) -> None:
    await desk.reserve(reserved(1, 1_000))
    desk.worker.leave()
    desk.on(CONTACT_MS + 1)
    await desk.turns()
    assert desk.worker.held() == ()
