"""Every due tick has exactly one outcome, and the payloads' own lines agree with it.

Rules:
1. What was due is the oracle's (due.py), from the acknowledged creation of the job to the end of the window.
2. A tick starts at most once for each attempt, in one run, never early, never more often than the job allows.
   An extra run is an offence, as a missing one is.
3. `ran` needs a start, or a run that was lost, cancelled or timed out. Skipped, coalesced and missed need
   none.
4. A reason counts only where the job's policy knows it: overlap under skip and queue_one, with the run that
   it names in the way, which is none that catches up; coalesced under catchup latest, into a later tick that
   ran, or for which another run was in the way; missed only where a fault excuses it (causes.py). What ran
   although its catch-up says otherwise is an offence too. paused counts where a pause can have stood between
   its instant and its decision; what came due in one that surely stood (spans.py) does not run.
5. What neither fault nor policy held up starts within LATE_S; what waits, within LATE_S of the end of the run
   before it, or of the pause. Work behind a sleep starts when the sleep is over, and not before.
6. The ledger holds nothing that was never due, and its run is the run of that tick.
7. A run that repeats another, as somebody asked for, is of the same tick and no outcome of it (`hands`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chaos import days
from chaos.case import Case, Declared, Mark, milliseconds
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.causes import LATE_S, agents_hurt, dull, excused, late_s, led, skewed
from chaos.checkers.due import due_ms, is_due, seconds
from chaos.checkers.spans import (
    AHEAD_S,
    CLOCK_S,
    EVERYTHING,
    SKEW_S,
    holding_job,
    overlapping,
    possibly,
    resumed_s,
    surely,
)

NAME = "ticks"
GRACE_S = 1.0  #: between the decision that a tick is missed and the run that it makes
BARE_ENDS = frozenset({"lost", "cancelled", "timed_out", "expired"})
ENDS_OTHERS = ("cancel_running", "terminate_running")
WAITING = ("queue_one", "queue_all", *ENDS_OTHERS)
Tick = tuple[str, int]


def check(case: Case) -> Finding:
    offences: list[Offence] = []
    counts: Counter[str] = Counter()
    runs = {int(run["id"]): run for run in case.final.get("runs", [])}
    starts: dict[Tick, list[Mark]] = defaultdict(list)
    for mark in case.starts:
        if mark.tick_ms is not None and mark.run not in case.reruns and mark.job not in days.TRIGGERS:
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
        elif not known.inside(at_ms):
            known.outside(at_ms, marks, offences)
    counts["starts"] = sum(len(marks) for marks in starts.values())
    said = ", ".join(f"{counts[key]} {key}" for key in ("due", "ran", "skipped", "coalesced", "missed"))
    said += f"; {counts['led']} while one node led"
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
        self.pauses = possibly(case, *holding_job(job.name))
        self.sure_pauses = surely(case, *holding_job(job.name))
        self.held = possibly(case, *EVERYTHING)  #: keeps back what fired as well
        self.window = window(case, job.name)
        self.ledger: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        self.coalesced: dict[int, list[str]] = defaultdict(list)  #: into this tick; when it was decided
        for tick in case.final.get("ticks", {}).get(job.name, []):
            self.ledger[milliseconds(tick["at"])].append(tick)
            if tick["outcome"] == "coalesced" and tick.get("into"):
                self.coalesced[milliseconds(tick["into"])].append(tick["decided_at"])
        first = [o.began_s for o in case.operations if o.op == "declare" and o.arguments["job"] == job.name]
        self.first_ms = case.wall_ms(min(first)) if first else 0.0

    def alive(self, at_ms: int) -> bool:
        """Whether the job may have been there at this instant."""
        return bool(self.first_ms) and at_ms >= self.first_ms - 1000

    def inside(self, at_ms: int) -> bool:
        """Whether it is surely one of those that need an outcome."""
        return self.window is not None and self.window[0] < at_ms <= self.window[1]

    def outside(self, at_ms: int, marks: Sequence[Mark], offences: list[Offence]) -> None:
        """What holds for every start, also where no outcome is needed: a clock that is an hour ahead makes
        starts of ticks far behind the window."""
        for kind, detail, run in self._starts(at_ms, marks):
            where = f"{self.job.name} at {at_ms}: {detail}"
            offences.append(Offence(kind, where, marks[0].at_s, self.job.name, run=run))

    def check(self, offences: list[Offence], counts: Counter[str]) -> None:
        if self.window is None:
            return
        offences += self._ledger()
        for at_ms in due_ms(self.job, *self.window):
            counts["due"] += 1
            entries = self.ledger.get(at_ms, [])
            said = entries[0]["outcome"] if entries else "nothing"
            counts[said] += 1
            counts["led"] += led(self.case, self.case.at_s(at_ms), self.case.at_s(at_ms) + LATE_S)
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
        if (marks or entry["outcome"] == "ran") and self._surely_paused(at_ms):
            found.append(("ran-though-paused", "it came due while it was paused", run))
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
        attempts = Counter(mark.tried for mark in marks)
        for (run, _, _, attempt), times in attempts.items():
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
            early_s = self.case.at_s(at_ms) - marks[0].at_s
            is_skewed = skewed(self.case, marks[0].at_s)
            if early_s > (SKEW_S if is_skewed else CLOCK_S):
                found.append(("early", f"started {early_s:.3f} s before it was due", marks[0].run))
            elif early_s + self.job.sleep_ms / 1000 > (SKEW_S if is_skewed else AHEAD_S):
                detail = f"started {-early_s:.3f} s behind its instant, with {self.job.sleep_ms} ms of sleep"
                found.append(("cut-short", detail, marks[0].run))
        return found

    def _surely_paused(self, at_ms: int) -> bool:
        at_s = self.case.at_s(at_ms)
        inside = any(span.since_s + AHEAD_S < at_s < span.until_s - CLOCK_S for span in self.sure_pauses)
        return inside and not skewed(self.case, at_s)

    def _may_be_paused(self, at_ms: int, entry: Mapping[str, Any]) -> bool:
        """Whether a pause can have stood between its instant and its decision, whichever came first."""
        at_s, decided_s = self.case.at_s(at_ms), self.case.at_s(milliseconds(entry["decided_at"]))
        off_s = SKEW_S if skewed(self.case, at_s) else CLOCK_S
        from_s, until_s = min(at_s, decided_s) - off_s, max(at_s, decided_s) + off_s
        return bool(overlapping(self.pauses, from_s, until_s))

    def _ledger(self) -> list[Offence]:
        """What the ledger must not hold."""
        found = []
        for at_ms, entries in self.ledger.items():
            at_s = self.case.at_s(at_ms)
            for entry in entries:
                if not is_due(self.job, at_ms):
                    detail = f"{self.job.name}: {entry['outcome']} at {entry['at']}, which was never due"
                    found.append(Offence("never-due", detail, at_s, self.job.name, run=entry.get("run")))
            run = self.all_runs.get(entries[0].get("run") or 0)
            if run is None or entries[0]["outcome"] != "ran":
                continue
            if run["job"] != self.job.name or milliseconds(run.get("tick") or entries[0]["at"]) != at_ms:
                detail = f"{self.job.name} at {entries[0]['at']} ran as run {run['id']}"
                detail += f", which is {run['job']}'s of {run.get('tick')}"
                found.append(Offence("another-run", detail, at_s, self.job.name, run=run["id"]))
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
        elif marks[0].attempt == "1":  # else the first one was lost before its start: judged by `results`
            found += self._late(self._free_s(due_s, record), marks[0].at_s, run)
        problem = self._overdue(at_ms, record)
        if problem:
            found.append(("bad-ran", problem, run))
        return found

    def _free_s(self, due_s: float, record: Mapping[str, Any]) -> float:
        """When this run could start: at its instant, or when those before it, a pause and its sleep were
        over."""
        free_s = due_s + self.job.sleep_ms / 1000
        if self.job.overlap in WAITING or self._one_at_a_time:
            before = [r["finished"] for r in self.runs if r["id"] < record["id"] and r["finished"]]
            free_s = max([free_s, *(self.case.at_s(milliseconds(finished)) for finished in before)])
        return resumed_s(self.held, free_s, LATE_S)

    @property
    def _one_at_a_time(self) -> bool:
        """Whether missed ticks wait for each other and for live ones, and live ones for those that run."""
        policies = self.job.policies
        all_run = policies.get("catchup", {}).get("mode") == "all"
        return bool(all_run and self.job.overlap != "allow")

    def _overdue(self, at_ms: int, record: Mapping[str, Any]) -> str:
        """Whether this tick ran although it was missed when it, or one coalesced into it, was decided."""
        catchup = self.job.policies.get("catchup", {})
        if catchup.get("mode") not in ("none", "latest") or skewed(self.case, self.case.at_s(at_ms)):
            return ""
        grace_ms = 1000 * (seconds(catchup["grace"]) + GRACE_S)
        decided = min([record["created"], *self.coalesced.get(at_ms, ())], key=milliseconds)
        overdue_ms = milliseconds(decided) - at_ms
        if overdue_ms <= grace_ms:
            return ""
        if catchup["mode"] == "none":
            return f"ran {overdue_ms / 1000:.1f} s overdue under catchup none"
        newer = [
            tick_ms
            for tick_ms in due_ms(self.job, at_ms, milliseconds(decided) - grace_ms)
            if not self._may_be_paused(tick_ms, {"decided_at": decided})
        ]
        return f"ran, though it and {len(newer)} later ones were missed by then" if newer else ""

    def _late(self, due_s: float, started_s: float, run: int | None) -> list[tuple[str, str, int | None]]:
        late = started_s - due_s
        if late <= late_s(self.case, due_s, started_s) or excused(self.case, due_s, started_s):
            return []
        return [("late", f"started {late:.1f} s late, no fault held it up", run)]

    def _may_wait(self, run: int | None) -> bool:
        """A run that waits behind another of its job, as its policy says."""
        if self.job.overlap not in WAITING and not self._one_at_a_time:
            return False
        return any(r["finished"] is None and (run is None or r["id"] < run) for r in self.runs)

    def _why_not(self, at_ms: int, entry: Mapping[str, Any]) -> str:
        """What is wrong with this reason; empty: nothing."""
        outcome, reason = entry["outcome"], entry.get("reason") or ""
        overlap = self.job.overlap
        catchup = self.job.policies.get("catchup", {}).get("mode", "latest")
        due_s = self.case.at_s(at_ms)
        if outcome == "skipped" and reason == "overlap":
            if overlap not in ("skip", "queue_one"):
                return f"skipped(overlap) under overlap {overlap}"
            named = self.all_runs.get(entry.get("run") or 0)
            if named is not None and named.get("cause") == "catchup":
                return f"skipped(overlap) by run {named['id']}, which only caught up"
            return "" if self._in_the_way(entry) else "skipped(overlap), and no run was in the way"
        if outcome == "skipped" and reason == "cancelled" and overlap in ENDS_OTHERS:
            return ""
        if outcome == "skipped" and reason == "paused":
            return "" if self._may_be_paused(at_ms, entry) else "skipped(paused), and no pause can have stood"
        if outcome == "coalesced":
            if catchup != "latest":
                return f"coalesced under catchup {catchup}"
            into = entry.get("into")
            ended = self.ledger.get(milliseconds(into), []) if into else []
            if not ended or not (ended[0]["outcome"] == "ran" or self._kept_back(ended[0])):
                return f"coalesced into {into}, which did not run"
            if milliseconds(str(into)) <= at_ms:
                return f"coalesced into {into}, which is not later"
        if outcome == "missed" and reason == "window" and catchup in ("latest", "all"):
            return f"missed(window) within the window of catchup {catchup}"
        if outcome == "missed" and reason == "buffer_full" and catchup == "all" and overlap == "allow":
            return "missed(buffer_full), and fewer were missed than catchup all keeps"
        if outcome == "missed" and reason == "deadline" and "start_deadline" not in self.job.policies:
            return "missed(deadline) without a start_deadline"
        if outcome == "missed" and reason == "buffer_full" and overlap != "queue_all" and catchup != "all":
            return f"missed(buffer_full) under overlap {overlap}, catchup {catchup}"
        if outcome in ("missed", "coalesced") and reason == "overload":
            return "" if catchup != "all" else f"{outcome}(overload) under catchup all"
        if (
            outcome in ("missed", "coalesced")
            and reason in ("", "window")
            and "catchup" not in self.job.policies
        ):
            return f"{outcome}({reason}), though it was never overdue by the default grace of a minute"
        if (
            outcome == "missed"
            and reason == "lost_before_start"
            and not agents_hurt(self.case, due_s, due_s + LATE_S)
        ):
            return "missed(lost_before_start), and no agent was hurt"
        if outcome in ("missed", "coalesced") and reason in ("", "window"):
            grace_s = seconds(self.job.policies["catchup"]["grace"])
            led_all = led(self.case, due_s, due_s + grace_s) and not dull(self.case, due_s, due_s + grace_s)
            return f"{outcome}({reason}), though one node led until its grace was over" if led_all else ""
        if outcome in ("missed", "coalesced"):
            return "" if excused(self.case, due_s, due_s) else f"{outcome}({reason}), and no fault was near"
        return f"{outcome}({reason}) is no reason here"

    def _kept_back(self, entry: Mapping[str, Any]) -> bool:
        """Whether a pause may have come between the plan and its decision, or a run stood in its way: judged
        for itself."""
        said = (entry["outcome"], entry.get("reason"))
        if said == ("skipped", "overlap"):
            return True
        return said == ("skipped", "paused") and self._may_be_paused(milliseconds(entry["at"]), entry)

    def _in_the_way(self, entry: Mapping[str, Any]) -> bool:
        """Whether the run that it names (or any, where it names none) was there when it was decided."""
        decided_ms, named = milliseconds(entry["decided_at"]), entry.get("run")
        for run in self.runs:
            ended = run["finished"]
            there = ended is None or decided_ms <= milliseconds(ended)
            if milliseconds(run["created"]) <= decided_ms and there and named in (None, run["id"]):
                return True
        return False
