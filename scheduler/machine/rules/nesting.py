"""Whether jobs would wait for runs of themselves: for dry runs too, so it writes nothing.

Rules of this file:

1. Where a task of job A waits for a run of job B (`job: {name: B}`), A is above B. No chain of these may lead
   back: such a run would wait for itself.
2. Only a job that has such tasks can close one, and that goes down from it: through what is put beside it,
   else what is stored.
3. Bounded: so many jobs are looked at; beyond that it is refused. What an edit in the middle of a run, or
   tasks that do not wait, make of it is bounded when it happens (DEPTH_MAX)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scheduler.model.nesting import may_wait, waited_for
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

DEPTH_MAX = 10  #: of runs, each begun by a task of the one before
JOBS_LOOKED_MAX = 200
TOLD_MAX = 12
HINT = "Leave one of these tasks out, or say `wait: false` beside its `job`."

Beside = Callable[[str, str], "bytes | None"]
"""The spec of a job that is put too, by namespace and name; None: it is not."""


def judge(store: Store, jobs: Sequence[PreparedJob]) -> Outcome | None:
    """The refusal of these jobs together; None: none of them would wait for itself."""
    asking = [new for new in jobs if may_wait(new.spec) and waited_for(new.spec)]
    if not asking:
        return None
    puts = {(new.namespace, new.name): new.spec for new in jobs}
    for new in asking:
        if refusal := judge_one(store, new, lambda namespace, name: puts.get((namespace, name))):
            return refusal
    return None


def judge_one(store: Store, new: PreparedJob, beside: Beside) -> Outcome | None:
    own = (new.namespace, new.name)
    came_from = dict.fromkeys(waited_for(new.spec), own)
    left = list(came_from)
    for child in left:
        if child == own:
            return _closed(own, came_from)
        if len(came_from) > JOBS_LOOKED_MAX:
            name = "/".join(own)
            detail = f"{name} would wait for runs of more than {JOBS_LOOKED_MAX} jobs, one in another"
            return Outcome(Code.CYCLE, detail, _told(own, [name]))
        spec = beside(*child) or _stored(store, *child)
        for each in () if spec is None else waited_for(spec):
            if each not in came_from:
                came_from[each] = child
                left.append(each)
    return None


def _stored(store: Store, namespace: str, name: str) -> bytes | None:
    row = job_rows.find(store, namespace, name)
    return None if row is None else bytes(row.spec)


def _closed(own: tuple[str, str], came_from: dict[tuple[str, str], tuple[str, str]]) -> Outcome:
    cycle = [own]
    while (above := came_from[cycle[-1]]) != own:
        cycle.append(above)
    told = ["/".join(each) for each in (own, *reversed(cycle[1:]))][:TOLD_MAX]
    detail = f"a run of {told[0]} would wait for itself: {' → '.join([*told, told[0]])}"
    return Outcome(Code.CYCLE, detail, _told(own, told))


def _told(own: tuple[str, str], cycle: list[str]) -> dict[str, object]:
    return {"cycle": cycle, "namespace": own[0], "name": own[1], "pointer": "/tasks", "hint": HINT}
