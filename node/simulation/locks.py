"""Jobs that take a lock from each other in a story.

locks     what really runs of them on hosts runs alone, whoever led; who holds something has not ended, and
          what is held is what holders have

Rules: a run of `locked` takes the lock for its task, one of `whole` for all of its tasks: what is at work is
judged as it starts on a host, and by nobody's word but the host's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.store.connection import Store
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.words.commands import PreparedObject

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

LOCK = "alone"
KEPT = {"retention": {"runs": 10_000}}
TICKS = [{"every": "1s"}]
JOBS: tuple[dict[str, object], ...] = (
    {"job": "locked", "noop": True, "locks": [LOCK], "policies": KEPT, "triggers": TICKS,
     "retry": {"max": 1, "first": "1s"}},
    {"job": "whole", "policies": {**KEPT, "locks": [LOCK]}, "triggers": [{"every": "3s"}],
     "tasks": {"first": {"noop": True}, "second": {"noop": True, "needs": ["first"]}}},
)  # fmt: skip
NAMES = tuple(str(job["job"]) for job in JOBS)
UNHELD = (
    "SELECT resource, held FROM resource_uses u WHERE held <>"
    " (SELECT coalesce(sum(amount), 0) FROM lock_holds h WHERE h.resource = u.resource) ORDER BY resource"
)
ENDED = (
    "SELECT h.run FROM lock_holds h JOIN runs r ON r.id = h.run WHERE r.finished_ms IS NOT NULL"
    " ORDER BY h.run LIMIT 3"
)


def resources(now_ms: int) -> tuple[PreparedObject, ...]:
    found = prepare_document(parse_document({"resource": LOCK}), now_ms)
    assert isinstance(found, PreparedObject)
    return (found,)


def _run_of(store: Store, task: int) -> Run | None:
    row = task_rows.get(store, task)
    return None if row is None else run_rows.get(store, row.run)


class Locks:
    def __init__(self, world: JobsWorld) -> None:
        self._world = world
        self._working: dict[int, int] = {}  #: attempts that run on hosts, and their runs
        self.taken = 0

    def started(self, stores: list[Store], attempt: int, task: int) -> None:
        """On a host. `stores`: of nodes, of which some may not know it yet."""
        run = next((found for found in (_run_of(store, task) for store in stores) if found), None)
        if run is None or run.name not in NAMES:
            return
        others = sorted(set(self._working.values()) - {run.id})
        if others:
            self._world.invariants.fail("locks", f"run {run.id} of {run.name} works beside {others}")
        self._working[attempt] = run.id
        self.taken += 1

    def ended(self, attempt: int) -> None:
        self._working.pop(attempt, None)

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        unheld = [f"{name}: {held} is not what holders have" for name, held in store.rows(UNHELD)]
        ended = [f"run {run} has ended and holds something" for (run,) in store.rows(ENDED)]
        return [("locks", said) for said in (*unheld, *ended)]
