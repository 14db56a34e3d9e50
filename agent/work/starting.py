"""From the grant to the executor: at the due instant, once, and only while the grant is good."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.clock import HostClock, NodeClock
from agent.executors import executors
from agent.executors.contract import Executor, Launch
from agent.exits import UNSTARTED, Exit
from agent.spool.client import SpoolerClient
from agent.spool.wire import Command
from agent.work.claimed import Claimed, Phase
from agent.work.due import DueQueue
from agent.work.environment import task_environment
from agent.work.reports import Reports
from scheduler.protocol import AROUND, Assign


@dataclass(frozen=True, slots=True)
class Place:
    """Where work runs, as it is told."""

    agent: str
    zone: str
    installation: str
    output_bytes_max: int


class Starting:
    """The executors' host."""

    def __init__(
        self,
        held: dict[int, Claimed],
        reports: Reports,
        spooler: SpoolerClient,
        place: Place,
        clock: HostClock,
        node_clock: NodeClock,
    ) -> None:
        self._held = held
        self._reports = reports
        self._spooler = spooler
        self._place = place
        self._clock = clock
        self._due = DueQueue(node_clock, self._launch)
        self._executors = executors(self)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of work, that this agent can run, and what it knows of each, as Hello says it."""
        found = []
        for kind, executor in self._executors.items():
            found += [kind, *(f"{kind}.{feature}" for feature in executor.capabilities().features)]
        return tuple(sorted(found))

    def spools(self, assign: Assign) -> bool:
        """Whether all that is started for it is the spooler's."""
        executor = self._executors.get(str(assign.work.get("kind")))
        return executor is not None and executor.capabilities().spools

    def when_due(self, claimed: Claimed, assign: Assign) -> None:
        """It is granted."""
        if not self._is_void(claimed):
            self._due.add(claimed.attempt, assign.due_ms)

    def _is_void(self, claimed: Claimed) -> bool:
        if self._clock.boot_ms() <= claimed.valid_until_ms:
            return False
        self._reports.unstarted(claimed.attempt, UNSTARTED, "the grant was void before the start")
        return True

    def _launch(self, attempts: list[int]) -> None:
        batches: dict[str, list[Launch]] = {}
        for attempt in attempts:
            claimed = self._held.get(attempt)
            if claimed is None or claimed.phase is not Phase.GRANTED or claimed.assign is None:
                continue
            if self._is_void(claimed):
                continue
            claimed.phase = Phase.STARTED
            try:
                kind = str(claimed.assign.work.get("kind"))
                if kind not in self._executors:
                    raise ValueError(f"this agent has no executor for work of kind {kind!r}")
                executor = self._executors[kind]
                knows = executor.capabilities().features
                if claimed.secrets and "secrets" not in knows:
                    raise ValueError(f"the executor of {kind} work cannot keep secrets out of its output")
                if (claimed.before or claimed.after) and AROUND not in knows:
                    detail = f"the executor of {kind} work cannot run what its namespace wants around it"
                    raise ValueError(detail)
                claimed.executor = executor
                batches.setdefault(kind, []).append(self._launch_of(claimed, claimed.assign))
            except (AttributeError, TypeError, ValueError) as error:
                # Work of another shape than the protocol has: its own fault, not this agent's end.
                self._reports.unstarted(attempt, "start_failed", str(error))
        for kind, launches in batches.items():
            self._executors[kind].launch(launches)

    def _launch_of(self, claimed: Claimed, assign: Assign) -> Launch:
        place = self._place
        environment = task_environment(
            assign, claimed.environment, fence=claimed.fence, agent=place.agent, zone=place.zone,
            installation=place.installation,
        )  # fmt: skip
        output_bytes_max = min(assign.output_bytes_max, place.output_bytes_max)
        secrets, claimed.secrets = claimed.secrets, ()
        return Launch(
            assign, environment, claimed.valid_until_ms, output_bytes_max, secrets, claimed.before,
            claimed.after,
        )  # fmt: skip

    def cancel(self, claimed: Claimed) -> None:
        """It has started."""
        if claimed.executor is None:
            self.cancel_spooled(claimed.attempt)
        else:
            claimed.executor.cancel(claimed.attempt)

    def recover(self, attempts: Collection[int]) -> dict[int, Executor]:
        """Those that an executor has still, of attempts that an earlier session claimed."""
        found: dict[int, Executor] = {}
        for executor in {id(each): each for each in self._executors.values()}.values():
            left = [attempt for attempt in attempts if attempt not in found]
            found |= dict.fromkeys(executor.recover(left) if left else (), executor)
        return found

    def would_lose(self, claimed: Claimed) -> bool:
        """Whether the end of the agent's process would end it, or leave open whether it has started."""
        if claimed.started_ms is None:
            return True
        outlives = claimed.executor is not None and claimed.executor.capabilities().outlives
        return not (claimed.spooled or outlives)

    # -- what executors ask and say

    def spool(self, commands: Sequence[Command]) -> None:
        for command in commands:
            claimed = self._held.get(command.attempt)
            if claimed is not None:
                claimed.spooled = True
        self._spooler.start(commands)

    def cancel_spooled(self, attempt: int) -> None:
        claimed = self._held.get(attempt)
        self._spooler.cancel(attempt, at_once=claimed is not None and claimed.at_once)

    def started(self, attempt: int, started_ms: int) -> None:
        self._reports.started(attempt, started_ms)

    def finished(self, end: Exit) -> None:
        self._reports.finished(end)
