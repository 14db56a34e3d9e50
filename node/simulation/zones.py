"""Nodes with different tzdata, and people who retime to what the node that they ask has installed.

zones     a tick is due by the zone data that its ledger entry names: of two jobs, each due in its half of an
          hour by the clocks of one zone, the right one

In one of two versions these clocks show another half of the hour, so the jobs change places with each retime
between them; a third version differs in its name alone. Rules: as `operators` has them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from scheduler.machine import AppliedEntry
from scheduler.model import parse_job, prepare
from scheduler.store.connection import Store
from scheduler.store.tables import zones
from scheduler.ticks import zone_files
from scheduler.words import events as e
from scheduler.words.commands import Actor, KeepZones, PutJobs, Retime

if TYPE_CHECKING:
    from node.simulation.front import Front
    from node.simulation.world import JobsWorld

EVERY_S = 0.4
ZONE, AHEAD = "Europe/Berlin", "Asia/Kolkata"
HALVES = {"low": "* 0-29 * * * *", "high": "* 30-59 * * * *"}
MINUTE_MS = 60_000
KEPT = {"overlap": "allow", "retention": {"runs": 10_000}}
AHEAD_MINUTES = {"2026a": 0, "2026b": 0, "2026c": 30}
"""How far the clocks are ahead of UTC, without whole hours."""


def _body(version: str) -> bytes:
    found = zone_files.read(zone_files.of_wheel())
    like = AHEAD if AHEAD_MINUTES[version] else ZONE
    return zone_files.packed(version, {ZONE: found.files[found.pins[like]]})


class Zones:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"zones {seed}")
        self._bodies = [_body(version) for version in AHEAD_MINUTES]
        self._last = (0, -1)
        self._edits = 0
        self.retimed = 0
        self.versions: set[str] = set()  #: by which ticks were due
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        fronts = [front for front in world.fronts.values() if front.lives]
        if not fronts or world.healing or not world.are_put:
            return
        front = rng.choice(fronts)
        installed = self._bodies[sum(front.node.name.encode()) % len(self._bodies)]
        in_force = zones.current(world.state(front.node).store)
        if in_force is None:
            front.propose([KeepZones(installed)])
        elif not self._edits or rng.random() < 0.3:
            self._put(front, in_force)
        else:
            new = zone_files.read(installed)
            moved = zone_files.moved(in_force, new, 0)
            front.propose([Retime(in_force.digest, installed, tuple(moved), (), Actor("who retimes"))])

    def _put(self, front: Front, in_force: zone_files.ZoneFiles) -> None:
        self._edits += 1
        after_ms = self._world.wall_ms(front.node)

        def known(namespace: str, name: str) -> dict[str, Any]:
            return {"pin": zones.rules_in(in_force, name)}

        made = [
            prepare(parse_job(_document(name, cron, self._edits)), after_ms, calendars=known)
            for name, cron in HALVES.items()
        ]
        front.propose([PutJobs(tuple(made), after_ms)])

    def heard(self, entry: AppliedEntry) -> None:
        for index, number, event in entry.events:
            if (index, number) > self._last:
                self._last = (index, number)
                self.retimed += isinstance(event, e.Retimed)

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        rows = store.rows(
            "SELECT j.name, l.first_ms, l.last_ms, l.tzdata FROM ledger l JOIN jobs j ON j.id = l.job"
            " WHERE j.name IN ('low', 'high') AND l.kind = 'tick' ORDER BY l.seq"
        )
        self.versions |= {version for *_, version in rows}
        return [
            ("zones", f"{name} at {ms} by {version}")
            for name, first_ms, last_ms, version in rows
            for ms in (first_ms, last_ms)
            if (name == "low") != ((ms // MINUTE_MS + AHEAD_MINUTES[version]) % 60 < 30)
        ]


def _document(name: str, cron: str, edit: int) -> dict[str, Any]:
    trigger = {"cron": cron, "tz": ZONE, "id": "half"}
    return {"job": name, "noop": True, "policies": KEPT, "triggers": [trigger], "description": str(edit)}
