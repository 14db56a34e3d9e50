"""Whether jobs would wait for their own ends: for dry runs too, so it writes nothing.

Rules of this file:

1. Where job B hears of job A (`after`), A comes before B. No such chain may lead back, but over a trigger
   that says `allow_cycle`.
2. What stands has no cycle. So one needs an edge that is new, and only those are looked at that could close
   one: an edge to a job that is put later in the same order, or of a job of which anything stored hears. (A
   cycle without such an edge would go down in the order only, or come back to a job that nobody hears of.)
   So a chain of any length that is put in its order, a part at a time, asks for nothing.
3. Bounded: so many jobs are looked at from one on; beyond that it is refused, with the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from scheduler.model.after import read_after
from scheduler.model.all_of import read_all_of
from scheduler.store.connection import Store
from scheduler.store.tables import listeners
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

JOBS_LOOKED_MAX = 10_000
TOLD_MAX = 20
ELSEWHERE = "jobs of other namespaces"

Beside = Callable[[str], "tuple[int, list[str]] | None"]
"""Of a job that is put too, by namespace/name: its place in the order, and what it will hear of."""


def heard_by(new: PreparedJob) -> list[str]:
    """The jobs of whose ends it will hear, where that may close no cycle."""
    found = (read_after(trigger.spec) or read_all_of(trigger.spec) for trigger in new.triggers)
    firm = (asked.parents for asked in found if asked is not None and not asked.allow_cycle)
    return list(dict.fromkeys(str(parent) for parents in firm for parent in parents))


def judge(store: Store, jobs: Sequence[PreparedJob]) -> Outcome | None:
    """The refusal of these jobs together; None: none of them closes a cycle."""
    if not any(trigger.first_due_ms is None for new in jobs for trigger in new.triggers):
        return None  # as cheap as can be for what has ticks alone
    puts = {f"{new.namespace}/{new.name}": (place, heard_by(new)) for place, new in enumerate(jobs)}
    for name, (place, heard) in puts.items():
        if refusal := judge_one(store, name, place, heard, puts.get):
            return refusal
    return None


def judge_one(store: Store, job: str, place: int, heard: Sequence[str], beside: Beside) -> Outcome | None:
    if not heard:
        return None
    before = set(listeners.firm_parents(store, job))
    is_heard = listeners.is_heard(store, job)
    asked = [
        parent for parent in heard
        if parent not in before
        and (is_heard or parent == job or ((put := beside(parent)) is not None and put[0] > place))
    ]  # fmt: skip
    return _search(store, job, asked, beside) if asked else None


def _search(store: Store, job: str, parents: Iterable[str], beside: Beside) -> Outcome | None:
    """Go up from these jobs and look for this one."""
    came_from = dict.fromkeys(parents, job)
    left = list(came_from)
    for parent in left:
        if parent == job:
            return _closed(job, came_from)
        if len(came_from) > JOBS_LOOKED_MAX:
            detail = f"{job} would come after more than {JOBS_LOOKED_MAX} jobs: a cycle cannot be ruled out"
            return Outcome(Code.CYCLE, detail, {"cycle": [job]})
        put = beside(parent)
        above = listeners.firm_parents(store, parent) if put is None else put[1]
        for each in above:
            if each not in came_from:
                came_from[each] = parent
                left.append(each)
    return None


def _closed(job: str, came_from: dict[str, str]) -> Outcome:
    cycle = [job]
    while (next_ := came_from[cycle[-1]]) != job:
        cycle.append(next_)
    namespace, _, name = job.partition("/")
    # Whoever puts the job may read its namespace and the job that it names, and perhaps no other.
    seen = [each if each.startswith(f"{namespace}/") or each == cycle[-1] else ELSEWHERE for each in cycle]
    told = [each for each, _ in groupby(seen)]
    told = told if len(told) <= TOLD_MAX else [*told[:TOLD_MAX], "…"]
    detail = f"these jobs would wait for each other: {' → '.join([*told, job])}"
    return Outcome(Code.CYCLE, detail, {"cycle": told[:TOLD_MAX], "namespace": namespace, "name": name})
