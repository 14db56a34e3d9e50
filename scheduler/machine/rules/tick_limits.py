"""How many ticks a second may be asked for: by one job, by the jobs of a namespace, by all of them.

Rules of this file:

1. Judged where a job is put, by what its triggers ask for on a day on which they are due. A fan of triggers
   counts as their sum, a paused job like any other: it may be resumed.
2. Only more than before is refused: a job that asks for less, or for as much in another way, is always taken,
   also after a person lowered a limit. What is deleted in the same act makes room.
3. An edit of a schedule counts for each job that names it, but for those that come or go in the same act,
   which are judged by themselves. One that asks for more waits for the one before: what its jobs ask for is
   known once they have taken it over.
4. Dry runs and the machine judge by the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from scheduler.machine.rules.shared_asks import Change
from scheduler.model.known_schedules import KIND
from scheduler.store.connection import Store
from scheduler.store.tables import asked, job_schedules, pins
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.asked import DAY_S
from scheduler.store.tables.jobs import Job
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

PER_SECOND_MAX = 1_000_000
LOOKED_MAX = 1_000  #: jobs of a schedule that its edit brings near to what one may ask for


Known = Callable[[PreparedJob], int | None]
"""The job that has this name now."""
ChangeOf = Callable[[str, str], int]
"""How much more than before this schedule asks for of each job that names it."""


def unchanged(namespace: str, name: str) -> int:
    return 0


def judge(
    store: Store,
    jobs: Sequence[PreparedJob],
    known_as: Known | None = None,
    gone: Sequence[Job] = (),
    shared: Sequence[Change] = (),
) -> Outcome | None:
    """The refusal of these jobs and changes of schedules, put together beside those jobs that are deleted;
    None: they may be."""

    def stored(new: PreparedJob) -> int | None:
        row = job_rows.standing_named(store, new.namespace, new.name)
        return None if row is None else row.id

    known_as = known_as or stored
    more: dict[str, int] = {}
    for new in jobs:
        change = judge_job(store, new, known_as(new))
        if isinstance(change, Outcome):
            return change
        if change:
            more[new.namespace] = more.get(new.namespace, 0) + change
    if shared:
        known = (known_as(new) for new in jobs)
        apart = dict.fromkeys([*(job.id for job in gone), *(job for job in known if job is not None)])
        by_shared = judge_shared(store, shared, lambda job: job in apart)
        if isinstance(by_shared, Outcome):
            return by_shared
        for each in shared:
            for one in apart:
                if (whose := job_schedules.whose(store, one, each.namespace, each.name)) is not None:
                    by_shared[whose] -= each.per_day
        for whose, change in by_shared.items():
            more[whose] = more.get(whose, 0) + change
    for job in gone if more else ():  # where nothing more is asked for, none is in the way
        more[job.namespace] = more.get(job.namespace, 0) - asked.of_job(store, job.id)
    return judge_scopes(store, [*more.items(), (asked.WHOLE, sum(more.values()))]) if more else None


def judge_job(store: Store, new: PreparedJob, job: int | None) -> int | Outcome:
    """How many ticks a day more than before it asks for, or the refusal of so many by one job."""
    wanted = sum([trigger.per_day for trigger in new.triggers])
    before = 0 if job is None else asked.of_job(store, job)
    if wanted > before and wanted > (most := asked.limits(store).job) * DAY_S:
        who = f"{new.namespace}/{new.name}"
        return _refused(f"job {who} asks", wanted, most, "one job", new.namespace, new.name)
    return wanted - before


def judge_shared(
    store: Store, changes: Sequence[Change], is_apart: Callable[[int], bool],
    *, beside: ChangeOf = unchanged, beside_most: int = 0,
) -> dict[str, int] | Outcome:  # fmt: skip
    """How many ticks a day more than before the jobs of each namespace ask for by these changes of schedules
    that they name, or the refusal of so many by one job. `is_apart`: one that is judged by itself. `beside`:
    what others ask for more in the same act, `beside_most` at the most of one job."""
    rising = sum(max(0, each.per_day) for each in changes)
    if rising and pins.waits_for(store, KIND):
        return Outcome(Code.SWITCHING, "jobs take over what a schedule meant before: this waits for that")
    more: dict[str, int] = {}
    most = asked.limits(store).job
    changed = {(each.namespace, each.name): each.per_day for each in changes}
    for each in changes:
        for whose, count in job_schedules.namespaces(store, each.namespace, each.name):
            more[whose] = more.get(whose, 0) + count * each.per_day
        if each.per_day <= 0:
            continue
        at_risk = job_schedules.asking_more(
            store, each.namespace, each.name, most * DAY_S - rising - beside_most, LOOKED_MAX + 1
        )
        for place, (job, per_day) in enumerate(at_risk):
            if is_apart(job):
                continue
            held = [(namespace, name) for namespace, name, _ in job_schedules.of(store, job)]
            by_all = sum(changed[of] if of in changed else beside(*of) for of in held)
            if place == LOOKED_MAX or (by_all > 0 and per_day + by_all > most * DAY_S):
                row = job_rows.standing(store, job)
                named = "" if row is None else f"{row.namespace}/{row.name}"
                who = f"with schedule {each.namespace}/{each.name} as this has it job {named} asks"
                refusal = _refused(who, per_day + by_all, most, "one job", each.namespace, each.name)
                return Outcome(refusal.code, refusal.detail, {"kind": KIND, **(refusal.value or {})})
    return more


def judge_scopes(store: Store, more: Iterable[tuple[str, int]]) -> Outcome | None:
    """The refusal of so many ticks a day more, of each namespace and of all."""
    limits: asked.Limits | None = None
    for scope, change in more:
        if change <= 0:
            continue
        limits = limits or asked.limits(store)
        most, whose = limits.namespace, "the jobs of one namespace"
        if scope == asked.WHOLE:
            most, whose = limits.cluster, "all jobs of the cluster"
        wanted = asked.of(store, scope) + change
        if wanted > most * DAY_S:
            who = f"with this the jobs of namespace {scope} ask" if scope else "with this all jobs ask"
            return _refused(who, wanted, most, whose, scope, "")
    return None


def _refused(who: str, per_day: int, most: int, whose: str, namespace: str, name: str) -> Outcome:
    detail = f"{who} for {_shown(per_day)} ticks a second; {most:,} a second are the most for {whose}"
    asked_per_second = -(-per_day // DAY_S)
    value = {"namespace": namespace, "name": name, "asked_per_second": asked_per_second, "limit": most}
    return Outcome(Code.TOO_MANY_TICKS, detail, value)


def _shown(per_day: int) -> str:
    return f"{-(-per_day * 10 // DAY_S) / 10:,.1f}".removesuffix(".0")
