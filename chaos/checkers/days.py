"""Dates that are closed, single ticks of which somebody said something, past instants that are made up for.

Rules:
1. While a date is surely closed nothing fires for it, and what a person asks for is refused, unless he means
   it; what was done may be repeated. While it surely is not, nothing is refused for it, or skipped.
2. A tick of which something was said has one outcome and one run at most. Held, it does not start before its
   release; moved, not before its new instant, which may be an earlier one; skipped, never; given a parameter,
   it has that.
3. Each instant of a backfill that was acknowledged has one run, and another only where that ended badly; what
   nobody asked for has none. Of a backfill no more work at once than may. No tick is written for it.
4. What nobody was answered may have happened. Clocks that differ are no excuse for two outcomes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import inf
from typing import Any

from chaos import days as load
from chaos.case import Case, Mark, milliseconds
from chaos.checkers import Finding, Offence, by_run, finding, runs_of
from chaos.checkers.causes import excused, late_s, skewed
from chaos.checkers.spans import CLOCK_S, SKEW_S, Span, holding_job, overlapping, possibly, surely
from chaos.history import Operation

NAME = "days"
DATE = (load.OF_DATE, load.NAMESPACE)
REFUSED = 409
OF_TICKS = ("tick", "catchup")
PERIOD_MS = {load.SHUT: 2_000, load.TURNED: load.STEP_MS}
DONE = {"hold": "held", "skip": "skipped", "move": "moved", "give": "given", "bring": "brought"}
KEPT_MAX = 50  #: backfills of a job

Run = Mapping[str, Any]
Said = tuple[str, str, float | None]  #: kind, detail, when


def check(case: Case) -> Finding:
    said = [op for op in case.operations if op.op in ("turn", "fill", "dated")]
    if not said:
        return Finding(NAME, "pass", "nobody said anything of a day in this load")
    told = case.final.get("days")
    if told is None or "fillings" not in case.final:
        return Finding(NAME, "invalid", "the ticks of these jobs were not read")
    offences = [
        Offence(kind, detail, at_s, job)
        for job, found in (
            (load.SHUT, _closed(case, told[load.SHUT])),
            (load.TURNED, _turned(case, told[load.TURNED])),
            (load.FILLED, _filled(case, told[load.FILLED])),
        )
        for kind, detail, at_s in found
    ]
    acts = Counter(op.arguments["act"] for op in said if op.op == "turn" and op.outcome == "ok")
    closings = len(surely(case, DATE))
    filled = sum(run["cause"] == "backfill" for run in runs_of(case, load.FILLED))
    turned = ", ".join(f"{count} {act}" for act, count in sorted(acts.items()))
    counts = {"closings": closings, "turned": acts.total(), "filled": filled}
    summary = f"{closings} closings, {filled} runs of past instants, of ticks: {turned}"
    return finding(NAME, offences, summary, counts)


def _never_due(case: Case, job: str) -> Iterator[Said]:
    """Which the others leave to this one: these are due at times of which `ticks` knows nothing."""
    for mark in case.starts:
        if mark.job == job and mark.tick_ms is not None and mark.tick_ms % PERIOD_MS[job]:
            yield "never-due", f"run {mark.run} started for {load.text_of(mark.tick_ms)}", mark.at_s


# -- dates ------------------------------------------------------------------------------------------


def _closed(case: Case, ticks: list[dict[str, Any]]) -> Iterator[Said]:
    yield from _never_due(case, load.SHUT)
    sure, possible = surely(case, DATE), possibly(case, DATE)
    for run in runs_of(case, load.SHUT):
        at_s = case.at_s(milliseconds(run["created"]))
        if run["cause"] in OF_TICKS and _inside(sure, at_s) and not skewed(case, at_s):
            yield "fired-while-closed", f"run {run['id']} of {run['tick']}", at_s
    for entry in ticks:
        if (entry["outcome"], entry["reason"]) != ("skipped", "plan_closed"):
            continue
        at_s = case.at_s(milliseconds(entry["decided_at"]))
        off_s = SKEW_S if skewed(case, at_s) else CLOCK_S
        if not overlapping(possible, at_s - off_s, at_s + off_s):
            yield "skipped-while-open", f"the tick of {entry['at']}", at_s
    for op in case.operations:
        if op.arguments.get("job") == load.SHUT and op.op in ("dated", "rerun") and op.ended_s is not None:
            yield from _asked(op, sure, possible)


def _asked(op: Operation, sure: list[Span], possible: list[Span]) -> Iterator[Said]:
    assert op.ended_s is not None
    is_closed = any(span.since_s <= op.began_s and op.ended_s <= span.until_s for span in sure)
    refused = op.outcome == "fail" and op.result.get("status") == REFUSED
    if op.op == "rerun" or op.arguments["closed"]:
        if refused:
            yield "refused-though-meant", f"operation {op.id}, a {op.op}, was refused", op.ended_s
    elif is_closed and op.outcome == "ok":
        yield "ran-though-closed", f"run {op.result['run']} was taken", op.ended_s
    elif refused and not overlapping(possible, op.began_s, op.ended_s):
        yield "refused-while-open", f"operation {op.id} was refused", op.ended_s


def _inside(spans: list[Span], at_s: float) -> bool:
    return any(span.since_s + CLOCK_S < at_s < span.until_s - CLOCK_S for span in spans)


# -- single ticks -----------------------------------------------------------------------------------


def _turned(case: Case, ticks: list[dict[str, Any]]) -> Iterator[Said]:
    yield from _never_due(case, load.TURNED)
    said: dict[int, list[Operation]] = defaultdict(list)
    for op in case.operations:
        if op.op == "turn" and op.outcome != "fail":
            said[int(op.arguments["at_ms"])].append(op)
    entries: dict[int, list[Run]] = defaultdict(list)
    for entry in ticks:
        if entry["cause"] in OF_TICKS or entry["cause"] is None:
            entries[milliseconds(entry["at"])].append(entry)
    runs: dict[int, list[Run]] = defaultdict(list)
    for run in runs_of(case, load.TURNED):
        if run["cause"] in OF_TICKS:
            runs[milliseconds(run["tick"])].append(run)
    starts = by_run(mark for mark in case.starts if mark.job == load.TURNED)
    for at_ms, operations in sorted(said.items()):
        began = [mark for run in runs[at_ms] for mark in starts[int(run["id"])]]
        for kind, detail in _of_tick(case, at_ms, operations, entries[at_ms], runs[at_ms], began):
            yield kind, f"the tick of {load.text_of(at_ms)}: {detail}", case.at_s(at_ms)


def _of_tick(
    case: Case, at_ms: int, operations: list[Operation], entries: list[Run], runs: list[Run],
    starts: list[Mark],
) -> Iterator[tuple[str, str]]:  # fmt: skip
    if len(runs) > 1 or len(entries) > 1:
        yield "two-outcomes", f"{len(runs)} runs, {len(entries)} entries"
        return
    unheard = any(op.outcome == "info" for op in operations)
    entry = entries[0] if entries else {"outcome": "pending", "reason": None}
    outcome = str(entry["outcome"]), entry["reason"]
    due_s = case.at_s(at_ms + load.MOVED_MS)  # of all of them at the latest, but for what is held
    if outcome[0] == "pending" and not unheard and due_s + late_s(case, due_s, due_s) < case.phases["final"]:
        yield "undecided", "it has no outcome"
    if unheard or skewed(case, case.at_s(at_ms)):
        return
    act = operations[0].arguments["act"]
    if not _may(case, at_ms, act, outcome, entry):
        yield f"not-{DONE[act]}", f"it was to be {DONE[act]}, and is {outcome}"
    if not starts:
        return
    first_s = min(mark.at_s for mark in starts)
    released_s = min((op.began_s for op in operations if op.arguments["act"] == "release"), default=inf)
    if act == "skip":
        yield "not-skipped", "it started"
    by_ms = {"move": load.MOVED_MS, "bring": load.BROUGHT_MS}.get(act)
    early_s = 0 if by_ms is None else case.at_s(at_ms + by_ms) - first_s
    if early_s > CLOCK_S:
        yield f"not-{DONE[act]}", f"it started {early_s:.2f} s before its new instant"
    new_s = case.at_s(at_ms + load.BROUGHT_MS)
    is_late = first_s > new_s + late_s(case, new_s, first_s) and not excused(case, new_s, first_s)
    if act == "bring" and is_late:
        yield "not-brought", f"it started {first_s - new_s:.2f} s after its new instant"
    if act == "hold" and first_s < released_s:
        yield "started-while-held", "it started, and was not released before"
    words = {mark.word for mark in starts}
    if act == "give" and words != {operations[0].arguments["word"]}:
        yield "other-parameter", f"it was given {operations[0].arguments['word']}, and has {words}"


def _may(case: Case, at_ms: int, act: str, outcome: tuple[str, str | None], entry: Run) -> bool:
    if outcome[0] == "pending" or outcome == (("skipped", "by_person") if act == "skip" else ("ran", None)):
        return True
    at_s, decided_s = case.at_s(at_ms), case.at_s(milliseconds(entry["decided_at"]))
    if outcome == ("skipped", "paused"):
        pauses = possibly(case, *holding_job(load.TURNED))
        return bool(overlapping(pauses, min(at_s, decided_s) - SKEW_S, max(at_s, decided_s) + SKEW_S))
    return outcome[0] in ("missed", "coalesced") and excused(case, at_s, decided_s)


# -- backfills --------------------------------------------------------------------------------------


def _filled(case: Case, ticks: list[dict[str, Any]]) -> Iterator[Said]:
    asked = [op for op in case.operations if op.op == "fill"]
    there = {int(each["id"]): each for each in case.final["fillings"]}
    made: dict[int, list[Run]] = defaultdict(list)
    of_backfill: dict[int, list[int]] = defaultdict(list)
    for run in runs_of(case, load.FILLED):
        if run["cause"] == "backfill":
            made[milliseconds(run["tick"])].append(run)
            of_backfill[int(str(run["cause_key"]).rpartition("/")[2])].append(int(run["id"]))
    may = {at_ms for op in asked if op.outcome != "fail" for at_ms in _instants(op)}
    for at_ms, runs in sorted(made.items()):
        yield from _once(at_ms, runs, asked_for=at_ms in may)
    for op in asked:
        if op.outcome != "ok":
            continue
        known = there.get(int(op.result["backfill"]))
        # Of a job so many are kept: the oldest go.
        if known is None and len(there) < KEPT_MAX:
            detail = f"backfill {op.result['backfill']} was acknowledged, and is not there"
            yield "vanished", detail, op.ended_s
        if known is not None and known["state"] != "done":
            yield "unfinished", f"backfill {known['id']} is {known['state']}", op.ended_s
        lacking = [at_ms for at_ms in _instants(op) if at_ms not in made]
        if lacking:
            yield "unfilled", f"no run of {', '.join(map(load.text_of, lacking))}", op.ended_s
    marks = by_run(mark for mark in case.marks if mark.job == load.FILLED)
    for number, ids in of_backfill.items():
        most = int(there[number]["max_active"]) if number in there else max(load.AT_ONCE)
        yield from _at_once(number, most, [marks[run] for run in ids])
    for entry in ticks:
        if entry["cause"] in OF_TICKS and milliseconds(entry["at"]) in may:
            yield "tick-written", f"the ledger has a tick of {entry['at']}", None


def _instants(op: Operation) -> range:
    first_ms, last_ms = int(op.arguments["from_ms"]), int(op.arguments["to_ms"])
    return range(first_ms + load.HOUR_MS, last_ms + 1, load.HOUR_MS)


def _once(at_ms: int, runs: list[Run], *, asked_for: bool) -> Iterator[Said]:
    if not asked_for:
        yield "never-asked", f"run {runs[0]['id']} of {load.text_of(at_ms)}", None
    in_turn = sorted(runs, key=lambda run: int(run["id"]))
    for run, later in pairwise(in_turn):
        over = run["finished"] is not None and milliseconds(run["finished"]) <= milliseconds(later["created"])
        if run["state"] == "succeeded" or not over:
            detail = f"run {later['id']} of {load.text_of(at_ms)}, and {run['id']} is {run['state']}"
            yield "filled-twice", detail, None


def _at_once(number: int, most: int, runs: list[list[Mark]]) -> Iterator[Said]:
    """By what payloads wrote of those of their attempts that came to their end."""
    moves: list[tuple[float, int]] = []
    for marks in runs:
        for mark in marks:
            end = next((m.at_s for m in marks if m.what == "E" and m.attempt == mark.attempt), None)
            if mark.what == "S" and end is not None:
                moves += [(mark.at_s, 1), (end, -1)]
    active = 0
    for at_s, change in sorted(moves):
        active += change
        if active > most and change > 0:
            yield "over-filled", f"{active} runs of backfill {number} work at once, {most} may", at_s
