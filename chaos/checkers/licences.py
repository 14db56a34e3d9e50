"""A lock is never held twice: no more of those that take it work at the same time than there are licences.

Rules:
1. Payloads say when they worked, by the harness's own clock, and nobody else is asked. Who holds one works
   from its first start to its last end of which it has told; one that was killed has told of no end, and
   counts for as long as it surely lived.
2. Of a run, or a block, of several tasks that holds a lock for all of them, the time between them counts too,
   also that in which a person is asked.
3. Where there is one alone, who has it later has the higher fences, as payloads wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from chaos import approvals, many
from chaos.case import Case, Mark
from chaos.checkers import Finding, Offence, finding
from chaos.licences import LIMITS

NAME = "licences"


class Worked(NamedTuple):
    from_s: float
    until_s: float
    run: int
    fences: tuple[int, int]  #: the lowest and the highest


class Held(NamedTuple):
    """What is taken by a job's run, by a block of it, or by each member of a task."""

    what: str
    job: str
    limit: int
    holder: Callable[[Mark], object]  #: whose work it is; None: nobody's that takes it


HELD = (
    *(Held(job, job, limit, lambda mark: mark.run) for job, limit in LIMITS.items()),
    Held(
        many.SEATS, many.JOB, many.SEATS_MAX,
        lambda mark: mark.tried if mark.task.startswith(f"{many.EACH}/") else None,
    ),
    Held(
        many.GUARD, many.JOB, 1,
        lambda mark: mark.run if mark.task in (many.ENTER, many.LEAVE) else None,
    ),
    Held(approvals.DESK, approvals.JOB, 1, lambda mark: mark.run),
)  # fmt: skip


def check(case: Case) -> Finding:
    found = [(held, _worked(case, held)) for held in HELD]
    if not any(worked for _, worked in found):
        return Finding(NAME, "pass", "nothing took a licence in this load")
    offences = [each for held, worked in found for each in (*_over(held, worked), *_fences(held, worked))]
    counts = {held.what: len(worked) for held, worked in found}
    said = ", ".join(f"{count} of {what}" for what, count in counts.items())
    return finding(NAME, offences, said, counts)


def _worked(case: Case, held: Held) -> list[Worked]:
    spans: dict[object, Worked] = {}
    for mark in case.marks:
        holder = held.holder(mark) if mark.job == held.job else None
        if holder is not None:
            now = Worked(mark.at_s, mark.at_s, mark.run, (mark.fence, mark.fence))
            one = spans.get(holder, now)
            fences = min(one.fences[0], mark.fence), max(one.fences[1], mark.fence)
            spans[holder] = Worked(min(one[0], mark.at_s), max(one[1], mark.at_s), mark.run, fences)
    return sorted(spans.values())


def _over(held: Held, worked: list[Worked]) -> Iterator[Offence]:
    busy: list[Worked] = []
    for each in worked:
        busy = [other for other in busy if other.until_s > each.from_s]
        busy.append(each)
        if len(busy) > held.limit:
            at_once = ", ".join(str(other.run) for other in busy)
            said = f"{len(busy)} with {held.what} work at once where {held.limit} may: of runs {at_once}"
            yield Offence("held-twice", said, each.from_s, held.job, run=each.run)


def _fences(held: Held, worked: list[Worked]) -> Iterator[Offence]:
    for one, other in pairwise(worked) if held.limit == 1 else ():
        if one.until_s <= other.from_s and 0 < other.fences[0] <= one.fences[1]:
            said = f"run {other.run} has {held.what} behind run {one.run}, and not the higher fence:"
            said = f"{said} {other.fences[0]} behind {one.fences[1]}"
            yield Offence("fence-went-back", said, other.from_s, held.job, run=other.run)
