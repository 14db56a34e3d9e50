"""What happens inside a run goes as its job says, whoever leads: rounds, what catches a failure, runs of
another job, what finishes a run, and what is done finally.

Rules:
1. What began is what payloads wrote. A run that lost nothing began exactly the tasks and rounds that its
   number says, each once.
2. No task of a round begins before all of the round before it has ended; what catches begins behind a failure
   of its round, and behind all else of it; what is done finally behind all the rest, once, in every run that
   began anything, and it is told how the rest ended.
3. A task is given what the newest round of the one before it wrote, whose line tells what that was.
4. Of each task that begins a run of another job there is one run, which names it, and which it names. The
   task that waits for it ends as it does.
5. A task that was seen to have ended ends so in this round for ever, and no earlier round is seen behind a
   later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from chaos import workflows as load
from chaos.case import Case, Mark, tries_of
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.results import unhurt

NAME = "workflows"
CLOCK_S = 0.05
READS = {load.ONE: load.WRITE, load.TWO: load.ONE, load.RESCUE: load.ONE, load.TURN: load.ONE}
"""By task, whose nonce it is given."""
INSIDE = ((load.ONE, load.TWO), (load.TURN,))
ORDERLY = frozenset({"succeeded", "failed"})  #: how attempts end that nothing befell
ENDS = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost", "expired", "skipped"})
_TRIED = ((load.ONE, 0), (load.TWO, 0))
_AGAIN = ((load.ONE, 1), (load.TWO, 1))
_ALL = ((load.WRITE, 0), *((load.TURN, turn) for turn in range(load.TURNS)), (load.CLOSE, 0))
ROUNDS = {
    load.PLAIN: frozenset({*_ALL, *_TRIED}),
    load.RETRIED: frozenset({*_ALL, *_TRIED, *_AGAIN}),
    load.CAUGHT: frozenset({*_ALL, *_TRIED, *_AGAIN, (load.RESCUE, 1)}),
}
FINISHES = frozenset({(load.BEGIN, 0), (load.CLOSE, 0)})

Run = Mapping[str, Any]
Said = tuple[str, str, float | None]  #: kind, detail, when


def check(case: Case) -> Finding:
    runs = {int(run["id"]): run for run in case.final.get("runs", [])}
    ours = [run for run in runs.values() if run["job"] in (load.JOB, load.FINISHED)]
    if not ours:
        return Finding(NAME, "pass", "nothing happened inside a run in this load")
    marks: dict[int, list[Mark]] = defaultdict(list)
    for mark in case.marks:
        marks[mark.run].append(mark)
    nested = [run for run in runs.values() if run["cause"] == "nested"]
    waited: dict[int, list[Mark]] = defaultdict(list)  #: what runs wrote that ended well and are waited for
    for run in nested:
        if run["parent"] and run["parent"]["task"] == load.CHILD and run["state"] == "succeeded":
            waited[run["parent"]["run"]] += marks[int(run["id"])]
    offences = [
        Offence(kind, f"run {run['id']} of {run['job']}: {detail}", at_s, run["job"], run=int(run["id"]))
        for run in ours
        for kind, detail, at_s in _Inside(case, run, marks[int(run["id"])], waited[int(run["id"])]).check()
    ]
    offences += [*_children(runs, nested), *_seen(case), *_vanished(case, runs)]
    counts = {
        "workflows": len(ours),
        "rounds": sum(mark.round > 0 for mark in case.starts),
        "caught": sum((mark.job, mark.task) == (load.JOB, load.RESCUE) for mark in case.starts),
        "nested": len(nested),
    }
    return finding(NAME, offences, ", ".join(f"{count} {what}" for what, count in counts.items()), counts)


class _Inside:
    """One run, by what its payloads wrote."""

    def __init__(self, case: Case, run: Run, marks: list[Mark], waited: list[Mark]) -> None:
        self.case, self.run, self.marks, self.waited = case, run, marks, waited
        self.starts = [mark for mark in self.marks if mark.what == "S"]
        # What never started has the number of the next one.
        self.states = {tried: a["state"] for tried, a in tries_of(run) if a["state"] != "unstarted"}
        child = run["tasks"].get(load.CHILD, {}).get("state", "succeeded")
        self.whole = child == "succeeded" and set(self.states.values()) <= ORDERLY

    def check(self) -> Iterator[Said]:
        if problem := unhurt(self.case, self.run):
            yield "lost-without-cause", problem, None
        yield from self._steps()
        yield from self._rounds()
        yield from self._catches()
        yield from self._given()
        yield from self._finally()

    def _steps(self) -> Iterator[Said]:
        began = Counter((mark.task, mark.round) for mark in self.starts)
        twice = sorted(key for key, times in began.items() if times > 1)
        if twice:
            yield "began-twice", f"{_named(twice)} began more than once", None
        job_says = ROUNDS[int(self.run["id"]) % 3] if self.run["job"] == load.JOB else FINISHES
        more, less = sorted(set(began) - job_says), sorted(job_says - set(began))
        if not self.whole:  # what was lost is caught, or ends a group before its last round
            more, less = [key for key in more if key[0] != load.RESCUE], []
        if more or (less and self.run["finished"] is not None):
            yield "other-steps", f"{_named(more)} began too much, {_named(less)} did not begin", None
        if self.whole and self.run["finished"] is not None and self.run["state"] != "succeeded":
            yield "not-succeeded", f"it lost nothing, and is {self.run['state']} ({self.run['reason']})", None

    def _rounds(self) -> Iterator[Said]:
        for mark in self.starts:
            before = next((names for names in INSIDE if mark.task in names), ())
            for other in self.marks:
                if other.task in before and other.round < mark.round and _behind(other, mark):
                    said = f"{other.task} of round {other.round} went on behind the start of {mark.round}"
                    yield "round-early", said, mark.at_s

    def _catches(self) -> Iterator[Said]:
        for mark in (each for each in self.starts if each.task == load.RESCUE):
            tried = [m for m in self.marks if m.round == mark.round and m.task in INSIDE[0]]
            fails = int(self.run["id"]) % 3 == load.CAUGHT or (
                int(self.run["id"]) % 3 == load.RETRIED and mark.round == 0
            )
            failed = fails and any(m.task == load.TWO and m.what == "E" for m in tried)
            lost = any(
                task in INSIDE[0] and turn == mark.round and state not in ORDERLY
                for (_, task, turn, _), state in self.states.items()
            )
            if not (failed or lost):
                detail = f"{mark.task} began in round {mark.round}, in which nothing failed"
                yield "catch-without-failure", detail, mark.at_s
            if any(_behind(other, mark) for other in tried):
                yield "catch-early", f"{mark.task} began while its round went on", mark.at_s

    def _given(self) -> Iterator[Said]:
        for mark in self.starts:
            writer = READS.get(mark.task) if self.run["job"] == load.JOB else None
            if writer is None:
                continue
            beside = writer in INSIDE[0] and mark.task in (*INSIDE[0], load.RESCUE)
            turn = mark.round if beside else self._newest(writer)
            ends = [m for m in self.marks if (m.task, m.round, m.what) == (writer, turn, "E")]
            wrote = {str(m.fence) if self.states.get(m.tried) == "succeeded" else "" for m in ends} or {""}
            if mark.given not in wrote:
                detail = f"{mark.task} of round {mark.round} was given {mark.given!r}, {writer} wrote {wrote}"
                yield "other-output", detail, mark.at_s

    def _newest(self, name: str) -> int:
        return max((turn for (_, task, turn, _) in self.states if task == name), default=0)

    def _finally(self) -> Iterator[Said]:
        ended = self.run["finished"] is not None
        closed = [mark for mark in self.starts if mark.task == load.CLOSE]
        tried = [state for (_, task, _, _), state in self.states.items() if task == load.CLOSE]
        if ended and self.starts and not closed and not tried:
            yield "finally-forgotten", f"it ended without {load.CLOSE}", None
        for mark in closed:
            late = [m for m in self.marks if m.task != load.CLOSE and _behind(m, mark)]
            late = [m for m in late if self.states.get(m.tried) in ORDERLY]
            late += [m for m in self.waited if _behind(m, mark)]
            if late:
                yield "finally-early", f"{late[0].task} went on behind the start of {load.CLOSE}", mark.at_s
            good = self.states.get(mark.tried) == "succeeded"
            if ended and good and mark.given != self.run["state"]:
                detail = f"{load.CLOSE} was told that the rest {mark.given}, the run {self.run['state']}"
                yield "another-rest", detail, mark.at_s


def _behind(other: Mark, mark: Mark) -> bool:
    return other.at_s > mark.at_s + CLOCK_S


def _named(keys: list[tuple[str, int]]) -> str:
    return ", ".join(f"{task}/{turn}" for task, turn in keys) or "nothing"


def _children(runs: Mapping[int, Run], nested: list[Run]) -> Iterator[Offence]:
    times = Counter(str(run["cause_key"]) for run in nested)
    for run in nested:
        number, parent, key = int(run["id"]), run["parent"] or {}, str(run["cause_key"])
        task = runs.get(parent.get("run", 0), {}).get("tasks", {}).get(parent.get("task"))
        who = f"run {number}, of {key},"
        if times[key] > 1:
            yield Offence("two-children", f"{who} is not the only one", None, run["job"], run=number)
        if task is None or key != f"{parent['run']}/{parent['task']}//{task['round']}":
            yield Offence("orphan", f"{who} is of no task", None, run["job"], run=number)
            continue
        both = run["finished"] and task["finished"]
        if both and parent["task"] == load.CHILD and task["state"] != run["state"]:
            detail = f"{who} {run['state']}, the task that waits for it {task['state']}"
            yield Offence("another-end", detail, None, run["job"], run=number)
    begun = {(run["parent"]["run"], run["parent"]["task"]) for run in nested if run["parent"]}
    for number, run in runs.items():
        for name in (load.CHILD, load.ASIDE) if run["job"] == load.JOB else ():
            if run["tasks"].get(name, {}).get("state") == "succeeded" and (number, name) not in begun:
                detail = f"{name} of run {number} succeeded without a run"
                yield Offence("no-child", detail, None, run["job"], run=number)


def _vanished(case: Case, runs: Mapping[int, Run]) -> Iterator[Offence]:
    for op in case.operations:
        if op.op == "workflow" and op.outcome == "ok" and int(op.result["run"]) not in runs:
            detail = f"run {op.result['run']} was acknowledged, and is not there"
            yield Offence("vanished", detail, op.ended_s, op.arguments["job"], op.id)


def _seen(case: Case) -> Iterator[Offence]:
    known: dict[tuple[int, str], tuple[int, str, float]] = {}
    for op in sorted(case.operations, key=lambda op: op.ended_s or 0.0):
        if op.op != "look" or op.ended_s is None:
            continue
        run = int(op.arguments["run"])
        for name, (turn, state) in op.result.get("tasks", {}).items():
            before = known.get((run, name))
            if before is not None and op.began_s > before[2]:
                back = turn < before[0]
                if back or (turn == before[0] and before[1] in ENDS and state != before[1]):
                    said = f"{name} of run {run}: {before[1]} in round {before[0]}, then {state} in {turn}"
                    yield Offence("resurrected", said, op.ended_s, operation=op.id, run=run)
            if before is None or (turn, state in ENDS) >= (before[0], before[1] in ENDS):
                known[run, name] = turn, state, op.ended_s
    for run in case.final.get("runs", []):
        for name, task in run["tasks"].items():
            before = known.get((int(run["id"]), name))
            if before and before[1] in ENDS and task["round"] == before[0] and task["state"] != before[1]:
                detail = f"{name} of run {run['id']} was {before[1]}, in the end {task['state']}"
                yield Offence("resurrected", detail, None, run["job"], run=int(run["id"]))
