"""Nothing begins where a person said that nothing should: on an agent that drains, or while everything is
paused.

Rules:
1. While a drain surely stands no attempt of that agent gets a grant; what was granted before starts at once,
   unless a fault is near: the grant may have been on its way.
2. While everything, or the namespace, is surely paused nothing starts that was not under way by then.
3. How ticks end meanwhile is judged by `ticks`.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.case import Case, milliseconds
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.causes import any_fault, skewed
from chaos.checkers.spans import CLOCK_S, EVERYTHING, Span, surely

NAME = "held"
UNDER_WAY_S = 1.0  #: between the decision and its start, on an idle machine


def check(case: Case) -> Finding:
    agents = sorted({str(o.arguments["name"]) for o in case.operations if o.arguments.get("of") == "agent"})
    drains = {name: surely(case, ("agent", name)) for name in agents}
    pauses = surely(case, *EVERYTHING)
    offences = [*_granted(case, drains), *_started(case, drains, pauses)]
    drained = sum(map(len, drains.values()))
    counts = {"pauses": len(pauses), "drains": drained}
    return finding(NAME, offences, f"{len(pauses)} pauses of everything, {drained} drains", counts)


def _granted(case: Case, drains: dict[str, list[Span]]) -> Iterator[Offence]:
    for run in case.final.get("runs", []):
        for task in run["tasks"].values():
            for attempt in task["attempts"]:
                if attempt["granted"] is None:
                    continue
                at_s = case.at_s(milliseconds(attempt["granted"]))
                spans = drains.get(attempt["agent"], [])
                if _inside(spans, at_s, CLOCK_S) and not skewed(case, at_s):
                    detail = f"attempt {attempt['number']} of run {run['id']} of {run['job']} was granted"
                    detail += f" to {attempt['agent']}, which had been drained"
                    yield Offence("granted-while-drained", detail, at_s, run["job"], run=run["id"])


def _started(case: Case, drains: dict[str, list[Span]], pauses: list[Span]) -> Iterator[Offence]:
    for mark in case.starts:
        way_s = UNDER_WAY_S * case.slowness(mark.at_s - UNDER_WAY_S, mark.at_s)
        for kind, spans in (("drained", drains.get(mark.agent, [])), ("paused", pauses)):
            span = _inside(spans, mark.at_s, way_s)
            if span is None or any_fault(case, span.since_s, mark.at_s):
                continue
            detail = f"{mark.job}: run {mark.run} started on {mark.agent}, {kind} for"
            detail += f" {mark.at_s - span.since_s:.2f} s"
            yield Offence(f"started-while-{kind}", detail, mark.at_s, mark.job, run=mark.run)


def _inside(spans: list[Span], at_s: float, behind_s: float) -> Span | None:
    """The span in which this lies, so long behind its begin."""
    return next((s for s in spans if s.since_s + behind_s < at_s < s.until_s - CLOCK_S), None)
