"""What a run asks a person is answered once, and only by a person.

Rules:
1. A question succeeds or fails by one answer that was sent, with the reason of that one; who was refused did
   not answer. Without any it expires, and not before its time.
2. An answer that was acknowledged is the one that counts, in the end too.
3. What comes after an approval begins behind the request that approves, once; what comes after a rejection,
   or nothing, in no other case.
4. Each answer that counts has one entry in the audit, and is told of once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaos import approvals as load
from chaos.case import Case, Mark, milliseconds
from chaos.checkers import Finding, Offence, by_run, finding, runs_of
from chaos.history import Operation

NAME = "approvals"
CLOCK_S = 1.0  #: clocks that stamp differ by so much
ANSWERED = {"succeeded": load.APPROVE, "failed": load.REJECT}

Run = Mapping[str, Any]
Said = tuple[str, str]  #: kind, detail


def check(case: Case) -> Finding:
    runs = runs_of(case, load.JOB)
    if not runs:
        return Finding(NAME, "pass", "nobody was asked in this load")
    sent: dict[int, list[Operation]] = defaultdict(list)
    for op in case.operations:
        if op.op == "answer":
            sent[int(op.arguments["run"])].append(op)
    marks = by_run(case.starts)
    offences = [
        Offence(kind, f"run {run['id']}: {detail}", None, load.JOB, run=int(run["id"]))
        for run in runs
        for kind, detail in _of_run(case, run, sent[int(run["id"])], marks[int(run["id"])])
    ]
    offences += [*_noted(case, runs), *_told(case)]
    ends = Counter(str(run["tasks"][load.ASK]["state"]) for run in runs)
    counts = {"asked": len(runs), "answered": ends["succeeded"] + ends["failed"]}
    said = ", ".join(f"{count} {state}" for state, count in sorted(ends.items()))
    return finding(NAME, offences, f"{len(runs)} runs that ask: {said}", counts)


def _of_run(case: Case, run: Run, sent: list[Operation], marks: list[Mark]) -> Iterator[Said]:
    task = run["tasks"][load.ASK]
    word = ANSWERED.get(task["state"])
    if word is not None:
        yield from _by_one_that_was_sent(task, word, sent)
    elif task["state"] == "expired" and task["started"] and task["finished"]:
        lasted_s = (milliseconds(task["finished"]) - milliseconds(task["started"])) / 1000
        if lasted_s < load.EXPIRES_S - CLOCK_S:
            yield "expired-early", f"nobody had answered within {lasted_s:.1f} s"
    for op in sent:
        if op.outcome == "ok" and op.arguments["answer"] != word:
            said = f"{op.arguments['reason']} was acknowledged, and it is {task['state']} ({task['reason']})"
            yield "answer-lost", said
    began = Counter(mark.task for mark in marks)
    for name, states in ((load.YES, ("succeeded",)), (load.NO, ("failed", "expired", "cancelled"))):
        if began[name] and task["state"] not in states:
            yield "went-on-without", f"{name} began, and it was {task['state']}"
    approved_s = min(
        (op.began_s for op in sent if op.arguments["answer"] == load.APPROVE and op.outcome != "fail"),
        default=None,
    )
    for mark in marks:
        if mark.task == load.YES and (approved_s is None or mark.at_s < approved_s):
            yield "went-on-early", f"{load.YES} began before anybody had approved"


def _by_one_that_was_sent(task: Mapping[str, Any], word: str, sent: list[Operation]) -> Iterator[Said]:
    said = str(task["reason"] or "").rpartition(": ")[2]
    counted = [op for op in sent if (op.arguments["answer"], op.arguments["reason"]) == (word, said)]
    if not counted:
        yield "unanswered", f"it {task['state']} ({task['reason']}), which nobody had sent"
    elif all(op.outcome == "fail" and op.result.get("status", 0) > 0 for op in counted):
        yield "refused-and-counts", f"{said} was refused, and it {task['state']} by that"


def _noted(case: Case, runs: Sequence[Run]) -> Iterator[Offence]:
    entries = case.final.get("audit")
    if not entries:
        return
    noted = Counter(int(e["run"]) for e in entries if e["action"] in load.ENDS and e["run"])
    for run in runs:
        number, answered = int(run["id"]), run["tasks"][load.ASK]["state"] in ANSWERED
        if noted[number] != int(answered):
            detail = f"run {number}: {noted[number]} entries in the audit of {int(answered)} answers"
            yield Offence("other-audit", detail, None, load.JOB, run=number)


def _told(case: Case) -> Iterator[Offence]:
    told: dict[int, set[str]] = defaultdict(set)
    for events in case.events.values():
        for event in events:
            if event["event"] == "approval_answered":
                told[int(event["task"])].add(str(event["id"]))
    for task, ids in told.items():
        if len(ids) > 1:
            yield Offence("answered-twice", f"task {task}: {', '.join(sorted(ids))}", None, load.JOB)
