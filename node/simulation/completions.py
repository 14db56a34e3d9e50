"""Those outside who complete what was handed on to them, in a story.

completed what was handed on ended by the first word about that very attempt, in time and behind a good end of
          its process, or at its time; who awaits a word holds a lock and no slot, and comes to an end; what
          comes behind began by no other end

Rules: as `operators` has them. Fronts pass on whose word it is: an attempt's own, or a person's about the
newest one. Several give words about the same attempt, at nodes that may be behind, now and then about one
that is over, and each again what it has said before. Of one of ALONE runs nobody ever says anything. Beside
that it is told how far an attempt is, which is taken once in the time that one has.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scheduler.machine import AppliedEntry
from scheduler.machine.rules.completing import PROGRESS_MS_MIN
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.store.connection import Store
from scheduler.words import events as e
from scheduler.words.commands import Actor, CompleteTask, PreparedObject, ReportProgress
from scheduler.words.outcomes import Outcome

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.25
LATELY, ALONE = 8, 4
NAME, PLACES, TIMEOUT_MS, LATE_MS = "hands-on", "outside", 2_000, 4_000
JOB: dict[str, object] = {
    "job": NAME,
    "policies": {"overlap": "allow", "timeout": "30s", "retention": {"runs": 10_000}},
    "triggers": [{"every": "1s"}],
    "tasks": {
        "submit": {
            "run": "x", "async": {"timeout": f"{TIMEOUT_MS}ms"}, "locks": [PLACES], "outputs": ["n"],
            "retry": {"delays": ["500ms"]}, "allow_failure": True,
        },
        "then": {"noop": True, "needs": ["submit"], "when": "submit.succeeded"},
    },
}  # fmt: skip
_OF = (
    "FROM attempts a JOIN tasks t ON t.id = a.task AND t.name = 'submit' JOIN runs r ON r.id = a.run"
    f" AND r.name = '{NAME}' AND r.cause <> 'orphan' LEFT JOIN completions c ON c.attempt = a.id WHERE"
)
_UNTIL = f"max(a.granted_ms, a.due_ms) + {TIMEOUT_MS}"
_HOLDS = "EXISTS (SELECT 1 FROM lock_holds h WHERE h.holder = 'task' AND h.id = t.id)"
_FAULTS = {
    "succeeded without a word, or a good process": (
        f"{_OF} a.state = 'succeeded' AND (coalesce(c.outcome, '') <> 'succeeded' OR a.exit_code <> 0)"
    ),
    "failed without a word": (
        f"{_OF} a.state = 'failed' AND a.exit_code = 0 AND coalesce(c.outcome, '') <> 'failed'"
    ),
    "ran out of time in spite of a word": f"{_OF} a.state = 'timed_out' AND coalesce(c.outcome, '') <> ''",
    "ran out of time early": (
        f"{_OF} a.state = 'timed_out' AND a.finished_ms < {_UNTIL} AND a.finished_ms <> c.exited_ms"
    ),
    "were completed when their time was over": f"{_OF} c.answered_ms >= {_UNTIL}",
    "have a word, and still await one": f"{_OF} a.state = 'awaiting' AND c.outcome <> ''",
    "await a word, and hold no place": f"{_OF} a.state = 'awaiting' AND NOT {_HOLDS}",
    "await a word, and are on an agent": f"{_OF} a.state = 'awaiting' AND a.live <> 0",
    "are over, and hold a place": f"{_OF} t.finished_ms IS NOT NULL AND {_HOLDS}",
    "went on without a good word": (
        f"{_OF} t.state <> 'succeeded' AND EXISTS (SELECT 1 FROM tasks n WHERE n.run = a.run"
        " AND n.name = 'then' AND n.queued_ms IS NOT NULL)"
    ),
}
_SLOTS = (
    "SELECT g.id FROM agents g WHERE g.busy <> (SELECT count(*) FROM attempts a WHERE a.agent = g.id"
    " AND a.live = 1) ORDER BY g.id LIMIT 3"
)


def resources(now_ms: int) -> tuple[PreparedObject, ...]:
    found = prepare_document(parse_document({"resource": PLACES, "count": 3}), now_ms)
    assert isinstance(found, PreparedObject)
    return (found,)


class _Far(NamedTuple):
    text: str
    stamp_ms: int


class Completers:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"completers {seed}")
        self._last = (0, -1)  #: event that was told
        self._runs: list[int] = []  #: lately
        self._granted: list[tuple[int, int]] = []  #: attempts and their runs, lately
        self._said: dict[str, CompleteTask] = {}
        self._acked: dict[int, str] = {}  #: attempt to the message of the word that was taken
        self._told: set[int] = set()  #: attempts that were completed
        self._texts = 0
        self._far: dict[int, _Far] = {}  #: attempt to what was taken of how far it is
        self._acked_far: set[tuple[int, str]] = set()  #: attempts and texts
        self._taken: set[tuple[int, str]] = set()
        self.awaited = self.refused = self.again = self.expired = 0
        self._act()

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        fronts = [front for front in world.fronts.values() if front.lives]
        if world.healing or not fronts or not self._granted:
            return
        for _ in range(rng.choice((1, 1, 2))):
            command = self._word()
            rng.choice(fronts).propose([command], partial(self._answered, command))
        if rng.random() < 0.6:
            attempt, run = rng.choice(self._granted)
            self._texts += 1
            told = ReportProgress(run, attempt, rng.randrange(101), f"far {self._texts}")
            rng.choice(fronts).propose([told], partial(self._heard_how_far, told))

    def _heard_how_far(self, told: ReportProgress, outcomes: list[Outcome]) -> None:
        if outcomes[0].ok:
            self._acked_far.add((told.attempt, told.text))

    def _told_how_far(self, attempt: int, text: str, stamp_ms: int) -> None:
        before = self._far.get(attempt)
        if before is not None and before.text != text and stamp_ms < before.stamp_ms + PROGRESS_MS_MIN:
            said = f"attempt {attempt}: {text!r} was taken soon behind {before.text!r}"
            self._world.invariants.fail("completed", said)
        self._far[attempt] = _Far(text, stamp_ms)

    @property
    def progress(self) -> int:
        return len(self._far)

    def _word(self) -> CompleteTask:
        rng = self._rng
        if self._said and rng.random() < 0.25:
            return self._said[rng.choice(list(self._said)[-LATELY:])]
        outcome, message = rng.choice(("succeeded", "succeeded", "failed")), f"word {len(self._said)}"
        outputs = b'{"n":%d}' % len(self._said) if outcome == "succeeded" else b""
        if rng.random() < 0.2:
            run = rng.choice(self._runs)
            command = CompleteTask(run, "submit", outcome, message, outputs, actor=Actor("ann"))
        else:
            attempt, run = rng.choice(self._granted)
            command = CompleteTask(run, "submit", outcome, message, outputs, attempt)
        self._said[message] = command
        return command

    def _answered(self, command: CompleteTask, outcomes: list[Outcome]) -> None:
        value = outcomes[0].value
        if not outcomes[0].ok or value is None:
            self.refused += 1
            return
        attempt = int(str(value["attempt"]))
        taken = self._acked.setdefault(attempt, command.message)
        self.again += taken == command.message and attempt in self._told
        if taken != command.message or command.attempt not in (0, attempt):
            said = f"attempt {attempt} was completed by {taken!r}, and {command} was taken"
            self._world.invariants.fail("completed", said)

    @property
    def completed(self) -> int:
        return len(self._told)

    def heard(self, entry: AppliedEntry) -> None:
        for index, number, event in entry.events:
            if (index, number) <= self._last:
                continue
            self._last = (index, number)
            match event:
                case e.RunCreated(name=name) if name == NAME and event.run % ALONE:
                    self._runs = [*self._runs[-LATELY:], event.run]
                case e.AttemptGranted() if event.run in self._runs:
                    self._granted = [*self._granted[-LATELY:], (event.attempt, event.run)]
                case e.AttemptAwaiting():
                    self.awaited += 1
                case e.AttemptProgressed():
                    self._taken.add((event.attempt, event.text))
                    self._told_how_far(event.attempt, event.text, entry.stamp_ms)
                case e.AttemptCompleted():
                    if event.attempt in self._told:
                        said = f"attempt {event.attempt} was completed twice"
                        self._world.invariants.fail("completed", said)
                    self._told.add(event.attempt)

    def judge(self, store: Store) -> Iterator[tuple[str, str]]:
        for what, sql in _FAULTS.items():
            if found := store.rows(f"SELECT a.id {sql} ORDER BY 1 LIMIT 3"):
                yield "completed", f"attempts {[row[0] for row in found]} {what}"
        if found := store.rows(_SLOTS):
            yield "completed", f"agents {[row[0] for row in found]} have another number of slots in use"
        expired = f"SELECT count(*) {_OF} a.state = 'timed_out'"
        self.expired = max(self.expired, store.value(expired))
        stamp_ms = store.value("SELECT stamp_ms FROM state")
        late = f"a.state = 'awaiting' AND t.wake_ms < {stamp_ms - LATE_MS}"
        if not self._world.plan.clocks and (found := store.rows(f"SELECT a.id {_OF} {late} LIMIT 3")):
            yield "completed", f"attempts {[row[0] for row in found]} await a word behind their time"
        for attempt, message in self._acked.items():
            stands = store.value("SELECT message FROM completions WHERE attempt = ?", (attempt,))
            if stands != message:
                yield "completed", f"attempt {attempt}: {message!r} was acknowledged, {stands!r} stands"
        for attempt, text in sorted(self._acked_far - self._taken):
            yield "completed", f"attempt {attempt}: {text!r} was acknowledged, and never taken"
        for attempt, far in self._far.items():
            stands = store.value("SELECT doing FROM completions WHERE attempt = ?", (attempt,))
            if stands != far.text:
                yield "completed", f"attempt {attempt}: {far.text!r} was taken, it is told at {stands!r}"
