"""Whether what a run requires is there. Writes nothing: the machine decides by it, and explain tells it.

Rules of this file:

1. Of another job those of its ends count that are of the run's plan date, or after the job's own run before
   this one was created, or so long before its due instant; a verdict of a person counts as the end's state.
2. Of `any` and of a number the first that are met count, in their order, and of these alone notices are used
   up.
3. A job is planned on a date where a live trigger of it has an instant on that, by its namespace's dates.
4. Each tick of a date is `rules.day_ticks`.
5. What agents are asked is tasks of the run: met by one that succeeded. One that ended otherwise never will
   be; where too few are left, nobody waits for the rest.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.rules import day_ticks
from scheduler.model.noticing import written
from scheduler.model.required import Requirement, Requires
from scheduler.store.connection import Store
from scheduler.store.tables import jobs, namespaces, required, triggers
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.run_waits import RunWait
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.ticks import plan_days
from scheduler.words.lifecycle import TASK_ENDS


class Judged(NamedTuple):
    is_met: bool
    is_skipped: bool  #: something is not planned, and that skips the run
    is_hopeless: bool  #: so much of it never comes that it waits in vain
    uses: tuple[int, ...]  #: notices that are used up when it goes on
    lacks: tuple[str, ...]  #: in words


Seen = dict[tuple[str, str, int], str | None]
"""What lacks of each tick of a date, by job, state and date: of very many runs that are judged one after the
other, most ask the same, and it is the dearest of what they ask."""


def judge(store: Store, run: Run, requires: Requires, now_ms: int, seen: Seen | None = None) -> Judged:
    met, gone, uses, lacks = 0, 0, list[int](), list[str]()
    seen = {} if seen is None else seen
    for each in requires.each:
        if met == requires.need:
            break
        if each.task is not None:
            asked = task_rows.get(store, run.first_task + each.task)
            if asked is None or asked.state != "succeeded":
                gone += asked is not None and asked.state in TASK_ENDS
                lacks.append(_asked(each, asked))
                continue
            met += 1
            continue
        serial = None if each.is_job else _notice(store, run, each, now_ms, uses)
        lack = _lack(store, run, each, seen) if each.is_job else "" if serial is not None else each.text
        if lack:
            asks = each.since == "plan_date" and requires.if_not_planned != "wait"
            if not asks or _planned(store, run, each):
                lacks.append(lack)
                continue
            if requires.if_not_planned == "skip":
                return Judged(False, True, False, (), (f"{each.text}, which is not planned then",))
        elif serial is not None and each.consumes:
            uses.append(serial)
        met += 1
    is_met = met >= requires.need
    is_hopeless = not is_met and len(requires.each) - gone < requires.need
    return Judged(is_met, False, is_hopeless, tuple(uses) if is_met else (), () if is_met else tuple(lacks))


def gives_up_ms(requires: Requires, wait: RunWait) -> int | None:
    """When it waits no longer; None: it has the patience."""
    if requires.timeout_ms is None or wait.since_ms is None:
        return None
    return wait.since_ms + requires.timeout_ms


def _asked(each: Requirement, task: Task | None) -> str:
    """Of what an agent is asked, in words: what came of it so far."""
    if task is None or not task.attempts:
        return f"{each.text}, which no agent was asked yet"
    times = f"asked {task.attempts} times" if task.attempts > 1 else "asked once"
    code = "" if task.exit_code is None else f", exit code {task.exit_code}"
    ended = f", and {task.state}" if task.state in TASK_ENDS else ""
    return f"{each.text} ({times}{code}{ended})"


def _lack(store: Store, run: Run, each: Requirement, seen: Seen) -> str:
    """What of the runs of a job is not there, in words; empty: all is."""
    if each.is_of_all:
        asked = each.parent, each.state, run.plan_day
        if asked not in seen:
            seen[asked] = day_ticks.lacking(store, *asked)
        lack = seen[asked]
        return "" if lack == "" else f"{each.text}: {lack or 'there is none'}"
    return "" if _job(store, run, each) else each.text


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
    span = plan_days.span_of(namespaces.plan_days_of(store, namespace), run.plan_day)
    eras = triggers.live(store, job.id) if job is not None else []
    return any(not era.event and day_ticks.first_ms(era.spec, span) is not None for era in eras)
