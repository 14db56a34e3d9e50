"""The runner of effects in small, and the world outside that hears them.

Rules, those of node.effects.runner: what is due in this node's state is sent while its front holds the
office, or believes that it does; a report is sent again until it is answered, whoever leads by then. Here
some tries arrive nowhere, some arrive and nobody knows, and fronts die between sending and their report.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scheduler.machine.rules.verdicts import RUN_FAILURES
from scheduler.store.connection import Store
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables import outbox
from scheduler.words.commands import Command, ReportSent, ReportUnsent
from scheduler.words.outcomes import Outcome

if TYPE_CHECKING:
    from node.simulation.front import Front

SENDING_MAX = 5
REFUSED, UNKNOWN = 0.2, 0.1  #: of all tries


class Heard(NamedTuple):
    about: str
    run: int
    payload: bytes


class Outside:
    """What receivers heard in a whole story. It draws lots of its own, so that it moves nobody else's."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"effects {seed}")
        self.heard: dict[int, Heard] = {}
        self.times = 0
        self.problems: list[str] = []

    def hear(self, row: outbox.Effect) -> None:
        told = Heard(row.about, row.run, row.payload)
        self.times += 1
        if self.heard.setdefault(row.id, told) != told:
            self.problems.append(f"effect {row.id} says {told}, and said {self.heard[row.id]}")

    def judge(self, store: Store, jobs: list[str]) -> list[str]:
        """What is wrong by this state: a failure of these jobs that nobody heard of, one that never was."""
        marks = ", ".join("?" * len(jobs))
        states: dict[int, str] = dict(
            store.rows(f"SELECT id, state FROM runs WHERE name IN ({marks}) ORDER BY id", jobs)
        )
        waiting = {run for (run,) in store.rows("SELECT run FROM outbox ORDER BY id")}
        told = {each.run for each in self.heard.values() if each.about == "failed"}
        silent = [
            run for run, state in states.items() if state in RUN_FAILURES and run not in told | waiting
        ]
        made_up = [
            each.run
            for each in self.heard.values()
            if (states.get(each.run) in RUN_FAILURES) != (each.about == "failed")
        ]
        return [
            *self.problems[:3],
            *(f"nobody was told of the failure of run {run}" for run in silent[:3]),
            *(f"somebody was told of run {run}, which is {states.get(run)}" for run in made_up[:3]),
        ]


class Runner:
    """Of one life of a front."""

    def __init__(self, front: Front, outside: Outside) -> None:
        self._front, self._outside = front, outside
        self._sending: set[int] = set()

    def look(self, store: Store, now_ms: int) -> None:
        for row in outbox_reads.due(store, now_ms, SENDING_MAX + len(self._sending)):
            if len(self._sending) >= SENDING_MAX:
                return
            if row.id not in self._sending:
                self._sending.add(row.id)
                delay_s = self._outside.rng.uniform(0.01, 0.3)
                self._front.later(delay_s, partial(self._arrives, row))

    def _arrives(self, row: outbox.Effect) -> None:
        lot = self._outside.rng.random()
        if lot >= REFUSED:
            self._outside.hear(row)
        report: Command = ReportSent(row.id)
        if lot < REFUSED + UNKNOWN:
            report = ReportUnsent(row.id, row.attempts + 1, "no answer")
        delay_s = self._outside.rng.uniform(0.0, 0.1)
        self._front.later(delay_s, lambda: self._front.propose([report], partial(self._answered, row.id)))

    def _answered(self, effect: int, outcomes: list[Outcome]) -> None:
        self._sending.discard(effect)
