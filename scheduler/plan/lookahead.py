"""What a planner keeps between plans: compiled jobs, and the next instants of busy triggers.

All of it is derived, so a cold cache gives the same plan, later; but for whose turn it is among agents,
which begins anew with each leader.
"""

from __future__ import annotations

from scheduler.machine.rules.selectors import Selector
from scheduler.model.by_revision import CompiledJobs
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.ticks import SpecError, schedule

READ_WEIGHT_MAX = 2_000  #: of jobs that one plan reads for the first time: some tenths of a second
TRIGGERS_MAX = 8_192
INSTANTS = 64
UNREADABLE_MAX = 1_000
BUSY_MS = 60_000
"""A trigger that fires more often than this gets its instants computed many at a time."""


class PlanCache:
    """One per planner, used by one thread; what is compiled it may share with the rest of its process."""

    def __init__(
        self, compiled: CompiledJobs | None = None, *, read_weight_max: int = READ_WEIGHT_MAX
    ) -> None:
        self._compiled = CompiledJobs() if compiled is None else compiled
        self._room = self._read_weight_max = read_weight_max
        self._instants: dict[int, tuple[bytes, list[int]]] = {}
        self.unreadable: dict[bytes, str] = {}  #: specs of triggers that this node cannot read, and why
        self.late_ms = 0  #: how late the first live trigger was that the last plan saw
        self.reserved_ms: int | None = None  #: ticks to reserve are looked for again not before
        self.upkeep_ms: int | None = None  #: when upkeep was planned last, or could have been first
        self.stepped_ms = 0  #: when a staged apply was last given a step
        self.step_until_ms: int | None = None  #: the next one is not before; None: that is not known yet
        self.settled_run = 0  #: the run from before a restore that giving up has come to
        self.continued = 0  #: the run that going on with unfinished work has come to
        self.purge_job = 0  #: the job that the search for too many runs has come to
        self.purge_cursor = 0  #: the run that the search for old ones has come to
        self.quota_cursor = ""  #: the namespace that the round over those in which runs wait has come to
        self.queue_cursor = ""  #: the selector that the round over more queues than one plan sees has come to
        self.locks_open_ms: int | None = None  #: when time makes a resource free that tasks wait for
        self.kept_inside: list[str] = []  #: selectors whose first task waits for a resource, of nested runs
        self.circles_ms: int | None = None  #: when circles are looked for again; None: nobody waits in one
        self.share_cursor = ("", -1)  #: namespace and share that the round over more than one plan sees is at
        self.turns: dict[Selector, int] = {}  #: the agent that had the last turn (strategy: round_robin)
        self.useful_queues: dict[str, None] = {}  #: selectors that had a place, the latest last

    def begin(self) -> None:
        """A plan begins."""
        self._room = self._read_weight_max

    def can_read(self, spec: bytes) -> bool:
        """Whether a trigger's instants can be computed here. One where they cannot stays as it is, due, for
        a leader that can: it stops no other, and no tick of it is lost."""
        if spec in self.unreadable:
            return False
        try:
            schedule(spec)
        except SpecError as error:
            if len(self.unreadable) < UNREADABLE_MAX:
                self.unreadable[spec] = str(error)
            return False
        return True

    def has_room(self, job: int, revision: int) -> bool:
        """Whether this plan may ask about that job: it is known, or not too much was read yet."""
        return self._room > 0 or self.knows(job, revision)

    def knows(self, job: int, revision: int) -> bool:
        return self._compiled.has_outline(job, revision)

    def outline(self, store: Store, job: int, namespace: str, name: str, revision: int) -> CompiledJob:
        """As `job`, of its tasks only what decides about ticks: thousands of large jobs stay known, where
        reading each anew for every tick would take the planner seconds."""
        if not self.knows(job, revision):
            self._room -= 1 + self.job(store, job, namespace, name, revision).weight
        return self._compiled.outline(job, revision, lambda: _spec(store, namespace, name, revision))

    def job(self, store: Store, job: int, namespace: str, name: str, revision: int) -> CompiledJob:
        return self._compiled.get(job, revision, lambda: _spec(store, namespace, name, revision))

    def next(self, trigger: int, spec: bytes, after_ms: int) -> int | None:
        """The first instant of the trigger after `after_ms`; cheap when asked in order."""
        known = self._instants.get(trigger)
        if known is not None and known[0] == spec:
            instants = known[1]
            # Kept newest first, so that passing an instant is popping it off the end. Only an exact hit
            # proves that no instant lies between: the one asked about stays, since a plan may be made again.
            while len(instants) > 1 and instants[-2] <= after_ms:
                instants.pop()
            if len(instants) > 1 and instants[-1] == after_ms:
                return instants[-2]
        instants = schedule(spec).upcoming(after_ms, 2)
        if len(instants) == 2 and instants[1] - instants[0] < BUSY_MS:
            instants = schedule(spec).upcoming(after_ms, INSTANTS)
            if trigger not in self._instants and len(self._instants) >= TRIGGERS_MAX:
                del self._instants[next(iter(self._instants))]
            self._instants[trigger] = (spec, [after_ms, *instants][::-1])
        return instants[0] if instants else None


def _spec(store: Store, namespace: str, name: str, revision: int) -> bytes:
    spec = job_rows.spec_of(store, namespace, name, revision)
    if spec is None:
        raise LookupError(f"no revision {revision} of {namespace}/{name}")
    return spec
