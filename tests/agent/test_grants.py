"""Grants run out: by the clock that goes on while the host sleeps, whatever executor the work has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.clock import HostClock, NodeClock, boot_ms, wall_ms
from agent.exits import Exit
from agent.journal import Journal
from agent.spool.client import SpoolerClient
from agent.work.claimed import Claimed, Phase
from agent.work.starting import Place
from agent.work.worker import Worker
from scheduler.protocol import GRANT_VALID_MS, Claim, Finished, Grant, Message, Refuse
from tests.agent.fake_node import DEADLINE_S, assign


class Desk:
    """A worker without sockets: what it says is in `said`."""

    def __init__(self, folder: Path) -> None:
        self.said: list[Message] = []
        self.journal = Journal(folder / "journal", self._failed)
        self.slept_ms = 0.0
        spooler = SpoolerClient(folder, boot_id="b", installation="i", parent_pid=0, job_umask=0o022)
        self.worker = Worker(
            place=Place("agent-1", "zone-a", "i", 1_000), session="s", slots=4, output=folder / "output",
            journal=self.journal, spooler=spooler, clock=NodeClock(), send=self.said.append,
            host_clock=HostClock(boot_ms=lambda: boot_ms() + self.slept_ms),
        )  # fmt: skip

    def _failed(self, error: BaseException) -> None:
        raise error

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.001)

    def ends(self) -> list[Finished]:
        return [message for message in self.said if isinstance(message, Finished)]

    async def granted(self, due_in_ms: int) -> None:
        """Attempt 1, a no-op, is claimed and granted."""
        self.worker.receive(assign(1, {"kind": "noop"}, due_ms=wall_ms() + due_in_ms))
        await self.until(lambda: self.said)
        assert isinstance(self.said[0], Claim)
        self.worker.receive(Grant(1, self.said[0].claim, 7, 7))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    await made.journal.close()


async def test_a_grant_in_time_starts_its_work(desk: Desk) -> None:
    await desk.granted(0)
    await desk.until(desk.ends)
    assert desk.ends()[0].reason == "exit"


async def test_nothing_starts_without_the_grant_of_its_own_claim(desk: Desk) -> None:
    desk.worker.receive(assign(1, {"kind": "noop"}))
    await desk.until(lambda: desk.said)
    assert isinstance(desk.said[0], Claim)
    desk.worker.receive(Grant(1, "of another session", 7, 7))
    desk.worker.receive(Grant(2, desk.said[0].claim, 8, 8))
    assert desk.worker.waiting()
    desk.worker.receive(Refuse(1, "of another session", "superseded"))
    assert desk.worker.held() == ((1, "running"),)
    desk.worker.receive(Grant(1, desk.said[0].claim, 9, 9))
    await desk.until(desk.ends)
    assert [(end.attempt, end.reason) for end in desk.ends()] == [(1, "exit")]


async def test_a_grant_that_comes_twice_starts_once(desk: Desk) -> None:
    await desk.granted(0)
    assert isinstance(desk.said[0], Claim)
    desk.worker.receive(Grant(1, desk.said[0].claim, 7, 7))
    await desk.until(desk.ends)
    # Nor is it taken a second time when the assignment is pushed again.
    said = len(desk.said)
    desk.worker.receive(assign(1, {"kind": "noop"}))
    desk.worker.receive(Grant(1, desk.said[0].claim, 7, 7))
    desk.worker.receive(assign(2, {"kind": "noop"}))
    await desk.until(lambda: [m for m in desk.said[said:] if isinstance(m, Claim)])
    assert [m.attempt for m in desk.said[said:] if isinstance(m, Claim)] == [2]
    assert len(desk.ends()) == 1


async def test_what_has_started_is_reported_whatever_a_late_refusal_says(desk: Desk) -> None:
    desk.worker.receive(assign(1, {"kind": "shell", "run": "true"}, due_ms=wall_ms()))
    await desk.until(lambda: desk.said)
    claim = desk.said[0]
    assert isinstance(claim, Claim)
    desk.worker.receive(Grant(1, claim.claim, 7, 7))
    # No spooler is there, so that its start is on the way for as long as the test wants.
    await desk.until(lambda: not desk.worker.waiting())
    await desk.until(lambda: desk.worker._held[1].phase is Phase.STARTED)
    desk.worker.receive(Refuse(1, claim.claim, "ended"))
    assert desk.worker.held() == ((1, "running"),)
    desk.worker.spooler_exit(Exit(1, 1, 2, 3, None, "exit", "", b"", 0))
    await desk.until(desk.ends)
    assert desk.ends()[0].exit_code == 3


async def test_what_a_grant_did_not_start_in_its_time_never_started(desk: Desk) -> None:
    await desk.granted(200)
    desk.slept_ms = GRANT_VALID_MS + 1
    await desk.until(desk.ends)
    assert (desk.ends()[0].reason, desk.ends()[0].started_ms) == ("unstarted", None)


def test_a_grant_counts_from_the_sending_that_it_surely_answers() -> None:
    """Claimed at 1 s, slept until 60 s, claimed again: then the grant of the first claim is read."""
    held = Claimed(1, None, "c", Phase.CLAIMED)
    held.sent(1_000)
    held.sent(60_000)
    held.granted(asked_ms=900)
    assert held.valid_until_ms == 1_000 + GRANT_VALID_MS

    # One that follows the Pong of a later Ping was sent after that Ping.
    held = Claimed(1, None, "c", Phase.CLAIMED)
    held.sent(1_000)
    held.sent(60_000)
    held.granted(asked_ms=60_100)
    assert held.valid_until_ms == 60_000 + GRANT_VALID_MS
