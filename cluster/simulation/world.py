"""The story of a seed: nodes, clients and faults on one virtual clock; then everything heals and must be
well."""

from __future__ import annotations

import errno
import heapq
import random
import shutil
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.consensus import Consensus
from cluster.hardening import ALL_ON, Hardening
from cluster.journal import JournalError
from cluster.links import LinkHost
from cluster.raft import Role
from cluster.settings import ClusterSettings, Founder
from cluster.simulation.disk import PowerLoss, SimulatedDisk
from cluster.simulation.invariants import Invariants, Violation
from cluster.simulation.machine import Row, SimulatedMachine
from cluster.simulation.network import REDIAL_S, Network, SimulatedLinks

HEAL_S = 40.0  #: of virtual time, within which all nodes must be equal again
EPOCH_MS = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Which faults a story has. `of` draws one from the seed."""

    nodes: int = 3
    seconds: float = 12.0
    fault_every_s: float = 0.5
    kills: bool = True
    lossy: bool = True  #: crashes of the machine, not of the process
    disk_errors: bool = True
    latency_s: float = 0.002
    late: bool = True  #: frames of a broken connection arrive after those of the next
    pauses: bool = True
    trims: bool = True  #: a small log, so that copies of the state are needed

    @classmethod
    def of(cls, rng: random.Random) -> Plan:
        return cls(
            nodes=rng.choice((3, 3, 5)),
            seconds=rng.choice((8.0, 12.0)),
            fault_every_s=rng.choice((0.3, 0.6, 1.5)),
            kills=rng.random() < 0.8,
            lossy=rng.random() < 0.6,
            disk_errors=rng.random() < 0.3,
            latency_s=rng.choice((0.002, 0.002, 0.03)),
            late=rng.random() < 0.5,
            pauses=rng.random() < 0.7,
            trims=rng.random() < 0.7,
        )


@dataclass(frozen=True, slots=True)
class Result:
    seed: int
    operations: int
    acknowledged: int
    messages: int
    terms: int
    violations: tuple[Violation, ...]
    digest: str  #: of all that happened: equal for equal seeds


class _Node:
    """What outlives a process: name, disk, state; and the process that runs now, if any."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        self.disk = SimulatedDisk(name, rng)
        self.machine = SimulatedMachine(rng)
        self.consensus: Consensus | None = None
        self.life = 0
        self.paused_until = 0.0
        self.turn_at = 0.0
        self.skew_ms = rng.randrange(-3000, 3000)
        self.inbox: list[Callable[[LinkHost], None]] = []
        self.own: set[bytes] = set()  #: proposed in this life, not yet seen applied


class World:
    def __init__(self, seed: int, plan: Plan | None = None, hardening: Hardening = ALL_ON) -> None:
        self.seed = seed
        self.rng = random.Random(seed * 7919 + 17)
        self.plan = plan or Plan.of(self.rng)
        self.hardening = hardening
        self.invariants = Invariants()
        self._time = 1000.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._healing = False
        self.operations = 0
        self.digest = 0
        self.network = Network(self, self.rng, late=self.plan.late, latency_s=self.plan.latency_s)
        self._directory = Path(tempfile.mkdtemp(prefix="simulation-"))
        self.nodes = {f"n{i}": _Node(f"n{i}", self.rng) for i in range(self.plan.nodes)}

    # ---- clock

    def now(self) -> float:
        return self._time

    def at(self, delay_s: float, call: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (self._time + max(delay_s, 0.0), self._number, call))

    def run_until(self, time: float) -> None:
        while self._events and self._events[0][0] <= time:
            at, _, call = heapq.heappop(self._events)
            self._time = max(self._time, at)
            call()
        self._time = max(self._time, time)

    # ---- processes

    def start(self, name: str) -> None:
        node = self.nodes[name]
        if node.consensus is not None:
            return
        node.life += 1
        life = node.life
        node.own = set()
        node.inbox = []
        node.disk.fails = node.disk.loses_power_in = None
        node.paused_until = 0.0
        links = SimulatedLinks(self.network, name, lambda call: self._call(node, life, call))
        trims = self.plan.trims
        settings = ClusterSettings(
            cluster="simulation",
            name=name,
            uid=f"uid-{name}",
            address=f"{name}:1",
            members=[Founder(other, f"{other}:1") for other in self.nodes],
            journal_dir=self._directory / name,
            copy_dir=self._directory / f"{name}-copies",
            log_entries_max=30 if trims else 10**6,
            segment_bytes=1500 if trims else 1 << 20,
            log_tail_bytes=1000 if trims else 1 << 20,
        )
        node.machine.on_apply = lambda row: self._applied(node, row)
        try:
            node.consensus = Consensus(
                settings,
                node.machine,
                links,
                clock=self.now,
                wall_ms=lambda: EPOCH_MS + int(self._time * 1000) + node.skew_ms,
                rng=random.Random(self.rng.getrandbits(64)),
                on_role=lambda role: self._role(node, role),
                on_lead=lambda: f"lead {name} {life} {node.consensus.term if node.consensus else 0}".encode(),
                on_fatal=lambda reason: self.invariants.fail("total", f"{name}: {reason}"),
                disk=node.disk,
                spawn=lambda job: job(),
                hardening=self.hardening,
            )
        except JournalError as e:
            self.invariants.fail("total", f"{name} refuses to start: {e}")
            return
        self.network.ends[name] = links
        node.turn_at = self._time
        self.at(0.0, lambda: self._turn(node, life))
        self.at(self.rng.uniform(0.0, 0.1), lambda: self._dial(node, life))

    def kill(self, name: str, *, lossy: bool) -> None:
        """kill -9 of the process; with `lossy`, the machine loses power."""
        node = self.nodes[name]
        if node.consensus is None:
            return
        node.consensus.abandon()
        node.consensus = None
        node.life += 1
        self.network.ends.pop(name, None)
        for other in self.nodes:
            if other != name:
                notice_s = self.rng.uniform(0.5, 3.0) if lossy else None
                self.network.break_connection(name, other, notice_s=notice_s)
                self.network.break_connection(other, name, notice_s=notice_s)
        if lossy:
            node.disk.crash()
            node.machine.crash()

    def _dial(self, node: _Node, life: int) -> None:
        if node.life != life or node.consensus is None:
            return
        if node.paused_until <= self._time:
            for peer in list(self.network.ends[node.name].peers):
                self.network.dial(node.name, peer)
        self.at(REDIAL_S * self.rng.uniform(0.75, 1.25), lambda: self._dial(node, life))

    def _call(self, node: _Node, life: int, call: Callable[[LinkHost], None]) -> None:
        """In the node's process, when it runs; a turn follows, as in the reactor."""
        if node.life != life or node.consensus is None:
            return
        node.inbox.append(call)
        self._take_in(node, life)

    def _take_in(self, node: _Node, life: int) -> None:
        """What waits for the process, in order: a stopped one finds it all when it goes on."""
        if node.paused_until > self._time:
            self.at(node.paused_until - self._time, lambda: self._take_in(node, life))
            return
        while node.inbox and node.life == life and node.consensus is not None:
            call = node.inbox.pop(0)
            self._guard(node, partial(call, node.consensus))
        self._turn_in(node, life, 0.0002)

    def _turn_in(self, node: _Node, life: int, delay_s: float) -> None:
        due = self._time + delay_s
        if node.turn_at > self._time and node.turn_at <= due:
            return
        node.turn_at = due
        self.at(delay_s, lambda: self._turn(node, life))

    def _turn(self, node: _Node, life: int) -> None:
        if node.life != life or node.consensus is None or node.turn_at > self._time:
            return
        if node.paused_until > self._time:
            node.turn_at = 0.0
            self._turn_in(node, life, node.paused_until - self._time)
            return
        waits = [0.0]

        def act() -> None:
            if node.consensus is not None:
                waits[0] = node.consensus.turn()

        self._guard(node, act)
        node.turn_at = 0.0
        self._turn_in(node, life, max(waits[0], 0.0002))

    def _guard(self, node: _Node, act: Callable[[], None]) -> None:
        try:
            act()
        except PowerLoss:
            self.kill(node.name, lossy=True)
            self.at(self.rng.uniform(0.2, 2), lambda: self.start(node.name))
        except JournalError as e:
            if node.disk.fails is None:
                self.invariants.fail("total", f"{node.name}: {e}")
            self.kill(node.name, lossy=True)
            self.at(self.rng.uniform(0.2, 2), lambda: self.start(node.name))
        except Exception:  # whatever escapes is a violation
            self.invariants.fail("total", f"{node.name}: {traceback.format_exc(limit=-6)}")
            self.kill(node.name, lossy=False)

    # ---- what is watched

    def _role(self, node: _Node, role: Role) -> None:
        consensus = node.consensus
        if role is Role.LEADER and consensus is not None:
            self._note(f"{node.name} leads {consensus.term}")
            self.invariants.leads(node.name, consensus.term, consensus.log)

    def _applied(self, node: _Node, row: Row) -> None:
        consensus = node.consensus
        term = consensus.term if consensus is not None else row[0].position.term
        self.invariants.applies(node.name, row, term)
        self._note(f"{node.name} applies {row[0].position}")
        for proposal in row[2]:
            if proposal in node.own:
                node.own.discard(proposal)
                self.invariants.acked.add(proposal)

    def _note(self, text: str) -> None:
        self.digest = (self.digest * 1000003 + sum(text.encode()) + int(self._time * 1e6)) % (1 << 61)

    # ---- clients and faults

    def _submit(self, node: _Node) -> bytes:
        self.operations += 1
        proposal = f"op {self.operations} {'x' * self.rng.randrange(0, 60)}".encode()
        consensus = node.consensus
        if consensus is not None and node.paused_until <= self._time and consensus.propose(proposal):
            node.own.add(proposal)
            self._turn_in(node, node.life, 0.0002)
        return proposal

    def _client(self) -> None:
        if self._healing:
            return
        self.at(self.rng.expovariate(1 / 0.03), self._client)
        for _ in range(self.rng.choice((1, 1, 1, 5))):
            self._submit(self.rng.choice(list(self.nodes.values())))

    def _leader(self) -> _Node | None:
        leaders = [n for n in self.nodes.values() if n.consensus and n.consensus.role is Role.LEADER]
        return self.rng.choice(leaders) if leaders else None

    def _fault(self) -> None:
        if self._healing:
            return
        rng, plan, network = self.rng, self.plan, self.network
        self.at(rng.expovariate(1 / plan.fault_every_s), self._fault)
        node = rng.choice(list(self.nodes.values()))
        if rng.random() < 0.5:
            node = self._leader() or node
        name = node.name
        others = [n for n in self.nodes if n != name]
        other = rng.choice(others)
        kind = rng.random()
        if kind < 0.2:
            network.break_connection(name, other)
        elif kind < 0.32:
            network.stall(name, other, rng.uniform(0.05, 2.5))
        elif kind < 0.42:
            for peer in others:
                network.stall(name, peer, rng.uniform(0.3, 2.5))
                if rng.random() < 0.7:
                    network.stall(peer, name, rng.uniform(0.3, 2.5))
        elif kind < 0.5:
            network.cut(name, other, rng.uniform(0.3, 3))
        elif kind < 0.58:
            side = set(rng.sample(sorted(self.nodes), rng.randrange(1, len(self.nodes))))
            for_s = rng.uniform(1, 5)
            for a in self.nodes:
                for b in self.nodes:
                    if (a in side) != (b in side):
                        network.cut(a, b, for_s)
        elif kind < 0.66 and plan.pauses:
            node.paused_until = self._time + rng.uniform(0.1, 2.5)
        elif kind < 0.83 and plan.kills:
            self._crash(node)
        elif kind < 0.88 and plan.lossy and self._down() < len(self.nodes) // 2:
            node.disk.loses_power_in = rng.randrange(1, 10)
        elif kind < 0.91 and plan.disk_errors and self._down() < len(self.nodes) // 2:
            node.disk.fails = rng.choice((errno.EIO, errno.ENOSPC))
        elif kind < 0.95 and node.consensus is not None:
            node.consensus.transfer(rng.choice([None, other]))
        else:
            network.heal()

    def _down(self) -> int:
        return sum(1 for n in self.nodes.values() if n.consensus is None)

    def _crash(self, node: _Node) -> None:
        rng = self.rng
        everybody = rng.random() < 0.1
        if not everybody and self._down() >= len(self.nodes) // 2:
            return
        for victim in list(self.nodes.values()) if everybody else [node]:
            self.kill(victim.name, lossy=self.plan.lossy and rng.random() < 0.6)
            self.at(rng.uniform(0.1, 2.5), partial(self.start, victim.name))

    # ---- the story

    def run(self) -> Result:
        try:
            for name in self.nodes:
                self.start(name)
            self.at(1.5, self._fault)
            self.at(0.8, self._client)
            self.run_until(self._time + self.plan.seconds)
            self._heal()
            return self.result()
        finally:
            for node in self.nodes.values():
                if node.consensus is not None:
                    node.consensus.abandon()
            shutil.rmtree(self._directory, ignore_errors=True)

    def result(self) -> Result:
        terms = [n.consensus.term for n in self.nodes.values() if n.consensus]
        return Result(
            self.seed,
            self.operations,
            len(self.invariants.acked),
            self.network.messages,
            max(terms, default=0),
            tuple(self.invariants.violations),
            f"{self.digest:x}",
        )

    def _heal(self) -> None:
        self._healing = True
        self.network.heal()
        for node in self.nodes.values():
            node.paused_until = min(node.paused_until, self._time)
            node.disk.loses_power_in = None
            if node.disk.fails is not None:
                self.kill(node.name, lossy=True)
            self.start(node.name)
        end = self._time + HEAL_S
        well = False
        while not well and self._time < end and not self.invariants.violations:
            self.run_until(self._time + 1.0)
            last = self._submit(self._leader() or self.nodes["n0"])
            self.run_until(self._time + 0.7)
            for node in self.nodes.values():
                self.start(node.name)
            well = last in self.invariants.acked and self._equal()
        if not well and not self.invariants.violations:
            self.invariants.fail("converge", self.describe())
        rows = {n.name: n.machine.rows for n in self.nodes.values()}
        logs = {n.name: n.consensus.log for n in self.nodes.values() if n.consensus}
        self.invariants.ends(rows, logs)

    def _equal(self) -> bool:
        states = [n.machine.rows for n in self.nodes.values()]
        return all(s == states[0] for s in states) and all(n.consensus for n in self.nodes.values())

    def describe(self) -> str:
        return "; ".join(
            f"{n.name} {n.consensus.role.value} of {n.consensus.leader} term {n.consensus.term} applied "
            f"{n.consensus.applied.index} commit {n.consensus.commit} log {n.consensus.log[0][1]}.."
            f"{n.consensus.log[-1][1]}@{n.consensus.log[-1][2]} joining {n.consensus.is_joining}"
            if n.consensus
            else f"{n.name} down"
            for n in self.nodes.values()
        )


def simulate(seed: int, plan: Plan | None = None, hardening: Hardening = ALL_ON) -> Result:
    """Run the story of a seed."""
    return World(seed, plan, hardening).run()
