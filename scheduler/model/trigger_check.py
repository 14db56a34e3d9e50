"""What is wrong with the triggers of a job, taken together and with what else it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scheduler.model.bounds import SCHEDULES_MAX
from scheduler.model.job import Job
from scheduler.model.known_dates import NO_CALENDARS, Calendars
from scheduler.model.param_check import brought_by_triggers, dates_without_calendar, given_by_triggers
from scheduler.model.policies import Catchup
from scheduler.model.problems import Problem, pointer_of
from scheduler.model.trigger import Trigger


def trigger_problems(job: Job, pointer_at: Callable[..., str]) -> list[Problem]:
    """`pointer_at`: of a place in the long form, in what was given."""

    def at(place: int) -> str:
        return pointer_at("triggers", place)

    problems = repeated_triggers(job.triggers, at) if len(job.triggers) > 1 else []
    problems += given_by_triggers(job, at)
    problems += brought_by_triggers(job, at)
    problems += _repeated_schedules(job, at)
    problems += _caught_up_delays(job, pointer_at)
    problems += _days_without_calendar(job, pointer_at)
    problems += dates_without_calendar(job, at)
    return problems


def repeated_triggers(triggers: Sequence[Trigger], pointer_at: Callable[[int], str]) -> list[Problem]:
    problems = []
    keys: dict[str, int] = {}
    for i, trigger in enumerate(triggers):
        first = keys.setdefault(trigger.key, i)
        if first != i:
            what = f"the id {trigger.id!r}" if trigger.id else "its schedule"
            hint = "give each trigger its own id" if trigger.id else "remove one, or give them ids"
            detail = f"trigger {i} has {what} in common with trigger {first}"
            problems.append(Problem(pointer_at(i), detail, hint))
    return problems


def spent_problem(
    job: Job, place: int, now_ms: int, *, listed: bool, calendars: Calendars = NO_CALENDARS
) -> Problem:
    """What the state says of a new trigger without an instant after `now_ms`. `listed`: they are a list."""
    own = [number for number, trigger in enumerate(job.triggers) if not trigger.kind.is_shared]
    place = own[place]  # as they are prepared
    field, detail, hint = job.triggers[place].why_spent(
        job.namespace, job.name, now_ms, calendars=calendars, default=job.policies.calendar
    )
    parts: list[str | int] = ["triggers", *([place] if listed else []), *([field] if field else [])]
    return Problem(pointer_of(*parts), detail, hint)


def _repeated_schedules(job: Job, pointer_at: Callable[[int], str]) -> list[Problem]:
    """One that is named twice in two ways, and more than a job may name."""
    problems: list[Problem] = []
    known: dict[tuple[str, str], int] = {}
    for place, trigger in enumerate(job.triggers):
        if not trigger.kind.is_shared:
            continue
        _, namespace, name, field = trigger.refers(job.namespace)[0]
        first = known.setdefault((namespace, name), place)
        pointer = pointer_at(place) + pointer_of(field)
        if first != place and trigger.key != job.triggers[first].key:
            problems.append(Problem(pointer, f"trigger {first} names this schedule too", "remove one"))
        if len(known) == SCHEDULES_MAX + 1 and first == place:
            detail = f"a job names at most {SCHEDULES_MAX} schedules"
            problems.append(Problem(pointer, detail, "put their triggers into one schedule"))
    return problems


def _caught_up_delays(job: Job, pointer_at: Callable[..., str]) -> list[Problem]:
    """That a job says how to catch up what is counted from the ends of its own runs."""
    if not any(each.kind.waits(each) for each in job.triggers) or job.policies.catchup == Catchup():
        return []
    detail = "nothing is caught up of a delay after the last run: at most one is due, and fires late"
    return [Problem(pointer_at("policies", "catchup"), detail, "remove catchup, or make two jobs of it")]


def _days_without_calendar(job: Job, pointer_at: Callable[..., str]) -> list[Problem]:
    problems: list[Problem] = []
    for place, trigger in enumerate(job.triggers):
        rule = trigger.calendar
        if trigger.asks_for_working_days and not (rule and (rule.include or rule.exclude)):
            if job.policies.calendar is None:
                field = "workday" if trigger.workday is not None else "calendar"
                detail = "no calendar says which days are working days"
                hint = "name one: calendar: {exclude: [NAME]}, or for all triggers policies: {calendar: NAME}"
                problems.append(Problem(pointer_at("triggers", place, field), detail, hint))
        elif rule is not None and not (rule.include or rule.exclude):
            detail = "it names no calendar"
            pointer = pointer_at("triggers", place, "calendar")
            problems.append(Problem(pointer, detail, "include or exclude one, or remove it"))
    return problems
