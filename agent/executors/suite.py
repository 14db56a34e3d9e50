"""The contract of executors, to be run: whoever writes one holds it to this, as ours are.

    from agent.executors.suite import Sample, hold

    def test_it_keeps_the_contract(tmp_path):
        asyncio.run(hold(Sample("spark", Spark, good={"class": "…"}, lasting=…, bad=…), tmp_path))

Each check has a host of its own, with a real spooler under the folder. What is broken raises BrokenError,
with words. No test library is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.clock import boot_ms
from agent.executors.contract import Executor, Host, Launch
from agent.exits import Exit
from agent.spool.client import SpoolerClient, SpoolerState
from agent.spool.wire import Command
from scheduler.protocol import Assign

DEADLINE_S = 60.0  #: for whatever is waited for
_LOOK_S = 0.005


class BrokenError(AssertionError):
    """A rule of the contract that the executor does not keep."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What to try an executor with: the work as a job has it, without its kind."""

    kind: str
    create: Callable[[Host], Executor]
    good: dict[str, Any]  #: succeeds soon
    lasting: dict[str, Any] | None = None  #: goes on until it is cancelled; None: nothing of it ever lasts
    bad: dict[str, Any] | None = None  #: cannot be started; None: there is no wrong work of this kind


class Bench:
    """A host that notes what it is told."""

    def __init__(self, folder: Path) -> None:
        (folder / "output").mkdir(parents=True, exist_ok=True)
        self.folder = folder
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
            await self._client.end(DEADLINE_S)

    def spool(self, commands: Sequence[Command]) -> None:
        self._client.start(commands)

    def cancel_spooled(self, attempt: int, *, at_once: bool = False) -> None:
        self._client.cancel(attempt, at_once=at_once)

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

    def spooler_silent(self, attempt: int, since_ms: int, silent: bool) -> None:
        self.order.append(("silent" if silent else "writes", attempt))

    async def begun(self, attempt: int) -> None:
        """Raises BrokenError."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while ("started", attempt) not in self.order:
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise BrokenError(f"of work that lasts no start is told within {DEADLINE_S:.0f} s") from None

    async def ended(self, count: int) -> list[Exit]:
        """So many ends, by attempt. Raises BrokenError."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while len(self.ends) < count:
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            told = [(end.attempt, end.reason) for end in self.ends]
            raise BrokenError(f"{count} ends were awaited for {DEADLINE_S:.0f} s, told were {told}") from None
        return sorted(self.ends, key=lambda end: end.attempt)


def launch(sample: Sample, attempt: int, work: dict[str, Any]) -> Launch:
    assign = Assign(
        attempt=attempt, run=attempt, job="job", namespace="default", task="main", member="", round=0,
        number=1, tick_ms=None, due_ms=time.time_ns() // 1_000_000, work={"kind": sample.kind, **work},
        timeout_ms=None, grace_ms=5_000, kill_on_lease_end=False, output_bytes_max=1 << 20,
    )  # fmt: skip
    return Launch(assign, {"PATH": "/usr/bin:/bin", "HOME": "/"}, boot_ms() + 60_000, 1_000)


def _need(holds: bool, said: str) -> None:
    if not holds:
        raise BrokenError(said)


# -- the checks, in the order in which a beginner breaks them


async def says_what_it_can_run(bench: Bench, sample: Sample) -> None:
    kinds = sample.create(bench).capabilities().kinds
    _need(sample.kind in kinds, f"capabilities() does not name {sample.kind}")
    _need(not any("." in kind for kind in kinds), "a kind has a dot in its name")


async def each_of_a_batch_ends_once_and_starts_before(bench: Bench, sample: Sample) -> None:
    sample.create(bench).launch([launch(sample, attempt, sample.good) for attempt in (1, 2, 3)])
    ends = await bench.ended(3)
    told = [(end.attempt, end.reason, end.exit_code) for end in ends]
    _need(told == [(attempt, "exit", 0) for attempt in (1, 2, 3)], f"good work ends so: {told}")
    _need(all(end.started_ms is not None for end in ends), "an end without the instant of its start")
    for attempt in (1, 2, 3):
        said = [what for what, of in bench.order if of == attempt]
        _need(said in (["finished"], ["started", "finished"]), f"of one attempt is told {said}")


async def wrong_work_fails_alone_and_is_said(bench: Bench, sample: Sample) -> None:
    if sample.bad is None:
        return
    works = (sample.good, sample.bad, sample.good)
    sample.create(bench).launch([launch(sample, number, work) for number, work in enumerate(works, 1)])
    ends = await bench.ended(3)
    told = [end.reason for end in ends]
    _need(told == ["exit", "start_failed", "exit"], f"wrong work between good ends so: {told}")
    _need(ends[1].started_ms is None and ends[1].detail != "", "what cannot start says why, and no start")


async def what_lasts_is_cancelled_once_and_what_is_unknown_not_at_all(bench: Bench, sample: Sample) -> None:
    executor = sample.create(bench)
    executor.cancel(77)
    if sample.lasting is not None:
        executor.launch([launch(sample, 1, sample.lasting)])
        await bench.begun(1)
        executor.cancel(1)
        executor.cancel(1)
        told = [end.reason for end in await bench.ended(1)]
        _need(told == ["cancelled"], f"cancelled work ends so: {told}")
    executor.cancel(1)
    before = len(bench.ends)
    executor.launch([launch(sample, 2, sample.good)])
    told_after = [end.attempt for end in (await bench.ended(before + 1))[before:]]
    _need(told_after == [2], f"after a cancel of what has ended, ends are told of {told_after}")


async def a_new_one_recovers_no_more_than_it_is_asked_for_and_has(bench: Bench, sample: Sample) -> None:
    _need(sample.create(bench).recover([4, 5]) == frozenset(), "it recovers what it never had")
    if sample.lasting is not None:
        first, successor = sample.create(bench), sample.create(bench)
        first.launch([launch(sample, attempt, sample.lasting) for attempt in (4, 5)])
        found = successor.recover([4, 6])
        _need(found <= {4}, f"asked for 4 and 6, and having 4 and 5, it recovers {sorted(found)}")
        outlives = successor.capabilities().outlives
        said = f"what does not outlive the agent's process is recovered: {sorted(found)}"
        _need(outlives or not found, said)
        for attempt in (4, 5):
            (successor if outlives else first).cancel(attempt)
        await bench.ended(2)


CHECKS: tuple[Callable[[Bench, Sample], Awaitable[None]], ...] = (
    says_what_it_can_run,
    each_of_a_batch_ends_once_and_starts_before,
    wrong_work_fails_alone_and_is_said,
    what_lasts_is_cancelled_once_and_what_is_unknown_not_at_all,
    a_new_one_recovers_no_more_than_it_is_asked_for_and_has,
)


async def hold(sample: Sample, folder: Path) -> None:
    """Every check. Raises BrokenError."""
    for check in CHECKS:
        async with Bench(folder / check.__name__).at_work() as bench:
            await check(bench, sample)
