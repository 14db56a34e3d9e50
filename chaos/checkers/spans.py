"""When something was paused: surely, and possibly. Pure interval logic over the operations that are in the
history.

Rules:
1. A pause that was acknowledged stands from its end at the latest. It is over, at the latest, when a resume
   that began behind that was acknowledged; at the earliest when the next resume began, refused or not heard
   of included.
2. A pause whose answer was lost happened where a node told of it, from its begin on. What no node told of
   never happened: there is one history, and it is whole (`dispatch`).
3. It surely stands while no resume whose answer was lost can still come in between: not once one is open.
4. A pause with an end of its own is over then, by the clock of whoever led.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from chaos.case import Case
from chaos.history import Operation

CLOCK_S = 0.05
AHEAD_S = 0.5  #: a tick is decided so long before its instant, on a slow machine
SKEW_S = 1.2  #: so far off a leader's clock may be before it stops planning
TOLD = {
    "job": "job_paused", "agent": "agent_drained", "namespace": "paused", "all": "paused",
    "date": "plan_closed",
}  # fmt: skip
EVERYTHING = (("all", ""), ("namespace", "default"))

Target = tuple[str, str]


class Span(NamedTuple):
    since_s: float
    until_s: float


def possibly(case: Case, *targets: Target) -> list[Span]:
    """When one of these may have been paused."""
    return sorted(span for target in targets for span in _possibly(case, target))


def surely(case: Case, *targets: Target) -> list[Span]:
    """When one of these was paused, whatever came of the requests that nobody answered."""
    return sorted(span for target in targets for span in _surely(case, target))


def holding_job(job: str) -> tuple[Target, ...]:
    """What keeps ticks of this job from running."""
    return (("job", job), *EVERYTHING)


def overlapping(spans: list[Span], from_s: float, until_s: float) -> list[Span]:
    return [span for span in spans if span.since_s <= until_s and from_s <= span.until_s]


def resumed_s(spans: list[Span], from_s: float, late_s: float) -> float:
    """When what could start at `from_s`, and may come so late, was kept back by none of these any more."""
    for span in spans:
        if span.since_s <= from_s + late_s:
            from_s = max(from_s, span.until_s)
    return from_s


def lasted_s(spans: list[Span], from_s: float, until_s: float) -> float:
    """For how long of this time, at most."""
    return sum(min(s.until_s, until_s) - max(s.since_s, from_s) for s in overlapping(spans, from_s, until_s))


def _of(case: Case, op: str, target: Target) -> list[Operation]:
    return [
        o
        for o in case.operations
        if o.op == op and (o.arguments.get("of"), o.arguments.get("name")) == target and o.outcome != "fail"
    ]


def _possibly(case: Case, target: Target) -> Iterator[Span]:
    resumes = [o for o in _of(case, "resume", target) if o.outcome == "ok"]
    for pause in _of(case, "pause", target):
        begins = [pause.ended_s] if pause.ended_s is not None else _told(case, target, pause.began_s)
        for there_s in begins:
            ends = [o.ended_s for o in resumes if o.began_s >= there_s and o.ended_s is not None]
            yield Span(pause.began_s, min([*ends, _own_end_s(case, pause) + SKEW_S]))


def _told(case: Case, target: Target, from_s: float) -> list[float]:
    """When nodes were first heard to say that it was paused, behind this instant."""
    of, name = target
    field = "namespace" if of in ("all", "namespace", "date") else "name"
    first: dict[str, float] = {}
    for events in case.events.values():
        for event in events:
            if event["event"] == TOLD[of] and event.get(field) == name and event["t"] >= from_s:
                first[event["id"]] = min(first.get(event["id"], inf), event["t"])
    return sorted(first.values())


def _surely(case: Case, target: Target) -> Iterator[Span]:
    resumes = _of(case, "resume", target)
    open_s = min((o.began_s for o in resumes if o.ended_s is None), default=inf)
    for pause in _of(case, "pause", target):
        if pause.ended_s is None or open_s < pause.ended_s:
            continue
        resumed_s = min((o.began_s for o in resumes if o.began_s >= pause.began_s), default=inf)
        until_s = min(resumed_s, _own_end_s(case, pause) - SKEW_S)
        if until_s > pause.ended_s:
            yield Span(pause.ended_s, until_s)


def _own_end_s(case: Case, pause: Operation) -> float:
    until_ms = pause.arguments.get("until_ms")
    return inf if until_ms is None else case.at_s(until_ms)
