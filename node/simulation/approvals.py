"""People who answer what runs ask, in a story.

answered  a task that asks ended by one answer, in time, or expired at its time; what was rejected, or not
          answered, let nothing begin that waits for a yes; an answer is told of once

Rules: as `operators` has them: lots are drawn from dice of their own. Several people answer the same task, at
nodes that may be behind, with what they saw a moment before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from scheduler.machine import AppliedEntry
from scheduler.store.connection import Store
from scheduler.words import events as e
from scheduler.words.commands import Actor, AnswerApproval

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.4
PEOPLE = ("ann", "bob", "carl")
JOB: dict[str, object] = {
    "job": "asks",
    "policies": {"overlap": "allow", "timeout": "20s", "retention": {"runs": 10_000}},
    "triggers": [{"iso8601": "R//PT2S"}],
    "tasks": {
        "ask": {"approval": {"by": ["ann", "bob"], "expires": "1500ms"}, "allow_failure": True},
        "yes": {"noop": True, "needs": ["ask"], "when": "ask.succeeded"},
    },
}
_OF = "FROM tasks t LEFT JOIN approvals a ON a.task = t.id WHERE t.name = 'ask'"
_FAULTS = {
    "ended otherwise than they were answered": (
        f"SELECT t.run {_OF} AND t.state IN ('succeeded', 'failed')"
        " AND t.id NOT IN (SELECT task FROM taken_tasks)"
        " AND coalesce(a.answer, '') <> CASE t.state WHEN 'failed' THEN 'rejected' ELSE 'approved' END"
    ),
    "are open and have ended, or the other way round": (
        f"SELECT t.run {_OF} AND a.task IS NOT NULL AND a.open <> (t.finished_ms IS NULL)"
    ),
    "were answered when their time was over": f"SELECT t.run {_OF} AND a.answered_ms >= a.expires_ms",
    "were answered by somebody who may not": f"SELECT t.run {_OF} AND a.answer <> '' AND a.actor = 'carl'",
    "went on without an approval": (
        "SELECT y.run FROM tasks y JOIN tasks t ON t.run = y.run AND t.name = 'ask'"
        " WHERE y.name = 'yes' AND y.queued_ms IS NOT NULL AND t.state <> 'succeeded'"
    ),
}


class Approvers:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"approvers {seed}")
        self._last = (0, -1)  #: event that was told
        self._asked: list[int] = []  #: runs that asked lately
        self._told: set[int] = set()  #: tasks that were answered
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        fronts = [front for front in world.fronts.values() if front.lives]
        if world.healing or not fronts or not self._asked:
            return
        for _ in range(2):
            answer = "approved" if rng.random() < 0.6 else "rejected"
            command = AnswerApproval(rng.choice(self._asked), "ask", answer, actor=Actor(rng.choice(PEOPLE)))
            rng.choice(fronts).propose([command])

    @property
    def answered(self) -> int:
        return len(self._told)

    def heard(self, entry: AppliedEntry) -> None:
        for index, number, event in entry.events:
            if (index, number) <= self._last:
                continue
            self._last = (index, number)
            if isinstance(event, e.ApprovalAsked):
                self._asked = [*self._asked[-5:], event.run]
            elif isinstance(event, e.ApprovalAnswered):
                if event.task in self._told:
                    self._world.invariants.fail("answered", f"task {event.task} was answered twice")
                self._told.add(event.task)


def faults(store: Store) -> Iterator[str]:
    for what, sql in _FAULTS.items():
        if found := store.rows(f"{sql} ORDER BY 1 LIMIT 3"):
            yield f"runs {[row[0] for row in found]} {what}"
