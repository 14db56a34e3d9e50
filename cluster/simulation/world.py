"""The story of a seed: nodes, clients and faults on one virtual clock; then everything heals and must be
well.

`World` runs consensus over rows of bytes. A subclass may put another state and other clients on top: it
overrides what stands under "what runs on top".
"""

from __future__ import annotations

import errno
import heapq
import os
import random
import shutil
import tempfile
import traceback
from collections import Counter
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
from cluster.simulation.disk import Death, SimulatedDisk
from cluster.simulation.faults import Faults
from cluster.simulation.invariants import Invariants, Violation
from cluster.simulation.machine import Row, SimulatedMachine, SimulatedState
from cluster.simulation.network import REDIAL_S, Network, SimulatedLinks

HEAL_S = 40.0  #: of virtual time, within which all nodes must be equal again
BEGIN_S = 1_000.0  #: of virtual time
BEGIN_MS = 1_700_000_030_000
"""When a story begins by a right clock: ten seconds before 22:14 of 14 November 2023, in UTC."""
EPOCH_MS = BEGIN_MS - round(1_000 * BEGIN_S)


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
    clocks: bool = True  #: wall clocks that jump or run fast
    members: bool = True  #: nodes are added, removed and replaced

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
            clocks=rng.random() < 0.4,
            members=rng.random() < 0.4,
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
    happened: Counter[str]  #: faults by kind, and where nodes died


class Node:
    """What outlives a process: name, disk, state; and the process that runs now, if any."""

    def __init__(self, name: str, rng: random.Random, machine: SimulatedState, *, joins: bool) -> None:
        self.name = name
        self.joins = joins  #: came later, by a copy
        self.retired = False  #: removed from the cluster; never started again
        self.disk = SimulatedDisk(name, rng)
        self.seen = SimulatedDisk(f"{name}-seen", rng)
        self.right: SimulatedDisk | None = None  #: the journal, while the earlier one lies in its place
        self.machine = machine
        self.consensus: Consensus | None = None
        self.life = 0
        self.paused_until = 0.0
        self.turn_at = 0.0
        self.skew_ms = float(rng.randrange(-3000, 3000))
        self.pace = 1.0  #: of its wall clock
        self.inbox: list[Callable[[LinkHost], None]] = []
        self.own: set[bytes] = set()  #: proposed in this life, not yet seen applied


class World:
    formats = (1, 1)  #: the oldest and the newest that the nodes support

    def __init__(self, seed: int, plan: Plan | None = None, hardening: Hardening = ALL_ON) -> None:
        self.seed = seed
        self.rng = random.Random(seed * 7919 + 17)
        self.plan = plan or Plan.of(self.rng)
        self.hardening = hardening
        self.invariants = Invariants()
        self._time = BEGIN_S
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._healing = False
        self.operations = 0
        self.happened: Counter[str] = Counter()  #: faults that had their effect, to see that none is idle
        self.digest = 0
        self.network = Network(self, self.rng, late=self.plan.late, latency_s=self.plan.latency_s)
        memory = "/dev/shm"  # where there is one, fsync of the few real files costs nothing
        place = memory if os.access(memory, os.W_OK) else None
        self.directory = Path(tempfile.mkdtemp(prefix="simulation-", dir=place))
        self.faults = Faults(self)
        self.founders = [f"n{i}" for i in range(self.plan.nodes)]
        self.nodes: dict[str, Node] = {}
        for name in self.founders:
            self.create(name, joins=False)

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

    # ---- what runs on top

    def make_machine(self, name: str) -> SimulatedState:
        return SimulatedMachine(self.rng)

    def lead_proposal(self, node: Node) -> bytes:
        return f"lead {node.name} {node.life} {node.consensus.term if node.consensus else 0}".encode()

    def process_started(self, node: Node) -> None:
        """A new process of the node runs."""

    def role_changed(self, node: Node) -> None:
        """The node's role is another one."""

    def begin_clients(self) -> None:
        self.at(0.8, self._client)

    def settled(self) -> bool:
        """While everything is healed: whether all that should come about has. Asked again and again."""
        last = self.submit(self.leader() or self.members()[0])
        self.run_until(self._time + 0.7)
        return last in self.invariants.acked

    def check_end(self, members: list[Node]) -> None:
        """The last look at the members, all being up and equal."""
        rows = {n.name: n.machine.rows for n in members if isinstance(n.machine, SimulatedMachine)}
        self.invariants.ends(rows)

    # ---- processes

    def create(self, name: str, *, joins: bool) -> Node:
        node = self.nodes[name] = Node(name, self.rng, self.make_machine(name), joins=joins)
        return node

    def start(self, name: str) -> None:
        node = self.nodes[name]
        if node.consensus is not None or node.retired:
            return
        node.life += 1
        life = node.life
        node.own = set()
        node.inbox = []
        for disk in (node.disk, node.seen):
            disk.fails = disk.dies_in = None
            disk.sync_s = 0.0
        node.paused_until = 0.0
        known = [m.name for m in self.members()] if node.joins else []
        links = SimulatedLinks(self.network, name, lambda call: self.call(node, life, call))
        trims = self.plan.trims
        settings = ClusterSettings(
            cluster="simulation",
            name=name,
            uid=f"uid-{name}",
            address=f"{name}:1",
            members=[Founder(other, f"{other}:1") for other in known or self.founders],
            joining=node.joins,
            format_min=self.formats[0],
            format_max=self.formats[1],
            journal_dir=self.directory / name,
            copy_dir=self.directory / f"{name}-copies",
            log_entries_max=30 if trims else 10**6,
            segment_bytes=1500 if trims else 1 << 20,
            log_tail_bytes=1000 if trims else 1 << 20,
        )
        node.machine.on_apply = lambda row: self._applied(node, row)
        try:
            node.machine.start()
            node.consensus = Consensus(
                settings,
                node.machine,
                links,
                clock=self.now,
                wall_ms=lambda: self.wall_ms(node),
                rng=random.Random(self.rng.getrandbits(64)),
                on_role=lambda role: self._role(node, role),
                on_lead=lambda: self.lead_proposal(node),
                on_fatal=lambda reason: self._ended(node, reason),
                disk=node.disk,
                seen=node.seen,
                spawn=lambda job: job(),
                hardening=self.hardening,
            )
        except JournalError as e:
            if node.right is None:
                self.invariants.fail("total", f"{name} refuses to start: {e}")
                return
            self.happened["older journal refused"] += 1
            node.disk, node.right = node.right, None
            self.at(self.rng.uniform(0.1, 1), lambda: self.start(name))
            return
        except Exception:
            self.invariants.fail("total", f"{name} does not start: {traceback.format_exc(limit=-6)}")
            return
        if node.right is not None:
            self.invariants.fail("older", f"{name} started with a journal of an earlier life")
        self.network.ends[name] = links
        node.turn_at = self._time
        self.at(0.0, lambda: self._turn(node, life))
        self.at(self.rng.uniform(0.0, 0.1), lambda: self._dial(node, life))
        self.process_started(node)

    def wall_ms(self, node: Node) -> int:
        return EPOCH_MS + int(self._time * 1000 * node.pace + node.skew_ms)

    def _ended(self, node: Node, reason: str) -> None:
        """Consensus says that this node's process has to end. Right if a committed entry removed it."""
        memberships = [n.consensus.committed_membership for n in self.nodes.values() if n.consensus]
        if any(node.name in m.removed for m in memberships):
            node.retired = True
            self.happened["removed"] += 1
            self.at(0.0, lambda: self.kill(node.name, lossy=False))
        else:
            self.invariants.fail("total", f"{node.name}: {reason}")

    def members(self) -> list[Node]:
        """The nodes of the membership that the newest leader has."""
        leader = self.leader()
        consensus = leader.consensus if leader is not None else None
        if consensus is None:
            return [n for n in self.nodes.values() if not n.retired and not n.joins]
        names = [m.name for m in consensus.membership.members]
        return [self.nodes[name] for name in names]

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
            node.seen.crash()
        node.machine.stop(lossy=lossy)

    def _dial(self, node: Node, life: int) -> None:
        if node.life != life or node.consensus is None:
            return
        if node.paused_until <= self._time:
            for peer in list(self.network.ends[node.name].peers):
                self.network.dial(node.name, peer)
        self.at(REDIAL_S * self.rng.uniform(0.75, 1.25), lambda: self._dial(node, life))

    def call(self, node: Node, life: int, call: Callable[[LinkHost], None]) -> None:
        """In the node's process, when it runs; a turn follows, as in the reactor."""
        if node.life != life or node.consensus is None:
            return
        node.inbox.append(call)
        self._take_in(node, life)

    def _take_in(self, node: Node, life: int) -> None:
        """What waits for the process, in order: a stopped one finds it all when it goes on."""
        if node.paused_until > self._time:
            self.at(node.paused_until - self._time, lambda: self._take_in(node, life))
            return
        while node.inbox and node.life == life and node.consensus is not None:
            call = node.inbox.pop(0)
            self._guard(node, partial(call, node.consensus))
        self.poke(node, life, 0.0002)

    def poke(self, node: Node, life: int, delay_s: float) -> None:
        due = self._time + delay_s
        if node.turn_at > self._time and node.turn_at <= due:
            return
        node.turn_at = due
        self.at(delay_s, lambda: self._turn(node, life))

    def _turn(self, node: Node, life: int) -> None:
        if node.life != life or node.consensus is None or node.turn_at > self._time:
            return
        if node.paused_until > self._time:
            node.turn_at = 0.0
            self.poke(node, life, node.paused_until - self._time)
            return
        waits = [0.0]

        def act() -> None:
            if node.consensus is not None:
                waits[0] = node.consensus.turn()

        self._guard(node, act)
        if node.disk.busy_s:
            node.paused_until = self._time + node.disk.busy_s
            node.disk.busy_s = 0.0
        node.turn_at = 0.0
        self.poke(node, life, max(waits[0], 0.0002))

    def _guard(self, node: Node, act: Callable[[], None]) -> None:
        try:
            act()
        except Death as e:
            self.happened[f"died in {e.place}"] += 1
            self.happened["power lost"] += e.lossy
            self.kill(node.name, lossy=e.lossy)
            self.at(self.rng.uniform(0.2, 2), lambda: self.start(node.name))
        except JournalError as e:
            if node.disk.fails is None:
                self.invariants.fail("total", f"{node.name}: {e}")
            else:
                self.happened[f"stopped by {errno.errorcode[node.disk.fails]}"] += 1
            self.kill(node.name, lossy=True)
            self.at(self.rng.uniform(0.2, 2), lambda: self.start(node.name))
        except Exception:  # whatever escapes is a violation
            self.invariants.fail("total", f"{node.name}: {traceback.format_exc(limit=-6)}")
            self.kill(node.name, lossy=False)

    # ---- what is watched

    def _role(self, node: Node, role: Role) -> None:
        consensus = node.consensus
        if role is Role.LEADER and consensus is not None:
            self._note(f"{node.name} leads {consensus.term}")
            self.invariants.leads(node.name, consensus.term, consensus.log)
        self.role_changed(node)

    def _applied(self, node: Node, row: Row) -> None:
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

    # ---- clients

    def submit(self, node: Node) -> bytes:
        self.operations += 1
        proposal = f"op {self.operations} {'x' * self.rng.randrange(0, 60)}".encode()
        consensus = node.consensus
        if consensus is not None and node.paused_until <= self._time and consensus.propose(proposal):
            node.own.add(proposal)
            self.poke(node, node.life, 0.0002)
        return proposal

    def _client(self) -> None:
        if self._healing:
            return
        self.at(self.rng.expovariate(1 / 0.03), self._client)
        for _ in range(self.rng.choice((1, 1, 1, 5))):
            self.submit(self.rng.choice(list(self.nodes.values())))

    def leader(self) -> Node | None:
        """The one of the highest term, if any."""
        leaders = [
            (n.consensus.term, n)
            for n in self.nodes.values()
            if n.consensus and n.consensus.role is Role.LEADER
        ]
        return max(leaders, key=lambda found: found[0])[1] if leaders else None

    @property
    def healing(self) -> bool:
        return self._healing

    # ---- the story

    def run(self) -> Result:
        try:
            for name in self.nodes:
                self.start(name)
            self.at(1.5, self.faults.strike)
            self.begin_clients()
            self.run_until(self._time + self.plan.seconds)
            self._heal()
            return self.result()
        finally:
            for node in self.nodes.values():
                if node.consensus is not None:
                    node.consensus.abandon()
                node.machine.stop(lossy=False)
            shutil.rmtree(self.directory, ignore_errors=True)

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
            self.happened,
        )

    def _heal(self) -> None:
        self._healing = True
        self.network.heal()
        for node in self.nodes.values():
            node.paused_until = min(node.paused_until, self._time)
            node.disk.dies_in = node.seen.dies_in = None
            node.disk.sync_s = 0.0
            node.machine.dies_at = ""
            node.pace, node.skew_ms = 1.0, self.rng.uniform(-100, 100)
            if node.disk.fails is not None:
                self.kill(node.name, lossy=True)
        for node in self.nodes.values():
            self.start(node.name)
        end = self._time + HEAL_S
        well = False
        while not well and self._time < end and not self.invariants.violations:
            self.run_until(self._time + 1.0)
            for node in self.nodes.values():
                self.start(node.name)
            well = self.settled() and self._equal()
        if self.invariants.violations:
            return
        if not well:
            self.invariants.fail("converge", self.describe())
            return
        members = self.members()
        self.invariants.logs({n.name: n.consensus.log for n in members if n.consensus})
        self.check_end(members)

    def _equal(self) -> bool:
        """All members are up, vote and have applied the same."""
        members = self.members()
        prints = [n.machine.fingerprint() for n in members]
        return all(p == prints[0] for p in prints) and all(
            n.consensus is not None and not n.consensus.is_joining for n in members
        )

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
