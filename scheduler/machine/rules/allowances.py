"""What a namespace lets its jobs have: how many there may be, the pools and the users that they name.

Rules of this file:

1. Judged where a job is put. One that is there already stays as it is, also after a namespace was narrowed,
   until it is put anew: who narrows it is told which those are (`outside`). But what it runs as a user who
   was withdrawn waits (the gate `user`).
2. Only more jobs than before are refused: an edit is always taken, also where there are too many. What is
   deleted in the same act makes room.
3. Dry runs and the machine judge by the same function. A namespace of which nothing was said lets all be.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from scheduler.model.checks import is_check, place_of
from scheduler.model.compiled import CompiledJob, CompiledTask, compile_job
from scheduler.model.problems import pointer_of
from scheduler.store.connection import Store
from scheduler.store.tables import namespaces
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.namespaces import Allowance
from scheduler.ticks import event_of
from scheduler.words.causes import booted, filed
from scheduler.words.commands import PreparedJob
from scheduler.words.counted import counted
from scheduler.words.outcomes import Code, Outcome

OF_POOLS = (booted(""), filed(""))
"""Events of a pool."""
TOLD_MAX = 20


def judge(store: Store, jobs: Iterable[tuple[PreparedJob, bool]], gone: Sequence[Job] = ()) -> Outcome | None:
    """The refusal of these jobs, put together, each with whether it is new, beside those that are deleted;
    None: they may be."""
    if not namespaces.any_declared(store):
        return None
    asked, more = list(jobs), dict[str, int]()
    for each in gone:
        more[each.namespace] = more.get(each.namespace, 0) - 1
    for new, is_new in asked:
        more[new.namespace] = more.get(new.namespace, 0) + is_new
    counts = (judge_count(store, *each) for each in more.items())
    words = (judge_words(store, new) for new, _ in asked)
    return next(filter(None, chain(counts, words)), None)


def judge_count(store: Store, namespace: str, more: int) -> Outcome | None:
    """The refusal of so many more jobs in a namespace."""
    allowance = namespaces.allowance(store, namespace) if more > 0 else None
    if allowance is None or allowance.jobs_max is None:
        return None
    wanted = namespaces.jobs(store, namespace) + more
    return _too_many(allowance, wanted) if wanted > allowance.jobs_max else None


class Foreign(NamedTuple):
    """What a job names that its namespace may not use."""

    pointer: str
    said: str  #: the end of a sentence that begins with what names it
    named: str  #: empty: nothing, where something is to be named
    allowed: Sequence[str]
    hint: str = ""  #: what to do, where that is not to name another


def judge_words(store: Store, new: PreparedJob) -> Outcome | None:
    """The refusal of a job for a pool or a user that its namespace may not use."""
    allowance = namespaces.allowance(store, new.namespace)
    if allowance is None or (allowance.pools == "[]" and allowance.users == "[]"):
        return None
    pools, users = allowance.allowed_pools, allowance.allowed_users
    if found := first_foreign(compile_job(new.spec), pools, users):
        return _not_allowed(new, found)
    for trigger in new.triggers if pools else ():
        event = event_of(trigger.spec)
        pool = event.partition("/")[2]
        if event.startswith(OF_POOLS) and pool not in pools:
            said = f"trigger {trigger.key} of {{job}} is for pool {pool}; its namespace may use"
            return _not_allowed(new, Foreign("/triggers", said, pool, pools))
    return None


def first_foreign(job: CompiledJob, pools: Sequence[str], users: Sequence[str]) -> Foreign | None:
    """The first word of its tasks that is none of these, where there are any. A task that names no user would
    run as the agent's own."""
    for task in job.tasks:
        if is_check(task.name):
            if found := _foreign_check(task, pools, users):
                return found
            continue
        if pools and task.happens == "agent" and task.pool not in pools:
            said = f"task {task.name} of {{job}} is for pool {task.pool}; its namespace may use"
            return Foreign(pointer_of("tasks", task.name, "on", "pool"), said, task.pool, pools)
        if users and task.user is not None and task.user not in users:
            runs = f"runs as {task.user}" if task.user else "names no user that it runs as"
            said = f"task {task.name} of {{job}} {runs}; its namespace may use"
            return Foreign(pointer_of("tasks", task.name, "run_as"), said, task.user, users)
    return None


def _foreign_check(task: CompiledTask, pools: Sequence[str], users: Sequence[str]) -> Foreign | None:
    """Of what a run asks of agents before it goes on."""
    pointer = pointer_of("requires", place_of(task.name))
    if pools and task.pool not in pools:
        said = f"what {{job}} requires is asked of pool {task.pool}; its namespace may use"
        return Foreign(pointer, said, task.pool, pools)
    if users and task.user is not None and task.user not in users:
        said = "what {job} requires is asked as the agent's own user; tasks of its namespace run as"
        return Foreign(pointer, said, "", users, "let a task of it look, with run_as and retry")
    return None


def _too_many(allowance: Allowance, wanted: int) -> Outcome:
    jobs = counted(wanted, "job")
    detail = f"namespace {allowance.name} would have {jobs}; its quota is {allowance.jobs_max}"
    value: dict[str, object] = {"namespace": allowance.name, "jobs": wanted, "limit": allowance.jobs_max}
    return Outcome(Code.QUOTA, detail, value)


def _not_allowed(new: PreparedJob, found: Foreign) -> Outcome:
    allowed = ", ".join(found.allowed[:TOLD_MAX])
    detail = f"{found.said.format(job=f'{new.namespace}/{new.name}')} {allowed}"
    near = difflib.get_close_matches(found.named, found.allowed, 1) if found.named else []
    hint = found.hint or (f"did you mean {near[0]}?" if near else f"name one of {allowed}")
    value: dict[str, object] = {
        "namespace": new.namespace, "name": new.name, "pointer": found.pointer,
        "allowed": list(found.allowed), "hint": hint,
    }  # fmt: skip
    return Outcome(Code.NOT_ALLOWED, detail, value)
