"""The contract of executors, which each of ours passes; whoever writes another adds it to SAMPLES.

A sample that can last and outlive its agent, Remote, is here to show what recovering means.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agent.clock import NodeClock, boot_ms, wall_ms
from agent.executors.command import CommandExecutor
from agent.executors.contract import Capabilities, Executor, Host, Launch
from agent.executors.noop import NoopExecutor
from agent.exits import Exit
from agent.history import Work
from agent.journal import Journal
from agent.spool.client import SpoolerClient, SpoolerState
from agent.spool.wire import Command, pack
from agent.work.recovery import Recovery
from agent.work.reports import Reports
from agent.work.starting import Place, Starting
from tests.agent.fake_node import DEADLINE_S, assign
from tests.scheduler.story import KINDS


class Remote:
    """Work that goes on elsewhere: `elsewhere` is the outside world, and has what is under way."""

    elsewhere: ClassVar[set[int]] = set()

    def __init__(self, host: Host) -> None:
        self._host = host

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"remote"}), outlives=True, features=frozenset({"cwd"}))

    def launch(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            attempt, work = launch.assign.attempt, launch.assign.work
            if not isinstance(work.get("lasts"), bool):
                self._host.finished(
                    Exit.unstarted(attempt, "start_failed", "remote work without lasts", at_ms=wall_ms())
                )
                continue
            self._host.started(attempt, wall_ms())
            if work["lasts"]:
                self.elsewhere.add(attempt)
            else:
                self._end(attempt, "exit", 0)

    def cancel(self, attempt: int) -> None:
        if attempt in self.elsewhere:
            self.elsewhere.discard(attempt)
            self._end(attempt, "cancelled", None)

    def recover(self, attempts: Collection[int]) -> frozenset[int]:
        return frozenset(self.elsewhere.intersection(attempts))

    def _end(self, attempt: int, reason: str, code: int | None) -> None:
        self._host.finished(Exit(attempt, wall_ms(), wall_ms(), code, None, reason, "", b"", 0))


class Bench:
    """A host that notes what it is told, with a real spooler."""

    def __init__(self, folder: Path) -> None:
        self.ends: list[Exit] = []
        self.order: list[tuple[str, int]] = []
        self._client = SpoolerClient(folder, boot_id="b", installation="i", parent_pid=0, job_umask=0o022)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Bench]:
        serving = asyncio.create_task(self._client.serve(await self._client.open(self), self))
        try:
            yield self
        finally:
            serving.cancel()
            self._client._write(pack(["end"]))
            assert self._client._process is not None
            await asyncio.to_thread(self._client._process.wait, DEADLINE_S)
            self._client.close()

    def spool(self, commands: Sequence[Command]) -> None:
        self._client.start(commands)

    def cancel_spooled(self, attempt: int) -> None:
        self._client.cancel(attempt)

    def started(self, attempt: int, started_ms: int) -> None:
        self.order.append(("started", attempt))

    def finished(self, end: Exit) -> None:
        self.ends.append(end)
        self.order.append(("finished", end.attempt))

    def spooler_state(self, state: SpoolerState) -> None:
        """A new one."""

    def spooler_started(self, attempt: int, started_ms: int) -> None:
        self.started(attempt, started_ms)

    def spooler_exit(self, end: Exit) -> None:
        self.finished(end)

    async def ended(self, count: int) -> list[Exit]:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.ends) < count:
                await asyncio.sleep(0.005)
        return sorted(self.ends, key=lambda end: end.attempt)


@dataclass(frozen=True)
class Sample:
    create: Callable[[Host], Executor]
    good: dict[str, Any]
    lasting: dict[str, Any] | None = None  #: None: nothing of it ever lasts
    bad: dict[str, Any] | None = None  #: None: there is no wrong work of this kind


SAMPLES = {
    "shell": Sample(
        CommandExecutor,
        {"kind": "shell", "run": "true"},
        {"kind": "shell", "run": "sleep 60"},
        {"kind": "shell"},
    ),
    "exec": Sample(
        CommandExecutor,
        {"kind": "exec", "argv": ["true"]},
        {"kind": "exec", "argv": ["sleep", "60"]},
        {"kind": "exec", "argv": []},
    ),
    "noop": Sample(NoopExecutor, {"kind": "noop"}),
    "remote": Sample(
        Remote, {"kind": "remote", "lasts": False}, {"kind": "remote", "lasts": True}, {"kind": "remote"}
    ),
}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    Remote.elsewhere.clear()
    (tmp_path / "output").mkdir()
    async with Bench(tmp_path).at_work() as made:
        yield made


@pytest.fixture(params=SAMPLES)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def launch(attempt: int, work: dict[str, Any]) -> Launch:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/"}
    return Launch(assign(attempt, work), environment, boot_ms() + 60_000, 1_000)


async def test_it_says_what_it_can_run(bench: Bench, kind: str) -> None:
    assert kind in SAMPLES[kind].create(bench).capabilities().kinds


async def test_each_attempt_of_a_batch_ends_once_and_starts_before(bench: Bench, kind: str) -> None:
    sample = SAMPLES[kind]
    executor = sample.create(bench)
    executor.launch([launch(attempt, sample.good) for attempt in (1, 2, 3)])
    ends = await bench.ended(3)
    assert [(end.attempt, end.reason, end.exit_code) for end in ends] == [(n, "exit", 0) for n in (1, 2, 3)]
    assert all(end.started_ms is not None for end in ends)
    for attempt in (1, 2, 3):
        said = [what for what, of in bench.order if of == attempt]
        assert said in (["finished"], ["started", "finished"])


async def test_wrong_work_fails_alone_and_is_said(bench: Bench, kind: str) -> None:
    sample = SAMPLES[kind]
    if sample.bad is None:
        return
    sample.create(bench).launch([launch(1, sample.good), launch(2, sample.bad), launch(3, sample.good)])
    ends = await bench.ended(3)
    assert [end.reason for end in ends] == ["exit", "start_failed", "exit"]
    assert ends[1].started_ms is None
    assert ends[1].detail


async def test_what_lasts_is_cancelled_once_and_what_is_unknown_not_at_all(bench: Bench, kind: str) -> None:
    sample = SAMPLES[kind]
    executor = sample.create(bench)
    executor.cancel(77)
    if sample.lasting is not None:
        executor.launch([launch(1, sample.lasting)])
        async with asyncio.timeout(DEADLINE_S):
            while ("started", 1) not in bench.order:
                await asyncio.sleep(0.005)
        executor.cancel(1)
        executor.cancel(1)
        assert [end.reason for end in await bench.ended(1)] == ["cancelled"]
    executor.cancel(1)
    before = len(bench.ends)
    executor.launch([launch(2, sample.good)])
    assert [end.attempt for end in await bench.ended(before + 1)][before:] == [2]


async def test_a_new_one_recovers_no_more_than_it_is_asked_for_and_has(bench: Bench, kind: str) -> None:
    sample = SAMPLES[kind]
    assert sample.create(bench).recover([4, 5]) == frozenset()
    if sample.lasting is not None:
        sample.create(bench).launch([launch(4, sample.lasting), launch(5, sample.lasting)])
        successor = sample.create(bench)
        found = successor.recover([4, 6])
        assert found <= {4}
        for attempt in (4, 5):
            successor.cancel(attempt)
        await bench.ended(2)


# -- what the agent makes of it


async def test_what_an_executor_has_still_goes_on_and_the_rest_is_gone(
    tmp_path: Path,
) -> None:
    def failed(error: BaseException) -> None:
        raise error

    Remote.elsewhere = {5}
    journal = Journal(tmp_path / "journal", failed)
    work = Work(1, "d", "j", "t", "", 0, 1, None, 0)
    for attempt, spooler in ((5, ""), (6, ""), (7, "now"), (8, "before")):
        journal.claim(attempt, f"claim-{attempt}", lambda: None, work, spooler)
    client = SpoolerClient(tmp_path, boot_id="b", installation="i", parent_pid=0, job_umask=0o022)
    held: dict[int, Any] = {}
    said: list[Any] = []
    reports = Reports(held, journal, client, NodeClock()._host, said.append)
    starting = Starting(held, reports, client, Place("a", "z", "i", 1), NodeClock()._host, NodeClock())
    starting._executors["remote"] = Remote(starting)
    recovery = Recovery(held, reports, starting, journal)

    recovery.spooler_state(SpoolerState("b", {}, (), "now"))
    # Its spooler ended and another came: not its affair.
    recovery.spooler_state(SpoolerState("b", {}, (), "now"))

    assert list(held) == [5]
    assert recovery.gone == {6: "gone", 7: "unstarted", 8: "gone"}
    assert starting.kinds == tuple(sorted((*KINDS, "remote", "remote.cwd")))
    starting.cancel(held[5])
    async with asyncio.timeout(DEADLINE_S):
        while not said:
            await asyncio.sleep(0.001)
    assert [(end.attempt, end.reason) for end in said] == [(5, "cancelled")]
    await journal.close()
