"""What a list of gates comes to, gate by gate, in the order of the list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scheduler.machine.rules.gates import READY, Facts, Gate, Never, Ready, Verdict, Words

V = TypeVar("V")
READY_WORD, WAITS_WORD, NEVER_WORD = STATES = ("ready", "waits", "never")


@dataclass(frozen=True, slots=True)
class Finding:
    gate: str
    state: str = READY_WORD  #: ready | waits | never
    reason: str = ""  #: in words; empty: it is open
    since_ms: int | None = None
    opens: str = ""  #: what would open it
    opens_ms: int | None = None  #: when it opens by itself
    run: int | None = None  #: the run in the way
    outcome: str = ""  #: of what never goes on: how it ends, such as `skipped(paused)`


@dataclass(frozen=True, slots=True)
class Cluster:
    """What decides at all: as the node that is asked knows it."""

    now_ms: int
    leader: str | None
    quorum: bool


def of_cluster(cluster: Cluster) -> Finding:
    """Before every list: nothing is decided without a leader."""
    if not cluster.quorum:
        said = "this node reaches no quorum: nothing is decided meanwhile"
        return Finding("leader", WAITS_WORD, said, opens="a majority of the voting nodes")
    if cluster.leader is None:
        return Finding("leader", WAITS_WORD, "the cluster has no leader now", opens="the end of an election")
    return Finding("leader")


def ask(gates: Sequence[Gate[V]], view: V, facts: Facts) -> list[Finding]:
    """What each gate says by itself, also after one that is closed."""
    found = []
    for gate in gates:
        verdict = gate.judge(view)
        words = Words("") if verdict is READY else gate.words(verdict, view, facts)
        found.append(finding(gate.NAME, verdict, words))
    return found


def finding(name: str, verdict: Verdict, words: Words) -> Finding:
    if verdict is READY:
        return Finding(name)
    assert not isinstance(verdict, Ready)
    state = NEVER_WORD if isinstance(verdict, Never) else WAITS_WORD
    run = verdict.run or None
    outcome = ""
    if isinstance(verdict, Never):
        outcome = outcome_text(verdict.outcome, verdict.reason)
    return Finding(name, state, words.reason, words.since_ms, words.opens, words.opens_ms, run, outcome)


def outcome_text(outcome: str, reason: str) -> str:
    return f"{outcome}({reason})" if reason else outcome


def verdict_of(findings: Iterable[Finding]) -> str:
    """As the machine judges: what the first closed gate says."""
    return next((each.state for each in findings if each.state != READY_WORD), READY_WORD)
