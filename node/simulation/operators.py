"""People who pause everything, drain agents and suspend runs in a story, and what must hold of that.

paused    while everything, or the namespace, is paused nothing is given to an agent, and what comes due then
          never runs
repeated  a task that a run took over from another has no attempt in it, and ended as it had there
kept back while a run is suspended or held none of its attempts gets a grant, nor begins its work in the state
drained   while an agent drains none of its attempts gets a grant
boots     the last boot of each host that the cluster heard of has ended in one entry, or has its one run

Rules: what holds is judged by the events that the state itself tells, in their order, each the first time
that any node tells it. Lots are drawn from dice of their own, which move nobody else's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.simulation.world import EPOCH_MS
from node.simulation.front import Front, any_of
from node.simulation.hands import Hands
from scheduler.machine import AppliedEntry
from scheduler.store.connection import Store
from scheduler.words import events as e
from scheduler.words.commands import (
    Command,
    DrainAgent,
    Pause,
    ReleaseRun,
    RerunRun,
    Resume,
    ResumeAgent,
    ResumeRun,
    RunJob,
    SuspendRun,
)
from scheduler.words.events import Event

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.5  #: on average, between one act and the next
NAMESPACES = ("", "default")
UNTIL_MS = 3_000
NEVER_MS = 1 << 62


@dataclass(slots=True)
class _Paused:
    namespace: str
    since_ms: int
    end_ms: int


class Operators:
    def __init__(self, world: JobsWorld, seed: int, agents: list[str]) -> None:
        self._world, self._agents = world, agents
        self._rng = random.Random(f"operators {seed}")
        self._last = (0, -1)  #: event that was told
        self._standing: dict[str, _Paused] = {}
        self._draining: set[int] = set()
        self.pauses: list[_Paused] = []
        self._kept_back: set[int] = set()
        self._live: list[int] = []  #: runs that have begun lately
        self._ended: list[int] = []  #: lately
        self.drains = self.holds = 0
        self.hands = Hands(seed)
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        front = None if world.healing else any_of(world.fronts.values(), rng)
        if front is None:
            return
        kind, agent = rng.random(), rng.choice(self._agents)
        front.propose(self._by_hand(front))
        front.propose(self.hands.commands())
        if kind < 0.15:
            namespace = rng.choice(NAMESPACES)
            ends = rng.random() < 0.7
            until_ms = world.wall_ms(front.node) + UNTIL_MS if ends else None
            front.propose([Pause(namespace, "a story", until_ms)])
        elif kind < 0.3:
            front.propose([DrainAgent(agent, "a story")])
        elif kind < 0.6:
            front.propose([ResumeAgent(agent)])
        else:
            front.propose([Resume(namespace) for namespace in NAMESPACES])

    def _by_hand(self, front: Front) -> list[Command]:
        """Some runs are kept back, and those that were go on."""
        rng = self._rng
        commands: list[Command] = [SuspendRun(run, "why") for run in self._live[-3:] if rng.random() < 0.7]
        if rng.random() < 0.3:
            commands.append(RunJob("default", "manual", b"{}", self._world.wall_ms(front.node), held=True))
        if self._ended and rng.random() < 0.5:
            run, now_ms = rng.choice(self._ended), self._world.wall_ms(front.node)
            commands.append(RerunRun(run, b"{}", now_ms, from_failed=rng.random() < 0.7))
        return [*commands, *(self._let_go(run) for run in sorted(self._kept_back) if rng.random() < 0.5)]

    def _let_go(self, run: int) -> Command:
        return ReleaseRun(run) if self._rng.random() < 0.5 else ResumeRun(run)

    def resume(self, front: Front) -> None:
        """All of it goes on."""
        commands: list[Command] = [Resume(namespace) for namespace in NAMESPACES]
        for run in sorted(self._kept_back):
            commands += [ReleaseRun(run), ResumeRun(run)]
        front.propose([*commands, *self.hands.let_go(), *(ResumeAgent(name) for name in self._agents)])

    # ---- what must hold

    def heard(self, entry: AppliedEntry) -> None:
        for index, number, event in entry.events:
            if (index, number) > self._last:
                self._last = (index, number)
                self._told(event, entry.stamp_ms)

    def _told(self, event: Event, at_ms: int) -> None:
        fail = self._world.invariants.fail
        self.hands.heard(event)
        if isinstance(event, e.Paused):
            known = self._standing.get(event.namespace)
            end_ms = NEVER_MS if event.until_ms is None else event.until_ms
            if known is None:
                known = self._standing[event.namespace] = _Paused(event.namespace, at_ms, end_ms)
                self.pauses.append(known)
            known.end_ms = end_ms
        elif isinstance(event, e.Resumed):
            ended = self._standing.pop(event.namespace)
            ended.end_ms = min(ended.end_ms, at_ms)
        elif isinstance(event, e.AgentDrained):
            self._draining.add(event.agent)
            self.drains += 1
        elif isinstance(event, e.AgentResumed):
            self._draining.discard(event.agent)
        elif isinstance(event, e.AttemptAssigned):
            if any(at_ms < pause.end_ms for pause in self._standing.values()):
                fail("paused", f"attempt {event.attempt} was assigned at {at_ms} in {self._standing}")
        elif isinstance(event, e.AttemptGranted) and event.agent in self._draining:
            fail("drained", f"attempt {event.attempt} was granted to agent {event.agent}, which drains")
        elif isinstance(event, e.RunHeld):
            self._kept_back.add(event.run)
            self.holds += 1
        elif isinstance(event, e.RunReleased | e.RunEnded):
            self._kept_back.discard(event.run)
            if isinstance(event, e.RunEnded) and event.state != "succeeded":
                self._ended = [*self._ended[-20:], event.run]
        elif isinstance(event, e.RunStarted):
            self._live = [*self._live[-20:], event.run]
        if isinstance(event, e.AttemptGranted | e.TaskBegun) and event.run in self._kept_back:
            fail("kept back", f"{event} of a run that is")

    def judge(self, store: Store, boots: dict[str, str]) -> list[tuple[str, str]]:
        """What is wrong by this state. `boots`: by installation the last boot that the cluster heard of."""
        found = []
        for pause in self.pauses:
            ran = store.rows(
                "SELECT r.name, r.due_ms FROM runs r JOIN ledger l ON l.run = r.id AND l.outcome = 'ran'"
                " WHERE r.cause IN ('tick', 'catchup', 'startup') AND r.created_ms > ?"
                " AND r.due_ms >= ? AND r.due_ms < ? AND ? IN ('', r.namespace) ORDER BY r.id LIMIT 3",
                (pause.since_ms, pause.since_ms, pause.end_ms, pause.namespace),
            )
            if ran:
                found.append(("paused", f"came due in {pause} and ran: {ran}"))
        again = store.rows(
            "SELECT t.run, t.name, t.state FROM taken_tasks k JOIN tasks t ON t.id = k.task"
            " LEFT JOIN tasks o ON o.id = k.origin WHERE t.state <> coalesce(o.state, t.state)"
            " OR EXISTS (SELECT 1 FROM attempts a WHERE a.task = t.id) ORDER BY t.id LIMIT 3"
        )
        if again:
            found.append(("repeated", f"taken over, and yet done or ended otherwise: {again}"))
        true_ms = EPOCH_MS + int(1000 * self._world.now())
        for installation, boot in boots.items():
            # Stamped by a clock that was an hour ahead, it comes when the true time has: stamps stand still.
            if store.value("SELECT count(*) FROM boots WHERE boot_id = ? AND at_ms > ?", (boot, true_ms)):
                continue
            key = (f"%/{installation}/{boot}",)
            ended = store.value("SELECT count(*) FROM ledger WHERE kind = 'startup' AND key LIKE ?", key)
            runs = store.value("SELECT count(*) FROM runs WHERE cause = 'startup' AND cause_key LIKE ?", key)
            if max(ended, runs) != 1:
                found.append(("boots", f"{boot} of {installation}: {ended} entries, {runs} runs"))
        return [*found, *self.hands.judge(store)]
