"""What a report counts: leader changes, failovers, operations, faults by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.case import Case
from chaos.checkers.liveness import pulse_gaps

CONSEQUENCE_S = 10.0  #: a leader change so long behind the begin of a fault is still its consequence


@dataclass(frozen=True, slots=True)
class LeaderChange:
    at_s: float
    node: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Failover:
    """A fault of the leader, and the new leadership that followed it."""

    action: str
    took_s: float
    silence_s: float  #: the longest time without a start of the steady job meanwhile


def leader_changes(case: Case) -> list[LeaderChange]:
    """Every epoch when it was first heard of, oldest first."""
    found: dict[int, LeaderChange] = {}
    for events in case.events.values():
        for event in events:
            if event["event"] == "led":
                change = LeaderChange(event["t"], event["node"], int(event["epoch"]))
                if change.epoch not in found or found[change.epoch].at_s > change.at_s:
                    found[change.epoch] = change
    for view in case.history:  # a node that began anew no longer tells the events before
        if view["kind"] == "view" and view["state"] == "leader" and view.get("quorum"):
            change = LeaderChange(view["t"], view["node"], int(view["epoch"]))
            found.setdefault(change.epoch, change)
    return [found[epoch] for epoch in sorted(found)]


def failovers(case: Case) -> list[Failover]:
    found = []
    changes, gaps = leader_changes(case), pulse_gaps(case)
    for band in case.bands:
        if not band.action.startswith("leader") or not band.keeps_majority:
            continue  # who leads may change under other faults too, but not because of them
        after = [c for c in changes if band.began_s < c.at_s <= band.began_s + CONSEQUENCE_S]
        if not after:
            continue
        silent = [
            until - since for since, until in gaps if since <= after[0].at_s + 2 and until >= band.began_s
        ]
        found.append(Failover(band.action, after[0].at_s - band.began_s, max(silent, default=0.0)))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)] if ordered else 0.0


def operation_counts(case: Case) -> Counter[str]:
    return Counter(operation.outcome for operation in case.operations)


def faults_by_kind(cases: Sequence[Case]) -> Counter[str]:
    """Faults that a canary saw."""
    return Counter(band.action for case in cases for band in case.bands if band.real is True)
