"""Which reports of agents somebody waits for: those about runs that a person asked for, and about attempts
that are being stopped. All others may wait for an instant of the grid.

So many runs a second as no people start are a load like any other, whoever asked for them: only the first
PEOPLE_MAX, and PEOPLE_PER_S from then on, are taken for theirs (docs/decisions/0079).

What is known comes from the commits, the time too: a front that was not there when a run began makes its
reports wait, which costs that run some milliseconds and nothing else.
"""

from __future__ import annotations

from api.ports import Committed
from scheduler.words.causes import Kind
from scheduler.words.commands import Command, Finish, Grant, ReportRunning, ReportSilence
from scheduler.words.events import AttemptAssigned, AttemptCancelling, AttemptEnded, RunCreated, RunEnded
from scheduler.words.record import ByRunner

KEPT_MAX = 50_000  #: of runs, and of attempts
PEOPLE_PER_S = 10
PEOPLE_MAX = 20  #: at once, after a pause


class Haste:
    def __init__(self) -> None:
        self._runs: dict[int, None] = {}
        self._attempts: dict[int, None] = {}
        self._left = float(PEOPLE_MAX)  #: so many more runs are taken for people's
        self._counted_ms = 0

    def heard(self, commit: Committed) -> None:
        for made in commit.of(RunCreated):
            if made.cause == Kind.MANUAL and self._is_of_people(commit.stamp_ms):
                _keep(self._runs, made.run)
        for assigned in commit.of(AttemptAssigned):
            if assigned.run in self._runs:
                _keep(self._attempts, assigned.attempt)
        for cancelling in commit.of(AttemptCancelling):
            _keep(self._attempts, cancelling.attempt)
        for ended in commit.of(AttemptEnded):
            self._attempts.pop(ended.attempt, None)
        for over in commit.of(RunEnded):
            self._runs.pop(over.run, None)

    def _is_of_people(self, now_ms: int) -> bool:
        passed_ms, self._counted_ms = max(0, now_ms - self._counted_ms), now_ms
        self._left = min(PEOPLE_MAX, self._left + passed_ms * PEOPLE_PER_S / 1000)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def can_wait(self, command: Command) -> bool:
        if isinstance(command, Grant | ReportRunning | ReportSilence | Finish):
            return command.attempt not in self._attempts
        return isinstance(command, ByRunner)


def _keep(known: dict[int, None], number: int) -> None:
    if len(known) >= KEPT_MAX:
        del known[next(iter(known))]
    known[number] = None
