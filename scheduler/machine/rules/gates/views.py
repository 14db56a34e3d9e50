"""What gates look at: plain values, at hand where a gate is asked. Of a job's other runs is read what a gate
asks for. Tuples, since one is made for every tick, run and task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scheduler.machine.rules.conditions import Condition
from scheduler.model.compiled import CompiledTask
from scheduler.model.openings import Admission, Openings
from scheduler.store.connection import Store
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.changed_ticks import ChangedTick
from scheduler.store.tables.restores import Restore
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.triggers import FiringTrigger
from scheduler.ticks.windows import Opening
from scheduler.ticks.zones import Zone


class TickView(NamedTuple):
    """A tick that is due."""

    trigger: FiringTrigger
    paused: bool  #: everything, or its namespace, is or was then
    changed: ChangedTick | None = None  #: what a person has said of it


class FireView(NamedTuple):
    """What fires, of a job that is not always open or counts dates, or for a plan date that is closed."""

    openings: Openings | None  #: None: its job is open at all times
    zone: Zone  #: of its admission windows
    due_ms: int  #: of what has no instant of its own, now
    now_ms: int
    closed_day: int | None = None  #: its plan date, where that is closed
    undated: str = ""  #: why a date among its parameters cannot be counted

    @property
    def at_ms(self) -> int:
        """When it would start: what is decided ahead of its instant starts at that."""
        return max(self.due_ms, self.now_ms)


class RunView(NamedTuple):
    """A run before its first task. `run` 0: it is about to be made."""

    store: Store
    job: int
    run: int = 0
    overlap: str = "allow"  #: of a run that is about to be made: the policy of its revision
    others: int = 0  #: active runs of the job beside it
    catching_up: bool = False
    most: int = 1  #: active runs of the job, before its policy is asked
    key: str | None = None  #: of which alone those are that count; None: of the whole job

    def in_the_way(self, *, waiting: bool) -> int | None:
        """The oldest run, or the oldest that waits, for which a tick is skipped."""
        return run_rows.in_the_way(
            self.store, self.job, self.key, waiting=waiting, catching_up=self.catching_up
        )

    def first_active(self) -> int | None:
        return run_rows.first_active(self.store, self.job, self.key)

    def has_active_most(self) -> bool:
        """Whether as many are active as may be, now."""
        return run_rows.count_active(self.store, self.job, self.most, self.key) >= self.most

    def first_admitted(self) -> int | None:
        return run_rows.first_admitted(self.store, self.job, self.key)

    def has_admitted_most(self) -> bool:
        """Whether as many of the job as may have gone on."""
        return run_rows.admitted(self.store, self.job, self.most, self.key) >= self.most

    def waiting(self, limit: int) -> list[int]:
        """Runs of the job that wait, oldest first."""
        return run_rows.waiting(self.store, self.job, self.key, limit=limit)


class AdmitView(NamedTuple):
    """A run that nothing of its own job keeps back."""

    store: Store
    namespace: str
    now_ms: int
    in_turn: bool = False  #: it waits, and is the next of those that do
    lacks: tuple[str, ...] = ()  #: what it requires and is not there, in words
    gives_up_ms: int | None = None  #: when it waits for that no longer
    failures: int = 0  #: of its job in a row, where these delay what fires by itself
    delayed_ms: int = 0  #: until when they do
    admission: Admission | None = None
    opening: Opening | None = None  #: of its admission windows; None: it has none, or they are ignored


class Enclosing(NamedTuple):
    """The group that a task is in."""

    name: str
    state: str
    is_catch: bool  #: it catches its failures
    is_open: bool  #: what is like the task goes on now


class Outside(NamedTuple):
    """The group that a task is in, or of a member the whole, while it is outside of its admission windows."""

    name: str
    opens_ms: int | None  #: until then


class Share(NamedTuple):
    """How far the members of the task have come of which one is looked at."""

    name: str  #: of the whole
    had_turn: bool  #: it was let go before
    parallel_max: int  #: members at a time; 0: all
    going: int  #: that were let go, and have not ended
    open_ms: int  #: when the next one may be
    now_ms: int
    away: str = ""  #: its agent, which is, and so keeps it from its turn


class TaskView(NamedTuple):
    """A task that has not been queued, or is queued again."""

    run: Run
    rule: str
    needs: int  #: how many tasks it needs
    wanted: int  #: of them are to end as its rule asks
    open_needs: int  #: of them, and of the tasks that its condition asks, have not ended
    met_needs: int  #: of them ended as its rule asks
    when: Condition | None = None  #: its own
    held: bool = False  #: by a person
    kept: bool = False  #: until the rest of its run has ended
    group: Enclosing | None = None
    outside: Outside | None = None
    share: Share | None = None  #: of a member
    is_check: bool = False  #: its run requires it, and waits for it
    waits_all: bool = False  #: it is divided over what a task gives that may end later than its rule asks


class PlaceView(NamedTuple):
    """A task that is queued, or will be, on its way to an agent."""

    run: int
    retry_ms: int | None  #: when it is tried again; None: it does not wait for that
    held_through: int  #: runs with ids up to here are held up by a restore
    free: int  #: slots that it may have
    offered: bool  #: its kind of work, by agents that it means
    paused: bool  #: everything, or its namespace, is
    allowed: bool = True  #: the user that it runs as, by its namespace
    lacks: str = ""  #: the first resource of which there is not enough for it


class Fits(NamedTuple):
    """The agents that a selector means. Where some offer its kind of work, those are counted alone."""

    agents: int  #: connected ones that take work
    offered: bool  #: they offer its kind, or there are none
    slots: int
    busy: int
    refuses: str  #: where there is none: one that is connected and takes nothing new
    refuses_until_ms: int | None  #: when it does again by itself
    away: str  #: or one that is not connected
    unknown: str = ""  #: what the nearest of those that offer its kind lacks, in words
    kept: int = 0  #: free slots that it may not have: agents have as many members of its whole as they may


@dataclass(frozen=True, slots=True)
class Facts:
    """What the words to a verdict may need beside the view. Never asked for a verdict."""

    store: Store
    now_ms: int
    namespace: str
    run: Run | None = None
    task: Task | None = None
    compiled: CompiledTask | None = None
    selector: str = ""  #: of the task
    fits: Fits | None = None  #: the agents that it means
    restore: Restore | None = None
