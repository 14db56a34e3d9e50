"""People who put, grant, delete and encrypt secrets anew in a story, at several nodes at once.

secrets   of one name versions are told one after another, from 1 after each deletion; what is stored in the
          end is the last that was told, with its own value

Rules: as `operators` has them: judged by events in their order, each the first time that any node tells it,
and lots are drawn from dice of their own.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from node.simulation.front import any_of
from scheduler.machine import AppliedEntry
from scheduler.store.connection import Store
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.tables import secrets
from scheduler.words import events as e
from scheduler.words.commands import Command, DeleteSecret, GrantSecret, PutSecret, Resealed, ResealSecrets

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.3
NAMES = ("A", "B")
KEYS = ("key-1", "key-2")


class Secrets:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"secrets {seed}")
        self._last = (0, -1)
        self._versions: dict[str, int] = {}
        self.puts = 0
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        front = None if world.healing else any_of(world.fronts.values(), rng)
        if front is not None:
            front.propose([self._command(world.state(front.node).store, rng.choice(NAMES))])

    def _command(self, store: Store, name: str) -> Command:
        """By what this node knows, which may be old."""
        kind, key = self._rng.random(), secrets.key(store) or KEYS[0]
        known = secrets.find(store, "default", name)
        if kind < 0.6:
            version = 1 if known is None else known.version + 1
            return PutSecret("default", name, version, key, f"{name} {version}".encode(), ("*",))
        if kind < 0.75:
            return GrantSecret("default", name, ("allow",), ("*",))
        if kind < 0.85:
            return DeleteSecret("default", name)
        other = self._rng.choice(KEYS)
        rows = secret_reads.of_other_keys(store, other, 5)
        return ResealSecrets(other, tuple(Resealed(r.namespace, r.name, r.version, r.sealed) for r in rows))

    def heard(self, entry: AppliedEntry) -> None:
        for index, number, event in entry.events:
            if (index, number) > self._last:
                self._last = (index, number)
                if isinstance(event, e.SecretDeleted):
                    del self._versions[event.name]
                elif isinstance(event, e.SecretChanged):
                    self._changed(event.name, event.version)

    def _changed(self, name: str, version: int) -> None:
        known = self._versions.get(name, 0)
        if version not in (known, known + 1) or not version:
            self._world.invariants.fail("secrets", f"{name} went from version {known} to {version}")
        self.puts += version > known
        self._versions[name] = version

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        rows = secret_reads.page(store, after=("", ""), limit=100, namespaces=None)
        stored = {row.name: row.version for row in rows}
        sealed = [secret_reads.sealed(store, row.namespace, row.name) for row in rows]
        mixed = [
            each.name for each in sealed if each and each.sealed != f"{each.name} {each.version}".encode()
        ]
        found = [] if stored == self._versions else [("secrets", f"{stored} stored, {self._versions} told")]
        return [*found, *(("secrets", f"{name} has another version's value") for name in mixed)]
