"""What the days to come bring, by a copy of the state: the machine and the planner themselves, under a
virtual clock, with agents that do each task in the time that it usually takes.

Rules of this file:

1. The copy is changed, and thrown away by whoever made it. Nothing of the machine or the planner is replaced;
   the clock goes from one instant at which something is due to the next.
2. Agents are those of the state, with their slots; each claims at once what it is given. A task ends well,
   after the median of its last runs; one without history after `UNKNOWN_MS`.
3. The planner is asked when time makes something due (`wake_ms`), when something waits for what an end may
   give back, and when the last plan had something taken that may lead to more; not at each instant. That is
   half of the work, and the ledger is the same (tests/scheduler/test_simulate.py).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from scheduler.machine import Machine
from scheduler.machine.rules import selectors
from scheduler.machine.rules.gates import locks
from scheduler.model.quantities import format_instant
from scheduler.plan import PlanCache, plan, wake_ms
from scheduler.simulate.findings import Simulation, Waited, tell
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.words import codec
from scheduler.words import commands as c
from scheduler.words.lifecycle import AWAITING
from scheduler.words.outcomes import Outcome

UNKNOWN_MS = 1_000
HISTORY = 50_000  #: attempts that tell how long tasks take, the newest
STEPS_MAX = 5_000_000
SPAN_MS_MAX = 800 * 86_400_000  #: what lies before the days that are asked for is gone through as well
UPKEEP_MS = 600_000  #: so often old runs are looked for; asked at each instant, it were half of the work
STUCK_MAX = 100  #: plans in a row of which nothing is taken
CHUNK = 200  #: commands of one entry
SELECTORS_MAX = 50
WAITING_MAX = 20  #: of one queue, that are named
ENTRIES_A_COMMIT = 200
TOLD_EVERY = 500  #: instants
CACHE_KIB = 65_536


_QUEUED = "SELECT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_queued WHERE state = 'queued')"
_WAITING = (
    f"{_QUEUED} OR EXISTS (SELECT 1 FROM runs INDEXED BY runs_active"
    " WHERE finished_ms IS NULL AND state <> 'running')"
)
"""Whether anything waits for what another one's end may give back: a slot, a lock, its turn."""


class Discarded(Store):
    """A copy that is thrown away: nothing of it needs to last, so many entries are one transaction."""

    _entries = 0

    @classmethod
    def of(cls, path: Path) -> Discarded:
        store = cls.open_alone(path)
        assert isinstance(store, cls)
        for setting in (
            "synchronous=OFF", "journal_mode=MEMORY", "locking_mode=EXCLUSIVE", "temp_store=MEMORY",
            f"cache_size=-{CACHE_KIB}",
        ):  # fmt: skip
            store.execute(f"PRAGMA {setting}")
        return store

    def begin(self) -> None:
        if not self.is_in_snapshot:
            super().begin()

    def commit(self) -> None:
        self._entries += 1
        if self._entries >= ENTRIES_A_COMMIT:
            self._entries = 0
            super().commit()


class _World:
    def __init__(self, store: Store, machine: Machine, from_ms: int, *, thorough: bool) -> None:
        self.store, self.machine, self.now_ms, self._thorough = store, machine, from_ms, thorough
        self._sequence, self._upkeep_ms = 0, 0
        self._ends: list[tuple[int, int, int]] = []
        self._usual = _usual(store)
        self._due_ms: int | None = from_ms  #: when time makes something due, as it was when last asked
        self._told = True  #: something, since that was asked
        self._fresh = True  #: and since attempts were looked at
        self._stirred = True  #: what waits for others may go on
        self.unknown: set[tuple[int, str]] = set()
        self.waited = Waited()
        self.cache = PlanCache()

    def tell(self, commands: Sequence[c.Command]) -> list[Outcome]:
        found: list[Outcome] = []
        if commands:
            self._told = self._fresh = True
        for first in range(0, len(commands), CHUNK):
            self._sequence += 1
            encoded = tuple(map(codec.encode_command, commands[first : first + CHUNK]))
            frame = codec.Frame("simulation", self._sequence, self._sequence, encoded)
            state = self.machine.state
            index, term = state.raft_index, state.raft_term
            applied = (index + 1, term, index, term, state.members)
            entry = self.machine.apply_entry(
                applied=applied, stamp_ms=self.now_ms, frames=(codec.encode_frame(frame),)
            )
            found += entry.frames[0][2]
        return found

    def step(self) -> bool:
        """Whether anything was done at this instant."""
        taken = self._needs_plan() and self._plan()
        if self._fresh:
            self._fresh = False
            return self._begin() or self._stop() or self._finish() or taken
        return self._finish() or taken

    def _needs_plan(self) -> bool:
        due_ms = self.due_ms()
        if self._thorough or (due_ms is not None and due_ms <= self.now_ms):
            return True
        return self._stirred and bool(self.store.value(_WAITING))

    def _plan(self) -> bool:
        if self.now_ms < self._upkeep_ms:
            self.cache.upkeep_ms = self.now_ms
        else:
            self._upkeep_ms = self.now_ms + UPKEEP_MS
        planned = plan(self.store, self.now_ms, epoch=self.machine.state.epoch, lead_ms=0, cache=self.cache)
        if any(isinstance(each, c.Purge) for each in planned):
            self._upkeep_ms = self.now_ms  # there may be more than one search finds
        self._told = True  # what a plan finds tells when the next is due
        self._stirred = bool(planned) and any(outcome.ok for outcome in self.tell(planned))
        return self._stirred

    def due_ms(self) -> int | None:
        if self._told:
            self._due_ms, self._told = wake_ms(self.store, cache=self.cache), False
        return self._due_ms

    def _begin(self) -> bool:
        """Agents claim what was assigned."""
        rows = self.store.rows(
            "SELECT a.id, a.agent, g.session, a.due_ms, r.job, t.name"
            " FROM attempts a INDEXED BY attempts_assigned"
            " JOIN agents g ON g.id = a.agent JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = a.run"
            " WHERE a.state = 'assigned' AND g.node <> '' ORDER BY a.id LIMIT 10000"
        )
        if rows:
            self.tell([c.Grant(row[0], row[1], row[2], f"claim {row[0]}") for row in rows])
        for attempt, agent, _, due_ms, job, task in rows:
            usual_ms = self._usual.get((job, task))
            if usual_ms is None:
                self.unknown.add((job, task))
            begins_ms = max(self.now_ms, due_ms)
            heapq.heappush(
                self._ends, (begins_ms + (UNKNOWN_MS if usual_ms is None else usual_ms), attempt, agent)
            )
        return bool(rows)

    def _stop(self) -> bool:
        """What is asked to stop does so at once."""
        stopping = self.store.rows(
            "SELECT a.id, a.agent FROM agents g"
            " CROSS JOIN attempts a INDEXED BY attempts_live ON a.agent = g.id"
            " WHERE a.live = 1 AND a.state = 'cancelling' AND g.node <> '' ORDER BY a.id LIMIT 10000"
        )
        ended = [
            c.Finish(attempt, agent, self.now_ms, self.now_ms, None, "cancelled")
            for attempt, agent in stopping
        ]
        return self._tell_ended(ended, ())

    def _finish(self) -> bool:
        """What is over by now."""
        ended: list[c.Finish] = []
        over: list[int] = []
        while self._ends and self._ends[0][0] <= self.now_ms:
            _, attempt, agent = heapq.heappop(self._ends)
            over.append(attempt)
            ended.append(c.Finish(attempt, agent, self.now_ms, self.now_ms, 0, "exit"))
        return self._tell_ended(ended, over)

    def _tell_ended(self, ended: Sequence[c.Finish], over: Sequence[int]) -> bool:
        if ended:
            self._stirred = True
            self.tell(ended)
            self._complete(over)
        return bool(ended)

    def _complete(self, over: Sequence[int]) -> None:
        """Of work that was handed on, whoever is to say how it ended says so at once."""
        found = [row for row in (attempt_rows.get(self.store, each) for each in over) if row is not None]
        awaited = [
            (row, task)
            for row in found
            if row.state == AWAITING and (task := task_rows.get(self.store, row.task)) is not None
        ]
        self.tell([c.CompleteTask(row.run, task.name, "succeeded", attempt=row.id) for row, task in awaited])

    def adopt(self) -> None:
        """What runs already goes on for the rest of what it usually takes."""
        for (agent,) in self.store.rows("SELECT DISTINCT agent FROM attempts WHERE live = 1 ORDER BY agent"):
            for attempt, began_ms, job, task in self.store.rows(
                "SELECT a.id, coalesce(a.started_ms, ?), r.job, t.name FROM attempts a"
                " JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = a.run"
                " WHERE a.live = 1 AND a.agent = ? AND a.fence IS NOT NULL ORDER BY a.id",
                (self.now_ms, agent),
            ):
                usual_ms = self._usual.get((job, task), 0)
                ends_ms = max(self.now_ms + UNKNOWN_MS, began_ms + usual_ms)
                heapq.heappush(self._ends, (ends_ms, attempt, agent))

    def next_ms(self) -> int | None:
        ends = self._ends[0][0] if self._ends else None
        return min((at for at in (self.due_ms(), ends) if at is not None), default=None)

    def note_locks(self) -> None:
        """Who waits for what others hold, at this instant."""
        if not self.store.value(_QUEUED):
            return
        for selector in task_rows.queued_selectors(self.store, SELECTORS_MAX):
            if not selectors.has_locks(selector):
                continue
            lacks = locks.lacks(self.store, selector, self.now_ms)
            if locks.is_resource(lacks):
                runs = [each.run for each in task_rows.queued(self.store, selector, WAITING_MAX)]
                jobs = (found for run in runs if (found := run_rows.get(self.store, run)) is not None)
                self.waited.note(lacks, self.now_ms, {f"{run.namespace}/{run.name}" for run in jobs})

    def lose(self, zone: str) -> None:
        gone = [a for a in agent_rows.connected(self.store) if a.zone == zone]
        self.tell([c.DisconnectAgent(a.id, a.session, a.node) for a in gone])
        lost = {a.id for a in gone}
        self._stirred = True
        self._ends = [end for end in self._ends if end[2] not in lost]  # nobody tells how it ended
        heapq.heapify(self._ends)


def simulate(
    store: Store,
    until_ms: int,
    *,
    from_ms: int | None = None,
    changes: Callable[[int], Sequence[c.Command]] = lambda _: (),
    lose: tuple[str, int] | None = None,
    instants: bool = False,
    far: Callable[[int], None] = lambda _: None,
    thorough: bool = False,
) -> Simulation:
    """From the state's latest stamp to `until_ms`. `from_ms`: what is decided before is gone through and not
    told. `changes`: what is put first, at the stamp. `lose`: a zone, whose agents are gone from an instant
    on. `instants`: of each trigger are kept. `far`: is told now and then how far it is. `thorough`: the
    planner is asked at each instant (rule 3). Raises ValueError for what the machine refuses of it."""
    machine = Machine(store)
    begun_ms = machine.state.stamp_ms
    from_ms = begun_ms if from_ms is None else from_ms
    if not begun_ms <= from_ms < until_ms:
        span = f"{format_instant(begun_ms)}, where the state ends, and {format_instant(until_ms)}"
        raise ValueError(f"{format_instant(from_ms)} does not lie between {span}")
    if until_ms - begun_ms > SPAN_MS_MAX:
        last = f"{format_instant(begun_ms)}, where the state ends"
        raise ValueError(
            f"{format_instant(until_ms)} is more than {SPAN_MS_MAX // 86_400_000} days after {last}: all of"
            " them would be gone through"
        )
    world = _World(store, machine, begun_ms, thorough=thorough)
    world.tell([c.Lead("simulation", "", machine.state.leader_term + 1)])
    for outcome in world.tell(changes(begun_ms)):
        if not outcome.ok:
            raise ValueError(outcome.detail)
    world.adopt()
    if lose is not None:
        _need_lost(store, lose, from_ms, until_ms)
    first_seq = machine.state.ledger_seq
    if begun_ms < from_ms:
        lose = _go_on(world, from_ms, lose, far)
        first_seq, world.waited, world.now_ms = machine.state.ledger_seq, Waited(), from_ms
    _go_on(world, until_ms, lose, far)
    found = Simulation(from_ms, until_ms, without_history=len(world.unknown))
    tell(found, store, first_seq, world.waited, instants=instants)
    return found


def _need_lost(store: Store, lose: tuple[str, int], from_ms: int, until_ms: int) -> None:
    """Raises ValueError where nothing would be lost: what is told then would say that nobody misses it."""
    zone, at_ms = lose
    known = sorted({each.zone for each in agent_rows.connected(store)})
    if zone not in known:
        there = f"those that are have {', '.join(map(repr, known))}" if known else "none is"
        raise ValueError(f"no agent of zone {zone!r} is connected: {there}")
    if at_ms >= until_ms:
        span = f"{format_instant(from_ms)} to {format_instant(until_ms)}"
        raise ValueError(f"zone {zone!r} is lost at {format_instant(at_ms)}, which is not in {span}")


def _go_on(
    world: _World, until_ms: int, lose: tuple[str, int] | None, far: Callable[[int], None]
) -> tuple[str, int] | None:
    """Gives what is still to be lost."""
    for number in range(STEPS_MAX):
        for _ in range(STUCK_MAX):
            if not world.step():
                break
        world.note_locks()
        at_ms = world.next_ms()
        at_ms = until_ms if at_ms is None else max(at_ms, world.now_ms + 1)
        if lose is not None and lose[1] <= min(at_ms, until_ms):
            world.now_ms = max(world.now_ms, lose[1])
            world.lose(lose[0])
            lose = None
            continue
        if at_ms >= until_ms:
            return lose
        world.now_ms = at_ms
        if number % TOLD_EVERY == 0:
            far(at_ms)
    raise ValueError("more is due than a simulation goes through: take fewer days")


def _usual(store: Store) -> dict[tuple[int, str], int]:
    """How long tasks take, by (job, name)."""
    took: dict[tuple[int, str], list[int]] = defaultdict(list)
    rows = store.rows(
        "SELECT r.job, t.name, a.finished_ms - a.started_ms FROM attempts a JOIN tasks t ON t.id = a.task"
        " JOIN runs r ON r.id = a.run WHERE a.id > (SELECT coalesce(max(id), 0) - ? FROM attempts)"
        " AND a.state = 'succeeded' AND a.started_ms IS NOT NULL",
        (HISTORY,),
    )
    for job, task, took_ms in rows:
        took[job, task].append(took_ms)
    return {key: max(1, round(median(each))) for key, each in took.items()}
