"""What was handed on ends by the first word of somebody outside, and by no other; without any in its time.

Rules:
1. An attempt succeeds only where its process ended well and a word said so that was sent with its own token,
   or by a person; it fails by such a word, or as its process did. Who was refused said nothing.
2. A word that was acknowledged is the one that stands, in the end too. One is told of once, and has one entry
   in the audit.
3. Without a word it times out, and not before its time; no word is refused while there is none and there is
   time.
4. What comes behind begins behind the word, and is given what came with it.
5. Whoever awaits a word keeps what its task took: no more hold a place than there are.
6. What was asked for is there, and none of it awaits anything when its run is over.
7. How far an attempt is was told with its own token; what was acknowledged stands.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from chaos import completions as load
from chaos.case import Case, Mark, milliseconds
from chaos.checkers import Finding, Offence, by_run, finding, runs_of
from chaos.history import Operation

NAME = "completions"
CLOCK_S = 1.0  #: clocks that stamp differ by so much
OPEN = frozenset({"assigned", "granted", "running", "cancelling", "awaiting"})
CONFLICT = 409

Attempt = Mapping[str, Any]
Run = Mapping[str, Any]
Said = tuple[str, str]  #: kind, detail


class Held(NamedTuple):
    """One that surely had a place, from then until then."""

    from_s: float
    until_s: float
    run: int


def check(case: Case) -> Finding:
    asked = {int(op.result["run"]) for op in case.operations if op.op == "hand-on" and op.outcome == "ok"}
    runs = runs_of(case, load.JOB)
    if not runs and not asked:
        return Finding(NAME, "pass", "nothing was handed on in this load")
    sent: dict[int, list[Operation]] = defaultdict(list)
    for op in case.operations:
        if op.op == "complete":
            sent[int(op.arguments["run"])].append(op)
    marks = by_run(case.marks)
    far: dict[tuple[int, int], list[Operation]] = defaultdict(list)
    for op in case.operations:
        if op.op == "progress":
            far[int(op.arguments["run"]), int(op.arguments["attempt"])].append(op)
    told = [_Told(case, run, sent[int(run["id"])], marks[int(run["id"])]) for run in runs]
    offences = [
        Offence(kind, f"run {each.run['id']}: {detail}", None, load.JOB, run=int(each.run["id"]))
        for each in told
        for kind, detail in each.check()
    ]
    offences += [
        Offence(kind, f"run {run['id']}: {detail}", None, load.JOB, run=int(run["id"]))
        for run in runs
        for attempt in _attempts(run)
        for kind, detail in _how_far(attempt, far[int(run["id"]), int(attempt["number"])])
    ]
    for run in sorted(asked - {int(run["id"]) for run in runs}):
        offences.append(Offence("lost", f"run {run} was acknowledged, and is not there", None, load.JOB))
    offences += [*_over(case, told), *_noted(case, runs), *_once(case)]
    ends = Counter(str(attempt["state"]) for run in runs for attempt in _attempts(run))
    words = sum(_word(attempt) is not None for run in runs for attempt in _attempts(run))
    said = ", ".join(f"{count} {state}" for state, count in sorted(ends.items()))
    return finding(NAME, offences, f"{words} words counted, of attempts: {said}", {"completed": words})


def _attempts(run: Run) -> list[Attempt]:
    return [each for each in run["tasks"][load.SUBMIT]["attempts"] if each["state"] != "revoked"]


def _word(attempt: Attempt) -> tuple[str, str] | None:
    """The outcome and message that stand."""
    known = attempt.get("completion") or {}
    return (known["outcome"], known["message"]) if known.get("outcome") else None


def _how_far(attempt: Attempt, told: Sequence[Operation]) -> Iterator[Said]:
    progress = (attempt.get("completion") or {}).get("progress")
    text = progress["text"] if progress else None
    said = f"attempt {attempt['number']} is told to be at {text!r}"
    if text is not None and all(op.arguments["text"] != text or _refused(op) for op in told):
        yield "progress-untold", f"{said}, which nobody had told, or it was refused"
    for op in told:
        if op.outcome == "ok" and op.arguments["text"] != text:
            yield "progress-lost", f"{said}, and {op.arguments['text']} was acknowledged"


def _of(op: Operation) -> tuple[str, str]:
    return op.arguments["outcome"], op.arguments["message"]


def _refused(op: Operation) -> bool:
    """It was answered, and not taken."""
    return op.outcome == "fail" and op.result.get("status", 0) > 0


class _Told:
    def __init__(self, case: Case, run: Run, sent: Sequence[Operation], marks: Sequence[Mark]) -> None:
        self.case, self.run, self.sent = case, run, sent
        self.starts = [mark for mark in marks if mark.what == "S"]
        self.of_attempt: dict[int, list[Mark]] = defaultdict(list)
        for mark in marks:
            if mark.task == load.SUBMIT:
                self.of_attempt[int(mark.attempt)].append(mark)

    def check(self) -> Iterator[Said]:
        for attempt in _attempts(self.run):
            number = int(attempt["number"])
            sent = [op for op in self.sent if op.arguments["attempt"] in (number, None)]
            yield from self._end(attempt, sent)
            if _word(attempt) is not None:
                yield from self._counts(attempt, sent)
        yield from self._acknowledged()
        yield from self._behind()

    def _end(self, attempt: Attempt, sent: Sequence[Operation]) -> Iterator[Said]:
        word, state = _word(attempt), str(attempt["state"])
        said = f"attempt {attempt['number']} is {state}, exit code {attempt['exit_code']}, the word {word}"
        ended_well = any(mark.what == "E" for mark in self.of_attempt[int(attempt["number"])])
        outcome = "" if word is None else word[0]
        if state == "succeeded" and (outcome != load.SUCCEEDED or attempt["exit_code"] or not ended_well):
            yield "completed-without", said
        if state == "failed" and attempt["exit_code"] == 0 and outcome != load.FAILED:
            yield "failed-without", said
        if state in OPEN:
            yield "left-open", said
        if state != "timed_out":
            return
        if word is not None:
            yield "word-forgotten", said
        granted_ms = milliseconds(attempt["granted"])
        lasted_s = (milliseconds(attempt["finished"]) - granted_ms) / 1000
        exited = (attempt.get("completion") or {}).get("exited")
        # One that ended with its process has the instant of that: what came to it came later.
        if lasted_s < load.TIMEOUT_S - CLOCK_S and attempt["finished"] != exited:
            yield "timed-out-early", f"{said}, after {lasted_s:.1f} s"
        in_time_s = self.case.at_s(granted_ms) + load.TIMEOUT_S - CLOCK_S
        for op in sent:
            by_token = op.arguments["attempt"] is not None
            if by_token and op.result.get("status") == CONFLICT and (op.ended_s or inf) < in_time_s:
                yield "refused-in-time", f"{said}, and {op.arguments['message']} was refused before"

    def _counts(self, attempt: Attempt, sent: Sequence[Operation]) -> Iterator[Said]:
        counted = [op for op in sent if _of(op) == _word(attempt)]
        said = f"attempt {attempt['number']} has the word {_word(attempt)}"
        if not counted:
            yield "unsaid", f"{said}, which nobody had sent for it"
        elif all(_refused(op) for op in counted):
            yield "refused-and-counts", f"{said}, which was refused"

    def _acknowledged(self) -> Iterator[Said]:
        """A person's word is of the attempt that was the newest then; another may be so by now."""
        stands = {int(attempt["number"]): _word(attempt) for attempt in _attempts(self.run)}
        for op in self.sent:
            number = op.arguments["attempt"]
            known = list(stands.values()) if number is None else [stands.get(int(number))]
            if op.outcome == "ok" and _of(op) not in known:
                yield "word-lost", f"{_of(op)} of attempt {number} was acknowledged, there stands {known}"

    def _behind(self) -> Iterator[Said]:
        task, last = self.run["tasks"][load.SUBMIT], (_attempts(self.run) or [{}])[-1]
        word = _word(last)
        for mark in self.starts:
            if mark.task != load.AFTER:
                continue
            if task["state"] != "succeeded" or word is None:
                yield "went-on-without", f"{load.AFTER} began, and {load.SUBMIT} is {task['state']}"
                continue
            if mark.given != word[1]:
                yield "other-output", f"{load.AFTER} was given {mark.given!r}, the word was {word}"
            if mark.at_s < self.said_s(last):
                yield "went-on-early", f"{load.AFTER} began before anybody had sent {word}"

    def said_s(self, attempt: Attempt) -> float:
        """Before that nobody can have had the word that stands."""
        word = _word(attempt)
        return min((op.began_s for op in self.sent if _of(op) == word and not _refused(op)), default=0.0)

    def held(self) -> Iterator[Held]:
        for attempt in _attempts(self.run):
            marks = self.of_attempt[int(attempt["number"])]
            if not marks:
                continue
            from_s, until_s = marks[0].at_s, marks[-1].at_s
            if attempt["state"] == "timed_out":
                last_ms = milliseconds(attempt["granted"]) + (load.TIMEOUT_S - CLOCK_S) * 1000
                until_s = max(until_s, self.case.at_s(last_ms))
            elif attempt["exit_code"] == 0 and _word(attempt) is not None:
                until_s = max(until_s, self.said_s(attempt))
            yield Held(from_s, until_s, int(self.run["id"]))


def _over(case: Case, told: Sequence[_Told]) -> Iterator[Offence]:
    busy: list[Held] = []
    for each in sorted(held for one in told for held in one.held()):
        busy = [other for other in busy if other.until_s > each.from_s]
        busy.append(each)
        if len(busy) > load.PLACES:
            runs = ", ".join(str(other.run) for other in busy)
            said = f"{len(busy)} have one of {load.PLACES} places: of runs {runs}"
            yield Offence("given-back-early", said, each.from_s, load.JOB, run=each.run)


def _noted(case: Case, runs: Sequence[Run]) -> Iterator[Offence]:
    entries = case.final.get("audit")
    if not entries:
        return
    noted = Counter(int(e["run"]) for e in entries if e["action"] == "complete" and e["run"])
    for run in runs:
        number, words = int(run["id"]), sum(_word(attempt) is not None for attempt in _attempts(run))
        if noted[number] != words:
            said = f"run {number}: {noted[number]} entries in the audit of {words} words"
            yield Offence("other-audit", said, None, load.JOB, run=number)


def _once(case: Case) -> Iterator[Offence]:
    told: dict[int, set[str]] = defaultdict(set)
    for events in case.events.values():
        for event in events:
            if event["event"] == "attempt_completed":
                told[int(event["attempt"])].add(str(event["id"]))
    for attempt, ids in told.items():
        if len(ids) > 1:
            yield Offence("completed-twice", f"attempt {attempt}: {', '.join(sorted(ids))}", None, load.JOB)
