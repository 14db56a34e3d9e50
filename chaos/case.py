"""A finished run as the checkers read it: files of one directory, nothing else.

    plan.json         what was to be done
    history.jsonl     what the harness did and saw
    evidence/HOST     what payloads wrote on an agent's host, a line each
    events/NODE.jsonl what this node told of commits (server-sent events), as the harness followed them
    final/*.json      what the product says in the end: jobs, revisions, ticks, runs, each node's own view

Rules: reading judges nothing, and fails only where a file cannot be a run's. What is missing is empty; that
too little was seen is the vacuity checker's business.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from chaos.history import HISTORY, Entry, Operation, operations, read_lines
from chaos.pace import UNSEEN, slowness

EventId: TypeAlias = tuple[int, int]
RESET = "reset"


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


@dataclass(frozen=True)
class Case:
    plan: Mapping[str, Any]
    history: Sequence[Entry]
    marks: Sequence[Mark]
    events: Mapping[str, Sequence[Entry]]  #: by node, in the order of their ids
    final: Mapping[str, Any]  #: jobs, revisions, ticks, runs, nodes
    #: by node: events that happened up to this id, behind the one before it, may never have been told
    resets: Mapping[str, Sequence[EventId]] = field(default_factory=dict)

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
    def _paces(self) -> list[Entry]:
        return [entry for entry in self.history if entry["kind"] == "pace"]

    def slowness(self, from_s: float, until_s: float) -> float:
        """How many times slower than its reference the machine was then: limits grow by it."""
        unseen = UNSEEN if self.plan.get("profile") == "drill" else 1.0
        return max(unseen, slowness(self._paces, from_s, until_s))

    def inside_a_fault(self, from_s: float, until_s: float, after_s: float) -> bool:
        """Whether this stretch touches a fault or the `after_s` behind one."""
        return any(band.began_s <= until_s and from_s <= band.ended_s + after_s for band in self.bands)


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
    marks = []
    for file in sorted(folder.glob("*")):
        for line in file.read_text(errors="replace").splitlines():
            fields = line.split("|")
            if len(fields) == 9:
                what, job, run, attempt, fence, tick, agent, uptime, word = fields
                tick_ms = None if tick in ("", "-") else milliseconds(tick)
                token = int(fence) if fence.isdigit() else 0  # a start without a grant has none
                at_s = float(uptime[1:]) - wall_offset_s if uptime.startswith("@") else float(uptime)
                marks.append(Mark(what, job, int(run), attempt, token, tick_ms, agent, at_s, word))
    return sorted(marks, key=lambda mark: mark.at_s)


def event_id(event: Mapping[str, Any]) -> EventId:
    index, _, n = str(event["id"]).partition(".")
    return int(index), int(n)


def read_case(directory: Path) -> Case:
    """The run in this directory. Raises ValueError where there is none."""
    plan_file = directory / "plan.json"
    if not plan_file.exists() or not (directory / HISTORY).exists():
        raise ValueError(f"{directory}: plan.json or {HISTORY} is missing; is it the --out of a run?")
    told = {
        file.stem: sorted(read_lines(file), key=event_id) for file in (directory / "events").glob("*.jsonl")
    }
    events = {node: [e for e in lines if e["event"] != RESET] for node, lines in told.items()}
    resets = {node: [event_id(e) for e in lines if e["event"] == RESET] for node, lines in told.items()}
    final = {file.stem: json.loads(file.read_text()) for file in (directory / "final").glob("*.json")}
    history = read_lines(directory / HISTORY)
    return Case(
        json.loads(plan_file.read_text()),
        history,
        read_marks(directory / "evidence", wall_offset_s(history)),
        events,
        final,
        resets,
    )
