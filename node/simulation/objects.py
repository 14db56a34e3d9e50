"""People who apply objects in a story, at once and in stages, at several nodes at once.

applies   the objects and the job of one generation are put by one act, at one index, or not at all; what was
          acknowledged, or told to be live, is there
values    a run has the vars of the generation that counted where it was created
refers    what the job reads is never deleted
schedules the job has of its schedule what that and what takes its place mean, once all have followed

Rules: as `operators` has them: events are judged in their order, each the first time that any node tells it,
and lots are drawn from dice of their own. A generation is a number that all of it has as its value.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from cluster.simulation.world import BEGIN_MS
from node.simulation.front import Front, any_of
from node.simulation.zones import ZONE
from scheduler.machine import AppliedEntry
from scheduler.machine.rules import substitutes
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.model.known_schedules import NO_SCHEDULES, InForce, in_force
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store
from scheduler.store.tables import zones
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import (
    Apply,
    CommitStage,
    Deletion,
    DropStage,
    PreparedJob,
    PreparedObject,
    StageSlice,
)
from scheduler.words.outcomes import Outcome

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.5
JOB, NAMESPACE = "reads", "default"
FIRST, LAST = "first", "last"
VARS = (FIRST, "between-1", "between-2", LAST)
SLICES = 2
SOURCE = "people"
KEPT = {"overlap": "allow", "retention": {"runs": 10_000}}
BEAT, REST = "beat", "rest"
TRIGGERS = [{"cron": "* * * * * *", "id": "each"}, {"schedule": BEAT}]

Prepared = tuple[tuple[PreparedObject, ...], tuple[PreparedJob, ...]]


def _documents(generation: int, *, zoned: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"vars": name, "values": {"generation": generation}} for name in VARS]
    found += _schedules(generation, zoned=zoned)
    job = {"job": JOB, "noop": True, "vars": [FIRST, LAST], "policies": KEPT, "triggers": TRIGGERS}
    return [*found, {**job, "description": str(generation)}]


def _schedules(generation: int, *, zoned: bool) -> list[dict[str, Any]]:
    """What the job is due by too, of another period each time, and by a zone whose clocks move meanwhile; and
    what takes its place for some seconds, now these and now those."""
    beat = [{"every": f"{1 + generation % 3}s", "id": "beat"}, {"every": "5s", "id": "stays"}]
    if zoned:
        beat.append({"cron": "*/3 0-29 * * * *", "tz": ZONE, "id": "zoned"})
    first = generation % 20
    valid = {"from": _second(first), "until": _second(first + 2)}
    rest = [{"every": "700ms", "id": "rest"}] if generation % 2 else []
    return [
        {"schedule": BEAT, "triggers": beat},
        {"schedule": REST, "substitute": BEAT, "valid": valid, "triggers": rest},
    ]


def _second(number: int) -> str:
    """Of a story."""
    return format_instant(BEGIN_MS + number * 1_000)


def _prepared(documents: list[dict[str, Any]], after_ms: int, rules: str) -> Prepared:
    """By these rules of its zone. Of a slice with the job alone it is prepared as if its schedule meant
    nothing: once the stage is live, the job follows."""
    made: list[PreparedJob | PreparedObject] = []
    beside: dict[str, PreparedObject] = {}

    def known(namespace: str, name: str) -> InForce:
        if BEAT not in beside:
            return NO_SCHEDULES(namespace, name)
        rests = {REST: beside[REST].spec} if REST in beside else {}
        return in_force(namespace, name, beside[BEAT].spec, "", rests)

    def clocks(namespace: str, name: str) -> dict[str, Any]:
        return {"pin": rules}

    for each in documents:
        prepared = prepare_document(parse_document(each), after_ms, calendars=clocks, schedules=known)
        made.append(prepared)
        if isinstance(prepared, PreparedObject) and prepared.kind == SCHEDULE:
            beside[prepared.name] = prepared
    return (
        tuple(each for each in made if isinstance(each, PreparedObject)),
        tuple(each for each in made if isinstance(each, PreparedJob)),
    )


class Objects:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"objects {seed}")
        self._last = (0, -1)
        self._generation = 0
        self._stages: dict[str, int] = {}  #: by name, the generation
        self._acknowledged: list[int] = []
        self._created: dict[int, int] = {}  #: runs that read, and the index at which each was created
        self.applied = self.staged = 0
        self.rested = 0  #: ticks of what took the place of the schedule
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        front = any_of(world.fronts.values(), rng) if world.are_put and not world.healing else None
        if front is None:
            return
        kind = rng.random()
        if kind < 0.4:
            self._apply(front)
        elif kind < 0.75:
            self._stage(front)
        elif kind < 0.9 and self._stages:
            front.propose([DropStage(rng.choice(list(self._stages)))])
        else:
            self._delete(front)

    def _rules(self, front: Front) -> str:
        """Of its zone, as its node has them in force; empty: none are yet."""
        return zones.rules_in(zones.current(self._world.state(front.node).store), ZONE) or ""

    def _apply(self, front: Front) -> None:
        self._generation += 1
        generation, after_ms = self._generation, self._world.wall_ms(front.node)

        def answered(outcomes: list[Outcome]) -> None:
            if outcomes[0].ok:
                self._acknowledged.append(generation)

        rules = self._rules(front)
        objects, jobs = _prepared(_documents(generation, zoned=bool(rules)), after_ms, rules)
        front.propose([Apply(objects, jobs, (), after_ms)], answered)

    def _stage(self, front: Front) -> None:
        """A slice behind the other, then the word, as far as this front lives to hear of it."""
        self._generation += 1
        name, after_ms = f"stage {self._generation}", self._world.wall_ms(front.node)
        self._stages[name] = self._generation
        rules = self._rules(front)
        documents = _documents(self._generation, zoned=bool(rules))
        each = -(-len(documents) // SLICES)
        # All are named each time, so nothing goes; a trial changes nothing.
        is_trial, prunes = self._rng.random() < 0.2, self._rng.random() < 0.5

        def lay(number: int) -> None:
            objects, jobs = _prepared(documents[number * each : (number + 1) * each], after_ms, rules)
            command = StageSlice(
                name, number, objects, jobs, (), after_ms, body=b"%d" % number, source=SOURCE
            )
            front.propose([command], laid)

        def laid(outcomes: list[Outcome]) -> None:
            value = outcomes[0].value
            if outcomes[0].ok and value is not None:
                come = int(str(value["slices"]))
                if come < SLICES:
                    lay(come)
                else:
                    front.propose([CommitStage(name, SLICES, dry_run=is_trial, prune=prunes)])

        lay(0)

    def _delete(self, front: Front) -> None:
        def answered(outcomes: list[Outcome]) -> None:
            if outcomes[0].ok:
                self._world.invariants.fail("refers", f"{FIRST} was deleted, and {JOB} reads it")

        after_ms = self._world.wall_ms(front.node)
        front.propose([Apply((), (), (Deletion("vars", NAMESPACE, FIRST),), after_ms)], answered)

    def heard(self, entry: AppliedEntry) -> None:
        for index, number, event in entry.events:
            if (index, number) > self._last:
                self._last = (index, number)
                # One that repeats another has what that had.
                if isinstance(event, e.RunCreated) and event.name == JOB and event.cause != Kind.RERUN:
                    self._created[event.run] = index
                elif isinstance(event, e.StageMoved) and event.state == "done":
                    self._acknowledged.append(self._stages[event.stage])

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        generations: dict[int, dict[str, list[int]]] = {}
        revisions: dict[tuple[str, int], int] = {}  #: the generation of each
        for name, revision, idx, spec in _revisions(store):
            generation = _generation_of(spec)
            revisions[name, revision] = generation
            generations.setdefault(generation, {}).setdefault(name, []).append(idx)
        switches = store.rows("SELECT name FROM stages WHERE state = 'switching'")
        goes_live = {self._stages[name] for (name,) in switches}
        found = []
        for generation, names in sorted(generations.items()):
            indices = {idx for each in names.values() for idx in each}
            whole = set(names) == {*VARS, JOB} and len(indices) == 1
            if not whole and generation not in goes_live:
                found.append(("applies", f"generation {generation} is in {names}"))
        lost = sorted(set(self._acknowledged) - set(generations))
        found += [("applies", f"generation {generation} is not there") for generation in lost]
        self.staged = len(set(self._stages.values()) & set(generations))
        self.applied = len(generations) - self.staged
        counted = {min(min(each) for each in names.values()): g for g, names in generations.items()}
        self.rested = max(self.rested, store.value(_RESTED))
        found += [("schedules", f"{job} holds what its schedule meant") for job in _stale(store)]
        return [*found, *self._judge_values(store, counted, revisions)]

    def _judge_values(
        self, store: Store, generations: dict[int, int], revisions: dict[tuple[str, int], int]
    ) -> list[tuple[str, str]]:
        """`generations`: by the index from which each counts."""
        starts, found = sorted(generations), []
        pinned: dict[int, list[int]] = {}
        for run, name, revision in store.rows("SELECT run, name, revision FROM run_vars ORDER BY run, place"):
            pinned.setdefault(run, []).append(revisions[name, revision])
        for run, index in self._created.items():
            place = bisect_left(starts, index) - 1
            counted = generations[starts[place]] if place >= 0 else 0
            if run in pinned and pinned[run] != [counted, counted]:
                found.append(("values", f"run {run} has {pinned[run]}, {counted} counted at {index}"))
        return found


_RESTED = (
    "SELECT count(*) FROM ledger l JOIN triggers t ON t.id = l.trigger"
    f" WHERE t.key = '{BEAT}:{REST}:{REST}' AND l.outcome = 'ran'"
)


def _stale(store: Store) -> list[int]:
    """Jobs that hold something else of a schedule than it means, and nothing is under way about it."""
    waits = store.value("SELECT redates + stage FROM state")
    held = store.rows("SELECT job, namespace, name, pin FROM job_schedules ORDER BY job, namespace, name")
    return [row[0] for row in held if not waits and row[3] != substitutes.pin_of(store, row[1], row[2])]


def _revisions(store: Store) -> list[tuple[str, int, int, bytes]]:
    objects = store.rows(
        "SELECT name, revision, idx, spec FROM object_revisions WHERE kind = 'vars' ORDER BY name, revision"
    )
    jobs = store.rows(
        "SELECT name, revision, idx, spec FROM revisions WHERE name = ? ORDER BY revision", (JOB,)
    )
    return [*objects, *jobs]


def _generation_of(spec: bytes) -> int:
    shape = json.loads(spec)
    return int(shape["description"] or shape["values"]["generation"])
