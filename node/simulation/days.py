"""People who close plan dates, say something of single ticks, and fill what is past in a story, and what must
hold of that.

closed    while a plan date is closed nothing that comes by itself makes a run for it; what has moved to a
          working day is of the date that it comes from
person    what a person skips or holds, and nobody lets go, never runs; what he moves has its new instant
early     what he moves to an earlier instant comes then, and has one outcome
filled    of an instant no two runs of backfills go on at a time; of a backfill no more go on than may, and it
          goes on when it can

Rules: as `operators` has them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from node.simulation.front import Front, any_of
from node.simulation.instants import MOVED
from scheduler.machine import AppliedEntry
from scheduler.store.connection import Store
from scheduler.words import events as e
from scheduler.words.causes import LEDGERED, Kind, backfilled
from scheduler.words.commands import CancelBackfill, ChangeTick, ClosePlan, Command, OpenPlan, StartBackfill

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.6  #: on average, between one act and the next
ACTS = ("hold", "release", "skip", "move", "give")
MOVED_MS, EARLIER_MS = 2_500, -1_200
DAY_MS = 86_400_000
_COMING = (
    "SELECT j.name, t.key, t.next_due_ms FROM triggers t JOIN jobs j ON j.id = t.job WHERE t.until_ms IS NULL"
    " AND t.event = '' AND t.next_due_ms IS NOT NULL AND j.namespace = 'default' ORDER BY t.id"
)
_GOING = "SELECT id FROM backfills WHERE state = 'going' ORDER BY id"
_STUCK = (  # by how far ticks have come: stamps may be of a clock that was turned, and no leader's any more
    "SELECT b.id, b.active FROM backfills b WHERE b.state = 'going' AND (b.active = 0 AND b.wake_ms IS NULL"
    " OR b.wake_ms < (SELECT min(next_due_ms) FROM triggers WHERE until_ms IS NULL AND event = '') - 4000)"
    " ORDER BY b.id"
)
_SAID = (
    "SELECT j.name, c.key, c.at_ms FROM changed_ticks c JOIN jobs j ON j.id = c.job"
    " ORDER BY j.id, c.key, c.at_ms"
)
_OUTCOME = (
    "SELECT l.outcome FROM ledger l JOIN triggers t ON t.id = l.trigger WHERE t.job = ? AND t.key = ?"
    " AND l.key = '' AND l.first_ms <= ? AND l.last_ms >= ? ORDER BY l.seq"
)


_RAN_EARLY = (
    "SELECT r.id, r.due_ms FROM runs r JOIN triggers t ON t.id = r.trigger WHERE r.job = ? AND t.key = ?"
    " AND r.tick_ms = ? AND r.due_ms < ? ORDER BY r.id"
)


class Days:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"days {seed}")
        self._last = (0, -1)  #: event that was told
        self._closed: set[int] = set()  #: of the namespace `default`
        self._said: dict[tuple[int, str, int], str] = {}  #: what was said last, by job, trigger and instant
        self._filling: dict[str, int] = {}  #: the run of a backfill that goes on, by job and instant
        self._moved: dict[tuple[int, str, int], int] = {}  #: to when
        self.closings = self.changes = self.fillings = self.filled = self.moves = self.earlier = 0
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        front = None if world.healing else any_of(world.fronts.values(), rng)
        if front is None:
            return
        day = world.wall_ms(front.node) // DAY_MS - (rng.random() < 0.3)
        closes = rng.random() < 0.1
        date: Command = ClosePlan("default", day, "a story") if closes else OpenPlan("default", day)
        front.propose([date, *self._changes(front), *self._fillings(front)])

    def _changes(self, front: Front) -> list[Command]:
        rng, store = self._rng, self._world.state(front.node).store
        coming, said = store.rows(_COMING), store.rows(_SAID)
        found: list[Command] = []
        for rows, ahead_s in ((coming, 1 + rng.randrange(3)), (said, 0)):
            if rows:
                name, key, at_ms = rng.choice(rows)
                at_ms += 1_000 * ahead_s
                act = rng.choice(ACTS)
                to_ms = at_ms + rng.choice((MOVED_MS, EARLIER_MS))
                found.append(ChangeTick("default", name, key, at_ms, act, "", to_ms, b"{}"))
        return found

    def _fillings(self, front: Front) -> list[Command]:
        rng, store = self._rng, self._world.state(front.node).store
        going = store.rows(_GOING)
        if going and rng.random() < 0.2:
            return [CancelBackfill(rng.choice(going)[0], runs=rng.random() < 0.5)]
        coming = store.rows(_COMING)
        if not coming or rng.random() < 0.5:
            return []
        name, key, next_ms = rng.choice(coming)
        to_ms = min(next_ms, self._world.wall_ms(front.node)) - 1_000 * rng.randrange(8)
        span = (to_ms - 1_000 * rng.randrange(1, 8), to_ms, 8, rng.randrange(1, 4))
        return [StartBackfill("default", name, key, *span, rng.random() < 0.5, rng.random() < 0.2)]

    def resume(self, front: Front) -> None:
        """All dates are open again."""
        front.propose([OpenPlan("default", day) for day in sorted(self._closed)])

    # ---- what must hold

    def heard(self, entry: AppliedEntry) -> None:
        for index, number, event in entry.events:
            if (index, number) > self._last:
                self._last = (index, number)
                self._told(event)

    def _told(self, event: e.Event) -> None:
        if isinstance(event, e.PlanClosed):
            self._closed.add(event.day)
            self.closings += 1
        elif isinstance(event, e.PlanOpened):
            self._closed.discard(event.day)
        elif isinstance(event, e.TickChanged):
            tick = event.job, event.trigger, event.at_ms
            self._said[tick] = event.act
            self.changes += 1
            if event.act == "move" and event.due_ms is not None:
                self._moved[tick] = event.due_ms
            elif event.act in ("release", "hold"):
                self._moved.pop(tick, None)
        elif isinstance(event, e.TickChangeDropped):
            self._said.pop((event.job, event.trigger, event.at_ms), None)
            self._moved.pop((event.job, event.trigger, event.at_ms), None)
        elif isinstance(event, e.BackfillBegan):
            self.fillings += 1
        elif isinstance(event, e.RunCreated) and event.cause == Kind.BACKFILL:
            instant = f"{event.job}/{backfilled(event.cause_key)}"
            if instant in self._filling:
                self._world.invariants.fail("filled", f"{event}, and run {self._filling[instant]} goes on")
            self._filling[instant] = event.run
            self.filled += 1
        elif isinstance(event, e.RunEnded):
            self._filling = {k: run for k, run in self._filling.items() if run != event.run}
        elif isinstance(event, e.RunCreated) and event.cause in LEDGERED and event.namespace == "default":
            day = None if event.tick_ms is None else event.tick_ms // DAY_MS - (event.name == MOVED)
            if day in self._closed:
                self._world.invariants.fail("closed", f"{event} for a plan date that is closed")

    def judge(self, store: Store) -> list[tuple[str, str]]:
        found = [
            ("filled", f"backfill {number} does not go on, {active} runs of it do")
            for number, active in store.rows(_STUCK)
        ]
        found += [
            ("filled", f"of backfill {number} {active} runs go on, {most} at most")
            for number, active, most in store.rows("SELECT id, active, active_max FROM backfills")
            if active > most
        ]
        for (job, key, at_ms), act in self._said.items():
            if act in ("skip", "hold"):
                told = [outcome for (outcome,) in store.rows(_OUTCOME, (job, key, at_ms, at_ms))]
                if "ran" in told or len(told) > 1:
                    found.append(("person", f"{act} of {key} of job {job} at {at_ms}, and yet {told}"))
        for tick, due_ms in self._moved.items():
            early = store.rows(_RAN_EARLY, (*tick, due_ms))
            self.moves += not early
            said = f"{tick} was moved to {due_ms}"
            found += [("person", f"{said}, and run {run} is of {at_ms}") for run, at_ms in early]
            job, key, at_ms = tick
            outcomes = [outcome for (outcome,) in store.rows(_OUTCOME, (job, key, at_ms, at_ms))]
            if len(outcomes) > 1:
                found.append(("early", f"{said}, and its outcomes are {outcomes}"))
            self.earlier += due_ms < at_ms and "ran" in outcomes
        return found
