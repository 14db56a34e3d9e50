"""A finished run as the checkers read it: files of one directory, nothing else.

    plan.json         what was to be done
    history.jsonl     what the harness did and saw
    evidence/HOST     what payloads wrote on an agent's host, a line each
    events/NODE.jsonl what this node told of commits (server-sent events), as the harness followed them
    final/*.json      what the product says in the end: jobs, revisions, ticks, runs, each node's own view

Rules: reading judges nothing, and fails only where a file cannot be a run's. What is missing is empty, and
what cannot be read is told as damage; that too little was seen is the vacuity checker's business.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from chaos.history import HISTORY, Entry, Operation, operations, read_lines
from chaos.pace import UNSEEN, slowness
from chaos.seal import broken_seals

EventId: TypeAlias = tuple[int, int]
Tried: TypeAlias = tuple[int, str, int, str]  #: run, task, round, number of the attempt
MAIN = "main"  #: the task of a job that has one alone
RESET = "reset"
FIELDS_OF_A_MARK = 12
UNSEEN_S = 2.0  #: views are told once a second: behind such a gap nobody knows who led


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of a payload: it started (S), still runs (B), ended (E)."""

    what: str
    job: str
    run: int
    attempt: str
    fence: int
    tick_ms: int | None
    agent: str
    at_s: float
    word: str = ""  #: the parameter `word` of a manual run
    given: str = "-"  #: what it was given: values of vars, or what a task before it wrote
    task: str = MAIN
    round: int = 0  #: of its group

    @property
    def tried(self) -> Tried:
        return self.run, self.task, self.round, self.attempt


@dataclass(frozen=True, slots=True)
class Band:
    """A fault from its begin to the end of its healing."""

    number: int
    action: str
    fault: Mapping[str, Any]
    began_s: float
    ended_s: float
    real: bool | None  #: a canary saw it while it lasted
    gone: bool | None  #: a canary saw that it was over
    keeps_majority: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A job with a schedule, as the harness means it: the oracle's input."""

    name: str
    every_ms: int = 0
    offset_ms: int = 0
    cron: str = ""
    policies: Mapping[str, Any] = field(default_factory=dict)
    attempts_max: int = 1
    sleep_ms: int = 0  #: before its payload, without a slot
    exit_code: int = 0  #: of its payload
    exit: Mapping[str, Any] = field(default_factory=dict)  #: what the job says of exit codes
    unmade: bool = False  #: its payload ends well and does not make what the job says it makes: it fails
    times: Sequence[int] = ()  #: UTC milliseconds: due at these alone, where it is due at any
    complains: bool = False  #: its payload writes to stderr, which the job takes for a warning

    @property
    def overlap(self) -> str:
        """Its policy beside other runs, where one may go on; of those alone that have its key."""
        policy = self.policies.get("overlap", "skip")
        return str(policy if isinstance(policy, str) else policy.get("then", "skip"))

    @property
    def ends(self) -> str:
        """How its task ends beside good or bad: warned, skipped, or empty."""
        if self.complains or self.exit_code in self.exit.get("warn", ()):
            return "warned"
        return "skipped" if self.exit_code in self.exit.get("skip", ()) else ""


@dataclass(frozen=True)
class Case:
    plan: Mapping[str, Any]
    history: Sequence[Entry]
    marks: Sequence[Mark]
    events: Mapping[str, Sequence[Entry]]  #: by node, in the order of their ids
    final: Mapping[str, Any]  #: jobs, revisions, ticks, runs, nodes
    #: by node: events that happened up to this id, behind the one before it, may never have been told
    resets: Mapping[str, Sequence[EventId]] = field(default_factory=dict)
    damage: Sequence[str] = ()  #: of the files: lines and documents that are none, broken seals

    @cached_property
    def operations(self) -> list[Operation]:
        return operations(self.history)

    @cached_property
    def wall_offset_s(self) -> float:
        """Wall time minus harness time."""
        return wall_offset_s(self.history)

    def at_s(self, wall_ms: float) -> float:
        """Harness time of an instant."""
        return wall_ms / 1000 - self.wall_offset_s

    def wall_ms(self, at_s: float) -> float:
        return (at_s + self.wall_offset_s) * 1000

    @cached_property
    def declared(self) -> dict[str, Declared]:
        found = {}
        for entry in self.history:
            if entry["kind"] == "declared":
                fields = {key: value for key, value in entry.items() if key not in ("t", "kind")}
                found[entry["name"]] = Declared(**fields)
        return found

    @cached_property
    def tries(self) -> dict[tuple[str, str], int]:
        """How often a task may be tried, by job and task, as it was put: where that is more than once."""
        told = [entry for entry in self.history if entry["kind"] == "retried"]
        return {(each["job"], task): most for each in told for task, most in each["tasks"].items()}

    @cached_property
    def reruns(self) -> frozenset[int]:
        """Runs that repeat another one as the harness asked: they are of its tick, and no outcome of it."""
        asked = {op.arguments["run"] for op in self.operations if op.op == "rerun" and op.outcome != "fail"}
        return frozenset(
            int(run["id"])
            for run in self.final.get("runs", [])
            if run.get("cause") == "rerun" and run["rerun"]["of"] in asked
        )

    @cached_property
    def phases(self) -> dict[str, float]:
        """When each phase began."""
        return {entry["name"]: entry["t"] for entry in self.history if entry["kind"] == "phase"}

    @cached_property
    def starts(self) -> list[Mark]:
        return [mark for mark in self.marks if mark.what == "S"]

    @cached_property
    def ends(self) -> list[Mark]:
        return [mark for mark in self.marks if mark.what == "E"]

    @cached_property
    def bands(self) -> list[Band]:
        """Every fault that was injected."""
        by_number: dict[int, list[Entry]] = defaultdict(list)
        for entry in self.history:
            if entry["kind"] == "fault":
                by_number[entry["n"]].append(entry)
        last_s = self.history[-1]["t"] if self.history else 0.0
        return [band for n, told in by_number.items() if (band := _band(n, told, last_s)) is not None]

    @cached_property
    def absences(self) -> list[tuple[str, float, float]]:
        """(agent, from, until) of each that comes and goes: when it was away, also before it first came."""
        begin_s, end_s = (self.history[0]["t"], self.history[-1]["t"]) if self.history else (0.0, 0.0)
        found = []
        away: dict[str, float] = {}
        for entry in self.history:
            if entry["kind"] != "visitor":
                continue
            name = entry["name"]
            if entry["what"] == "went":
                away[name] = entry["t"]
            else:
                found.append((name, away.pop(name, begin_s), float(entry["t"])))
        return found + [(name, since_s, end_s) for name, since_s in away.items()]

    @cached_property
    def _paces(self) -> list[Entry]:
        return [entry for entry in self.history if entry["kind"] == "pace"]

    def slowness(self, from_s: float, until_s: float) -> float:
        """How many times slower than its reference the machine was then: limits grow by it."""
        unseen = UNSEEN if self.plan.get("profile") == "drill" else 1.0
        return max(unseen, slowness(self._paces, from_s, until_s))

    @cached_property
    def nodes(self) -> frozenset[str]:
        """Every node that was looked at."""
        return frozenset(entry["node"] for entry in self.history if entry["kind"] == "view")

    @cached_property
    def zones(self) -> dict[str, str]:
        """The zone of each host, as it told the cluster."""
        found = {name: str(told.get("zone", "")) for name, told in self.final.get("nodes", {}).items()}
        for events in self.events.values():
            for event in events:
                if event["event"] == "agent_connected":
                    found.setdefault(str(event["name"]), str(event["zone"]))
        return found

    @cached_property
    def leaderships(self) -> list[tuple[float, float]]:
        """Stretches in which one node said all the time that it leads, in one term, with a quorum."""
        found = []
        for node in sorted(self.nodes):
            since: Entry | None = None
            last_s = 0.0
            for view in (e for e in self.history if e["kind"] == "view" and e["node"] == node):
                leads = view["state"] == "leader" and bool(view.get("quorum"))
                goes_on = since is not None and leads and view["term"] == since["term"]
                if since is not None and not (goes_on and view["t"] - last_s < UNSEEN_S):
                    found.append((float(since["t"]), last_s))
                    since = None
                if leads:
                    since, last_s = since or view, float(view["t"])
            if since is not None:
                found.append((float(since["t"]), last_s))
        return found


def _band(number: int, told: Sequence[Entry], last_s: float) -> Band | None:
    by_phase = {entry["phase"]: entry for entry in told}
    begin = by_phase.get("begin")
    if begin is None:
        return None
    end_s = max((entry["t"] for entry in told if entry["phase"] in ("healed", "failed")), default=last_s)
    seen, healed = by_phase.get("seen"), by_phase.get("healed")
    return Band(
        number,
        begin["action"],
        begin["fault"],
        begin["t"],
        end_s,
        None if seen is None else seen["real"],
        None if healed is None else (None if healed["real"] is None else not healed["real"]),
        bool(begin.get("keeps_majority")),
        str(by_phase["failed"]["error"]) if "failed" in by_phase else "",
    )


def wall_offset_s(history: Sequence[Entry]) -> float:
    """Wall time minus harness time, by the first anchor."""
    anchor = next((entry for entry in history if entry["kind"] == "anchor"), None)
    return float(anchor["wall_s"] - anchor["t"]) if anchor else 0.0


def milliseconds(instant: str) -> int:
    """UTC milliseconds of an RFC 3339 instant."""
    return round(datetime.fromisoformat(instant).timestamp() * 1000)


def read_marks(folder: Path, wall_offset_s: float = 0.0) -> list[Mark]:
    """The lines of all payloads, in the order of time. A time with @ is of a wall clock."""
    return _read_marks(folder, wall_offset_s, [])


def _read_marks(folder: Path, wall_offset_s: float, damage: list[str]) -> list[Mark]:
    marks = []
    for file in sorted(folder.glob("*")):
        text = file.read_text(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            try:
                marks.append(_mark(line, wall_offset_s))
            except ValueError as error:
                damage.append(f"evidence/{file.name} line {number} is no line of a payload: {error}")
        if text and not text.endswith("\n"):
            damage.append(f"evidence/{file.name} ends in the middle of a line")
    return sorted(marks, key=lambda mark: mark.at_s)


def _mark(line: str, wall_offset_s: float) -> Mark:
    fields = line.split("|")
    if len(fields) != FIELDS_OF_A_MARK:
        raise ValueError(f"{len(fields)} fields of {FIELDS_OF_A_MARK}")
    what, job, run, attempt, fence, tick, agent, uptime, word, given, task, turn = fields
    tick_ms = None if tick in ("", "-") else milliseconds(tick)
    token = int(fence) if fence.isascii() and fence.isdigit() else 0  # a start without a grant has none
    at_s = float(uptime[1:]) - wall_offset_s if uptime.startswith("@") else float(uptime)
    return Mark(
        what, job, int(run), attempt, token, tick_ms, agent, at_s, word, given, task or MAIN, int(turn or 0)
    )


def tries_of(run: Mapping[str, Any]) -> Iterator[tuple[Tried, Mapping[str, Any]]]:
    """Each attempt that the product tells of this run, and which one that is."""
    for name, task in run["tasks"].items():
        for attempt in task["attempts"]:
            yield (int(run["id"]), name, int(attempt.get("round", 0)), str(attempt["number"])), attempt


def event_id(event: Mapping[str, Any]) -> EventId:
    index, _, n = str(event["id"]).partition(".")
    return int(index), int(n)


def read_case(directory: Path) -> Case:
    """The run in this directory. Raises ValueError where there is none."""
    plan_file = directory / "plan.json"
    if not plan_file.exists() or not (directory / HISTORY).exists():
        raise ValueError(f"{directory}: plan.json or {HISTORY} is missing; is it the --out of a run?")
    damage: list[str] = []
    plan = _document(plan_file, damage)
    if not isinstance(plan, dict):
        raise ValueError(f"{plan_file}: no plan: {'; '.join(damage) or 'it is no object'}")
    told = {
        file.stem: sorted(
            (line for line in read_lines(file, damage) if _whole(line, ("t", "id", "event"), file, damage)),
            key=event_id,
        )
        for file in sorted((directory / "events").glob("*.jsonl"))
    }
    events = {node: [e for e in lines if e["event"] != RESET] for node, lines in told.items()}
    resets = {node: [event_id(e) for e in lines if e["event"] == RESET] for node, lines in told.items()}
    read = {file.stem: _document(file, damage) for file in sorted((directory / "final").glob("*.json"))}
    final = {name: document for name, document in read.items() if document is not None}
    history = [
        line
        for line in read_lines(directory / HISTORY, damage)
        if _whole(line, ("t", "kind"), directory / HISTORY, damage)
    ]
    marks = _read_marks(directory / "evidence", wall_offset_s(history), damage)
    if any("seal" in entry for entry in history):
        damage += broken_seals(directory)
    return Case(plan, history, marks, events, final, resets, damage)


def _whole(line: Entry, needed: Sequence[str], file: Path, damage: list[str]) -> bool:
    lacking = [key for key in needed if key not in line]
    if lacking:
        damage.append(f"{file.name} has a line without {', '.join(lacking)}")
    return not lacking


def _document(file: Path, damage: list[str]) -> Any:
    """The JSON in this file; None where it is none."""
    try:
        return json.loads(file.read_text())
    except (ValueError, OSError) as error:
        damage.append(f"{file.name} is no JSON: {error}")
        return None
