"""What goes wrong in a story: one fault after the other, drawn by weight from those that its plan allows.

Rules: a minority at most is down at once, but for the rare fault that kills everybody and for deaths in the
state, which come when the node gets there (where a copy is made or installed above all); what a fault does
ends by itself, or when the story heals; a leader is hit half of the time, since that is where it hurts.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from cluster.simulation.disk import SimulatedDisk
from cluster.simulation.machine import DEATH_WEIGHTS, DEATHS

if TYPE_CHECKING:
    from cluster.simulation.world import Node, World

VOTERS_MAX = 5
HOUR_MS = 3_600_000.0


class Faults:
    def __init__(self, world: World) -> None:
        self._world = world
        self._joined = 0
        plan = world.plan
        weights: list[tuple[int, bool, Callable[[Node], None]]] = [
            (20, True, self._break),
            (12, True, self._stall_one),
            (10, True, self._stall_all),
            (8, True, self._cut_one_way),
            (8, True, self._partition),
            (8, plan.pauses, self._pause),
            (17, plan.kills, self._crash),
            (8, plan.kills, self._put_an_older_journal_back),
            (6, plan.kills or plan.lossy, self._die_in_the_journal),
            (6, plan.kills or plan.lossy, self._die_in_the_state),
            (3, plan.disk_errors, self._fail_the_disk),
            (4, plan.disk_errors, self._slow_the_disk),
            (6, plan.clocks, self._turn_the_clock),
            (14, plan.members, self._change_members),
            (4, True, self._transfer),
            (5, True, self._heal_the_links),
        ]
        self._kinds = [kind for _, allowed, kind in weights if allowed]
        self._weights = [weight for weight, allowed, _ in weights if allowed]

    def strike(self) -> None:
        world = self._world
        if world.healing:
            return
        world.at(world.rng.expovariate(1 / world.plan.fault_every_s), self.strike)
        node = world.rng.choice(self._standing())
        if world.rng.random() < 0.5:
            node = world.leader() or node
        kind = world.rng.choices(self._kinds, self._weights)[0]
        world.happened[kind.__name__.strip("_").replace("_", " ")] += 1
        kind(node)

    # ---- who

    def _standing(self) -> list[Node]:
        return [n for n in self._world.nodes.values() if not n.retired]

    def _others(self, node: Node) -> list[str]:
        return [n.name for n in self._standing() if n is not node]

    def _may_go_down(self) -> bool:
        """One more may be down: of the members and of the voters a majority stays."""
        members = self._world.members()
        down = sum(1 for n in members if n.consensus is None)
        return down + 1 <= (len(members) - 1) // 2

    # ---- links

    def _break(self, node: Node) -> None:
        self._world.network.break_connection(node.name, self._world.rng.choice(self._others(node)))

    def _stall_one(self, node: Node) -> None:
        rng = self._world.rng
        self._world.network.stall(node.name, rng.choice(self._others(node)), rng.uniform(0.05, 2.5))

    def _stall_all(self, node: Node) -> None:
        """Its words arrive late; often it hears nothing either."""
        rng, network = self._world.rng, self._world.network
        for peer in self._others(node):
            network.stall(node.name, peer, rng.uniform(0.3, 2.5))
            if rng.random() < 0.7:
                network.stall(peer, node.name, rng.uniform(0.3, 2.5))

    def _cut_one_way(self, node: Node) -> None:
        rng = self._world.rng
        self._world.network.cut(node.name, rng.choice(self._others(node)), rng.uniform(0.3, 3))

    def _partition(self, node: Node) -> None:
        """In two, or only some links of it."""
        rng, network = self._world.rng, self._world.network
        names = [n.name for n in self._standing()]
        side = set(rng.sample(sorted(names), rng.randrange(1, len(names))))
        share, for_s = rng.choice((1.0, 1.0, 0.6)), rng.uniform(1, 5)
        for a in names:
            for b in names:
                if (a in side) != (b in side) and rng.random() < share:
                    network.cut(a, b, for_s)

    def _heal_the_links(self, node: Node) -> None:
        self._world.network.heal()

    # ---- processes and machines

    def _pause(self, node: Node) -> None:
        node.paused_until = self._world.now() + self._world.rng.uniform(0.1, 2.5)

    def _crash(self, node: Node) -> None:
        world, rng = self._world, self._world.rng
        everybody = rng.random() < 0.1
        if not everybody and not self._may_go_down():
            return
        for victim in self._standing() if everybody else [node]:
            world.kill(victim.name, lossy=world.plan.lossy and rng.random() < 0.6)
            world.at(rng.uniform(0.1, 2.5), partial(world.start, victim.name))

    def _put_an_older_journal_back(self, node: Node) -> None:
        """A life later, the journal of the life before lies in its place."""
        world = self._world
        if node.consensus is not None and self._may_go_down():
            world.kill(node.name, lossy=False)
            earlier = node.disk.as_it_is()
            world.start(node.name)
            world.at(world.rng.uniform(0.1, 1.5), partial(self._put_back, node, earlier))

    def _put_back(self, node: Node, earlier: SimulatedDisk) -> None:
        world = self._world
        if node.consensus is not None and self._may_go_down() and not world.healing:
            world.kill(node.name, lossy=False)
            node.disk, node.right = earlier, node.disk
            world.start(node.name)

    def _die_in_the_journal(self, node: Node) -> None:
        world = self._world
        if self._may_go_down():
            disk = world.rng.choice((node.disk, node.disk, node.seen))
            disk.dies_in = world.rng.randrange(1, 10)
            disk.lossy = world.plan.lossy and (not world.plan.kills or world.rng.random() < 0.5)

    def _die_in_the_state(self, node: Node) -> None:
        (node.machine.dies_at,) = self._world.rng.choices(DEATHS, DEATH_WEIGHTS)

    def _fail_the_disk(self, node: Node) -> None:
        if self._may_go_down():
            node.disk.fails = self._world.rng.choice((errno.EIO, errno.ENOSPC))

    def _slow_the_disk(self, node: Node) -> None:
        node.disk.sync_s = self._world.rng.choice((0.005, 0.05, 0.3))

    def _turn_the_clock(self, node: Node) -> None:
        rng = self._world.rng
        node.skew_ms += rng.choice((HOUR_MS, -HOUR_MS, rng.uniform(-5000, 5000)))
        if rng.random() < 0.3:
            node.skew_ms += self._world.now() * 1000 * (node.pace - 1.5)  # goes on from where it is
            node.pace = 1.5

    def _transfer(self, node: Node) -> None:
        if node.consensus is not None:
            rng = self._world.rng
            node.consensus.transfer(rng.choice([None, rng.choice(self._others(node))]))

    # ---- membership

    def _change_members(self, node: Node) -> None:
        """Add a node, remove one, or replace a dead one: asked of any node, under whatever else goes on."""
        world, rng = self._world, self._world.rng
        consensus = node.consensus
        if consensus is None:
            return
        members = consensus.membership.members
        if len(members) < VOTERS_MAX and rng.random() < 0.6:
            self._joined += 1
            name = f"x{self._joined}"
            if consensus.add_member(name, f"{name}:1", uid=f"uid-{name}") is None:
                joiner = world.create(name, joins=True)
                if world.plan.kills and rng.random() < 0.6:
                    dies_at = rng.choice(("copy", "install", "installed"))
                    dies = rng.choice(self._standing()) if dies_at == "copy" else joiner
                    dies.machine.dies_at = dies_at
                world.at(rng.uniform(0.0, 1.0), partial(world.start, name))
        elif len(members) > 3 or (len(members) == 3 and rng.random() < 0.3):
            victim = rng.choice([m.name for m in members])
            if rng.random() < 0.3 and self._may_go_down():
                world.kill(victim, lossy=True)  # dead for good, or until the story heals
            consensus.remove_member(victim)
