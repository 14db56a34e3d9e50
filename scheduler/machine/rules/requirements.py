"""Whether what a run requires is there. Writes nothing: the machine decides by it, and explain tells it.

Rules of this file:

1. Of another job those of its ends count that are of the run's plan date, or after the job's own run before
   this one was created, or so long before its due instant; a verdict of a person counts as the end's state.
2. Of `any` and of a number the first that are met count, in their order, and of these alone notices are used
   up.
3. A job is planned on a date where a live trigger of it has an instant on that, by its namespace's dates.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.model.noticing import written
from scheduler.model.required import Requirement, Requires
from scheduler.store.connection import Store
from scheduler.store.tables import jobs, namespaces, required, triggers
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.run_waits import RunWait
from scheduler.store.tables.runs import Run
from scheduler.ticks import plan_days, schedule


class Judged(NamedTuple):
    is_met: bool
    is_skipped: bool  #: something is not planned, and that skips the run
    uses: tuple[int, ...]  #: notices that are used up when it goes on
    lacks: tuple[str, ...]  #: in words


def judge(store: Store, run: Run, requires: Requires, now_ms: int) -> Judged:
    met, uses, lacks = 0, list[int](), list[str]()
    for each in requires.each:
        if met == requires.need:
            break
        serial = None if each.is_job else _notice(store, run, each, now_ms, uses)
        if serial is not None:
            uses += [serial] if each.consumes else []
        elif not each.is_job or not _job(store, run, each):
            asks = each.since == "plan_date" and requires.if_not_planned != "wait"
            if not asks or _planned(store, run, each):
                lacks.append(each.text)
                continue
            if requires.if_not_planned == "skip":
                return Judged(False, True, (), (f"{each.text}, which is not planned then",))
        met += 1
    is_met = met >= requires.need
    return Judged(is_met, False, tuple(uses) if is_met else (), () if is_met else tuple(lacks))


def gives_up_ms(requires: Requires, wait: RunWait) -> int | None:
    """When it waits no longer; None: it has the patience."""
    if requires.timeout_ms is None or wait.since_ms is None:
        return None
    return wait.since_ms + requires.timeout_ms


def _job(store: Store, run: Run, each: Requirement) -> bool:
    if each.since == "plan_date":
        found = required.count(store, each.parent, each.state, each.number, plan_day=run.plan_day)
    else:
        since_ms = run.due_ms - each.within_ms
        if each.since:
            since_ms = run_rows.created_before(store, run.job, run.id)
        found = required.count(store, each.parent, each.state, each.number, since_ms=since_ms)
    return found >= each.number


def _notice(store: Store, run: Run, each: Requirement, now_ms: int, but: list[int]) -> int | None:
    key = written(each.key, run.plan_day) if each.key else ""
    return required.notice(store, each.parent.removeprefix("board/"), key, now_ms, but)


def _planned(store: Store, run: Run, each: Requirement) -> bool:
    _, namespace, name = each.parent.split("/", 2)
    job = jobs.find(store, namespace, name)
    from_ms, until_ms = plan_days.span_of(namespaces.plan_days_of(store, namespace), run.plan_day)
    for era in triggers.live(store, job.id) if job is not None else ():
        next_ms = None if era.event else schedule(era.spec).next(from_ms - 1)
        if next_ms is not None and next_ms < until_ms:
            return True
    return False
