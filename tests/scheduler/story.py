"""A state of one node under a virtual clock: the real machine, planner and store, told by tests what happens
when.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scheduler.machine import AppliedEntry, Machine
from scheduler.machine.context import ROOM
from scheduler.machine.rules import substitutes, templates
from scheduler.model import Job, parse_job, prepare
from scheduler.model.compiled import CompiledJob, compile_job
from scheduler.model.known_dates import NO_CALENDARS, Calendars, dates_of
from scheduler.model.known_schedules import NO_SCHEDULES, InForce, Schedules
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.model.templates import Templates
from scheduler.model.work.process import FEATURES
from scheduler.plan import Limits, PlanCache, plan
from scheduler.protocol import AROUND, FILES
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import attempts, jobs, objects, runs, tasks, triggers, zones
from scheduler.words import codec
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Outcome
from scheduler.words.reasons import ENDINGS
from tests.scheduler import zone_data
from tests.scheduler.states import opened

START_MS = 1_800_000_000_000
"""2027-01-15T08:00:00Z, a Friday."""

SHORT, COMPARED_EVERY = 64, 32
"""Entries: in a longer story what is kept is compared with the tables at every 32nd. It was half of what
it takes, and what is kept wrong stays so."""

POOL = "default"
_KNOWN = ("", *(f".{feature}" for feature in (*FEATURES, AROUND)))
_SPOOLED = [f"{kind}{known}" for kind in ("exec", "http", "script", "shell", "ssh") for known in _KNOWN]
KINDS = tuple(sorted([FILES, "noop", f"noop.{AROUND}", *_SPOOLED]))
"""What this version's agents say of the work that they can do."""


def job(name: str = "j", *, trigger: Any = None, **fields: Any) -> dict[str, Any]:
    """A public job that does nothing, with these fields."""
    document: dict[str, Any] = {"job": name, **fields}
    if "tasks" not in fields:
        document.setdefault("noop", True)
    if trigger is not None:
        document["triggers"] = trigger
    return document


class Story:
    """Given commands, when a command, then outcome, events and rows."""

    def __init__(
        self, path: Path, *, now_ms: int = START_MS, reverse: bool = False, room: int = ROOM
    ) -> None:
        self.path = path
        self.reverse = reverse
        self.room = room
        self.now_ms = now_ms
        self.frames: list[tuple[int, bytes]] = []
        self.events: list[e.Event] = []
        self.seq = 0
        self.raft_index = 0
        self.cache = PlanCache()
        self.sessions: dict[int, str] = {}
        self.cluster = "story"
        self.open()

    def open(self) -> None:
        self.store = opened(self.path, self.cluster)
        if self.reverse:
            self.store.execute("PRAGMA reverse_unordered_selects=ON")
        self.machine = Machine(self.store, room=self.room)

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def close(self) -> None:
        self.store.close()

    # -- telling ----------------------------------------------------------------------------------

    def tell(self, *commands: c.Command) -> list[Outcome]:
        """One frame in one entry, at the story's instant."""
        self.seq += 1
        encoded = tuple(codec.encode_command(command) for command in commands)
        frame = codec.encode_frame(codec.Frame("story", self.seq, max(1, self.seq - 3), encoded))
        self.frames.append((self.now_ms, frame))
        entry = self.enter(frame)
        return entry.frames[0][2]

    def applied(self, *frames: bytes) -> AppliedEntry:
        self.raft_index += 1
        return self.machine.apply_entry(
            applied=(self.raft_index, 1, self.raft_index - 1, 1, b""), stamp_ms=self.now_ms, frames=frames
        )

    def enter(self, *frames: bytes) -> AppliedEntry:
        entry = self.applied(*frames)
        self.events = [event for _, _, event in entry.events]
        if self.raft_index < SHORT or self.raft_index % COMPARED_EVERY == 0:
            self.compare_kept()
        return entry

    def compare_kept(self) -> None:
        """What is kept in memory is what the tables say."""
        assert self.store.kept.differences(most=200) == []
        self.check_endings()

    def check_endings(self) -> None:
        """Each is in the table that explanations are written by."""
        decided = "SELECT DISTINCT outcome, reason FROM ledger WHERE trigger > 0"
        for outcome, reason in self.store.rows(decided):
            assert reason in ENDINGS[outcome], "an ending that is in no table"

    def tell_ok(self, *commands: c.Command) -> list[Outcome]:
        outcomes = self.tell(*commands)
        assert all(outcome.ok for outcome in outcomes), outcomes
        return outcomes

    def one(self, command: c.Command) -> Outcome:
        return self.tell(command)[0]

    def value(self, command: c.Command, key: str) -> Any:
        outcome = self.one(command)
        assert outcome.ok, outcome
        assert outcome.value is not None
        return outcome.value[key]

    # -- the usual beginnings ---------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        return self.machine.state.epoch

    def lead(self) -> None:
        self.tell_ok(c.Lead("node-a", "zone-a", self.epoch + 1, "2026a"))

    def put(self, *documents: dict[str, Any], after_ms: int | None = None, **fields: Any) -> list[Any]:
        after_ms = self.now_ms if after_ms is None else after_ms
        parsed = [parse_job(each) for each in documents]
        self.keep_zones(*parsed)
        known = self.calendars()
        shared = self.schedules()
        prepared = tuple(prepare(each, after_ms, calendars=known, schedules=shared) for each in parsed)
        outcome = self.one(c.PutJobs(prepared, after_ms, **fields))
        assert outcome.ok, outcome
        assert outcome.value is not None
        jobs_put: list[Any] = outcome.value["jobs"]  # type: ignore[assignment]  # plain msgpack data
        return jobs_put

    def apply(
        self, *documents: dict[str, Any], gone: Sequence[tuple[str, str, str]] = (), **fields: Any
    ) -> Outcome:
        """Documents of any kind, and what is deleted with them."""
        parsed = [parse_document(each, templates=self.templates(documents)) for each in documents]
        objects = [prepare_document(each, self.now_ms) for each in parsed if not isinstance(each, Job)]
        self.keep_zones(*parsed)
        known = self.calendars(objects)
        shared = self.schedules(objects, gone)
        jobs = [
            prepare(each, self.now_ms, calendars=known, schedules=shared)
            for each in parsed
            if isinstance(each, Job)
        ]
        prepared = [*objects, *jobs]
        return self.one(
            c.Apply(
                tuple(each for each in prepared if isinstance(each, c.PreparedObject)),
                tuple(each for each in prepared if isinstance(each, c.PreparedJob)),
                tuple(c.Deletion(*name) for name in gone),
                self.now_ms,
                **fields,
            )
        )

    def templates(self, documents: Sequence[dict[str, Any]]) -> Templates:
        """What they give, as they are put together or stored."""
        beside = {each["template"]: each["gives"] for each in documents if "gives" in each}
        stored = templates.of(self.store)
        return lambda namespace, name: beside.get(name) or stored(namespace, name)

    def keep_zones(self, *parsed: Any) -> None:
        """As fronts do, where a job names a zone and no zone data is in force yet."""
        named = any(each.names_zone if isinstance(each, Job) else each.zones for each in parsed)
        if named and not self.machine.state.zones:
            self.tell_ok(c.KeepZones(zone_data.body()))

    def calendars(self, puts: Sequence[Any] = ()) -> Calendars:
        """As they are put beside the jobs, or stored; and the rules of zones, as they are in force."""
        beside = {(new.namespace, new.name): new.spec for new in puts}

        def known(namespace: str, name: str) -> dict[str, Any]:
            if not namespace:
                return {"pin": zones.rules_in(zones.current(self.store), name) or ""}
            row = objects.find(self.store, "calendar", namespace, name)
            spec = beside.get((namespace, name)) or (None if row is None else bytes(row.spec))
            return NO_CALENDARS(namespace, name) if spec is None else dates_of(namespace, name, spec)

        return known

    def schedules(
        self, puts: Sequence[Any] = (), gone: Sequence[tuple[str, str, str]] = ()
    ) -> Schedules:
        """As they are put beside the jobs, or stored."""
        beside = substitutes.put_with(puts, gone)

        def known(namespace: str, name: str) -> InForce:
            found = substitutes.known(self.store, namespace, name, beside)
            return found or NO_SCHEDULES(namespace, name)

        return known

    def connect(
        self,
        name: str = "agent-1",
        *,
        session: str = "s1",
        slots: int = 100,
        node: str = "node-a",
        **fields: Any,
    ) -> int:
        values: dict[str, Any] = {
            "installation": f"installation of {name}",
            "boot_id": "boot-1",
            "zone": "zone-a",
            "pool": POOL,
            "labels": b"{}",
            "version": "1",
            "kinds": KINDS,
            **fields,
        }
        agent = int(
            self.value(c.ConnectAgent(name=name, session=session, slots=slots, node=node, **values), "agent")
        )
        self.sessions[agent] = session
        return agent

    def disconnect(self, agent: int, node: str = "node-a") -> None:
        self.tell_ok(c.DisconnectAgent(agent, self.sessions[agent], node))

    # -- the planner and obedient agents ------------------------------------------------------------

    def plan(self, **fields: Any) -> list[c.Command]:
        return plan(self.store, self.now_ms, epoch=self.epoch, lead_ms=0, cache=self.cache, **fields)

    def plan_and_apply(self, **fields: Any) -> list[c.Command]:
        commands = self.plan(**fields)
        if commands:
            self.tell_ok(*commands)
        return commands

    def settle(self, *, exit_code: int = 0, rounds: int = 200, **fields: Any) -> None:
        """Plan, claim and finish at this instant until nothing is left to do."""
        for _ in range(rounds):
            planned = self.plan_and_apply(**fields)
            worked = self.work(exit_code=exit_code)
            if not planned and not worked:
                return
        raise AssertionError("the plan never comes to rest")

    def work(self, *, exit_code: int = 0) -> bool:
        """Every connected agent claims what it was assigned and finishes what it was granted."""
        claims = [
            c.Grant(attempt, agent, session, f"claim {attempt}")
            for attempt, agent, session in self.store.rows(
                "SELECT a.id, a.agent, g.session FROM attempts a JOIN agents g ON g.id = a.agent"
                " WHERE a.state = 'assigned' AND g.node <> '' ORDER BY a.id"
            )
        ]
        if claims:
            self.tell_ok(*claims)
        ends = [
            c.Finish(attempt, agent, self.now_ms, self.now_ms, exit_code, "exit")
            for attempt, agent in self.store.rows(
                "SELECT a.id, a.agent FROM attempts a JOIN agents g ON g.id = a.agent"
                " WHERE a.state IN ('granted', 'running') AND g.node <> '' ORDER BY a.id"
            )
        ]
        if ends:
            self.tell_ok(*ends)
        return bool(claims or ends)

    def claim(self, attempt: int) -> Outcome:
        row = self.attempt(attempt)
        return self.one(c.Grant(attempt, row.agent, self.sessions[row.agent], f"claim {attempt}"))

    def finish(
        self, attempt: int, *, exit_code: int | None = 0, reason: str = "exit", **fields: Any
    ) -> Outcome:
        row = self.attempt(attempt)
        return self.one(c.Finish(attempt, row.agent, self.now_ms, self.now_ms, exit_code, reason, **fields))

    # -- asking -------------------------------------------------------------------------------------

    def job(self, name: str = "j") -> jobs.Job:
        row = jobs.find(self.store, "default", name)
        assert row is not None
        return row

    def compiled(self, _: int, revision: int, namespace: str, name: str) -> CompiledJob:
        """What explanations ask for."""
        spec = jobs.spec_of(self.store, namespace, name, revision)
        assert spec is not None
        return compile_job(spec)

    def run(self, run: int) -> runs.Run:
        row = runs.get(self.store, run)
        assert row is not None
        return row

    def runs(self) -> list[tuple[str, str]]:
        """(cause, state) of every run, oldest first."""
        return [(row[0], row[1]) for row in self.store.rows("SELECT cause, state FROM runs ORDER BY id")]

    def attempt(self, attempt: int) -> attempts.Attempt:
        row = attempts.get(self.store, attempt)
        assert row is not None
        return row

    def attempts(self, run: int) -> list[attempts.Attempt]:
        return attempts.of_run(self.store, run)

    def tasks(self, run: int) -> dict[str, str]:
        return {task.name: task.state for task in tasks.of_run(self.store, run)}

    def triggers(self, name: str = "j") -> list[triggers.Trigger]:
        return triggers.of_job(self.store, self.job(name).id)

    def ledger(self) -> list[tuple[int, int, str, str]]:
        """(first instant after the start in seconds, count, outcome, reason) of what was decided, in the
        order of writing."""
        return [
            ((entry.first_ms - START_MS) // 1_000, entry.ticks, entry.outcome, entry.reason)
            for entry, _ in ledger_reads.after(self.store, 0, limit=100_000)
            if entry.trigger
        ]

    def told(self, kind: type[Any]) -> list[Any]:
        """Events of the last entry of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


__all__ = ["START_MS", "Limits", "Story", "job"]
