"""Was it right? Pure functions from a case (chaos.case) to a verdict, re-runnable at any time later.

Promise: a checker takes no word of the product for what payloads can say themselves. What was due is cronsim
and arithmetic. Each is proven by bugs planted in histories (tests/chaos).

    pass        looked, and found nothing wrong
    violation   a promise was broken: each offence with its time, job and operation
    unknown     could not decide within its bounds; not a pass
    invalid     too little happened to say anything; not a pass

Reading order: this file, `due` (the oracle), `causes` (what excuses what), `spans` (what was paused), then
`ticks`, `results`, `held`, `boots`, `deliveries`, `graphs`, `workflows`, `hands`, `approvals`, `completions`,
`many`, `windows`, `licences`, `notices`, `audit`, `secrets`, `objects`, `narrow`, `needs`, `arrivals`,
`days`, `linear` (on `search`), `dispatch`, `durable`, `lifecycle`, `liveness`, `vacuity`; `judge` runs all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from chaos.case import Case, Mark

Verdict: TypeAlias = Literal["pass", "violation", "unknown", "invalid"]
GRAVEST_FIRST: tuple[Verdict, ...] = ("violation", "invalid", "unknown", "pass")
SHOWN_MAX = 200  #: offences of one checker that are kept; the rest is counted


@dataclass(frozen=True, slots=True)
class Offence:
    """One broken promise."""

    kind: str
    detail: str
    at_s: float | None = None
    job: str = ""
    operation: int | None = None
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one checker says."""

    checker: str
    verdict: Verdict
    summary: str
    offences: tuple[Offence, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def finding(
    checker: str, offences: list[Offence], summary: str, counts: Mapping[str, int] | None = None
) -> Finding:
    """A violation where there is an offence, else a pass."""
    offences.sort(key=lambda offence: (offence.at_s is None, offence.at_s or 0.0))
    verdict: Verdict = "violation" if offences else "pass"
    many = "1 offence" if len(offences) == 1 else f"{len(offences)} offences"
    said = f"{many}; {summary}" if offences else summary
    return Finding(checker, verdict, said, tuple(offences[:SHOWN_MAX]), counts or {})


def runs_of(case: Case, job: str) -> list[dict[str, Any]]:
    """Of this job, as they were in the end."""
    return [run for run in case.final.get("runs", []) if run["job"] == job]


def by_run(marks: Iterable[Mark]) -> dict[int, list[Mark]]:
    """What payloads wrote, by the run that they were in; empty of any other."""
    found: dict[int, list[Mark]] = defaultdict(list)
    for mark in marks:
        found[mark.run].append(mark)
    return found


def gravest(verdicts: list[Verdict]) -> Verdict:
    """The verdict of all together: only if every one passed it is a pass."""
    return next(verdict for verdict in GRAVEST_FIRST if verdict in verdicts or verdict == "pass")
