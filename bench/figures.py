"""What is compared: figures of one contestant in one round, and CPU by kind of process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bench.cluster import DeadlineError


class UnmeasuredError(Exception):
    """This machine cannot show it; the text says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one contestant took in one round: CPU per operation by kind of process, or one other figure."""

    each: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.each.values())

    def of(self, *roles: str) -> Sample:
        """Of these kinds of processes alone."""
        return Sample({role: self.each.get(role, 0.0) for role in roles})


Figures = dict[str, Sample]
"""By the key of a row."""


def one(value: float) -> Sample:
    return Sample({"": value})


class Spender(Protocol):
    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far of each kind of process."""
        ...


class Spending:
    """CPU that a cluster took from here to `end`."""

    def __init__(self, cluster: Spender) -> None:
        self._cluster = cluster
        self._before = cluster.cpu_seconds()
        self._after: dict[str, float] = {}

    def end(self) -> None:
        self._after = self._cluster.cpu_seconds()

    def per(self, operations: float) -> Sample:
        """Milliseconds per operation. Raises DeadlineError where nothing was done."""
        if operations <= 0:
            raise DeadlineError("nothing was done that could be measured")
        return Sample(
            {role: 1000 * (s - self._before.get(role, 0.0)) / operations for role, s in self._after.items()}
        )


class Contestant(Protocol):
    """What takes part: a build of ours, or a peer."""

    @property
    def name(self) -> str: ...

    def measure(self, benchmark: str, duration_s: float) -> Figures:
        """On a new cluster of its own, which is gone afterwards. Raises DeadlineError, UnansweredError,
        UnmeasuredError."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    key: str
    words: str
    is_rate: bool = False  #: more is better

