"""Agents in small: they claim, start when granted, finish, and keep a journal through crashes and moves.

Rules, those of agent/: an attempt starts after its grant alone; a claim keeps its id while it is sent again;
what started and ended is in the journal until its Finish is answered; a new process says what it knows.
The world is told of every start and end that really happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from node.simulation import exits
from scheduler.machine import AppliedEntry
from scheduler.store.tables import attempts as attempt_rows
from scheduler.words import events as e
from scheduler.words.commands import ConnectAgent, DisconnectAgent, Finish, Grant
from scheduler.words.outcomes import Outcome

if TYPE_CHECKING:
    from node.simulation.front import Front
    from node.simulation.world import JobsWorld

BEAT_S = 0.1
RESEND_S = 0.7
SLOTS = 50
KINDS = ("exec", "noop", "shell", "shell.outputs", "shell.secrets")


@dataclass(slots=True)
class _Attempt:
    """A line of the journal."""

    task: int
    state: str = "claimed"  #: claimed | running | exited; of an earlier session: unstarted
    sent: float = -1e9
    ends: float = 0.0
    finish: Finish | None = None


class Agent:
    def __init__(self, world: JobsWorld, name: str) -> None:
        self._world, self.name = world, name
        self._session = self._boot = 1
        self._boot_fires = False  #: the jobs were there when the host booted
        self._front: Front | None = None
        self._agent: int | None = None
        self._asked_s = -1e9
        self._journal: dict[int, _Attempt] = {}
        self._beat()

    @property
    def _kinds(self) -> tuple[str, ...]:
        return KINDS if self.name == exits.OLDER else (*KINDS, "shell.umask")

    @property
    def session(self) -> str:
        return f"session-{self._session:06d}"

    @property
    def installation(self) -> str:
        return f"installation of {self.name}"

    @property
    def boot(self) -> str:
        """The boot that it has registered with; empty where the jobs came later than that."""
        return f"boot-{self._boot}" if self._boot_fires and self._agent is not None else ""

    def _beat(self) -> None:
        self._world.at(BEAT_S * self._world.rng.uniform(0.8, 1.2), self._beat)
        world, front = self._world, self._front
        if not world.healing:
            if world.rng.random() < 0.004:
                self._restart(boots=False)
            elif world.rng.random() < 0.002:
                self._restart(boots=True)
        if front is None or not front.serves or (not world.healing and world.rng.random() < 0.005):
            self._move()
        elif self._agent is None:
            if world.now() - self._asked_s > 3 * RESEND_S:
                self._move()
        else:
            self._work(front, self._agent)

    def _restart(self, *, boots: bool) -> None:
        """The process died; its host with it, or its spooler holds what runs."""
        self._session += 1
        self._boot += boots
        self._boot_fires |= boots and self._world.are_put
        for attempt, line in list(self._journal.items()):
            if boots and line.state == "running":
                self._world.really_ended(attempt)
            if boots and line.state != "exited":
                del self._journal[attempt]
            elif line.state == "claimed":
                line.state = "unstarted"
        self._front = self._agent = None

    def _move(self) -> None:
        world, old = self._world, self._front
        if old is not None and old.lives and self._agent is not None:
            old.propose([DisconnectAgent(self._agent, self.session, old.node.name)])
        self._front = self._agent = None
        serving = [front for front in world.fronts.values() if front.serves]
        if not serving:
            return
        front = self._front = world.rng.choice(serving)
        self._asked_s = world.now()
        session = self.session
        held = tuple((a, line.state) for a, line in self._journal.items() if line.state != "claimed")
        connect = ConnectAgent(
            name=self.name, installation=self.installation, session=session,
            boot_id=f"boot-{self._boot}", zone="zone-a", pool="default", labels=b"{}", slots=SLOTS,
            version="1", node=front.node.name, kinds=self._kinds, held=held,
        )  # fmt: skip

        def connected(outcomes: list[Outcome]) -> None:
            value = outcomes[0].value
            if self._front is not front or self.session != session or value is None:
                return
            self._agent = int(str(value["agent"]))
            self._journal = {a: line for a, line in self._journal.items() if line.state != "unstarted"}
            for row in attempt_rows.live_of_agent(world.state(front.node).store, self._agent):
                if row.state == "assigned":
                    self._assigned(row.id, row.task)

        front.propose([connect], connected)

    def heard(self, front: Front, entry: AppliedEntry) -> None:
        """What this node applied, as far as it concerns this agent."""
        if self._front is not front or self._agent is None:
            return
        for _, _, event in entry.events:
            if isinstance(event, e.AttemptAssigned) and event.agent == self._agent:
                self._assigned(event.attempt, event.task)
            elif isinstance(event, e.AgentDisconnected) and (event.agent, event.session) == (
                self._agent,
                self.session,
            ):
                if event.node == front.node.name:
                    self._front = None  # its node was given up for a while: it connects anew
            elif isinstance(event, e.AttemptCancelling) and event.agent == self._agent:
                line = self._journal.get(event.attempt)
                if line is not None and line.state == "running":
                    line.ends = self._world.now()

    def lost(self, front: Front) -> None:
        """This front's node took over a copy: events are missing."""
        if self._front is front:
            self._front = None

    def _assigned(self, attempt: int, task: int) -> None:
        if attempt not in self._journal:
            self._journal[attempt] = _Attempt(task)

    def _work(self, front: Front, agent: int) -> None:
        world, now = self._world, self._world.now()
        for attempt, line in list(self._journal.items()):
            if line.state == "running" and now >= line.ends:
                line.state, line.sent = "exited", -1e9
                world.really_ended(attempt)
                ended_ms, code = world.wall_ms(front.node), exits.drawn(world.rng.random())
                line.finish = Finish(attempt, agent, ended_ms, ended_ms, code, "exit")
            if now - line.sent < RESEND_S or line.state == "running":
                continue
            line.sent = now
            if line.finish is not None:
                front.propose([line.finish], partial(self._finished, attempt))
            else:
                self._claim(front, agent, attempt)

    def _finished(self, attempt: int, outcomes: list[Outcome]) -> None:
        self._journal.pop(attempt, None)

    def _claim(self, front: Front, agent: int, attempt: int) -> None:
        world, session = self._world, self.session

        def answered(outcomes: list[Outcome]) -> None:
            line = self._journal.get(attempt)
            if self.session != session or self._front is not front or line is None or line.state != "claimed":
                return
            outcome = outcomes[0]
            if outcome.value is not None and "fence" in outcome.value:
                line.state, line.ends = "running", world.now() + world.rng.uniform(0.02, 0.8)
                world.really_started(attempt, line.task, int(str(outcome.value["fence"])))
            else:
                del self._journal[attempt]

        front.propose([Grant(attempt, agent, session, f"claim {session} {attempt}")], answered)
