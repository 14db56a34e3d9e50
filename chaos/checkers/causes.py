"""What excuses what: whether a fault can have held up what was due then, or taken it away.

Rules:
1. That a fault was near is not enough: in a plan of many faults one always is. What was due while one node
   led with a quorum all the time, by its own word in the history, is excused by faults of agents and by slow
   links only, and no longer than BACK_S behind them.
2. Otherwise a fault is near from its begin until AFTER_S behind its end. Limits grow with the machine's
   slowness.
3. Runs are lost by faults of agents, of their zones and their links, and where no majority was there to hear
   of them; never by the death of a leader alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.case import Band, Case
from chaos.faults import CLIENT

LATE_S = 3.0  #: promptness is measured by benchmarks
AFTER_S = 8.0  #: so long behind a fault its consequences may show
BACK_S = 4.0  #: so long behind a fault agents are back, where there was a leader all the time
STEADY_S = 1.0  #: so long a leader leads before what is due is surely its business
DULL = frozenset({"slow", "lossy", "narrow"})


def late_s(case: Case, from_s: float, until_s: float) -> float:
    """How late a start may be that nothing held up."""
    return LATE_S * case.slowness(from_s, until_s)


def excused(case: Case, from_s: float, until_s: float) -> bool:
    """Whether what was due at `from_s` and came at `until_s`, or never, may bear the marks of a fault: one
    that came before it could start, or one that had not been over for long."""
    until_s = max(until_s, from_s + late_s(case, from_s, until_s))
    slowness = case.slowness(from_s - STEADY_S, from_s + LATE_S)
    led = (from_s - STEADY_S * slowness, from_s + LATE_S * slowness)
    if any(since <= led[0] and led[1] <= until for since, until in case.leaderships):
        near = _near(case, from_s, until_s, BACK_S)
        return any(band.fault.get("kind") in DULL or touches_agents(case, band) for band in near)
    return any(_near(case, from_s, until_s, AFTER_S))


def agents_hurt(case: Case, from_s: float, until_s: float) -> bool:
    """Whether a fault that may take away what runs was near."""
    near = _near(case, from_s, until_s, AFTER_S)
    return any(touches_agents(case, band) or not band.keeps_majority for band in near)


def _near(case: Case, from_s: float, until_s: float, idle_s: float) -> Iterator[Band]:
    after_s = idle_s * case.slowness(from_s - idle_s, until_s)
    return (band for band in case.bands if band.began_s <= until_s and from_s <= band.ended_s + after_s)


def touches_agents(case: Case, band: Band) -> bool:
    """Whether it meant an agent, its zone or one of its links."""
    fault = band.fault
    if fault.get("zone") or fault.get("zones"):
        return True
    named = [*fault.get("processes", ()), *fault.get("nodes", ())]
    named += [host for pair in fault.get("pairs", ()) for host in pair]
    return any(str(name).split("/")[0] not in {*case.nodes, CLIENT} for name in named)
