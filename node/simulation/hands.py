"""People who lay hands on tasks and runs in a story: held, released, tried now, skipped, stopped, overridden.

hands     who holds a task is known, and such a task has no attempt; a verdict lies over a run that has ended,
          which stays as it ended

Rules: as `operators` has them. Skipped and stopped are runs of one task alone, whose end nobody else judges.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from scheduler.store.connection import Store
from scheduler.words import events as e
from scheduler.words.commands import (
    Command,
    HoldTask,
    OverrideRun,
    ReleaseTask,
    RetryTask,
    SkipTask,
    StopTask,
)
from scheduler.words.events import Event

LATELY = 12
ALONE = "manual"  #: the job of which runs are skipped and stopped

_WRONG = {
    "held, and has an attempt": (
        "SELECT t.id FROM tasks t JOIN attempts a ON a.task = t.id AND a.live = 1 WHERE t.state = 'held'"
    ),
    "held by nobody": (
        "SELECT t.id FROM tasks t WHERE t.state = 'held'"
        " AND NOT EXISTS (SELECT 1 FROM run_holds h WHERE h.run = t.run AND h.task = t.id)"
    ),
    "a verdict over what goes on": (
        "SELECT o.run FROM overrides o JOIN runs r ON r.id = o.run WHERE r.finished_ms IS NULL"
    ),
}


class Hands:
    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"hands {seed}")
        self._queued: list[tuple[int, str, str]] = []  #: run, task, member: lately
        self._held: dict[int, tuple[int, str, str]] = {}
        self._alone: list[int] = []
        self._ends: dict[int, str] = {}
        self.holds = self.verdicts = 0

    def commands(self) -> list[Command]:
        rng = self._rng
        found: list[Command] = []
        if self._queued and rng.random() < 0.5:
            run, name, member = rng.choice(self._queued)
            hand = rng.choice((HoldTask, HoldTask, RetryTask))
            found.append(hand(run, name, "why", member=member))
        if self._alone and rng.random() < 0.3:
            found.append(rng.choice((SkipTask, StopTask))(rng.choice(self._alone), "main"))
        if self._ends and rng.random() < 0.3:
            run = rng.choice(list(self._ends)[-LATELY:])
            found.append(OverrideRun(run, rng.choice(("succeeded", "failed")), "why"))
        return [*found, *(each for each in self.let_go() if rng.random() < 0.5)]

    def let_go(self) -> list[Command]:
        return [ReleaseTask(run, name, member=member) for run, name, member in self._held.values()]

    def heard(self, event: Event) -> None:
        match event:
            case e.TaskQueued():
                self._queued = [*self._queued[-LATELY:], (event.run, event.name, event.member)]
            case e.RunCreated(name=name) if name == ALONE:
                self._alone = [*self._alone[-LATELY:], event.run]
            case e.TaskHeld():
                self._held[event.task] = event.run, event.name, event.member
                self.holds += 1
            case e.TaskReleased():
                self._held.pop(event.task, None)
            case e.RunOverridden():
                self.verdicts += 1
            case e.RunEnded():
                self._ends[event.run] = event.state
                self._held = {task: held for task, held in self._held.items() if held[0] != event.run}

    def judge(self, store: Store) -> Iterator[tuple[str, str]]:
        for what, sql in _WRONG.items():
            if found := store.rows(f"{sql} ORDER BY 1 LIMIT 3"):
                yield "hands", f"{what}: {found}"
        for run, state in store.rows("SELECT id, state FROM runs WHERE finished_ms IS NOT NULL ORDER BY id"):
            if self._ends.get(run, state) != state:
                yield "hands", f"run {run} ended as {self._ends[run]}, and is {state}"
