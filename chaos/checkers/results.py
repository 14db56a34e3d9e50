"""What the product tells of runs is what happened: events, payloads' lines and the final list agree.

Rules:
1. Every run that an event named is in the list in the end, once. A tick has one run, and those that repeat it
   because somebody asked.
2. A start is of the run's own job, tick and word. An attempt starts once, and a run no more often than its
   job may try: once where it says nothing.
3. What succeeded wrote its start and its end. What an event told of an end or of a tick is what lists tell in
   the end; and of every end that they tell an event told, where a node was never reset.
4. Every other end has its cause: lost a fault that hurt its own agent, cancelled a newer tick under
   cancel_running, expired a start deadline that was over. Nothing of this load has a time limit, or fails
   unless its payload says so.
5. Another attempt of a task comes behind one that did not succeed, with a higher fence.
6. There is no sign of life of an attempt behind the end that a node told.
7. An accepted manual run starts within LATE_S, unless a fault (causes.py) or a pause holds it up. One that
   takes a licence waits for it, behind an agent that is gone too: it starts, whenever that is.
8. The times of an attempt are those that its payload wrote, within RECORD_S. No tick is decided AHEAD_S
   before it is due.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from chaos.case import Case, Mark, Tried, milliseconds, tries_of
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.causes import LATE_S, agent_hurt, agents_hurt, brought_forward, excused, late_s
from chaos.checkers.due import due_ms, seconds
from chaos.checkers.spans import EVERYTHING, possibly, resumed_s
from chaos.days import TURNED
from chaos.licences import LIMITS

NAME = "results"
CLOCK_S = 0.05
RECORD_S = 1.0  #: between what a payload writes and what its spooler notes, on an idle machine
AHEAD_S = 2.0  #: a leader decides 50 ms ahead; its clock may be off by 1.2 s before it stops planning
TELL_S = 5.0  #: what ended so shortly before the end of the run may not have been told
BEGIN = (1, 0)  #: a reset before the first event leaves nothing out
DRILL = "drill"

Run = Mapping[str, Any]


def check(case: Case) -> Finding:
    runs = own_runs(case)
    if "runs" not in case.final:
        return finding(NAME, [], "runs were never read")  # the vacuity checker says so
    offences = [
        *_listed(case, runs),
        *_starts(case, runs),
        *_successes(case, runs),
        *_other_ends(case, runs),
        *_attempts(runs),
        *_as_told(case, runs),
        *_untold(case, runs),
        *_ledger_as_told(case),
        *_behind_the_end(case),
        *_manual(case),
        *_times(case, runs),
        *_ahead(case),
    ]
    ends = Counter(str(run["state"]) for run in runs)
    said = ", ".join(f"{count} {state}" for state, count in sorted(ends.items()))
    return finding(NAME, offences, f"{len(runs)} runs: {said}", dict(ends))


def own_runs(case: Case) -> list[Run]:
    """The runs of the harness's jobs. A staging cluster has others, and those of earlier drills."""
    since_ms = case.wall_ms(case.phases.get("up", 0.0)) if case.plan.get("profile") == DRILL else 0.0
    names = own_jobs(case)
    return [
        run
        for run in case.final.get("runs", [])
        if run["job"] in names and milliseconds(run["created"]) >= since_ms
    ]


def own_jobs(case: Case) -> frozenset[str]:
    asked = {op.arguments["job"] for op in case.operations if op.op in ("declare", "run")}
    return frozenset(asked | set(case.declared))


def _listed(case: Case, runs: list[Run]) -> Iterator[Offence]:
    times = Counter(int(run["id"]) for run in case.final["runs"])
    names = own_jobs(case)
    told: set[int] = set()
    for node, events in case.events.items():
        for event in events:
            if event["event"] != "run_created" or event["run"] in told or event["name"] not in names:
                continue
            told.add(event["run"])
            if not times[event["run"]]:
                detail = f"run {event['run']} was created (told by {node}), and is not in the list"
                yield Offence("vanished", detail, event["t"], event["name"], run=event["run"])
    for number, count in times.items():
        if count > 1:
            yield Offence("listed-twice", f"run {number} is {count} times in the list", run=number)
    by_tick: dict[tuple[str, str], int] = {}
    for run in runs:
        tick = run["tick"]
        if run["id"] in case.reruns:
            continue
        first = by_tick.setdefault((run["job"], tick), run["id"]) if tick else run["id"]
        if tick and first != run["id"]:
            detail = f"runs {first} and {run['id']} are both {run['job']}'s of {tick}"
            yield Offence("two-runs", detail, case.at_s(milliseconds(tick)), run["job"], run=run["id"])


def _starts(case: Case, runs: list[Run]) -> Iterator[Offence]:
    known = {int(run["id"]): run for run in runs}
    started: dict[Tried, list[Mark]] = defaultdict(list)
    attempts: dict[tuple[int, str, int], set[str]] = defaultdict(set)
    for mark in case.starts:
        started[mark.tried].append(mark)
        attempts[mark.run, mark.task, mark.round].add(mark.attempt)
        run = known.get(mark.run)
        if run is None:
            continue  # dispatch asks for its grant
        tick = run["tick"]
        word = (run.get("params") or {}).get("word") or "-"
        if run["job"] != mark.job:
            yield _of(mark, "wrong-job", f"run {mark.run} is {run['job']}'s, {mark.job} started")
        elif (None if tick is None else milliseconds(tick)) != mark.tick_ms:
            yield _of(mark, "wrong-tick", f"run {mark.run} is of {tick}, told was {mark.tick_ms}")
        elif (mark.word or "-") != word:
            yield _of(mark, "wrong-word", f"run {mark.run} was asked for {word}, told was {mark.word}")
    for (number, task, turn, attempt), marks in started.items():
        if len(marks) > 1:
            detail = f"attempt {attempt} of {task} of run {number} started {len(marks)} times"
            yield _of(marks[1], "started-twice", detail)
        job = case.declared.get(marks[0].job)
        most = job.attempts_max if job is not None else case.tries.get((marks[0].job, task), 1)
        tries = attempts[number, task, turn]
        if len(tries) > most and attempt == max(tries):
            detail = f"{task} of run {number} was tried {len(tries)} times, {most} allowed"
            yield _of(marks[0], "too-many-attempts", detail)


def _of(mark: Mark, kind: str, detail: str) -> Offence:
    return Offence(kind, f"{mark.job}: {detail}", mark.at_s, mark.job, run=mark.run)


def attempts_of(run: Run) -> Iterator[Mapping[str, Any]]:
    for task in run["tasks"].values():
        yield from task["attempts"]


def _successes(case: Case, runs: list[Run]) -> Iterator[Offence]:
    wrote = {(*mark.tried, mark.what) for mark in case.marks}
    for run in runs:
        found = list(attempts_of(run))
        at_s = _ended_s(case, run)
        job = case.declared.get(run["job"])
        ends = job.ends if job is not None else ""
        if run["state"] == "succeeded" and job is not None and job.unmade:
            detail = f"run {run['id']} succeeded, and what it was to make is not there"
            yield Offence("unmade", detail, at_s, run["job"], run=run["id"])
        if run["state"] == "succeeded" and (said := _marked_otherwise(run, ends)):
            yield Offence("wrong-mark", f"run {run['id']}: {said}", at_s, run["job"], run=run["id"])
        if run["state"] == "succeeded" and job is not None and job.exit_code and not ends:
            detail = f"run {run['id']} succeeded, its payload exits with {job.exit_code}"
            yield Offence("wrong-exit", detail, at_s, run["job"], run=run["id"])
        if run["state"] == "succeeded" and not any(a["state"] == "succeeded" for a in found):
            detail = f"run {run['id']} succeeded, none of its {len(found)} attempts did"
            yield Offence("bare-success", detail, at_s, run["job"], run=run["id"])
        for tried, attempt in tries_of(run):
            if attempt["state"] != "succeeded":
                continue
            lacking = [w for w in "SE" if (*tried, w) not in wrote]
            who = f"attempt {attempt['number']} of run {run['id']} of {run['job']}"
            if lacking:
                what = {"S": "it never started", "E": "its payload never came to its end"}[lacking[0]]
                yield Offence("phantom", f"{who} succeeded, {what}", at_s, run["job"], run=run["id"])
            if attempt["exit_code"] != (job.exit_code if job is not None and ends else 0):
                detail = f"{who} succeeded with exit code {attempt['exit_code']}"
                yield Offence("wrong-exit", detail, at_s, run["job"], run=run["id"])


def _marked_otherwise(run: Run, ends: str) -> str:
    """What its marks are and its payload does not give; empty where they are right."""
    states = sorted({task["state"] for task in run["tasks"].values()} - {"succeeded"})
    marked = ["warned"] if run.get("warned") else []
    return "" if states + marked == [word for word in (ends,) if word] else f"{states + marked}, not {ends!r}"


def _ended_s(case: Case, run: Run) -> float | None:
    return case.at_s(milliseconds(run["finished"])) if run["finished"] else case.phases.get("final")


def _other_ends(case: Case, runs: list[Run]) -> Iterator[Offence]:
    newest: dict[str, int] = defaultdict(int)
    for run in runs:
        newest[run["job"]] = max(newest[run["job"]], int(run["id"]))
    for run in runs:
        if run["finished"] is None or run["state"] == "succeeded":
            continue
        problem = _no_cause(case, run, newest[run["job"]])
        if problem:
            detail = f"run {run['id']} of {run['job']} is {run['state']} ({run.get('reason')}): {problem}"
            kind = f"{run['state']}-without-cause"
            yield Offence(kind, detail, _ended_s(case, run), run["job"], run=run["id"])


def _no_cause(case: Case, run: Run, newest: int) -> str:
    """Why this end cannot be; empty where it can."""
    job = case.declared.get(run["job"])
    policies = job.policies if job is not None else {}
    created_ms, finished_ms = milliseconds(run["created"]), milliseconds(run["finished"])
    match run["state"]:
        case "lost":
            lost = any(a["state"] == "lost" for a in attempts_of(run))
            if lost:
                return unhurt(case, run)
            hurt = agents_hurt(case, case.at_s(created_ms), case.at_s(finished_ms))
            return "" if hurt else "no agent was hurt"
        case "cancelled":
            if job is None or job.overlap not in ("cancel_running", "terminate_running"):
                return "nobody cancelled it"
            return "" if newest > run["id"] else "no newer tick came"
        case "expired":
            if "start_deadline" not in policies:
                return "it has no start deadline"
            due_ms = milliseconds(run.get("due") or run["created"])
            early_ms = due_ms + 1000 * seconds(policies["start_deadline"]) - finished_ms
            return f"{early_ms:.0f} ms before its start deadline" if early_ms > 1000 * CLOCK_S else ""
        case "timed_out":
            return "" if "timeout" in policies else "it has no time limit"
        case "failed" if job is not None and job.unmade:
            codes = {a["exit_code"] for a in attempts_of(run) if a["state"] == "failed"}
            return "" if codes == {0} else f"exit codes {codes}, its payload's is 0"
        case "failed" if job is not None and job.exit_code and not job.ends:
            codes = {a["exit_code"] for a in attempts_of(run) if a["state"] == "failed"}
            return "" if codes == {job.exit_code} else f"exit codes {codes}, its payload's is {job.exit_code}"
    return "its payload cannot fail"


def unhurt(case: Case, run: Run) -> str:
    """Of a run that has ended: that nothing had hurt the agent of an attempt which it lost; empty: it had."""
    if run["finished"] is None:
        return ""
    until_s = case.at_s(milliseconds(run["finished"]))
    for tried, attempt in tries_of(run):
        from_s = case.at_s(milliseconds(attempt["granted"] or run["created"]))
        if attempt["state"] != "lost" or agent_hurt(case, attempt["agent"], from_s, until_s):
            continue
        if not _left(case, run, tried, attempt):
            return f"nothing had hurt {attempt['agent']}"
    return ""


def _left(case: Case, run: Run, tried: Tried, attempt: Mapping[str, Any]) -> bool:
    """Whether its agent, which comes and goes, ended in good order before the start, and a fault kept it from
    starting first what it was granted. What had started goes on: never excused."""
    started = any(mark.tried == tried for mark in case.marks)
    granted_s = case.at_s(milliseconds(attempt["granted"] or run["created"]))
    finished_s = case.at_s(milliseconds(run["finished"]))
    return (
        not started
        and excused(case, granted_s, finished_s)
        and any(
            name == attempt["agent"] and granted_s <= until_s and since_s <= finished_s
            for name, since_s, until_s in case.absences
        )
    )


def _attempts(runs: list[Run]) -> Iterator[Offence]:
    for run, task in [(each, task) for each in runs for task in each["tasks"].values()]:
        found = sorted(task["attempts"], key=lambda attempt: int(attempt["number"]))
        for one, other in pairwise(found):
            who = f"attempt {other['number']} of run {run['id']} of {run['job']}"
            if one["state"] == "succeeded":
                detail = f"{who}: the one before it had succeeded"
                yield Offence("tried-again", detail, None, run["job"], run=run["id"])
            if None not in (one["fence"], other["fence"]) and one["fence"] >= other["fence"]:
                detail = f"{who}: fence {other['fence']} behind {one['fence']}"
                yield Offence("fence-went-back", detail, None, run["job"], run=run["id"])


def _as_told(case: Case, runs: list[Run]) -> Iterator[Offence]:
    by_run = {int(run["id"]): run for run in runs}
    by_attempt = {a["id"]: (run, a) for run in runs for a in attempts_of(run)}
    seen: set[tuple[str, int]] = set()
    for node, events in case.events.items():
        for event in events:
            kind = event["event"]
            if kind == "run_ended" and event["run"] in by_run:
                run = told = by_run[event["run"]]
                key = ("run", event["run"])
            elif kind == "attempt_ended" and event["attempt"] in by_attempt:
                run, told = by_attempt[event["attempt"]]
                key = ("attempt", event["attempt"])
            else:
                continue
            before = (event["state"], event.get("exit_code"))
            after = (told["state"], told["exit_code"])
            if before != after and key not in seen:
                seen.add(key)
                detail = f"{key[0]} {key[1]} ended {before} (told by {node}), in the end it is {after}"
                yield Offence("changed", detail, event["t"], run["job"], run=run["id"])


def _untold(case: Case, runs: list[Run]) -> Iterator[Offence]:
    whole = [node for node in case.events if all(reset < BEGIN for reset in case.resets.get(node, ()))]
    if not whole or not case.history:
        return
    last_s = case.history[-1]["t"]
    edge_s = last_s - TELL_S * case.slowness(last_s - TELL_S, last_s)
    told = {e["run"] for events in case.events.values() for e in events if e["event"] == "run_ended"}
    for run in runs:
        at_s = case.at_s(milliseconds(run["finished"])) if run["finished"] else last_s
        if run["id"] not in told and at_s < edge_s:
            detail = f"run {run['id']} of {run['job']} is {run['state']}, and no node told that it ended"
            yield Offence("untold", detail, at_s, run["job"], run=run["id"])


def _ledger_as_told(case: Case) -> Iterator[Offence]:
    told: dict[tuple[str, int], Mapping[str, Any]] = {}
    for events in case.events.values():
        for event in events:
            job = case.declared.get(event.get("name", ""))
            if event["event"] != "tick_decided" or job is None:
                continue
            first_ms, last_ms = milliseconds(event["first"]), milliseconds(event["last"])
            for at_ms in due_ms(job, first_ms - 1, last_ms):
                before = told.setdefault((job.name, at_ms), event)
                if before["id"] != event["id"]:
                    detail = f"{job.name} at {event['first']}: events {before['id']} and {event['id']}"
                    yield Offence("decided-twice", detail, event["t"], job.name)
    for name, entries in case.final.get("ticks", {}).items():
        for entry in entries:
            decided = told.get((name, milliseconds(entry["at"])))
            if decided is None:
                continue
            before_after = [(e["outcome"], e.get("reason") or None) for e in (decided, entry)]
            if before_after[0] != before_after[1]:
                detail = f"{name} at {entry['at']} was {before_after[0]}, in the end it is {before_after[1]}"
                yield Offence("changed", detail, decided["t"], name, run=entry.get("run"))


def _behind_the_end(case: Case) -> Iterator[Offence]:
    """Signs of life of attempts that a node had already told to have ended. One that never started gave its
    number to the next, and is known by its fence (`dispatch`)."""
    tries = [each for run in case.final["runs"] for each in tries_of(run)]
    names = {attempt["id"]: tried for tried, attempt in tries if attempt["state"] != "unstarted"}
    ended: dict[Tried, tuple[float, str]] = {}
    for events in case.events.values():
        for event in events:
            if event["event"] == "attempt_ended" and (key := names.get(event["attempt"])) is not None:
                told = (float(event["t"]), str(event["state"]))
                ended[key] = min(ended.get(key, told), told)
    for mark in case.marks:
        at_s, state = ended.get(mark.tried, (mark.at_s, ""))
        if mark.at_s > at_s + CLOCK_S:
            lived = {"S": "started", "B": "lived", "E": "came to its end"}.get(mark.what, mark.what)
            detail = (
                f"attempt {mark.attempt} of run {mark.run} {lived} {mark.at_s - at_s:.2f} s after a node"
                f" had told that it ended ({state})"
            )
            yield _of(mark, "alive-after-its-end", detail)


def _manual(case: Case) -> Iterable[Offence]:
    first: dict[int, float] = {}
    for mark in case.starts:
        first.setdefault(mark.run, mark.at_s)
    lost = {int(run["id"]) for run in case.final["runs"] if run["state"] == "lost"}  # judged by its end
    asked: set[int] = set()
    pauses = possibly(case, *EVERYTHING)
    for op in case.operations:
        if op.op != "run" or op.ended_s is None or "run" not in op.result:
            continue
        run = int(op.result["run"])
        if run in asked:
            continue
        asked.add(run)
        started_s = first.get(run)
        limit_s = late_s(case, op.ended_s, op.ended_s if started_s is None else started_s)
        if started_s is None and run in lost:
            continue
        if started_s is not None and op.arguments["job"] in LIMITS:
            continue
        if started_s is not None and started_s - resumed_s(pauses, op.ended_s, LATE_S) <= limit_s:
            continue
        if not excused(case, op.began_s, op.ended_s if started_s is None else started_s):
            when = "never" if started_s is None else f"{started_s - op.ended_s:.1f} s later"
            detail = f"{op.arguments['job']}: run {run} was accepted and started {when}, no fault held it up"
            yield Offence("late", detail, op.ended_s, op.arguments["job"], op.id, run)


def _times(case: Case, runs: list[Run]) -> Iterator[Offence]:
    wrote = {(*mark.tried, mark.what): mark.at_s for mark in case.marks}
    for run in runs:
        for tried, attempt in tries_of(run):
            for what, field in (("S", "started"), ("E", "finished")):
                wrote_s = wrote.get((*tried, what))
                noted = attempt.get(field)
                if wrote_s is None or noted is None:
                    continue
                off_s = case.at_s(milliseconds(noted)) - wrote_s
                held = agent_hurt(
                    case, attempt["agent"], wrote_s, wrote_s + max(0.0, off_s)
                )  # a stopped spooler
                if abs(off_s) > RECORD_S * case.slowness(wrote_s, wrote_s) and not held:
                    detail = (
                        f"attempt {attempt['number']} of run {run['id']} of {run['job']}: {field} is {noted},"
                    )
                    detail += f" {off_s:+.2f} s from what its payload wrote"
                    yield Offence("wrong-time", detail, wrote_s, run["job"], run=run["id"])


def _ahead(case: Case) -> Iterator[Offence]:
    seen: set[int] = set()
    brought = brought_forward(case)
    for node, events in case.events.items():
        for event in events:
            if event["event"] != "run_created" or not event.get("tick") or event["run"] in seen:
                continue
            tick_ms = milliseconds(event["tick"])
            meant_ms = brought.get(tick_ms, tick_ms) if event["name"] == TURNED else tick_ms
            ahead_s = case.at_s(meant_ms) - event["t"]
            if ahead_s > AHEAD_S:
                seen.add(event["run"])
                detail = (
                    f"run {event['run']} of {event['name']} was created {ahead_s:.1f} s before it was due"
                )
                yield Offence(
                    "ahead", f"{detail} (told by {node})", event["t"], event["name"], run=event["run"]
                )
