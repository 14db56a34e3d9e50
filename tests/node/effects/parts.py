"""An effect that sends nothing anywhere, and a node whose jobs tell of their failures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from node.effects.contract import Parcel, UnsentError
from scheduler.model import parse_job, prepare
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables import outbox as outbox_rows
from scheduler.store.tables.outbox import OPEN
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

DEADLINE_S = 20.0


class Noop:
    """It keeps what it was given. A target may be broken, or keep it waiting."""

    kind = "webhook"

    def __init__(self) -> None:
        self.heard: list[Parcel] = []  #: sent
        self.given: list[Parcel] = []  #: tried
        self.broken: dict[str, Exception] = {}
        self.waits: dict[str, asyncio.Event] = {}
        self.at_once = 0
        self.most_at_once: dict[str, int] = {}
        self._now: dict[str, int] = {}

    async def send(self, parcel: Parcel) -> None:
        target = parcel.target
        self.given.append(parcel)
        self._now[target] = self._now.get(target, 0) + 1
        self.most_at_once[target] = max(self.most_at_once.get(target, 0), self._now[target])
        try:
            if target in self.waits:
                await self.waits[target].wait()
            await asyncio.sleep(0)
            if target in self.broken:
                raise self.broken[target]
            self.heard.append(parcel)
        finally:
            self._now[target] -= 1

    def refuse(self, target: str, reason: str = "refused", *, is_final: bool = False) -> None:
        self.broken[target] = UnsentError(reason, is_final=is_final)


def url(name: str) -> str:
    return f"https://{name}.example.org/"


def connect(node: SingleNode) -> None:
    node.apply(c.ConnectAgent("a", "i", "s", "b", "zone-a", "default", b"{}", 100, "1", node.node, KINDS))


def fail_last(node: SingleNode, *, silent: bool = False) -> None:
    """The only task of the newest run fails on the agent. `silent`: which told that it writes nothing."""
    state = node.machine.state
    node.apply(c.Place(state.epoch, state.last_task, 1))
    node.apply(c.Grant(state.last_attempt, 1, "s", "claim"))
    if silent:
        node.apply(c.ReportRunning(state.last_attempt, 1, node.now_ms()))
        (outcome,) = node.apply(c.ReportSilence(state.last_attempt, 1, node.now_ms() - 60_000, True))
        assert outcome.ok, outcome
    (outcome,) = node.apply(c.Finish(state.last_attempt, 1, node.now_ms(), node.now_ms(), 1, "exit"))
    assert outcome.ok, outcome


class Telling(SingleNode):
    """A node with an agent that fails what it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        connect(self)

    def put(self, name: str, *targets: str) -> None:
        """A job that tells these of its failures."""
        notices = [{"on": ["failed"], "webhook": url(target)} for target in targets]
        job = parse_job({"job": name, "noop": True, "notify": notices})
        (outcome,) = self.apply(c.PutJobs((prepare(job, 0),), 0))
        assert outcome.ok, outcome

    def fail(self, name: str) -> None:
        """A run of the job fails."""
        self.apply(c.RunJob("default", name, b"{}", self.now_ms()))
        fail_last(self)

    def outbox(self) -> list[outbox_rows.Effect]:
        return outbox_reads.page(self.store, after=0, limit=10_000, states=OPEN, namespaces=None)

    def row(self, effect: int) -> outbox_rows.Effect:
        found = outbox_rows.get(self.store, effect)
        assert found is not None
        return found


async def until(holds: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    give_up_s = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < give_up_s, f"never: {what}"
        await asyncio.sleep(0.005)
