"""What excuses what: whether a fault can have held up what was due then, or taken it away.

Rules:
1. That a fault was near is not enough: in a plan of many faults one always is. What was due while one node
   led with a quorum all the time, by its own word in the history, is excused by faults of agents and by slow
   links only, and no longer than BACK_S behind them.
2. Otherwise a fault is near from its begin until AFTER_S behind its end. Limits grow with the machine's
   slowness.
3. A run is lost by a fault of its own agent, of that agent's zone or links, while it ran; or where no
   majority was there to hear of it.
4. A tick is beyond its grace where nobody led all the time from its instant to the end of its grace, or where
   links were slow. What befell agents excuses nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.case import Band, Case
from chaos.days import BROUGHT_MS
from chaos.faults import CLIENT

LATE_S = 3.0  #: promptness is measured by benchmarks
AFTER_S = 8.0  #: so long behind a fault its consequences may show
BACK_S = 4.0  #: so long behind a fault agents are back, where there was a leader all the time
BEGIN_S = 2.0  #: so long behind a fault an agent may have been given work that it cannot begin
STEADY_S = 1.0  #: so long a leader leads before what is due is surely its business
DULL = frozenset({"slow", "lossy", "narrow"})


def late_s(case: Case, from_s: float, until_s: float) -> float:
    """How late a start may be that nothing held up."""
    return LATE_S * case.slowness(from_s, until_s)


def excused(case: Case, from_s: float, until_s: float) -> bool:
    """Whether what was due at `from_s` and came at `until_s`, or never, may bear the marks of a fault: one
    that came before it could start, or one that had not been over for long."""
    until_s = max(until_s, from_s + late_s(case, from_s, until_s))
    if led(case, from_s, from_s + late_s(case, from_s, from_s + LATE_S)):
        near = _near(case, from_s, until_s, BACK_S)
        return dull(case, from_s, until_s) or any(touches_agents(case, band) for band in near)
    return any(_near(case, from_s, until_s, AFTER_S))


def skewed(case: Case, at_s: float) -> bool:
    """Whether a node's clock was wrong then, or had been shortly before."""
    after_s = AFTER_S * case.slowness(at_s - AFTER_S, at_s)
    clocks = [band for band in case.bands if band.fault.get("kind") == "clock-skew"]
    return any(band.began_s <= at_s <= band.ended_s + after_s for band in clocks)


def led(case: Case, from_s: float, until_s: float) -> bool:
    """Whether one node led all that time, and had led for a while."""
    begin_s = from_s - STEADY_S * case.slowness(from_s - STEADY_S, from_s)
    return any(since <= begin_s and until_s <= until for since, until in case.leaderships)


def brought_forward(case: Case) -> dict[int, int]:
    """To when ticks of `days.TURNED` were moved which may have come earlier."""
    said = [op.arguments for op in case.operations if op.op == "turn" and op.outcome != "fail"]
    brought = [int(each["at_ms"]) for each in said if each["act"] == "bring"]
    return {at_ms: at_ms + BROUGHT_MS for at_ms in brought}


def dull(case: Case, from_s: float, until_s: float) -> bool:
    """Whether links were slow or lost packets then."""
    return any(band.fault.get("kind") in DULL for band in _near(case, from_s, until_s, BACK_S))


def agents_hurt(case: Case, from_s: float, until_s: float) -> bool:
    """Whether a fault that may take away what an agent was given was near."""
    near = _near(case, from_s, until_s, AFTER_S)
    return any(touches_agents(case, band) or not band.keeps_majority for band in near)


def any_fault(case: Case, from_s: float, until_s: float) -> bool:
    """Whether any was near: an answer that a node owes, a grant say, may be on its way for as long."""
    return any(_near(case, from_s, until_s, BACK_S))


def agent_hurt(case: Case, agent: str, from_s: float, until_s: float) -> bool:
    """Whether a fault may have taken away what this agent ran then."""
    near = _near(case, from_s, until_s, BEGIN_S)
    return any(not band.keeps_majority or agent in _hosts(case, band) for band in near)


def _near(case: Case, from_s: float, until_s: float, idle_s: float) -> Iterator[Band]:
    after_s = idle_s * case.slowness(from_s - idle_s, until_s)
    return (band for band in case.bands if band.began_s <= until_s and from_s <= band.ended_s + after_s)


def touches_agents(case: Case, band: Band) -> bool:
    """Whether it meant an agent, its zone or one of its links."""
    if band.fault.get("zone") or band.fault.get("zones"):
        return True
    return bool(_hosts(case, band) - {*case.nodes, CLIENT})


def _hosts(case: Case, band: Band) -> set[str]:
    """Every host that it named, at least as one end of a link."""
    fault = band.fault
    zones = {str(zone) for zone in (*fault.get("zones", ()), fault.get("zone")) if zone}
    named = [*fault.get("processes", ()), *fault.get("nodes", ())]
    named += [host for pair in fault.get("pairs", ()) for host in pair]
    there = {host for host, zone in case.zones.items() if zone in zones}
    return there | {str(name).split("/")[0] for name in named}
