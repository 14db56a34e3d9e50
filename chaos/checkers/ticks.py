"""Every due tick has exactly one outcome, and the payloads' own lines agree with it.

Rules:
1. What was due is the oracle's (due.py), from the acknowledged creation of the job to the end of the window.
2. A tick starts at most once for each attempt, in one run, never early, never more often than the job allows.
   An extra run is an offence, as a missing one is.
3. `ran` needs a start, or a run that was lost, cancelled or timed out. Skipped, coalesced and missed need
   none.
4. A reason counts only where the job's policy knows it: overlap under skip and queue_one, with a run in the
   way; coalesced under catchup latest, into a tick that did not vanish itself; missed only near a fault.
5. What neither fault nor policy held up starts within LATE_S.
6. LATE_S and AFTER_S are those of an idle machine, times how slow this one was just then (chaos.pace).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chaos.case import Case, Declared, Mark, milliseconds
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.due import due_ms, is_due

NAME = "ticks"
CLOCK_S = 0.05  #: what two clocks of one host may differ by, and the coarseness of /proc/uptime
SKEW_S = 1.2  #: so far off a leader's clock may be before it stops planning
LATE_S = 3.0  #: promptness is measured by benchmarks
AFTER_S = 8.0  #: so long behind a fault its consequences may show
BARE_ENDS = frozenset({"lost", "cancelled", "timed_out", "expired"})
ON_AGENTS = ("agent", "spooler", "zone", "two-zones", "leader-cut-off", "leader-deaf", "leader-mute")
Tick = tuple[str, int]


def check(case: Case) -> Finding:
    offences: list[Offence] = []
    counts: Counter[str] = Counter()
    runs = {int(run["id"]): run for run in case.final.get("runs", [])}
    starts: dict[Tick, list[Mark]] = defaultdict(list)
    for mark in case.starts:
        if mark.tick_ms is not None:
            starts[mark.job, mark.tick_ms].append(mark)
    by_job = {name: _Job(case, job, runs, starts) for name, job in case.declared.items()}
    for job in by_job.values():
        job.check(offences, counts)
    for (name, at_ms), marks in starts.items():
        known = by_job.get(name)
        if known is None or not is_due(known.job, at_ms) or not known.alive(at_ms):
            offences.append(
                Offence("never-due", f"{name} started for {at_ms}", marks[0].at_s, name, run=marks[0].run)
            )
    counts["starts"] = sum(len(marks) for marks in starts.values())
    said = ", ".join(f"{counts[key]} {key}" for key in ("due", "ran", "skipped", "coalesced", "missed"))
    return finding(NAME, offences, said, dict(counts))


def window(case: Case, job: str) -> tuple[float, float] | None:
    """Wall milliseconds (from, until] in which this job was surely there, so that its ticks need an
    outcome."""
    made = [
        o for o in case.operations if o.op == "declare" and o.arguments["job"] == job and o.outcome == "ok"
    ]
    until_s = case.phases.get("until")
    if not made or until_s is None or made[0].ended_s is None:
        return None
    return case.wall_ms(made[0].ended_s), case.wall_ms(until_s)


class _Job:
    """One job's ticks."""

    def __init__(
        self,
        case: Case,
        job: Declared,
        runs: Mapping[int, Mapping[str, Any]],
        starts: Mapping[Tick, Sequence[Mark]],
    ) -> None:
        self.case, self.job, self.all_runs, self.starts = case, job, runs, starts
        self.runs = [run for run in runs.values() if run["job"] == job.name]
        self.window = window(case, job.name)
        self.ledger: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for tick in case.final.get("ticks", {}).get(job.name, []):
            self.ledger[milliseconds(tick["at"])].append(tick)
        first = [o.began_s for o in case.operations if o.op == "declare" and o.arguments["job"] == job.name]
        self.first_ms = case.wall_ms(min(first)) if first else 0.0

    def alive(self, at_ms: int) -> bool:
        """Whether the job may have been there at this instant."""
        return bool(self.first_ms) and at_ms >= self.first_ms - 1000

    def check(self, offences: list[Offence], counts: Counter[str]) -> None:
        if self.window is None:
            return
        for at_ms in due_ms(self.job, *self.window):
            counts["due"] += 1
            entries = self.ledger.get(at_ms, [])
            said = entries[0]["outcome"] if entries else "nothing"
            counts[said] += 1
            marks = self.starts.get((self.job.name, at_ms), ())
            for kind, detail, run in self._tick(at_ms, entries, marks):
                at_s = marks[0].at_s if marks else self.case.at_s(at_ms)
                where = f"{self.job.name} at {entries[0]['at'] if entries else at_ms}: {detail}"
                offences.append(Offence(kind, where, at_s, self.job.name, run=run))

    def _tick(
        self, at_ms: int, entries: Sequence[Mapping[str, Any]], marks: Sequence[Mark]
    ) -> list[tuple[str, str, int | None]]:
        found: list[tuple[str, str, int | None]] = []
        if len(entries) > 1:
            found.append(("two-outcomes", f"{[e['outcome'] for e in entries]}", None))
        if not entries:
            found.append(("unaccounted", f"no outcome, {len(marks)} starts", None))
            return found
        found += self._starts(at_ms, marks)
        entry = entries[0]
        run = entry.get("run")
        match entry["outcome"]:
            case "ran":
                found += self._ran(at_ms, run, marks)
            case "pending":
                if not self._may_wait(run):
                    found.append(("undecided", "still pending when everything had settled", run))
            case outcome:
                if marks:
                    found.append(("ran-but-denied", f"ledger says {outcome}, {len(marks)} starts", run))
                problem = self._why_not(at_ms, entry)
                if problem:
                    found.append((f"bad-{outcome}", problem, run))
        return found

    def _starts(self, at_ms: int, marks: Sequence[Mark]) -> list[tuple[str, str, int | None]]:
        found: list[tuple[str, str, int | None]] = []
        attempts = Counter((mark.run, mark.attempt) for mark in marks)
        for (run, attempt), times in attempts.items():
            if times > 1:
                found.append(("started-twice", f"attempt {attempt} of run {run} started {times} times", run))
        runs = {mark.run for mark in marks}
        if len(runs) > 1:
            found.append(("two-runs", f"runs {sorted(runs)} for one tick", min(runs)))
        if len(attempts) > self.job.attempts_max:
            found.append(
                ("too-many-attempts", f"{len(attempts)} started, {self.job.attempts_max} allowed", None)
            )
        if marks:
            due_s = self.case.at_s(at_ms)
            skewed = any(b.action.startswith("clock") and b.began_s <= marks[0].at_s for b in self.case.bands)
            early_s = due_s - marks[0].at_s
            if early_s > (SKEW_S if skewed else CLOCK_S):
                found.append(("early", f"started {early_s:.3f} s before it was due", marks[0].run))
        return found

    def _ran(self, at_ms: int, run: int | None, marks: Sequence[Mark]) -> list[tuple[str, str, int | None]]:
        found: list[tuple[str, str, int | None]] = []
        record = self.all_runs.get(run) if run is not None else None
        if record is None:
            found.append(("no-run", f"ledger says ran, run {run} is unknown", run))
            return found
        if marks and marks[0].run != run:
            found.append(("another-run", f"ledger names run {run}, run {marks[0].run} started", run))
        due_s = self.case.at_s(at_ms)
        if not marks:
            if record["state"] not in BARE_ENDS:
                found.append(("phantom", f"ledger says ran, run {record['state']}, nothing started", run))
            elif record["state"] == "lost" and not self._near_fault(due_s, due_s):
                found.append(("lost-without-fault", "lost before any start, and no fault was near", run))
        else:
            found += self._late(due_s, marks[0].at_s, run)
        return found

    def _late(self, due_s: float, started_s: float, run: int | None) -> list[tuple[str, str, int | None]]:
        late_s = started_s - due_s
        if late_s <= self._late_s(due_s, started_s) or self._held_up(due_s, started_s):
            return []
        return [("late", f"started {late_s:.1f} s late, no fault near", run)]

    def _held_up(self, due_s: float, started_s: float) -> bool:
        waits = self.job.policies.get("overlap") in ("queue_one", "queue_all", "cancel_running")
        return waits or self._near_fault(due_s, started_s)

    def _near_fault(self, from_s: float, until_s: float) -> bool:
        """Whether what was due then may bear the marks of a fault: one that came before it could start, or
        one that had not been over for long."""
        until_s = max(until_s, from_s + self._late_s(from_s, until_s))
        after_s = AFTER_S * self.case.slowness(from_s - AFTER_S, until_s)
        return self.case.inside_a_fault(from_s, until_s, after_s)

    def _late_s(self, from_s: float, until_s: float) -> float:
        return LATE_S * self.case.slowness(from_s, until_s)

    def _agents_hurt(self, due_s: float) -> bool:
        """Whether a fault that may take a start away was near."""
        slowness = self.case.slowness(due_s - AFTER_S, due_s + LATE_S)
        return any(
            (band.action.startswith(ON_AGENTS) or not band.keeps_majority)
            and band.began_s <= due_s + LATE_S * slowness
            and due_s <= band.ended_s + AFTER_S * slowness
            for band in self.case.bands
        )

    def _may_wait(self, run: int | None) -> bool:
        """A run that waits behind another of its job, as its policy says."""
        if self.job.policies.get("overlap") not in ("queue_one", "queue_all", "cancel_running"):
            return False
        return any(r["finished"] is None and (run is None or r["id"] < run) for r in self.runs)

    def _why_not(self, at_ms: int, entry: Mapping[str, Any]) -> str:
        """What is wrong with this reason; empty: nothing."""
        outcome, reason = entry["outcome"], entry.get("reason") or ""
        overlap = self.job.policies.get("overlap", "skip")
        catchup = self.job.policies.get("catchup", {}).get("mode", "latest")
        due_s = self.case.at_s(at_ms)
        if outcome == "skipped" and reason == "overlap":
            if overlap not in ("skip", "queue_one"):
                return f"skipped(overlap) under overlap {overlap}"
            return "" if self._in_the_way(entry) else "skipped(overlap), and no run was in the way"
        if outcome == "skipped" and reason == "cancelled" and overlap == "cancel_running":
            return ""
        if outcome == "coalesced":
            if catchup != "latest":
                return f"coalesced under catchup {catchup}"
            into = entry.get("into")
            ended = self.ledger.get(milliseconds(into), []) if into else []
            if not ended or ended[0]["outcome"] == "missed":
                return f"coalesced into {into}, which did not run"
        if outcome == "missed" and reason == "window" and catchup in ("latest", "all"):
            return f"missed(window) within the window of catchup {catchup}"
        if outcome == "missed" and reason == "buffer_full" and catchup == "all" and overlap == "allow":
            return "missed(buffer_full), and fewer were missed than catchup all keeps"
        if outcome == "missed" and reason == "deadline" and "start_deadline" not in self.job.policies:
            return "missed(deadline) without a start_deadline"
        if outcome == "missed" and reason == "buffer_full" and overlap != "queue_all" and catchup != "all":
            return f"missed(buffer_full) under overlap {overlap}, catchup {catchup}"
        if (
            outcome in ("missed", "coalesced")
            and reason in ("", "window")
            and "catchup" not in self.job.policies
        ):
            return f"{outcome}({reason}), though it was never overdue by the default grace of a minute"
        if outcome == "missed" and reason == "lost_before_start" and not self._agents_hurt(due_s):
            return "missed(lost_before_start), and no agent was hurt"
        if outcome in ("missed", "coalesced"):
            return "" if self._near_fault(due_s, due_s) else f"{outcome}({reason}), and no fault was near"
        return f"{outcome}({reason}) is no reason here"

    def _in_the_way(self, entry: Mapping[str, Any]) -> bool:
        decided_ms = milliseconds(entry["decided_at"])
        for run in self.runs:
            ended = run["finished"]
            if milliseconds(run["created"]) <= decided_ms and (
                ended is None or decided_ms <= milliseconds(ended)
            ):
                return True
        return False
