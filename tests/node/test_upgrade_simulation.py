"""A format is activated amid stories full of faults: its migration ends, and all nodes are equal."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.simulation.world import Node
from node.simulation import world as jobs_world
from node.simulation.front import Front, any_of
from node.simulation.world import JobsWorld
from scheduler import formats
from scheduler.machine import AppliedEntry, dispatch
from scheduler.model import parse_job
from scheduler.words.commands import Activate
from scheduler.words.outcomes import Outcome
from tests import next_format

NEXT = next_format.NUMBER
SEEDS = range(1, 5)
MORE_JOBS = 40  #: rows of the migration, one a slice


class UpgradeWorld(JobsWorld):
    """Every node runs the next version; somebody activates its format."""

    formats = (1, NEXT)

    def __init__(self, seed: int) -> None:
        self.refusals: list[str] = []
        self.epochs: set[int] = set()  #: leaderships that moved rows
        super().__init__(seed)

    def begin_clients(self) -> None:
        super().begin_clients()
        self.at(2.0, self._activate)

    def _activate(self) -> None:
        front = any_of(self.fronts.values(), self.rng)
        if front is not None and front.node.consensus is not None and self.are_put:
            names = sorted(member.name for member in front.node.consensus.membership.members)
            front.propose([Activate(NEXT, tuple((name, 1, NEXT) for name in names))], self._told)
        self.at(0.4, self._activate)

    def _told(self, outcomes: list[Outcome]) -> None:
        self.refusals += [outcome.detail for outcome in outcomes if not outcome.ok]

    def _heard(self, node: Node, front: Front, entry: AppliedEntry) -> None:
        super()._heard(node, front, entry)
        state = self.state(node).replica.machine.state
        if state.migration_cursor:
            self.epochs.add(state.epoch)

    def settled(self) -> bool:
        """It has to end, however many rows it has to go over: a story that never settles is a violation."""
        leader = self.leader()
        if leader is None or self.state(leader).replica.machine.state.migration_cursor:
            self.run_until(self.now() + 0.5)
            return False
        return super().settled()

    def check_end(self, members: list[Node]) -> None:
        super().check_end(members)
        for node in members:
            store = self.state(node).store
            found: Any = store.row("SELECT format, target_format, migration_cursor FROM state")
            held = []
            if found[0] == NEXT:
                held = store.rows("SELECT name FROM jobs WHERE held = 1 ORDER BY name")
            if found != (NEXT, NEXT, "") or held != [("held",)]:
                self.invariants.fail("format", f"{node.name} is at {found}, held are {held}")
            # By their instants: who ran before the rules changed is in the ledger once an agent began it.
            early = store.value(
                "SELECT count(*) FROM ledger WHERE reason = 'held' AND first_ms < (SELECT max(last_ms)"
                " FROM ledger l JOIN jobs j ON j.id = l.job WHERE j.name = 'held' AND l.outcome = 'ran')"
            )
            if early:
                self.invariants.fail("format", f"{node.name}: the rules changed back and forth")


@pytest.fixture
def _next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", list(formats.FORMATS))
    monkeypatch.setattr(formats, "SLICE_ROWS_MAX", 1)
    monkeypatch.setattr(dispatch, "APPLY", dict(dispatch.APPLY))
    next_format.learn()
    held = {"job": "held", "noop": True, "labels": {"hold": "true"}, "triggers": {"cron": "* * * * * *"}}
    more = [parse_job({"job": f"more-{number}", "noop": True}) for number in range(MORE_JOBS)]
    monkeypatch.setattr(jobs_world, "JOBS", [*jobs_world.JOBS, *more, parse_job(held)])


@pytest.mark.usefixtures("_next_version")
def test_stories_with_an_activation_end_well() -> None:
    worlds = []
    for seed in SEEDS:
        world = UpgradeWorld(seed)
        result = world.run()
        assert not result.violations, f"seed {seed}"
        worlds.append(world)
    # The stories hold what they are for.
    assert sum(len(world.epochs) > 1 for world in worlds) > 1, "no leader changed during a migration"
