"""The causal chain of a tick or a run: from the definition of its time over every gate to what became of it,
and the command that helps.

Rules of this file:

1. It reads, and bounded: a revision, a ledger entry, a leadership or two, the first grant of a run.
2. What is undecided has its gates as they are now. Of what is decided the ledger tells which gate closed: the
   first that is closed speaks, so all before it in the lists were open, and none after it was asked.
3. What is no longer kept is said to be so, and never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from scheduler.explain import pausing
from scheduler.explain.endings import GATES, command, ending_of
from scheduler.explain.findings import READY_WORD, Finding, outcome_text
from scheduler.machine.rules import gates, selectors
from scheduler.machine.rules.gates import paused_all, suspended
from scheduler.model.quantities import format_duration, format_instant
from scheduler.store.connection import Store
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import leaderships, objects, pauses, sources, zones
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.jobs import Revision
from scheduler.store.tables.ledger import Entry
from scheduler.store.tables.runs import Run
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import shared_of
from scheduler.words import reasons
from scheduler.words.lifecycle import in_words

Refs = Mapping[str, str | int]
LEADERSHIPS_MAX = 200
LATE_MS = 1_000
RULES_LETTERS = 12
ASKED = tuple(
    dict.fromkeys(
        ("time", *[gate.NAME for gate in gates.TICK], "catchup", "overload", "restore",
         *[gate.NAME for gate in gates.FIRE], *[gate.NAME for gate in gates.RUN],
         *[gate.NAME for gate in gates.ADMIT], "agent", "deadline", "start")
    )
)  # fmt: skip
"""The gates of a tick, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Link:
    gate: str
    passed: bool
    because: str
    at_ms: int | None = None
    refs: Refs = field(default_factory=dict)  #: where to look: revision, run, agent, epoch, audit…


@dataclass(frozen=True, slots=True)
class Chain:
    links: tuple[Link, ...] = ()
    help: str = ""  #: the command that helps


NO_CHAIN = Chain()


@dataclass(frozen=True, slots=True)
class Subject:
    """What an explanation is about, as commands name it."""

    namespace: str
    job: str
    at: str = ""  #: RFC 3339
    date: str = ""  #: plan date
    run: int | None = None
    task: str = ""

    def command(self, words: str) -> str:
        return command(words, {name: getattr(self, name) for name in self.__slots__})


# -- ticks ----------------------------------------------------------------------------------------


def of_pending(
    store: Store, era: Trigger, about: Subject, told: Sequence[Finding], now_ms: int, said: str
) -> Chain:
    """Of a tick that is not decided: its gates as they are now."""
    run = None if about.run is None else run_rows.get(store, about.run)
    links = [*defined(store, era.job, now_ms, run), scheduled(store, era), *map(of_finding, told)]
    shut = [each for each in told if each.state != READY_WORD]
    by_itself = shut[0] if shut else None
    closed = next((each for each in shut if each.gate != "time"), by_itself)
    links.append(Link("outcome", False, said, None, _refs(run=about.run)))
    return Chain(tuple(links), helping(store, about, closed))


def of_decided(store: Store, era: Trigger, entry: Entry, about: Subject, said: str, due_ms: int) -> Chain:
    """Of one that the ledger tells of."""
    run = run_rows.get(store, entry.run) if entry.outcome == "ran" else None
    ending = ending_of(entry.outcome, entry.reason)
    closing, help_words = ending.gate, ending.help
    if entry.reason == reasons.BUFFER_FULL and not entry.run:
        closing = "catchup"  # too many were waiting to be caught up, not to go on
    paused = None
    if ending.gate == "pause":
        paused = pausing.paused_by(store, era, about.job, about.namespace, entry, due_ms)
    if paused is not None:
        closing, help_words = paused.gate, paused.words
    links = [
        *defined(store, era.job, due_ms, run),
        scheduled(store, era, entry.tzdata),
        led(store, entry),
    ]
    asked = tuple("cause" if each == "time" and entry.key else each for each in ASKED)
    for name in asked[: asked.index(closing)] if closing in asked else asked:
        links.append(
            Link(name, True, GATES[name].open, None, _refs(cause=entry.key) if name == "cause" else {})
        )
    if closing and paused is not None:
        links.append(Link(closing, False, paused.said, paused.at_ms, paused.refs))
    elif closing:
        in_the_way = run_rows.get(store, entry.run) if closing == "overlap" and entry.run else None
        because = said if in_the_way is None else f"{said}: it {_ended(in_the_way)}{_until(in_the_way)}"
        links.append(Link(closing, False, because, entry.decided_ms, _refs(run=entry.run or None)))
    if run is not None:
        links = _with_attempts(store, links, run)
    text = outcome_text(entry.outcome, entry.reason)
    refs = _refs(seq=entry.seq, run=entry.run or None, index=entry.idx)
    ended = "" if run is None else f"; run {run.id} {_ended(run)}"
    links.append(Link("outcome", entry.outcome == "ran", f"{text}: {said}{ended}", entry.decided_ms, refs))
    if run is not None and run.state in _FAILED:
        help_words = "run logs {run}"
    return Chain(tuple(links), about.command(help_words))


_FAILED = ("failed", "timed_out", "lost")


def of_none(store: Store, jobs: Sequence[int], about: Subject, at_ms: int | None, said: str) -> Chain:
    """Of an instant that no trigger has: where the chain ends. Of jobs that had the name one after the other
    it is the one of that time."""
    stood = (job for job in reversed(jobs) if job_reads.revision_at(store, job, at_ms) is not None)
    job = next(stood, None)
    if job is None and (first := job_reads.revision(store, about.namespace, about.job, 1)) is not None:
        unknown = Link("definition", False, "the job was not there yet: it was put later", first.stamp_ms)
        return Chain((unknown,), about.command("job next {job}"))
    links = [*defined(store, jobs[-1] if job is None else job, at_ms, None), Link("schedule", False, said)]
    if not links[-2].passed:
        return Chain(tuple(links[:-1]), about.command(GATES[links[-2].gate].help))
    return Chain(tuple(links), about.command("job next {job}"))


# -- parts of a chain -----------------------------------------------------------------------------


def defined(store: Store, job: int, at_ms: int | None, run: Run | None) -> list[Link]:
    """The definition that counted then, and whether the job was there and enabled by it."""
    row: Revision | None
    if run is not None:
        row = job_reads.revision(store, run.namespace, run.name, run.revision)
    else:
        row = job_reads.revision_at(store, job, at_ms)
    if row is None:
        return [Link("definition", True, "its definition of that time is not kept any more")]
    by = f" by {row.actor}" if row.actor else ""
    refs = _refs(job=f"{row.namespace}/{row.name}", revision=row.revision, index=row.idx)
    if row.deleted:
        return [Link("definition", False, f"the job was deleted{by}", row.stamp_ms, refs)]
    said = f"revision {row.revision} counts, put{by}{_source_of(store, row)}"
    put = Link("definition", True, said, row.stamp_ms, refs)
    spec = json.loads(row.spec)
    if spec.get("enabled", True):
        return [put]
    said = f"the job is disabled (enabled: false) by revision {row.revision}"
    return [put, Link("enabled", False, said, row.stamp_ms, refs)]


def _source_of(store: Store, row: Revision) -> str:
    """Where the job comes from now, and so is to be edited; empty: no source that is there."""
    job = job_rows.get(store, row.job)
    if job is None or "/" not in job.source:
        return ""
    source = objects.find(store, sources.KIND, *job.source.split("/", 1))
    if source is None:
        return ""
    live = sources.get(store, source.namespace, source.name).revision
    at, place = f" at revision {live[:12]}" if live else "", sources.place_of(json.loads(source.spec))
    return f"; it comes from source {job.source}{at}: edit it in {place}"


def scheduled(store: Store, era: Trigger, tzdata: str = "") -> Link:
    """What gives the trigger its instants: the words, the calendars, the zone data."""
    spec = json.loads(era.spec)
    refs: dict[str, str | int] = {"trigger": era.key}
    of, substitute = shared_of(era.spec)
    for name, value in (("schedule", of), ("substitute", substitute)):
        if value:
            refs[name] = value
    calendar = spec.get("calendar", {})
    named = [
        f"{each['name']}@{each['pin'][:RULES_LETTERS]}"
        for side in ("include", "exclude")
        for each in calendar.get(side, ())
    ]
    if named:
        refs["calendars"] = " ".join(named)
    if "rules" in spec:
        refs["tzdata"] = tzdata or zones.version_of(store, spec["rules"]) or ""
        refs["rules"] = str(spec["rules"])[:RULES_LETTERS]
    said = f"trigger {era.key}: {_words(spec)}"
    if era.jitter_ms:
        said += f", due {format_duration(era.jitter_ms)} later (jitter)"
    return Link("schedule", True, said, max(0, era.from_ms), refs)


def _words(spec: Mapping[str, object]) -> str:
    """The spec's own fields, but those that are told beside it."""
    return ", ".join(
        f"{name.removesuffix('_ms')} {_value(name, value)}"
        for name, value in spec.items()
        if value and name not in _BESIDE
    )


_BESIDE = frozenset(("rules", "calendar", "salt", "schedule", "substitute", "without", "dst"))
_INSTANTS_MS = 100_000_000_000  #: what is more is no duration


def _value(name: str, value: object) -> str:
    if not name.endswith("_ms") or not isinstance(value, int):
        return str(value)
    return format_duration(value) if value < _INSTANTS_MS else format_instant(value)


def led(store: Store, entry: Entry) -> Link:
    """Who decided it, and whether nobody could for a while before."""
    found = leaderships.newest(store, LEADERSHIPS_MAX)
    row = next((each for each in found if each.epoch == entry.epoch), None)
    if row is None:
        return Link("leader", True, f"it was decided in epoch {entry.epoch}", None, {"epoch": entry.epoch})
    refs: Refs = {"epoch": row.epoch, "node": row.node}
    vacant = entry.last_ms < row.began_ms and row.vacant_ms < entry.decided_ms
    if vacant and row.epoch > 1:
        gap = format_duration(max(0, row.began_ms - row.vacant_ms))
        said = f"nobody led for {gap} before: {row.node} took over, in epoch {row.epoch}, and decided it"
        return Link("leader", True, said, row.began_ms, refs)
    return Link("leader", True, f"{row.node} led, in epoch {row.epoch}", row.began_ms, refs)


def of_finding(found: Finding) -> Link:
    passed = found.state == READY_WORD
    known = GATES.get(found.gate)
    because = found.reason or (known.open if known else "open")
    if found.opens:
        because += f"; opens with {found.opens}"
    return Link(found.gate, passed, because, found.since_ms, _refs(run=found.run, outcome=found.outcome))


def helping(store: Store, about: Subject, closed: Finding | None) -> str:
    """The command for the first gate that is closed; of a run that goes on, the one that shows it."""
    if closed is None:
        return about.command("run show {run}" if about.run else "job next {job}")
    words = GATES[closed.gate].help
    run = None if about.run is None else run_rows.get(store, about.run)
    if closed.gate == suspended.NAME and run is not None and run.state == "held":
        words = "run release {run}"
    if closed.gate == paused_all.NAME and pauses.standing_of(store, pauses.ALL) is None:
        words = "cluster resume --namespace {namespace}"
    return replace(about, run=closed.run or about.run).command(words)


def _with_attempts(store: Store, links: list[Link], run: Run) -> list[Link]:
    """The gates of an agent and of the start, told by the run's first grant."""
    first = attempt_reads.first_granted(store, run.id)
    if first is None:
        return links
    agent = agent_rows.get(store, first.agent)
    name = f"agent {first.agent}" if agent is None else f"{agent.name} in {agent.zone}"
    granted_ms = first.granted_ms or first.assigned_ms
    task = task_rows.get(store, first.task)
    why = "" if task is None else selectors.order_words(selectors.parse(task.selector))
    took = f"{name} took it" + (f": {why}" if why else "")
    late_ms = (first.started_ms or granted_ms) - run.due_ms
    late = f", {format_duration(late_ms)} after its instant" if late_ms >= LATE_MS else ""
    told = {
        "agent": Link(
            "agent", True, took, first.assigned_ms, _refs(agent=first.agent, run=run.id)
        ),
        "start": Link(
            "start",
            True,
            f"its start was granted{late}",
            granted_ms,
            _refs(fence=first.fence, attempt=first.id),
        ),
    }
    return [told.get(each.gate, each) for each in links]


def _ended(run: Run) -> str:
    if run.finished_ms is None:
        return f"is {in_words(run.state)}"
    code = f", exit code {run.exit_code}" if run.exit_code is not None else ""
    return f"ended: {in_words(run.state)}{code}" + (f" ({run.reason})" if run.reason else "")


def _until(run: Run) -> str:
    return "" if run.finished_ms is None else f" at {format_instant(run.finished_ms)}"


def _refs(**refs: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in refs.items() if value not in (None, "")}


# -- runs -----------------------------------------------------------------------------------------


class TaskTold(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def gates(self) -> tuple[Finding, ...]: ...
    @property
    def help(self) -> str: ...


def of_run(store: Store, run: Run, told: Sequence[Finding], tasks: Sequence[TaskTold] = ()) -> Chain:
    """Of a run: why it exists, what it waits for, how it ended. Where its own gates are open, the first of
    its tasks that something keeps is where the chain ends."""
    cause = f"cause {run.cause}" + (f", {run.cause_key}" if run.cause_key else "")
    by = f", by {run.actor}" if run.actor else ""
    links = [
        *defined(store, run.job, None, run),
        Link("cause", True, cause + by, run.created_ms, _refs(run=run.id)),
    ]
    about = Subject(run.namespace, run.name, run=run.id)
    if run.finished_ms is not None:
        said = f"it {_ended(run)}"
        if run.started_ms is not None:
            links = _with_attempts(store, [*links, _AGENT, _START], run)
        links.append(Link("outcome", run.state == "succeeded", said, run.finished_ms, _refs(run=run.id)))
        never = run.started_ms is None and run.state != "succeeded"
        return Chain(tuple(links), about.command("run rerun {run}" if never else "run logs {run}"))
    links += map(of_finding, told)
    closed = next((each for each in told if each.state != READY_WORD), None)
    if closed is not None:
        return Chain(tuple(links), helping(store, about, closed))
    for task in tasks:
        for finding in task.gates:
            if finding.state != READY_WORD:
                link = of_finding(finding)
                return Chain((*links, replace(link, refs={**link.refs, "task": task.name})), task.help)
    return Chain(tuple(links), about.command("run show {run}"))


_AGENT, _START = (Link(name, True, GATES[name].open) for name in ("agent", "start"))
