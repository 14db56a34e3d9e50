"""What people do to live runs holds, whoever leads, and is noted; what is repeated is done as far as it was
asked for.

Rules:
1. A task that was held, and a run that was made so, has no start until somebody asks for its release. Of a
   suspended run nothing starts until somebody asks for its resume, but for what was under way.
2. What was skipped never starts, and says so; what needs one that was passed over goes on. What was stopped
   or cancelled ends so, unless it had come to its end; a task that waits for its next try has it when it is
   asked for, and no sooner.
3. A verdict stands over the end, which stays as it was.
4. A hand that was answered has one entry in the audit, one that was refused none.
5. A run that repeats another was asked for, and is one for each time; it starts what is to be done again and
   nothing else, and is given what the other one wrote.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from math import inf
from typing import Any

from chaos.case import Case, Mark, tries_of
from chaos.checkers import Finding, Offence, by_run, finding
from chaos.checkers.causes import LATE_S, any_fault, excused, late_s
from chaos.hands import JOB, ONE, RETRY_S, THREE, TWO
from chaos.history import Operation

NAME = "hands"
CLOCK_S = 0.05
UNDER_WAY_S = 1.0  #: between a grant and its start, on an idle machine
STOPPED = frozenset({"cancelled", "lost"})
Said = tuple[str, str, float | None]  #: kind, detail, when
VANISHED: Said = ("vanished", "it was acknowledged, and is not there", None)
Run = Mapping[str, Any]


def check(case: Case) -> Finding:
    asked: dict[int, list[Operation]] = defaultdict(list)
    for op in case.operations:
        if op.op == "hand":
            asked[int(op.arguments["run"])].append(op)
        elif op.op == "hand-run" and "run" in op.result:
            asked[int(op.result["run"])].append(op)
    repeats = [op for op in case.operations if op.op == "rerun"]
    if not asked and not repeats:
        return Finding(NAME, "pass", "nobody laid hands on a run in this load")
    marks = by_run(case.marks)
    runs = {int(run["id"]): run for run in case.final.get("runs", [])}
    offences = [
        Offence(kind, f"run {number}: {detail}", at_s, JOB, run=number)
        for number, operations in asked.items()
        for kind, detail, at_s in (
            _Handled(case, runs[number], operations, marks[number]).check() if number in runs else [VANISHED]
        )
    ]
    offences += [*_noted(case, asked), *_repeated(case, runs, repeats, marks)]
    done = Counter(str(op.arguments["hand"]) for ops in asked.values() for op in ops if _did(op))
    counts = {"hands": sum(done.values()), "reruns": sum(op.outcome == "ok" for op in repeats)}
    said = ", ".join(f"{count} {hand}" for hand, count in sorted(done.items()))
    return finding(NAME, offences, f"{counts['reruns']} reruns, {said}", counts)


def _did(op: Operation, *hands: str) -> bool:
    """Whether it is a hand (one of these) that was acknowledged."""
    hand = op.arguments.get("hand")
    return op.outcome == "ok" and hand is not None and (not hands or hand in hands)


class _Handled:
    """One run, and what people did to it."""

    def __init__(self, case: Case, run: Run, operations: list[Operation], marks: list[Mark]) -> None:
        self.case, self.run, self.operations, self.marks = case, run, operations, marks
        self.starts = [mark for mark in marks if mark.what == "S"]

    @cached_property
    def states(self) -> dict[str, str]:
        return {name: str(task["state"]) for name, task in self.run["tasks"].items()}

    def check(self) -> Iterator[Said]:
        for op in self.operations:
            if op.ended_s is None or op.outcome != "ok":
                continue
            match op.arguments.get("hand"):
                case None | "hold":
                    yield from self._held(op, op.ended_s)
                case "suspend":
                    yield from self._suspended(op, op.ended_s)
                case "skip":
                    yield from self._skipped(op)
                case "stop" | "cancel":
                    yield from self._stopped(op, op.ended_s)
                case "retry":
                    yield from self._retried(op.ended_s)
                case "override":
                    yield from self._overridden(op)
        yield from self._sooner()

    def _until(self, op: Operation, *undo: str) -> float:
        """When somebody first asked for what takes it back."""
        asked = [o for o in self.operations if o.outcome != "fail" and o.arguments.get("hand") in undo]
        return min((o.began_s for o in asked if o.began_s >= op.began_s), default=inf)

    def _held(self, op: Operation, since_s: float) -> Iterator[Said]:
        task = op.arguments.get("task", "")
        if op.op == "hand-run" and not op.arguments["held"]:
            return
        until_s = self._until(op, "release")
        for mark in self.starts:
            if task in ("", mark.task) and mark.at_s < until_s - CLOCK_S:
                yield "started-while-held", f"{mark.task} started, held since {since_s:.2f}", mark.at_s

    def _suspended(self, op: Operation, since_s: float) -> Iterator[Said]:
        until_s = self._until(op, "resume") - CLOCK_S
        for mark in self.starts:
            way_s = UNDER_WAY_S * self.case.slowness(since_s, mark.at_s)
            if since_s + way_s < mark.at_s < until_s and not any_fault(self.case, since_s, mark.at_s):
                said = f"{mark.task} started {mark.at_s - since_s:.2f} s behind its suspension"
                yield "started-while-suspended", said, mark.at_s

    def _skipped(self, op: Operation) -> Iterator[Said]:
        task = str(op.arguments["task"])
        if any(mark.task == task for mark in self.starts):
            yield "ran-though-skipped", f"{task} started, and had been skipped", op.ended_s
        if self.states[task] != "skipped":
            yield "not-skipped", f"{task} is {self.states[task]}, and had been skipped", op.ended_s
        if op.arguments.get("pass") and self.run["state"] == "succeeded" and self.states[THREE] == "skipped":
            yield "not-passed", f"{THREE} was skipped, though {task} was passed over", op.ended_s

    def _stopped(self, op: Operation, since_s: float) -> Iterator[Said]:
        task = str(op.arguments["task"])
        state = self.states[task] if task else str(self.run["state"])
        ends = [m.at_s for m in self.marks if m.what == "E" and task in ("", m.task)]
        # A payload writes its end, and then it ends: what came in between was too late.
        if state not in STOPPED and not (ends and min(ends) < since_s + late_s(self.case, since_s, since_s)):
            yield "not-stopped", f"{task or 'it'} is {state}, and had been stopped", since_s
        later = [m for m in self.starts if m.at_s > since_s + late_s(self.case, since_s, m.at_s)]
        if later and not excused(self.case, since_s, later[0].at_s):
            yield "went-on", f"{later[0].task} started behind the stop of {task or 'all'}", later[0].at_s

    def _retried(self, since_s: float) -> Iterator[Said]:
        again = [m.at_s for m in self.starts if m.task == TWO and m.attempt != "1"]
        limit_s = late_s(self.case, since_s, min(again, default=since_s))
        came_s = min(again, default=inf)
        late = came_s > since_s + limit_s and not excused(self.case, since_s, since_s + limit_s)
        # Just when it would have been tried by itself: however slow the machine is, that was no haste.
        ended_s = min((m.at_s for m in self.marks if m.task == TWO and m.what == "E"), default=since_s)
        waited = since_s + RETRY_S / 2 < ended_s + RETRY_S - 1 <= came_s < inf
        if late or (waited and not any_fault(self.case, since_s, since_s + LATE_S)):
            yield "not-retried", f"{TWO} was to be tried at once", since_s

    def _sooner(self) -> Iterator[Said]:
        """Another try that was not due yet and that nobody asked for."""
        ends = {m.attempt: m.at_s for m in self.marks if m.task == TWO and m.what == "E"}
        asked_s = min(
            (
                o.began_s
                for o in self.operations
                if o.outcome != "fail" and o.arguments.get("hand") == "retry"
            ),
            default=inf,
        )
        for mark in self.starts:
            if mark.task == TWO and mark.attempt == "2" and "1" in ends:
                due_s = min(asked_s, ends["1"] + RETRY_S - 1)
                if mark.at_s < due_s - CLOCK_S:
                    yield (
                        "tried-too-soon",
                        f"{TWO} was tried again {due_s - mark.at_s:.1f} s early",
                        mark.at_s,
                    )

    def _overridden(self, op: Operation) -> Iterator[Said]:
        later = [
            o for o in self.operations if o.began_s >= op.began_s and o.arguments.get("hand") == "override"
        ]
        may = {o.arguments["as"] for o in later if o.outcome == "info"} | {
            next(o.arguments["as"] for o in reversed(later) if o.outcome == "ok")
        }
        stands = (self.run.get("override") or {}).get("as")
        if stands not in may:
            yield "verdict-lost", f"it counts as {stands}, the verdict was {sorted(may)}", op.ended_s
        if op.result.get("state") != self.run["state"]:
            said = f"it was {op.result.get('state')} under its verdict, and is {self.run['state']}"
            yield "truth-changed", said, op.ended_s


def _noted(case: Case, asked: Mapping[int, list[Operation]]) -> Iterator[Offence]:
    entries = case.final.get("audit", [])
    if not entries:
        return
    by_reason = Counter(str(entry["reason"]) for entry in entries if entry.get("reason"))
    cancels = {int(e["run"]) for e in entries if (e["kind"], e["action"]) == ("run", "cancel")}
    for number, operations in asked.items():
        for op in operations:
            hand, reason = op.arguments.get("hand"), str(op.arguments.get("reason"))
            if hand is None:
                continue
            noted = int(number in cancels) if hand == "cancel" else by_reason[reason]
            said = f"{reason} of run {number}"
            if op.outcome == "ok" and not noted:
                yield Offence("unnoted", f"{said} is not in the audit", op.ended_s, JOB, op.id, number)
            if op.outcome == "fail" and noted and hand != "cancel":
                yield Offence("noted-though-refused", said, op.ended_s, JOB, op.id, number)
            if noted > 1:
                yield Offence("noted-twice", f"{said} is noted {noted} times", op.ended_s, JOB, op.id, number)


def _repeated(
    case: Case, runs: Mapping[int, Run], repeats: list[Operation], marks: Mapping[int, list[Mark]]
) -> Iterator[Offence]:
    may = Counter(int(op.arguments["run"]) for op in repeats if op.outcome != "fail")
    made: Counter[int] = Counter()
    for number, run in runs.items():
        if run["cause"] != "rerun":
            continue
        source = int(run["rerun"]["of"])
        made[source] += 1
        if made[source] > may[source]:
            detail = f"run {number} repeats run {source}, which was asked for {may[source]} times"
            yield Offence("never-asked", detail, None, run["job"], run=number)
        elif run["job"] == JOB:
            for kind, detail, at_s in _again(run, marks.get(number, []), marks.get(source, [])):
                yield Offence(kind, f"run {number}, which repeats {source}: {detail}", at_s, JOB, run=number)
    for op in repeats:
        if op.outcome == "ok" and int(op.result["made"]) not in runs:
            detail = f"run {op.result['made']} was made, and is not there"
            yield Offence("rerun-lost", detail, op.ended_s, op.arguments["job"], op.id)


def _again(run: Run, marks: list[Mark], before: list[Mark]) -> Iterator[Said]:
    """Of a run of our own that was repeated from TWO on."""
    starts = [mark for mark in marks if mark.what == "S"]
    if any(mark.task == ONE for mark in starts):
        yield "done-again", f"{ONE} started, and was to be taken over", starts[0].at_s
    orderly = all(attempt["state"] == "succeeded" for _, attempt in tries_of(run))
    lacking = {TWO, THREE} - {mark.task for mark in starts}
    if run["state"] == "succeeded" and orderly and lacking:
        yield "not-done-again", f"{', '.join(sorted(lacking))} did not start", None
    wrote = {str(mark.fence) for mark in before if (mark.task, mark.what) == (ONE, "E")}
    for mark in starts:
        if wrote and mark.given not in wrote:
            yield "other-output", f"{mark.task} was given {mark.given!r}, {ONE} wrote {wrote}", mark.at_s
