"""A task that is divided is done once for each member, so many at a time, and its join fires once.

Rules:
1. Of a run that has ended each member is in the list once, has ended, and its counts are those of the list.
2. A member that succeeded did so by one attempt, which wrote its start and its end.
3. No more members work at a time than may, in all and on one agent.
4. The task succeeds with as many successes as it asks for, and fails once these could come together no more.
5. What needs it begins once, behind as many ends as the verdict took; a node tells once of each verdict, and
   once who the members are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from chaos import many as load
from chaos.case import Case, Mark, event_id
from chaos.checkers import Finding, Offence, by_run, finding, runs_of

NAME = "many"
CLOCK_S = 0.05
ENDS = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost", "expired", "skipped"})

Run = Mapping[str, Any]
Said = tuple[str, str, float | None]  #: kind, detail, when


def check(case: Case) -> Finding:
    runs = runs_of(case, load.JOB)
    if not runs:
        return Finding(NAME, "pass", "no task was divided in this load")
    marks = by_run(case.marks)
    offences = [
        Offence(kind, f"run {run['id']}: {detail}", at_s, load.JOB, run=int(run["id"]))
        for run in runs
        for kind, detail, at_s in _of_run(run, marks[int(run["id"])])
    ]
    offences += [*_told(case), *_vanished(case, {int(run["id"]) for run in runs})]
    counts = {
        "divided": len(runs),
        "members": sum("/" in mark.task for mark in case.starts),
        "joined": sum(run["tasks"][load.EACH]["state"] == "succeeded" for run in runs),
    }
    return finding(NAME, offences, ", ".join(f"{count} {what}" for what, count in counts.items()), counts)


def _of_run(run: Run, marks: list[Mark]) -> Iterator[Said]:
    for name in load.DIVIDED:
        members = {key: task for key, task in run["tasks"].items() if key.startswith(f"{name}/")}
        yield from _outcomes(run, name, members)
        yield from _succeeded(members, marks)
    yield from _at_a_time(load.EACH, marks)
    yield from _at_a_time(load.APART, marks)
    yield from _joined(run, marks)


def _outcomes(run: Run, name: str, members: Mapping[str, Any]) -> Iterator[Said]:
    for key in run.get("twice", ()):
        if key.startswith(f"{name}/"):
            yield "listed-twice", f"{key} is in the list of members twice", None
    whole = run["tasks"][name]
    told = whole["members"]
    if run["finished"] is None or told is None:
        return
    count = {load.EACH: load.MEMBERS, load.APART: load.APARTS}.get(name)
    wanted = {f"{name}/{place}" for place in range(count or 0)}
    if count and set(members) != wanted:
        yield "other-members", f"{sorted(members)}, not {sorted(wanted)}", None
    for key, member in members.items():
        if member["state"] not in ENDS:
            yield "no-outcome", f"it has ended, and {key} is {member['state']}", None
    states = Counter(str(member["state"]) for member in members.values())
    failed = sum(states.values()) - states["succeeded"] - states["skipped"]
    known = {"succeeded": states["succeeded"], "skipped": states["skipped"], "failed": failed}
    if told["all"] != len(members) or any(told[what] != count for what, count in known.items()):
        yield "other-counts", f"{name} counts {dict(told)}, its members are {dict(states)}", None


def _succeeded(members: Mapping[str, Any], marks: list[Mark]) -> Iterator[Said]:
    wrote = {(mark.task, mark.attempt, mark.what) for mark in marks}
    for key, member in members.items():
        good = [each for each in member["attempts"] if each["state"] == "succeeded"]
        if (member["state"] == "succeeded") != (len(good) == 1):
            detail = f"{key} is {member['state']} with {len(good)} attempts that succeeded"
            yield "other-outcome", detail, None
        for attempt in good:
            lacking = [what for what in "SE" if (key, str(attempt["number"]), what) not in wrote]
            if lacking:
                yield "phantom", f"{key} succeeded, and its payload did not write {lacking}", None


def _at_a_time(name: str, marks: list[Mark]) -> Iterator[Said]:
    lives: dict[tuple[str, str, str], tuple[float, float]] = {}
    for mark in marks:
        if mark.task.startswith(f"{name}/"):
            live = mark.task, mark.attempt, mark.agent
            from_s, until_s = lives.get(live, (mark.at_s, mark.at_s))
            lives[live] = min(from_s, mark.at_s), max(until_s, mark.at_s)
    busy: list[tuple[float, str, str]] = []
    for (key, _, agent), (from_s, until_s) in sorted(lives.items(), key=lambda each: each[1]):
        busy = [each for each in busy if each[0] > from_s + CLOCK_S]
        busy.append((until_s, key, agent))
        kind, most, those = "over-parallel", load.AT_A_TIME, busy
        if name == load.APART:
            kind, most, those = "over-agent", load.PER_AGENT, [each for each in busy if each[2] == agent]
        if len(those) > most:
            names = ", ".join(sorted(key for _, key, _ in those))
            yield kind, f"{names} work at once, {most} may", from_s


def _joined(run: Run, marks: list[Mark]) -> Iterator[Said]:
    whole = run["tasks"][load.EACH]
    members = [task for key, task in run["tasks"].items() if key.startswith(f"{load.EACH}/")]
    good = sum(member["state"] == "succeeded" for member in members)
    if whole["state"] == "succeeded" and run["finished"] and good < load.WANTED:
        yield "joined-without", f"{load.EACH} succeeded with {good} of {load.WANTED}", None
    if whole["state"] in ENDS - {"succeeded"} and good >= load.WANTED:
        yield "failed-with", f"{load.EACH} is {whole['state']} with {good} of {load.WANTED}", None
    met = [mark for mark in marks if (mark.task, mark.what) == (load.MET, "S")]
    if len(met) > 1:
        yield "joined-twice", f"{load.MET} started {len(met)} times", met[1].at_s
    ended = [mark.at_s for mark in marks if mark.task.startswith(f"{load.EACH}/") and mark.what == "E"]
    if met and whole["state"] == "succeeded":
        before = sum(at_s <= met[0].at_s + CLOCK_S for at_s in ended)
        if before < load.WANTED:
            detail = f"{load.MET} began behind {before} ends, {load.WANTED} were to be"
            yield "joined-early", detail, met[0].at_s


def _told(case: Case) -> Iterator[Offence]:
    """By ids of events: a node that was away may tell the same one again."""
    for kind, what in (("members_fixed", "fixed-twice"), ("members_joined", "verdict-twice")):
        told: dict[int, set[Any]] = defaultdict(set)
        for events in case.events.values():
            for event in events:
                if event["event"] == kind:
                    told[event["task"]].add(event_id(event))
        for task, ids in told.items():
            if len(ids) > 1:
                yield Offence(what, f"task {task}: {len(ids)} events {kind}")


def _vanished(case: Case, runs: set[int]) -> Iterator[Offence]:
    for op in case.operations:
        if op.op == "divide" and op.outcome == "ok" and int(op.result["run"]) not in runs:
            detail = f"run {op.result['run']} was acknowledged, and is not there"
            yield Offence("vanished", detail, op.ended_s, load.JOB, op.id)
