"""The contract of executors (agent/executors/suite.py), which ours pass, and what the agent makes of it.

A sample that can last and outlive its agent, Remote, is here to show what recovering means.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agent.clock import NodeClock, wall_ms
from agent.executors.command import CONTROL_GROUP, CommandExecutor
from agent.executors.contract import Capabilities, Host, Launch
from agent.executors.noop import NoopExecutor
from agent.executors.suite import CHECKS, Bench, BrokenError, Sample, hold
from agent.exits import Exit
from agent.history import Work
from agent.journal import Journal
from agent.spool import groups
from agent.spool.client import SpoolerClient, SpoolerState
from agent.work.recovery import Recovery
from agent.work.reports import Reports
from agent.work.starting import Place, Starting
from scheduler.protocol import FILES
from tests.agent.fake_node import DEADLINE_S
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


SAMPLES = (
    Sample("shell", CommandExecutor, {"run": "true"}, {"run": "sleep 60"}, {}),
    Sample("exec", CommandExecutor, {"argv": ["true"]}, {"argv": ["sleep", "60"]}, {"argv": []}),
    Sample(
        "script",
        CommandExecutor,
        {"text": "cat $CRONCLAVE_FILES/a", "interpreter": ["sh"], "files": {"a": "b"}},
        {"text": "#!/bin/sh\nsleep 60", "interpreter": []},
        {"text": "true", "interpreter": ["sh"], "files": {"../a": "b"}},
    ),
    Sample("noop", NoopExecutor, {}),
    Sample("remote", Remote, {"lasts": False}, {"lasts": True}, {}),
)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    Remote.elsewhere.clear()
    async with Bench(tmp_path).at_work() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.kind)
async def test_the_contract(bench: Bench, sample: Sample, check: Callable[[Bench, Sample], Any]) -> None:
    await check(bench, sample)


class Doubled(Remote):
    """Tells of each end twice."""

    def _end(self, attempt: int, reason: str, code: int | None) -> None:
        for _ in range(2):
            super()._end(attempt, reason, code)


class Silent(Remote):
    """Says nothing of work that is wrong."""

    def launch(self, launches: Sequence[Launch]) -> None:
        super().launch([each for each in launches if "lasts" in each.assign.work] * 2)


class Greedy(Remote):
    """Claims to have all that it is asked for."""

    def recover(self, attempts: Collection[int]) -> frozenset[int]:
        return frozenset(attempts)


@pytest.mark.parametrize(
    ("create", "said"),
    [(Doubled, "good work ends so"), (Silent, "ends so"), (Greedy, "it recovers what it never had")],
)
async def test_who_breaks_it_is_told_how(tmp_path: Path, create: type[Remote], said: str) -> None:
    Remote.elsewhere.clear()
    with pytest.raises(BrokenError, match=said):
        await hold(Sample("remote", create, {"lasts": False}, {"lasts": True}, {}), tmp_path)


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
    said_of_host = {kind for kind in starting.kinds if kind.endswith(f".{CONTROL_GROUP}")}
    assert bool(said_of_host) is groups.are_possible()
    assert set(starting.kinds) - said_of_host == {*KINDS, "remote", "remote.cwd"} - {FILES}
    starting.cancel(held[5])
    async with asyncio.timeout(DEADLINE_S):
        while not said:
            await asyncio.sleep(0.001)
    assert [(end.attempt, end.reason) for end in said] == [(5, "cancelled")]
    await journal.close()
