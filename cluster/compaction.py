"""Keeps the log short: a checkpoint of the state, then the removal of old segments.

Rules:
1. What is trimmed is durable in the state: the checkpoint is made on a helper thread, of a place that was
   applied before it began, and only up to there the log goes. The loop never waits for it.
2. While a copy of the state is on its way to a peer, the log is kept from the copy's place on, so that it can
   be continued, up to `HELD_FACTOR` times the usual bound. Beyond, the copy is in vain: better than a full
   disk.
3. A failed checkpoint is raised by `poll`: the node stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cluster.copies import Spawn
from cluster.journal import Journal
from cluster.machine import StateMachine
from cluster.settings import ClusterSettings

PERIOD_S = 5.0  #: between two compactions
HELD_FACTOR = 4


@dataclass(slots=True)
class _Checkpoint:
    """One on its way. The thread that makes it sets `finished` last."""

    index: int
    tail_bytes: int
    error: Exception | None = None
    finished: bool = False

    def make(self, machine: StateMachine) -> None:
        try:
            machine.checkpoint()
        except Exception as error:  # raised again on the loop
            self.error = error
        finally:
            self.finished = True


class Compaction:
    def __init__(
        self,
        settings: ClusterSettings,
        journal: Journal,
        machine: StateMachine,
        *,
        spawn: Spawn,
        applied_index: Callable[[], int],
        held_index: Callable[[], int | None],
    ) -> None:
        """`held_index`: the lowest place that a copy on its way will be continued from."""
        self._settings, self._journal, self._machine = settings, journal, machine
        self._spawn, self._applied_index, self._held_index = spawn, applied_index, held_index
        self._making: _Checkpoint | None = None
        self._next_s = 0.0

    @property
    def is_busy(self) -> bool:
        return self._making is not None

    def poll(self, now_s: float) -> None:
        """Begin when the log is too long; end what was begun. Raises what the checkpoint raised."""
        if self._making is None and now_s >= self._next_s:
            self._begin(now_s)
        making = self._making
        if making is not None and making.finished:
            self._making = None
            if making.error is not None:
                raise making.error
            self._journal.trim(making.index, making.tail_bytes)

    def _begin(self, now_s: float) -> None:
        settings, journal = self._settings, self._journal
        size = journal.size_bytes
        if size <= settings.log_bytes_max and len(journal.entries) <= settings.log_entries_max:
            return
        index, tail_bytes = self._applied_index(), min(settings.log_tail_bytes, size // 2)
        held = self._held_index()
        if held is not None and size <= HELD_FACTOR * settings.log_bytes_max:
            index = min(index, held)
        if not journal.trimmable(index, tail_bytes):
            return
        self._next_s = now_s + PERIOD_S
        making = self._making = _Checkpoint(index, tail_bytes)
        self._spawn(lambda: making.make(self._machine))
