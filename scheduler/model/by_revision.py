"""What is derived from jobs' revisions, kept by (job, revision).

Rules: a revision never changes, so an entry is right for ever, and whether one is kept changes no result.
What is kept is bounded by number and by weight; what was asked for longest ago goes first. Several threads
may share one, with a lock (`scheduler` has none of its own: no decision may depend on threads).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, TypeVar

from scheduler.model.compiled import WEIGHT_MAX, CompiledJob, compile_job

V = TypeVar("V")
JOBS_MAX = 8_192


class ByRevision(Generic[V]):
    """`weight_of`: what it costs to keep one; of all together `weight_max`."""

    def __init__(
        self,
        weight_of: Callable[[V], int],
        *,
        limit: int = JOBS_MAX,
        weight_max: int = WEIGHT_MAX,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self._weight_of = weight_of
        self._limit = limit
        self._weight_max = weight_max
        self._lock = lock
        self._weight = 0
        self._kept: OrderedDict[tuple[int, int], V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: tuple[int, int]) -> bool:
        return key in self._kept

    def peek(self, job: int, revision: int) -> V | None:
        """What is kept of it."""
        key = job, revision
        if self._lock is not None:
            with self._lock:
                return self._found(key)
        found = self._kept.get(key)  # as below: the machine asks several times for each tick
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _found(self, key: tuple[int, int]) -> V | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, job: int, revision: int, value: V) -> V:
        """For whoever asks next. The newest is kept whatever it weighs."""
        key = job, revision
        with self._lock or nullcontext():
            if key not in self._kept:
                self._weight += self._weight_of(value)
                self._kept[key] = value
            while len(self._kept) > 1 and (len(self._kept) > self._limit or self._weight > self._weight_max):
                _, oldest = self._kept.popitem(last=False)
                self._weight -= self._weight_of(oldest)
        return value


class CompiledJobs:
    """Jobs as they are compiled, and their outlines, which stay known when large jobs have to go.

    `spec` gives a revision's canonical bytes, and is called when they are needed.
    """

    def __init__(
        self,
        *,
        limit: int = JOBS_MAX,
        weight_max: int = WEIGHT_MAX,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self._whole: ByRevision[CompiledJob] = ByRevision(
            lambda compiled: compiled.weight, limit=limit, weight_max=weight_max, lock=lock
        )
        self._outlines: ByRevision[CompiledJob] = ByRevision(lambda outline: 0, limit=limit, lock=lock)

    def peek(self, job: int, revision: int) -> CompiledJob | None:
        return self._whole.peek(job, revision)

    def get(self, job: int, revision: int, spec: Callable[[], bytes]) -> CompiledJob:
        found = self._whole.peek(job, revision)
        return self._whole.keep(job, revision, compile_job(spec())) if found is None else found

    def has_outline(self, job: int, revision: int) -> bool:
        return (job, revision) in self._outlines

    def outline(self, job: int, revision: int, spec: Callable[[], bytes]) -> CompiledJob:
        """As `get`, of its tasks only what decides about ticks."""
        found = self._outlines.peek(job, revision)
        if found is None:
            found = self._outlines.keep(job, revision, self.get(job, revision, spec).outline())
        return found
