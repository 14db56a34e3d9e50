"""A front in small: numbered frames that are sent again until they are answered; a leader's plans, and sends
effects.

Rules, those of node.core, node.proposals and node.planner:
1. A frame waits until it is applied here; it is sent again after a while and after every change of role.
2. Every second leader finds the cluster overloaded, and ends ticks by that.
3. One plan is in flight. The planner plans in the epoch that the state names as its own, by the wall clock at
   taking office and monotonic time since; by the wall clock anew where most clocks bear that out, and not it.
4. A planner may notice late that it lost the office, as one does whose process was stopped: what it proposes
   then carries the old epoch.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.raft import Role
from node.simulation.effects import Runner
from scheduler.machine import AppliedEntry
from scheduler.plan import PlanCache, plan
from scheduler.store.state import overload
from scheduler.words import codec
from scheduler.words.commands import Command, TellOverload
from scheduler.words.outcomes import Code, Outcome

if TYPE_CHECKING:
    from cluster.simulation.world import Node
    from node.simulation.world import JobsWorld

RESEND_S = 0.5
PLAN_S = 0.06
LATE_S = 1.0  #: for so long a planner may believe in an office that it lost
DEVIATION_MS_MAX = 1_000
NODE_SILENCE_MS = 2_000
LEAD_MS = 50

Answer = Callable[[list[Outcome]], None]


@dataclass(slots=True)
class _Waiting:
    frame: bytes
    sent: float
    answer: Answer


class Front:
    """One life of a node's front; it dies with its core."""

    def __init__(self, world: JobsWorld, node: Node) -> None:
        self._world, self.node, self.life = world, node, node.life
        self.uid = f"{node.name}.{node.life}"
        self._sequence = 0
        self._waiting: dict[int, _Waiting] = {}
        self._planning = False
        self._cache = PlanCache()
        self._runner = Runner(self, world.outside)
        self._epoch = 0
        self._office_s = self._held_s = -1e9
        self._office_ms = 0
        self._beat(world.rng.uniform(0.0, PLAN_S))

    @property
    def lives(self) -> bool:
        return self.node.life == self.life and self.node.consensus is not None

    @property
    def serves(self) -> bool:
        """Whether an agent would stay here."""
        consensus = self.node.consensus
        if not self.lives or consensus is None or self.node.paused_until > self._world.now():
            return False
        return consensus.has_quorum

    def propose(self, commands: Sequence[Command], answer: Answer = lambda outcomes: None) -> None:
        self._sequence += 1
        self._world.operations += len(commands)
        encoded = tuple(codec.encode_command(command) for command in commands)
        lowest = min(self._waiting, default=self._sequence)
        frame = codec.encode_frame(codec.Frame(self.uid, self._sequence, lowest, encoded))
        self._waiting[self._sequence] = _Waiting(frame, self._world.now(), answer)
        self._send(frame)

    def applied(self, entry: AppliedEntry) -> None:
        for uid, sequence, outcomes in entry.frames:
            if uid == self.uid:
                waiting = self._waiting.pop(sequence, None)
                if waiting is not None:
                    waiting.answer(outcomes)

    def resend(self, *, older_s: float) -> None:
        now = self._world.now()
        for waiting in self._waiting.values():
            if now - waiting.sent >= older_s:
                waiting.sent = now
                self._send(waiting.frame)

    def _send(self, frame: bytes) -> None:
        if self.node.consensus is not None:
            self.node.consensus.propose(frame)
            self._world.poke(self.node, self.life, 0.0002)

    def _beat(self, delay_s: float) -> None:
        def beat() -> None:
            if self.lives:
                self._world.call(self.node, self.life, lambda host: self._work())
                self._beat(PLAN_S)

        self._world.at(delay_s, beat)

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """In this process, if it lives then."""
        self._world.at(delay_s, lambda: self._world.call(self.node, self.life, lambda host: call()))

    # ---- the planner, and the runner of effects

    def _work(self) -> None:
        self.resend(older_s=RESEND_S)
        epoch = self._office()
        if epoch is None or self._world.quiet:
            return
        world, consensus = self._world, self.node.consensus
        self._runner.look(world.state(self.node).store, world.wall_ms(self.node))
        if self._planning:
            return
        assert consensus is not None
        peers = consensus.peers()
        offsets = [p.offset_ms for p in peers if p.voter and p.offset_ms is not None]
        median = statistics.median([0, *offsets])
        if len(offsets) > 1 and abs(median) > DEVIATION_MS_MAX:
            heirs = [p for p in peers if p.reachable and p.voter and p.offset_ms is not None]
            for _, name in sorted((abs((p.offset_ms or 0) - median), p.name) for p in heirs)[:1]:
                consensus.transfer(name)
            return
        if len(offsets) > 1 and abs(world.wall_ms(self.node) - self._now_ms()) > DEVIATION_MS_MAX:
            self._take_clock()
        commands = plan(
            world.state(self.node).store,
            self._now_ms(),
            epoch=epoch,
            lead_ms=LEAD_MS,
            silent_nodes=sorted(p.name for p in peers if (p.silent_ms or 0) >= NODE_SILENCE_MS),
            cache=self._cache,
        )
        if (overload(world.state(self.node).store) is None) == bool(epoch % 2):
            commands.append(TellOverload(epoch, begins=bool(epoch % 2)))
        if commands:
            self._planning = True
            self.propose(commands, self._planned)

    def _planned(self, outcomes: list[Outcome]) -> None:
        self._planning = False
        self._world.refused_plans += sum(1 for o in outcomes if o.code == Code.STALE_EPOCH)

    def _office(self) -> int | None:
        """The epoch to plan in, None without an office."""
        world, consensus = self._world, self.node.consensus
        assert consensus is not None
        state = world.state(self.node).replica.machine.state
        if (
            consensus.role is Role.LEADER
            and state.leader == self.node.name
            and state.leader_term == consensus.term
        ):
            if state.epoch != self._epoch:
                self._epoch = state.epoch
                self._take_clock()
                self._cache = PlanCache()
            self._held_s = world.now()
            return self._epoch
        return self._epoch if world.now() - self._held_s < LATE_S else None

    def _take_clock(self) -> None:
        self._office_s, self._office_ms = self._world.now(), self._world.wall_ms(self.node)

    def _now_ms(self) -> int:
        return self._office_ms + int((self._world.now() - self._office_s) * 1000)


def any_of(fronts: Iterable[Front], rng: random.Random) -> Front | None:
    """One that lives, for whoever acts on the cluster."""
    living = [front for front in fronts if front.lives]
    return rng.choice(living) if living else None
