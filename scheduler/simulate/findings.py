"""What is told of a simulation: read from the ledger afterwards, as a person would."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables import zones
from scheduler.ticks import schedule
from scheduler.words.causes import RESULTS
from scheduler.words.counted import counted

PILE = 10  #: starts in one second that are told of as a pile
TOLD_MAX = 20  #: of each kind
NAMED_MAX = 3  #: jobs of one finding
LATE_MS = 5_000
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
    instants: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict)  #: by job and trigger

    def facts(self, new: Collection[tuple[str, str]] = ()) -> dict[str, Any]:
        """`new`: (kind, subject) of what is told before the rest of its kind, of which the first are told."""
        findings: list[dict[str, Any]] = []
        for kind in dict.fromkeys(each.kind for each in self.findings):
            of_kind = [each for each in self.findings if each.kind == kind]
            of_kind.sort(key=lambda each: (each.kind, each.subject) not in new)
            findings += map(asdict, of_kind[:TOLD_MAX])
        return {
            "from_ms": self.from_ms, "to_ms": self.to_ms, "ticks": dict(self.ticks), "runs": self.runs,
            "without_history": self.without_history, "findings": findings,
        }  # fmt: skip

    def moves_from(self, before: Simulation) -> list[Finding]:
        """Triggers with other instants than they have there."""
        told = []
        for key in sorted({*before.instants, *self.instants}):
            old, new = before.instants.get(key, frozenset()), self.instants.get(key, frozenset())
            gone, come = sorted(old - new), sorted(new - old)
            if gone or come:
                was, then = _listed(gone) or "none", _listed(come) or "none"
                said = f"trigger {key[1]}: no more {was}; instead {then}"
                told.append(Finding("moves", key[0], said))
        return told


class Waited:
    """What tasks waited for, since others held it."""

    def __init__(self) -> None:
        self._instants: dict[str, set[int]] = defaultdict(set)
        self._jobs: dict[str, set[str]] = defaultdict(set)

    def note(self, resource: str, at_ms: int, jobs: Collection[str]) -> None:
        self._instants[resource].add(at_ms)
        self._jobs[resource].update(jobs)

    def findings(self) -> list[Finding]:
        told = sorted(self._instants.items(), key=lambda each: (-len(each[1]), each[0]))
        return [
            Finding(
                "locks",
                resource,
                f"{_some(self._jobs[resource])} wait for it, at {counted(len(instants), 'instant')}",
                "another time, such as H in place of the minute; or more of it",
            )
            for resource, instants in told
        ]


def tell(
    found: Simulation, store: Store, first_seq: int, waited: Waited, *, instants: bool
) -> None:
    """What the ledger says behind that entry, and what it came to."""
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
            f"{counted(count, 'tick is', 'ticks are')} skipped: the run before goes on",
            "overlap: queue_one, or a longer period",
        )
        for job, count in skipped.most_common()
    ]
    found.findings += [
        Finding(
            "missed", names.get(job, str(job)), f"{counted(count, 'tick is', 'ticks are')} missed({reason})"
        )
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
    found.findings += waited.findings()
    found.findings += _clocks(store, found)
    if instants:
        found.instants = _instants(store, first_seq, found.to_ms)


def _instants(store: Store, first_seq: int, to_ms: int) -> dict[tuple[str, str], frozenset[int]]:
    """When ticks were due, by their job and the id of their trigger."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    rows = store.execute(
        "SELECT j.namespace, j.name, t.key, t.spec, l.first_ms, l.last_ms, l.count FROM ledger l"
        " JOIN triggers t ON t.id = l.trigger JOIN jobs j ON j.id = l.job"
        " WHERE l.seq > ? AND l.kind = 'tick' ORDER BY l.seq",
        (first_seq,),
    )
    for namespace, name, key, spec, first_ms, last_ms, count in rows:
        due = [first_ms] if count == 1 else schedule(spec).between(first_ms - 1, last_ms, count)
        found[f"{namespace}/{name}", key].update(at_ms for at_ms in due if at_ms < to_ms)
    return {key: frozenset(each) for key, each in found.items()}


def _listed(instants: Sequence[int]) -> str:
    more = len(instants) - NAMED_MAX
    text = ", ".join(map(format_instant, instants[:NAMED_MAX]))
    return f"{text} and {more} more" if more > 0 else text


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
            f"{counted(row[2], 'run has', 'runs have')} not started at the end, the first due"
            f" {format_instant(row[3])}",
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
        some = _some(names.get(job, str(job)) for job in by_time[time_s])
        at = f"{time_s // 3600:02}:{time_s // 60 % 60:02}:{time_s % 60:02}Z"
        hint = "H in place of the minute spreads them, such as H 2 * * * for 0 2 * * *"
        told.append(Finding("pile", at, f"{count} runs start in one second: {some}", hint))
    return told


def _some(names: Iterable[str]) -> str:
    """The first of them."""
    listed = sorted(names)
    return ", ".join(listed[:NAMED_MAX]) + ("…" if len(listed) > NAMED_MAX else "")


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
                ticks = counted(len(near), "tick")
                said = f"trigger {era.key} has {ticks} within 3 h of {tz}'s clocks going {what}"
                told.append(
                    Finding("clocks", "/".join(name), said, "see dst of the trigger, or another hour")
                )
                break
    return told
