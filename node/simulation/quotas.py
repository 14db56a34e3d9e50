"""Administrators who limit a namespace's active runs, and give its jobs defaults, in a story.

quotas    no run goes on where as many are active as may; what is counted is what there is, and each run that
          waits for its namespace has its turn
follows   in the end its job is what the last defaults make of it

Rules: lots are drawn from dice of their own. A node is judged after each entry that it applies behind one
that it was judged after: a quota that is lowered stops nothing, nor what came before it in the same entry.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from scheduler.machine import AppliedEntry
from scheduler.model.compiled import compile_job
from scheduler.store.connection import Store
from scheduler.store.tables import jobs, namespaces
from scheduler.words.commands import PutNamespace

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.8
NAME = "narrow"
ACTIVE_ONES = "SELECT count(*) FROM runs WHERE namespace = ? AND finished_ms IS NULL AND waiting = 0"
WAITING_ONES = "SELECT count(*) FROM runs WHERE namespace = ? AND waiting = 2"
LOST_ONES = WAITING_ONES + " AND id NOT IN (SELECT run FROM quota_waits)"


class Quotas:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"quotas {seed}")
        #: By node: the last entry, how many were active, and how many might be.
        self._seen: dict[str, tuple[int, int, int | None]] = {}
        self._number = 0
        self.kept_back = 0
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        fronts = [front for front in world.fronts.values() if front.lives]
        if fronts and not world.healing:
            self._number += 1
            active, starts = rng.choice((1, 2, 2, 3, None)), rng.choice((None, 40))
            rng.choice(fronts).propose([self._declared(active, starts)])

    def _declared(self, active: int | None, starts: int | None) -> PutNamespace:
        spec = b'{"namespace":"narrow","number":%d}' % self._number
        priority = self._rng.choice((10, 60))
        defaults = b'{"policies":{"priority":%d}}' % priority if self._rng.random() < 0.8 else b""
        return PutNamespace(NAME, spec, active_max=active, starts_max=starts, defaults=defaults)

    def heard(self, node: str, raft_index: int, store: Store, entry: AppliedEntry) -> None:
        last, before, limit = self._seen.get(node, (0, 0, None))
        if not entry.events and raft_index == last + 1:
            self._seen[node] = (raft_index, before, limit)
            return
        active = int(store.value(ACTIVE_ONES, (NAME,)))
        allowance = namespaces.allowance(store, NAME)
        most = allowance.active_max if allowance is not None else None
        is_judged = most is not None and most == limit and raft_index == last + 1
        if is_judged and active > max(most or 0, before):
            self._world.invariants.fail("quotas", f"{node}: {active} runs are active where {most} may be")
        self.kept_back += int(store.value(WAITING_ONES, (NAME,)))
        self._seen[node] = (raft_index, active, most)

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        found = []
        counted = namespaces.active(store, NAME)
        count = store.value("SELECT count(*) FROM runs WHERE namespace = ? AND counts = 1", (NAME,))
        if counted != count:
            found.append(("quotas", f"{counted} runs are counted, {count} count"))
        if lost := store.value(LOST_ONES, (NAME,)):
            found.append(("quotas", f"{lost} runs wait without a turn"))
        job, row = jobs.find(store, NAME, NAME), namespaces.allowance(store, NAME)
        if job is not None and row is not None and row.revised is None:
            wanted = int(row.defaults.rpartition(":")[2].strip("}") or 0) if row.defaults else 50
            if compile_job(bytes(job.spec)).priority != wanted:
                found.append(("follows", f"priority {compile_job(job.spec).priority}, {wanted} is given"))
        return found
