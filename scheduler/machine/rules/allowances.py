"""What a namespace lets its jobs have: how many there may be, and the pools that they name.

Rules of this file:

1. Judged where a job is put. One that is there already stays as it is, also after a namespace was narrowed,
   until it is put anew: who narrows it is told which those are (`outside`).
2. Only more jobs than before are refused: an edit is always taken, also where there are too many. What is
   deleted in the same act makes room.
3. Dry runs and the machine judge by the same function. A namespace of which nothing was said lets all be.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import chain

from scheduler.model.compiled import CompiledJob, compile_job
from scheduler.store.connection import Store
from scheduler.store.tables import namespaces
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.namespaces import Allowance
from scheduler.ticks import event_of
from scheduler.words.causes import booted
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

BOOTED = booted("")


def judge(store: Store, jobs: Iterable[tuple[PreparedJob, bool]], gone: Sequence[Job] = ()) -> Outcome | None:
    """The refusal of these jobs, put together, each with whether it is new, beside those that are deleted;
    None: they may be."""
    asked, more = list(jobs), dict[str, int]()
    for each in gone:
        more[each.namespace] = more.get(each.namespace, 0) - 1
    for new, is_new in asked:
        more[new.namespace] = more.get(new.namespace, 0) + is_new
    counts = (judge_count(store, *each) for each in more.items())
    pools = (judge_pools(store, new, place) for place, (new, _) in enumerate(asked))
    return next(filter(None, chain(counts, pools)), None)


def judge_count(store: Store, namespace: str, more: int) -> Outcome | None:
    """The refusal of so many more jobs in a namespace."""
    allowance = namespaces.allowance(store, namespace) if more > 0 else None
    if allowance is None or allowance.jobs_max is None:
        return None
    wanted = namespaces.jobs(store, namespace) + more
    return _too_many(allowance, wanted) if wanted > allowance.jobs_max else None


def judge_pools(store: Store, new: PreparedJob, place: int = 0) -> Outcome | None:
    """The refusal of a job, of several that in this place, for a pool that its namespace may not use."""
    allowance = namespaces.allowance(store, new.namespace)
    if allowance is None or not allowance.allowed_pools:
        return None
    pools = allowance.allowed_pools
    if task := first_outside(compile_job(new.spec), pools):
        return _outside(new, place, f"task {task[0]}", f"/tasks/{task[0]}/on/pool", task[1], pools)
    for trigger in new.triggers:
        event = event_of(trigger.spec)
        pool = event.removeprefix(BOOTED)
        if event.startswith(BOOTED) and pool not in pools:
            return _outside(new, place, f"trigger {trigger.key}", "/triggers", pool, pools)
    return None


def first_outside(job: CompiledJob, pools: Sequence[str]) -> tuple[str, str] | None:
    """The first task that may go to an agent of no such pool, and the pool that it names."""
    for task in job.tasks:
        if task.happens == "agent" and task.pool not in pools:
            return task.name, task.pool
    return None


def _too_many(allowance: Allowance, wanted: int) -> Outcome:
    detail = f"namespace {allowance.name} would have {wanted} jobs; its quota is {allowance.jobs_max}"
    value: dict[str, object] = {"namespace": allowance.name, "jobs": wanted, "limit": allowance.jobs_max}
    return Outcome(Code.QUOTA, detail, value)


def _outside(
    new: PreparedJob, place: int, what: str, pointer: str, pool: str, pools: Sequence[str]
) -> Outcome:
    allowed = ", ".join(pools)
    where = f"{new.namespace}/{new.name}"
    detail = f"{what} of {where} is for pool {pool}; its namespace may use {allowed}"
    near = difflib.get_close_matches(pool, pools, 1)
    hint = f"did you mean {near[0]}?" if near else f"name one of {allowed}"
    value: dict[str, object] = {"place": place, "pointer": pointer, "pools": list(pools), "hint": hint}
    return Outcome(Code.NOT_ALLOWED, detail, value)
