"""A lock is never held twice: of a job no more runs work at the same time than there are licences for.

Rules:
1. Payloads say when they worked, by the harness's own clock, and nobody else is asked. A run works from its
   first start to its last end of which it has told; one that was killed has told of no end, and counts for as
   long as it surely lived.
2. Of a run of several tasks that holds a lock for all of them, the time between them counts too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chaos.case import Case, Mark
from chaos.checkers import Finding, Offence, finding
from chaos.licences import LIMITS

NAME = "licences"


class Worked(NamedTuple):
    from_s: float
    until_s: float
    run: int


def check(case: Case) -> Finding:
    by_job = {job: _worked([mark for mark in case.marks if mark.job == job]) for job in LIMITS}
    if not any(by_job.values()):
        return Finding(NAME, "pass", "nothing took a licence in this load")
    offences = [each for job, worked in by_job.items() for each in _over(job, worked)]
    counts = {job: len(worked) for job, worked in by_job.items()}
    said = ", ".join(f"{count} runs of {job}" for job, count in counts.items())
    return finding(NAME, offences, said, counts)


def _worked(marks: list[Mark]) -> list[Worked]:
    spans: dict[int, tuple[float, float]] = {}
    for mark in marks:
        from_s, until_s = spans.get(mark.run, (mark.at_s, mark.at_s))
        spans[mark.run] = min(from_s, mark.at_s), max(until_s, mark.at_s)
    return sorted(Worked(*span, run) for run, span in spans.items())


def _over(job: str, worked: list[Worked]) -> Iterator[Offence]:
    busy: list[Worked] = []
    for each in worked:
        busy = [other for other in busy if other.until_s > each.from_s]
        busy.append(each)
        if len(busy) > LIMITS[job]:
            at_once = ", ".join(str(other.run) for other in busy)
            said = f"{len(busy)} runs of {job} work at once where {LIMITS[job]} may: {at_once}"
            yield Offence("held-twice", said, each.from_s, job, run=each.run)
