"""Agents that come and go: load, no fault. One that is told to end hands back what it has not begun.

A visitor is a host like the others, in a zone of its own that no fault takes, and no role of a plan means it.
What it began goes on under its spooler while it is away; in the end it is there to tell.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from chaos.agents import Agent
from chaos.history import History

STAYS_S = (3.0, 6.0)
AWAY_S = (0.5, 2.0)
JOIN_S = 30.0


class Visitors:
    """Has each come and go until `stop`; then it stays."""

    def __init__(self, agents: Sequence[Agent], history: History, *, seed: int) -> None:
        self._history = history
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(agent, seed), name=agent.name, daemon=True)
            for agent in agents
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(JOIN_S)

    def _visit(self, agent: Agent, seed: int) -> None:
        dice = random.Random(f"{seed} {agent.name}")
        while True:
            agent.start()
            self._history.write("visitor", name=agent.name, what="came")
            if self._over.wait(dice.uniform(*STAYS_S)):
                return
            agent.end()
            self._history.write("visitor", name=agent.name, what="went")
            self._over.wait(dice.uniform(*AWAY_S))
