"""Tasks of a group begin within its admission windows, and do begin when one opens.

Rules:
1. A payload of a group starts in a minute of its windows, by the harness's clock; behind the end of one only
   what was granted before, and no longer than a grant is good for. What needs no window starts at any time.
2. Whose window has been open for a while has begun, in every run that had not ended, where no fault was near;
   and before the second of those that were made behind the opening, however slow the machine is.
3. A run that was acknowledged is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaos import windows as load
from chaos.case import Case, Mark, milliseconds, tries_of
from chaos.checkers import Finding, Offence, finding, runs_of
from chaos.checkers.causes import excused, skewed
from chaos.checkers.spans import CLOCK_S, EVERYTHING, SKEW_S, possibly, resumed_s

NAME = "windows"
GRANT_S = 10.0  #: a grant is good for as long
PASSED_S = 20.0  #: behind an opening nobody is passed over any more
BEGIN_S = 8.0  #: behind an opening all that waited for it has begun: many do at once

Run = Mapping[str, Any]
Said = tuple[str, str, float | None]  #: kind, detail, when


def check(case: Case) -> Finding:
    runs = runs_of(case, load.JOB)
    if not runs:
        return Finding(NAME, "pass", "nothing waited for a window in this load")
    starts = [mark for mark in case.starts if mark.job == load.JOB]
    offences = [
        Offence(kind, f"run {run['id']}: {detail}", at_s, load.JOB, run=int(run["id"]))
        for run in runs
        for kind, detail, at_s in _of_run(case, run, [m for m in starts if m.run == int(run["id"])])
    ]
    known = {int(run["id"]) for run in runs}
    for op in case.operations:
        if op.op == "window" and op.outcome == "ok" and int(op.result["run"]) not in known:
            detail = f"run {op.result['run']} was acknowledged, and is not there"
            offences.append(Offence("vanished", detail, op.ended_s, load.JOB, op.id))
    offences += _passed_over(case, runs, starts)
    let_in = Counter(load.group_of(mark.task) for mark in starts)
    told = [event for events in case.events.values() for event in events]
    opened = {event["id"] for event in told if event["event"] == "window_opened"}
    counts = {"windowed": len(runs), "within": let_in[load.EVEN] + let_in[load.ODD], "opened": len(opened)}
    return finding(NAME, offences, ", ".join(f"{count} {what}" for what, count in counts.items()), counts)


def _of_run(case: Case, run: Run, starts: list[Mark]) -> Iterator[Said]:
    granted = {tried: attempt["granted"] for tried, attempt in tries_of(run)}
    for mark in starts:
        group = load.group_of(mark.task)
        off_s = SKEW_S if skewed(case, mark.at_s) else CLOCK_S
        if not group or _is_within(case, group, mark.at_s, off_s, off_s):
            continue
        at = granted.get(mark.tried)
        given_s = None if at is None else case.at_s(milliseconds(at))
        is_late = _is_within(case, group, mark.at_s, 0, GRANT_S * case.slowness(mark.at_s, mark.at_s))
        if given_s is None or not is_late or not _is_within(case, group, given_s, off_s, off_s):
            yield "started-outside", f"{mark.task} began outside of the windows of {group}", mark.at_s
    yield from _waits_in_vain(case, run, starts)


def _is_within(case: Case, group: str, at_s: float, before_s: float, after_s: float) -> bool:
    """Whether a window of this group is open then, or was a moment before, or will be."""
    wall_s = case.wall_ms(at_s) / 1000
    span = range(int(wall_s - after_s) // load.MINUTE_S, int(wall_s + before_s) // load.MINUTE_S + 1)
    return any(minute % 2 == load.GROUPS[group] for minute in span)


def _waits_in_vain(case: Case, run: Run, starts: list[Mark]) -> Iterator[Said]:
    """By the windows that were open in the load: what is left behind it is cancelled."""
    created_s, over_s = case.at_s(milliseconds(run["created"])), case.phases.get("until", 0.0)
    pauses = possibly(case, *EVERYTHING)
    ended_s = over_s if run["finished"] is None else min(over_s, case.at_s(milliseconds(run["finished"])))
    for group, (first, *_) in load.TASKS.items():
        began_s = min((mark.at_s for mark in starts if mark.task == first), default=ended_s)
        for opens_s in _openings(case, group, created_s, began_s):
            from_s = max(opens_s, created_s)
            begin_s = BEGIN_S * case.slowness(from_s, from_s + BEGIN_S)
            from_s = resumed_s(pauses, from_s, begin_s)
            until_s = from_s + begin_s
            closes_s = opens_s + load.MINUTE_S
            if until_s < min(began_s, closes_s) and not excused(case, from_s, until_s):
                detail = f"{group} was open for {until_s - from_s:.0f} s, and nothing began"
                yield "not-let-in", detail, until_s


def _passed_over(case: Case, runs: Sequence[Run], starts: list[Mark]) -> Iterator[Offence]:
    """Runs that waited for a window while later ones began in it, which had not waited."""
    over_s = case.phases.get("until", 0.0)
    for group, (first, *_) in load.TASKS.items():
        began = {mark.run: mark.at_s for mark in reversed(starts) if mark.task == first}
        made = {int(run["id"]): case.at_s(milliseconds(run["created"])) for run in runs}
        for run in runs:
            number = int(run["id"])
            ended_s = case.at_s(milliseconds(run["finished"])) if run["finished"] else over_s
            gone_s = min(began.get(number, ended_s), ended_s)
            if run["tasks"].get(first, {}).get("attempts"):
                gone_s = min(gone_s, case.at_s(milliseconds(_granted(run, first) or run["created"])))
            for opens_s in _openings(case, group, made[number], gone_s):
                before_s = min(gone_s, opens_s + load.MINUTE_S)
                later = [
                    at_s for other, at_s in began.items()
                    if made[other] > opens_s > made[number] and opens_s + PASSED_S < at_s < before_s
                ]  # fmt: skip
                if len(later) > 1:
                    detail = f"run {number}: {len(later)} later ones began in the window of {group} before it"
                    yield Offence("passed-over", detail, min(later), load.JOB, run=number)


def _granted(run: Run, task: str) -> str | None:
    told = [str(each["granted"]) for each in run["tasks"][task]["attempts"] if each["granted"]]
    return min(told, default=None)


def _openings(case: Case, group: str, from_s: float, until_s: float) -> Iterator[float]:
    """Of windows that are open then."""
    last = int(case.wall_ms(until_s) / 1000) // load.MINUTE_S
    for minute in range(int(case.wall_ms(from_s) / 1000) // load.MINUTE_S, last + 1):
        if minute % 2 == load.GROUPS[group]:
            yield case.at_s(minute * load.MINUTE_S * 1000)
