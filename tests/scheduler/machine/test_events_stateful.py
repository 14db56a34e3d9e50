"""Triggers that wait for events (`every: {delay}`, `after`, `webhook`, `notice`, `all_of`) under edits,
pauses, resumes, runs by hand, cancelled ones, deletions and restores: no cause comes to something twice, none
is swallowed, and verify finds all of it whole.

What waits is read from the rows that wait. Whatever somebody does, each of it still waits after that, or has
come to something; of what the act itself ended, the act says so (`unless`).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scheduler.store.tables import delays, deliveries, hearers, postponed
from scheduler.store.tables import triggers as trigger_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.machine.test_deliveries import delivery
from tests.scheduler.machine.test_notices import post
from tests.scheduler.machine.test_restores import HOLD_MS, restore
from tests.scheduler.story import Story, job

OVERLAP = st.sampled_from([None, None, "queue_one", "skip", "allow"])
ADA = c.Actor("ada")
UPSTREAM = ("up", "down")


class Cause(NamedTuple):
    job: int
    kind: str
    key: str


    @property
    def number(self) -> int:
        """Of the notice, or of the run that ended last."""
        return int(self.key.replace(",", "/").rpartition("/")[2])


Triggers = Mapping[str, dict[str, Any]]
NOBODY: Triggers = {}
KINDS: dict[str, list[dict[str, Any]]] = {
    "d": [{"every": {"delay": "20s"}}, {"every": {"delay": "50s"}}],
    "a": [{"after": "up.succeeded"}, {"after": "up.ended"}, {"after": "up.succeeded and down.succeeded"}],
    "w": [{"webhook": "deploys"}],
    "g": [
        {"all_of": {"of": [{"notice": {"board": "stock"}}, {"after": "up.ended"}], "within": "1m"}},
        {"all_of": {"of": [{"after": "up.ended"}, {"after": "down.ended"}], "within": "20s"}},
    ],
    "n": [{"notice": {"board": "stock"}}, {"notice": {"board": "stock", "key": "k"}}],
}
ALL = st.fixed_dictionaries({key: st.sampled_from(each) for key, each in KINDS.items()})
SOME = st.fixed_dictionaries({}, optional={key: st.sampled_from(each) for key, each in KINDS.items()})


def document(triggers: Triggers, overlap: str | None) -> dict[str, Any]:
    more = {} if overlap is None else {"overlap": overlap}
    told = [{**each, "id": key, **({} if key == "d" else more)} for key, each in triggers.items()]
    return job(trigger=told, tasks={"main": {"sleep": "30s"}})


def none_of_it(_: Cause) -> bool:
    return False


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.there: Triggers | None = NOBODY  #: the triggers of the job; None: it is deleted
        self.answers: list[tuple[c.Deliver, Any]] = []
        self.restores = 0

    @initialize(triggers=ALL, overlap=OVERLAP)
    def begin(self, triggers: Triggers, overlap: str | None) -> None:
        self.story = Story(Path(self.folder.name) / "state.db")
        self.story.lead()
        self.story.tell_ok(c.PutSecret("default", "key", 1, "k", b"sealed", ()))
        assert self.story.apply({"hook": "deploys", "secret": "key"}, {"board": "stock"}).ok
        self.story.put(*[job(name, tasks={"main": {"sleep": "10s"}}) for name in UPSTREAM])
        self.edit(triggers, overlap)

    def teardown(self) -> None:
        self.story.tell(c.ResumeJob("default", "j"), c.Resume("", ADA))
        for _ in range(150):
            self.story.now_ms += 10_000
            self.story.settle()
            if not self.waiting():
                break
        assert self.waiting() == set(), "all of it comes to something"
        self.it_is_whole()
        self.story.close()
        self.folder.cleanup()

    # -- what waits ---------------------------------------------------------------------------------

    def waiting(self) -> set[Cause]:
        """Its time has come, and nothing has come of it yet."""
        return {*self._delayed(), *self._postponed(), *self._unheard_ends(), *self._unheard_notices()}

    def _delayed(self, *, live: bool | None = None) -> Iterator[Cause]:
        store = self.story.store
        for row in delays.due(store, 0, self.story.now_ms, 100):
            era = trigger_rows.get(store, row.trigger)
            assert era is not None
            if live is None or live == (era.until_ms is None):
                yield Cause(row.job, "delay", f"{era.key}/{row.run}/{row.anchor_ms}")

    def _postponed(self) -> Iterator[Cause]:
        store = self.story.store
        for (number,) in store.rows("SELECT DISTINCT job FROM postponed"):
            for row in postponed.of_job(store, number):
                yield Cause(row.job, row.kind, row.cause_key)

    def _unheard_ends(self) -> Iterator[Cause]:
        """Of conditions that one end makes true."""
        rows = self.story.store.rows(
            "SELECT t.job, e.run FROM ends e JOIN listeners l ON l.parent = e.parent"
            " AND l.until_end IS NULL AND l.from_end < e.id"
            " JOIN triggers t ON t.id = l.trigger AND t.event = 'after'"
            " WHERE e.open = 1 AND e.looked < t.id"
        )
        causes = [Cause(number, "after", f"a/{run}") for number, run in rows]
        yield from (each for each in causes if self.is_asked_for(each, self.there or NOBODY))

    def _unheard_notices(self) -> Iterator[Cause]:
        store = self.story.store
        for hearer in hearers.page(store, (0, ""), 1_000):
            if trigger_rows.key_of(store, hearer.trigger) != "n":
                continue  # a date of several things: verify asks for it
            standing = "SELECT serial FROM notices WHERE deleted = 0 AND serial > ?"
            serials = [serial for (serial,) in store.rows(standing, (hearer.through,))]
            causes = [Cause(hearer.job, "notice", f"n/stock/{serial}") for serial in serials]
            asked = [each for each in causes if self.is_asked_for(each, self.there or NOBODY)]
            yield from asked if hearer.until_serial is None else ()

    def is_asked_for(self, cause: Cause, triggers: Triggers) -> bool:
        """Of a notice, and of an end that makes a condition true by itself: whether one of these triggers
        waits for it. Delays and deliveries are asked for once they are there."""
        store = self.story.store
        if cause.kind == "after":
            state = store.value("SELECT state FROM runs WHERE id = ?", (cause.number,))
            asked = triggers.get("a", {}).get("after")
            return asked == "up.ended" or (asked == "up.succeeded" and state == "succeeded")
        if cause.kind == "notice":
            key = store.value("SELECT key FROM notices WHERE serial = ?", (cause.number,))
            return "n" in triggers and triggers["n"]["notice"].get("key", key) == key
        return True

    def came(self) -> set[Cause]:
        """What there is a run or an entry of."""
        rows = self.story.store.rows(
            "SELECT job, kind, key FROM ledger WHERE key <> '' UNION"
            " SELECT job, cause, cause_key FROM runs WHERE cause_key <> ''"
        )
        return {Cause(*row) for row in rows}

    @contextmanager
    def act(
        self, unless: Callable[[Cause], bool] = none_of_it, *, makes_runs: bool = False
    ) -> Iterator[None]:
        """Nothing that waited is gone, but what the act ended; a run of the job lets no delay be due."""
        before, live = self.waiting(), set(self._delayed(live=True))
        yield
        gone = before - self.waiting() - self.came()
        assert {each for each in gone if not unless(each) and not (makes_runs and each in live)} == set()

    # -- what people and other systems do -------------------------------------------------------------

    @rule(triggers=ALL | SOME, overlap=OVERLAP, behind=st.sampled_from(["", "notice", "end"]))
    def edit_behind(self, triggers: Triggers, overlap: str | None, behind: str) -> None:
        """Behind what nobody has heard yet."""
        if behind == "notice":
            self.post("k", 3_600_000)
        elif behind == "end":
            run = self.story.value(c.RunJob("default", "up", b"{}", self.story.now_ms), "run")
            self.story.tell_ok(c.CancelRun(run, actor=ADA))
        self.edit(triggers, overlap)

    def edit(self, triggers: Triggers, overlap: str | None) -> None:
        kept = set(self._postponed()) if self.there is not None else set()
        with self.act(lambda each: each not in kept and not self.is_asked_for(each, triggers)):
            self.story.put(document(triggers, overlap))
            self.there = triggers

    @precondition(lambda self: self.there is not None)
    @rule()
    def delete(self) -> None:
        kept = {*self._postponed(), *self._delayed()}
        with self.act(lambda each: each not in kept):
            self.story.tell_ok(c.DeleteJob("default", "j"))
            self.there = None

    @precondition(lambda self: self.there is not None)
    @rule(is_paused=st.booleans())
    def pause_or_resume(self, is_paused: bool) -> None:
        with self.act():
            self.story.tell(c.PauseJob("default", "j") if is_paused else c.ResumeJob("default", "j"))

    @rule(is_paused=st.booleans())
    def pause_or_resume_all(self, is_paused: bool) -> None:
        with self.act():
            self.story.tell(c.Pause("", "why", None, ADA) if is_paused else c.Resume("", ADA))

    @precondition(lambda self: self.there is not None)
    @rule()
    def run_by_hand(self) -> None:
        with self.act(makes_runs=True):
            self.story.tell_ok(c.RunJob("default", "j", b"{}", self.story.now_ms))

    @rule(name=st.sampled_from(UPSTREAM))
    def run_upstream(self, name: str) -> None:
        with self.act():
            self.story.tell_ok(c.RunJob("default", name, b"{}", self.story.now_ms))

    @rule()
    def cancel_the_oldest(self) -> None:
        run = self.story.store.value("SELECT min(id) FROM runs WHERE finished_ms IS NULL")
        if run is not None:
            with self.act():
                self.story.tell(c.CancelRun(run, actor=ADA))

    @rule(key=st.sampled_from(["k", "x"]), lasts_ms=st.sampled_from([20_000, 3_600_000]))
    def post(self, key: str, lasts_ms: int) -> None:
        with self.act():
            serial = post(self.story, key, lasts_ms)
        heard = [each for each in self.waiting() if each.kind == "notice" and each.number == serial]
        assert len(heard) == self.is_asked_for(Cause(0, "notice", f"n/stock/{serial}"), self.there or NOBODY)

    @rule()
    def take_down_the_newest(self) -> None:
        serial = self.story.store.value("SELECT max(serial) FROM notices WHERE deleted = 0")
        if serial is not None:
            with self.act(lambda each: each.kind == "notice" and each.number == serial):
                self.story.tell_ok(c.DeleteNotice("default", "stock", serial, ADA))

    @rule(is_signed=st.booleans())
    def deliver(self, is_signed: bool) -> None:
        signed_ms = self.story.now_ms - 1_000 if is_signed else None
        command = delivery(self.story, f"d{len(self.answers)}", signed_ms=signed_ms)
        with self.act(makes_runs=True):
            outcome = self.story.one(command)
        if outcome.ok:
            told = deliveries.firings_of(str((outcome.value or {})["firings"]))
            assert [each.trigger for each in told] == (["w"] if "w" in (self.there or NOBODY) else [])
            self.answers.append((command, (outcome.value or {})["firings"]))
            for each in told:
                assert Cause(each.job, "webhook", f"w/{command.delivery}") in self.came()

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        command, answer = data.draw(st.sampled_from(self.answers))
        with self.act():
            assert self.story.one(command).value == {"firings": answer, "repeated": True}

    @rule(seconds=st.sampled_from([0, 1, 11, 31, 120]), steps=st.sampled_from([0, 1, 2, 100, 100]))
    def time_passes(self, seconds: int, steps: int) -> None:
        """And so many plans are made and applied."""
        with self.act(makes_runs=True):
            self.story.now_ms += seconds * 1_000
            while steps and self.story.plan_and_apply():
                steps -= 1

    @rule()
    def start_again(self) -> None:
        with self.act():
            self.story.reopen()
            self.story.lead()

    @precondition(lambda self: self.restores < 2)
    @rule()
    def restore(self) -> None:
        self.restores += 1
        with self.act():
            restore(self.story, number=self.restores)
            self.story.now_ms += HOLD_MS

    # -- what must hold -------------------------------------------------------------------------------

    @invariant()
    def no_cause_comes_to_something_twice(self) -> None:
        store = self.story.store
        runs = store.rows("SELECT job, cause, cause_key, id FROM runs WHERE cause_key <> ''")
        entries = store.rows("SELECT job, kind, key, run, outcome FROM ledger WHERE key <> ''")
        made = Counter(Cause(*row[:3]) for row in runs) + Counter()
        assert [each for each, count in made.items() if count > 1] == []
        ended = Counter(Cause(*row[:3]) for row in entries)
        assert [each for each, count in ended.items() if count > 1] == []
        run_of = {Cause(*row[:3]): row[3] for row in runs}
        for *cause, run, outcome in entries:
            assert run_of.get(Cause(*cause), run) == run, f"{outcome} beside a run"

    @invariant()
    def it_is_whole(self) -> None:
        found = verify(self.story.store, 0, self.story.now_ms, now_ms=self.story.now_ms)
        assert found.ok, found.problems


TestEvents = Machine.TestCase
TestEvents.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
