"""It goes on: while a majority is whole, and after everything was healed.

Rules:
1. After the last healing: a leader within LEADER_S, every node ready and every agent back within READY_S, the
   next tick started within TICK_S.
2. While no fault takes the majority away, the steady job (`pulse`) is never silent for longer than SILENCE_S.
3. In the end no run hangs: what was due before the window's end has ended.
4. All limits are those of an idle machine, times how slow this one was just then (chaos.pace), and as much
   longer as everything may have been paused meanwhile (spans.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.spans import EVERYTHING, lasted_s, possibly

NAME = "liveness"
PULSE = "pulse"
LEADER_S = 5.0
READY_S = 20.0
TICK_S = 8.0
SILENCE_S = 5.0


def check(case: Case) -> Finding:
    offences = [*_healed(case), *_silences(case), *_hanging(case)]
    gaps = pulse_gaps(case)
    longest_ms = round(1000 * max((until - since for since, until in gaps), default=0.0))
    return finding(
        NAME, offences, f"longest silence {longest_ms / 1000:.1f} s", {"longest_silence_ms": longest_ms}
    )


def _healed(case: Case) -> Iterable[Offence]:
    healed_s = case.phases.get("healed")
    if healed_s is None:
        return
    limits = {"leader": LEADER_S, "ready": READY_S, "agents": READY_S}
    for phase, least_s in limits.items():
        at_s = case.phases.get(phase)
        limit_s = least_s * case.slowness(healed_s, healed_s + least_s if at_s is None else at_s)
        if at_s is None or at_s - healed_s > limit_s:
            took = "never" if at_s is None else f"{at_s - healed_s:.1f} s"
            yield Offence(f"no-{phase}", f"{phase} after healing: {took}, limit {limit_s:.1f} s", healed_s)
    first_s = next((mark.at_s for mark in case.starts if mark.at_s > healed_s), None)
    limit_s = TICK_S * case.slowness(healed_s, healed_s + TICK_S if first_s is None else first_s)
    if first_s is not None:
        limit_s += lasted_s(possibly(case, *EVERYTHING), healed_s, first_s)
    if first_s is None or first_s - healed_s > limit_s:
        took = "never" if first_s is None else f"{first_s - healed_s:.1f} s"
        yield Offence("no-tick", f"first start after healing: {took}, limit {limit_s:.1f} s", healed_s)


def pulse_gaps(case: Case) -> list[tuple[float, float]]:
    """The stretches between one start of the steady job and the next."""
    starts = sorted(mark.at_s for mark in case.starts if mark.job == PULSE)
    edge_s = case.phases.get("until")
    if edge_s is not None and starts:
        starts = [at_s for at_s in starts if at_s < edge_s] + [edge_s]
    return list(pairwise(starts))


def _silences(case: Case) -> Iterable[Offence]:
    grave = [band for band in case.bands if not band.keeps_majority]
    pauses = possibly(case, *EVERYTHING)
    for since_s, until_s in pulse_gaps(case):
        limit_s = SILENCE_S * case.slowness(since_s, until_s) + lasted_s(pauses, since_s, until_s)
        if until_s - since_s <= limit_s:
            continue
        if not any(band.began_s <= until_s and since_s <= band.ended_s + limit_s for band in grave):
            detail = f"{until_s - since_s:.1f} s without a start, though a majority was whole"
            yield Offence("silence", detail, since_s, PULSE)


def _hanging(case: Case) -> Iterable[Offence]:
    until_s = case.phases.get("until")
    for run in case.final.get("runs", []):
        if run["finished"] is None and until_s is not None:
            detail = f"run {run['id']} of {run['job']} is still {run['state']} in the end"
            yield Offence("hangs", detail, case.phases.get("final"), run["job"], run=run["id"])
