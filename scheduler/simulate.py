"""What the days to come bring, by a copy of the state: the machine and the planner themselves, under a
virtual clock, with agents that do each task in the time that it usually takes.

Rules of this file:

1. The copy is changed, and thrown away by whoever made it. Nothing of the machine or the planner is replaced;
   the clock goes from one instant at which something is due to the next.
2. Agents are those of the state, with their slots; each claims at once what it is given. A task ends well,
   after the median of its last runs; one without history after `UNKNOWN_MS`.
3. What is told is read from the ledger afterwards, as a person would.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from scheduler.machine import Machine
from scheduler.machine.rules.gates import locks
from scheduler.model.quantities import format_instant
from scheduler.plan import PlanCache, plan, wake_ms
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables import zones
from scheduler.ticks import schedule
from scheduler.words import codec
from scheduler.words import commands as c
from scheduler.words.causes import RESULTS
from scheduler.words.lifecycle import AWAITING
from scheduler.words.outcomes import Outcome

UNKNOWN_MS = 1_000
HISTORY = 50_000  #: attempts that tell how long tasks take, the newest
STEPS_MAX = 5_000_000
UPKEEP_MS = 600_000  #: so often old runs are looked for; asked at each instant, it were half of the work
STUCK_MAX = 100  #: plans in a row of which nothing is taken
PILE = 10  #: starts in one second that are told of as a pile
TOLD_MAX = 20  #: of each kind
LATE_MS = 5_000
CHUNK = 200  #: commands of one entry
SELECTORS_MAX = 50
CLOCKS_MS = 3 * 3_600_000  #: around a change of the clocks


@dataclass(frozen=True, slots=True)
class Finding:
    kind: str  #: pile | overlap | missed | late | waits | locks | clocks
    subject: str  #: namespace/job, or an instant
    said: str
    hint: str = ""


@dataclass(slots=True)
class Simulation:
    from_ms: int
    to_ms: int
    ticks: Counter[str] = field(default_factory=Counter)  #: by outcome
    runs: int = 0
    without_history: int = 0  #: tasks that are taken to last UNKNOWN_MS
    findings: list[Finding] = field(default_factory=list)  #: all: what is cut is not known not to be new

    def facts(self, new: Collection[tuple[str, str]] = ()) -> dict[str, Any]:
        """`new`: (kind, subject) of what is told before the rest of its kind, of which the first are told."""
        findings: list[dict[str, Any]] = []
        for kind in dict.fromkeys(each.kind for each in self.findings):
            of_kind = [each for each in self.findings if each.kind == kind]
            of_kind.sort(key=lambda each: (each.kind, each.subject) not in new)
            findings += map(asdict, of_kind[:TOLD_MAX])
        return {
            **asdict(replace(self, ticks=Counter(), findings=[])),
            "ticks": dict(self.ticks),
            "findings": findings,
        }


class _World:
    def __init__(self, store: Store, machine: Machine, from_ms: int) -> None:
        self.store, self.machine, self.now_ms = store, machine, from_ms
        self._sequence, self._upkeep_ms = 0, 0
        self._ends: list[tuple[int, int, int]] = []
        self._usual = _usual(store)
        self.unknown: set[tuple[int, str]] = set()
        self.waited: Counter[tuple[str, str]] = Counter()
        self.cache = PlanCache()

    def tell(self, commands: Sequence[c.Command]) -> list[Outcome]:
        found: list[Outcome] = []
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
        if self.now_ms < self._upkeep_ms:
            self.cache.upkeep_ms = self.now_ms
        else:
            self._upkeep_ms = self.now_ms + UPKEEP_MS
        planned = plan(self.store, self.now_ms, epoch=self.machine.state.epoch, lead_ms=0, cache=self.cache)
        taken = bool(planned) and any(outcome.ok for outcome in self.tell(planned))
        return self._work() or taken

    def _work(self) -> bool:
        rows = self.store.rows(
            "SELECT a.id, a.agent, g.session, a.due_ms, r.job, t.name FROM attempts a"
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
        return bool(rows) or self._finish()

    def _finish(self) -> bool:
        """What is over; and what is asked to stop, which does so at once."""
        stopping = self.store.rows(
            "SELECT a.id, a.agent FROM attempts a JOIN agents g ON g.id = a.agent"
            " WHERE a.live = 1 AND a.state = 'cancelling' AND g.node <> '' ORDER BY a.id LIMIT 10000"
        )
        ended: list[c.Command] = [
            c.Finish(attempt, agent, self.now_ms, self.now_ms, None, "cancelled")
            for attempt, agent in stopping
        ]
        over: list[int] = []
        while self._ends and self._ends[0][0] <= self.now_ms:
            _, attempt, agent = heapq.heappop(self._ends)
            over.append(attempt)
            ended.append(c.Finish(attempt, agent, self.now_ms, self.now_ms, 0, "exit"))
        if ended:
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
        due = wake_ms(self.store, cache=self.cache)
        ends = self._ends[0][0] if self._ends else None
        return min((at for at in (due, ends) if at is not None), default=None)

    def note_locks(self) -> None:
        if not self.machine.state.locks:
            return
        for selector in task_rows.queued_selectors(self.store, SELECTORS_MAX):
            lacks = locks.lacks(self.store, selector, self.now_ms)
            if lacks and locks.is_resource(lacks):
                self.waited[lacks, selector] += 1

    def lose(self, zone: str) -> None:
        gone = [a for a in agent_rows.connected(self.store) if a.zone == zone]
        self.tell([c.DisconnectAgent(a.id, a.session, a.node) for a in gone])
        lost = {a.id for a in gone}
        self._ends = [end for end in self._ends if end[2] not in lost]  # nobody tells how it ended
        heapq.heapify(self._ends)


def simulate(
    store: Store,
    until_ms: int,
    *,
    changes: Callable[[int], Sequence[c.Command]] = lambda _: (),
    lose: tuple[str, int] | None = None,
) -> Simulation:
    """From the state's latest stamp to `until_ms`. `changes`: what is put first, at that instant. `lose`: a
    zone, whose agents are gone from an instant on. Raises ValueError for what the machine refuses of it."""
    machine = Machine(store)
    from_ms = machine.state.stamp_ms
    world = _World(store, machine, from_ms)
    first_seq = machine.state.ledger_seq
    world.tell([c.Lead("simulation", "", machine.state.leader_term + 1)])
    changed = changes(from_ms)
    for outcome in world.tell(changed):
        if not outcome.ok:
            raise ValueError(outcome.detail)
    world.adopt()
    if lose is not None:
        _need_lost(store, lose, from_ms, until_ms)
    _go_on(world, until_ms, lose)
    found = Simulation(from_ms, until_ms, without_history=len(world.unknown))
    _tell(found, store, first_seq, world)
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


def _go_on(world: _World, until_ms: int, lose: tuple[str, int] | None) -> None:
    for _ in range(STEPS_MAX):
        for _ in range(STUCK_MAX):
            if not world.step():
                break
        world.note_locks()
        at_ms = world.next_ms()
        at_ms = until_ms if at_ms is None else max(at_ms, world.now_ms + 1)
        if lose is not None and lose[1] <= at_ms:
            world.now_ms = max(world.now_ms, lose[1])
            world.lose(lose[0])
            lose = None
            continue
        if at_ms >= until_ms:
            return
        world.now_ms = at_ms
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


# -- what is told ---------------------------------------------------------------------------------


def _tell(found: Simulation, store: Store, first_seq: int, world: _World) -> None:
    starts: dict[int, Counter[int]] = defaultdict(Counter)  # by second
    skipped, missed, late = Counter[int](), Counter[tuple[int, str]](), dict[int, int]()
    seq = first_seq
    while entries := ledger_reads.after(store, seq, limit=5_000):
        for entry, _ in entries:
            if entry.kind in RESULTS:
                continue  # how a run of it ended, beside what became of the tick
            said = f"{entry.outcome}({entry.reason})" if entry.reason else entry.outcome
            found.ticks[said] += entry.ticks
            if entry.outcome == "ran":
                found.runs += 1
                starts[entry.first_ms // 1_000][entry.job] += 1
                late[entry.job] = max(late.get(entry.job, 0), entry.decided_ms - entry.first_ms)
            elif said == "skipped(overlap)":
                skipped[entry.job] += entry.ticks
            elif entry.outcome == "missed":
                missed[entry.job, entry.reason] += entry.ticks
        seq = entries[-1][0].seq
    names = {
        job: f"{n[0]}/{n[1]}"
        for job, n in job_reads.names(store, {*skipped, *late, *(j for j, _ in missed)}).items()
    }
    found.findings += _piles(starts, names)
    found.findings += [
        Finding(
            "overlap",
            names.get(job, str(job)),
            f"{count} ticks are skipped: the run before goes on",
            "overlap: queue_one, or a longer period",
        )
        for job, count in skipped.most_common()
    ]
    found.findings += [
        Finding("missed", names.get(job, str(job)), f"{count} ticks are missed({reason})")
        for (job, reason), count in missed.most_common()
    ]
    slow = sorted(((ms, job) for job, ms in late.items() if ms >= LATE_MS), reverse=True)
    found.findings += [
        Finding(
            "late",
            names.get(job, str(job)),
            f"starts up to {ms / 1000:.0f} s late",
            "more slots, or another time",
        )
        for ms, job in slow
    ]
    found.findings += _unstarted(store, found.to_ms)
    resources = Counter[str]()
    for (resource, _), count in world.waited.items():
        resources[resource] += count
    found.findings += [
        Finding("locks", resource, f"tasks wait for it, at {count} instants")
        for resource, count in resources.most_common()
    ]
    found.findings += _clocks(store, found)


def _unstarted(store: Store, to_ms: int) -> list[Finding]:
    """Jobs whose runs are due and have not started when it ends."""
    rows = store.rows(
        "SELECT namespace, name, count(*), min(due_ms) FROM runs WHERE finished_ms IS NULL"
        " AND started_ms IS NULL AND due_ms < ? GROUP BY namespace, name"
        " ORDER BY min(due_ms), namespace, name",
        (to_ms - LATE_MS,),
    )
    return [
        Finding(
            "waits",
            f"{row[0]}/{row[1]}",
            f"{row[2]} runs have not started at the end, the first due {format_instant(row[3])}",
            "agents that take them",
        )
        for row in rows
    ]


def _piles(starts: dict[int, Counter[int]], names: dict[int, str]) -> list[Finding]:
    """Times of day at which many start at once, the worst first."""
    by_time: dict[int, Counter[int]] = defaultdict(Counter)
    most: Counter[int] = Counter()
    for second, jobs in starts.items():
        by_time[second % 86_400] |= jobs
        most[second % 86_400] = max(most[second % 86_400], sum(jobs.values()))
    told = []
    for time_s, count in most.most_common():
        if count < PILE:
            break
        some = ", ".join(sorted(names.get(job, str(job)) for job in by_time[time_s])[:3])
        at = f"{time_s // 3600:02}:{time_s // 60 % 60:02}:{time_s % 60:02}Z"
        hint = "H in place of the minute spreads them, such as H 2 * * * for 0 2 * * *"
        told.append(Finding("pile", at, f"{count} runs start in one second: {some}…", hint))
    return told


def _clocks(store: Store, found: Simulation) -> list[Finding]:
    """Triggers that have ticks while the clocks of their zone change."""
    told: list[Finding] = []
    for era in trigger_rows.overlapping(store, found.from_ms, found.to_ms, 0, 100_000):
        if era.until_ms is not None:
            continue
        tz = str(json.loads(era.spec).get("tz", ""))
        clock = zones.in_force(store, tz) if tz else None
        for part in () if clock is None else clock.segments(found.from_ms // 1000, found.to_ms // 1000):
            at_ms = part.start_s * 1000
            if at_ms <= found.from_ms or schedule(era.spec).per_day > 24:
                continue
            near = schedule(era.spec).between(at_ms - CLOCKS_MS, at_ms + CLOCKS_MS, 10)
            if near:
                name = job_reads.names(store, [era.job]).get(era.job, ("", str(era.job)))
                what = "forward" if part.gap_s else "back"
                said = f"trigger {era.key} has {len(near)} ticks within 3 h of {tz}'s clocks going {what}"
                told.append(
                    Finding("clocks", "/".join(name), said, "see dst of the trigger, or another hour")
                )
                break
    return told
