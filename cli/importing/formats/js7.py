"""Workflows of JS7 with their schedules, as JSON files of JOC: by its source (JOC, FrequencyResolver).

A workflow alone has no times; a schedule names workflows and calendars. `repeat` of `01:00` is one minute,
filled from the left, while a `singleStart` of `05:30` is half past five. `ultimos` 1 is a month's last day.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from cli.importing.found import Found, Source, UnreadableError, Wishes
from cli.importing.gathering import Gathering, NotTaken, alone, name_of, seconds, zone_of
from cli.importing.items import Item, read_items
from cli.importing.schedules.periods import Days, clock_s, last_day, repeated, triggers
from cli.importing.schedules.spelling import spelled

_NONWORKING = {"NEXTNONWORKINGDAY": "after", "PREVIOUSNONWORKINGDAY": "before"}
_NOT_TAKEN = {
    "If": "when", "Try": "catch of a group", "Retry": "retry of a group", "Lock": "locks",
    "Cycle": "repeat of a group",
    "PostNotices": "post", "ExpectNotices": "requires", "ConsumeNotices": "requires with consume",
    "AddOrder": "job", "Prompt": "approval", "ForkList": "fanout", "Finish": "finish", "Fail": "finish",
    "StickySubagent": "sticky of a group", "Options": "allow_failure", "Sleep": "sleep",
}  # fmt: skip


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    workflows: dict[str, Item] = {}
    schedules: list[Item] = []
    calendars: dict[str, Item] = {}
    for source in sources:
        for item in read_items(source):
            item.passed("version", "path", "name", "title", "documentationName")
            name = PurePosixPath(item.text("path") or item.text("name") or source.name).name.partition(".")[0]
            if "instructions" in item:
                workflows[name] = item
            elif "workflowNames" in item or "workflowName" in item:
                schedules.append(item)
            elif "includes" in item or "CALENDAR" in item.text("type"):
                calendars[name] = item
            else:
                gathering.note(item.place(), name, "it is no workflow, schedule or calendar")
    if not workflows:
        raise UnreadableError(
            sources[0].name, "no workflow", "Name workflows, their schedules and calendars together."
        )
    times: dict[str, list[dict[str, Any]]] = {name: [] for name in workflows}
    for schedule in schedules:
        with gathering.each(schedule.place(), "schedule"):
            _schedule(gathering, schedule, calendars, times)
    for name, workflow in workflows.items():
        with gathering.each(workflow.place(), f"workflow {name}"):
            _workflow(gathering, name, workflow, times[name])
    return gathering.found()


def _schedule(
    gathering: Gathering, schedule: Item, calendars: dict[str, Item], times: dict[str, list[dict[str, Any]]]
) -> None:
    names = schedule.texts("workflowNames") or [schedule.text("workflowName")]
    schedule.passed("submitOrderToControllerWhenPlanned")
    unknown = next((name for name in names if name not in times), None)
    if unknown is not None:
        raise NotTaken(
            f"it is for workflow {unknown}, which is not among the files", schedule.place("workflowNames")
        )
    if not schedule.flag("planOrderAutomatically", default=True):
        raise NotTaken(
            "planOrderAutomatically: false: it never ran by itself", schedule.place("planOrderAutomatically")
        )
    off = [name_of(calendar.text("calendarName")) for calendar in schedule.items("nonWorkingDayCalendars")]
    for calendar in off:
        gathering.note(
            schedule.place("nonWorkingDayCalendars"),
            calendar,
            f"put the calendar {calendar} first: cronclave calendar apply",
        )
    found: list[dict[str, Any]] = []
    for part in schedule.items("calendars"):
        tz = zone_of(part.text("timeZone", gathering.wishes.tz))
        name = part.text("calendarName")
        there = calendars.get(name)
        if there is None and "includes" not in part:
            raise NotTaken(f"its calendar {name} is not among the files", part.place("calendarName"))
        own = _days(part.item("includes")) if "includes" in part else None
        base = _days(there.item("includes")) if there is not None else [Days()]
        if there is not None and "excludes" in there:
            raise NotTaken(f"excludes of calendar {name} are not taken over", there.place("excludes"))
        if own is not None and base != [Days()]:
            raise NotTaken(
                f"days of the schedule within those of calendar {name}: say them in one place",
                part.place("includes"),
            )
        kinds: dict[str, list[tuple[Days, set[int]]]] = {}
        for period in part.items("periods"):
            when = period.text("whenHoliday", "SUPPRESS")
            kinds.setdefault(when, []).extend((days, _times(period)) for days in own or base)
        for when, starts in kinds.items():
            found += [trigger | _off(when, off) for trigger in triggers(starts, tz)]
    for name in names:
        times[name] += found
    schedule.told(gathering)


def _off(when: str, off: list[str]) -> dict[str, Any]:
    if not off or when == "IGNORE":
        return {}
    return {"calendar": {"exclude": off} | ({"nonworking": _NONWORKING[when]} if when in _NONWORKING else {})}


def _times(period: Item) -> set[int]:
    if start := period.text("singleStart"):
        return {clock_s(start)}
    if not (repeat := period.text("repeat")):
        raise NotTaken(
            "a period without a start or a repeat is a window, in which nothing starts by itself",
            period.place(),
        )
    words = ["0", "0", *repeat.split(":")][-3:]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise NotTaken(f"repeat {repeat!r}: expected hh:mm:ss", period.place("repeat"))
    step_s = int(words[0]) * 3600 + int(words[1]) * 60 + int(words[2])
    return repeated(clock_s(period.text("begin", "00")), clock_s(period.text("end", "24")), step_s)


def _days(includes: Item) -> list[Days]:
    """The days on which calendars say that something is."""
    found = _days_of_any_month(includes) if includes.names() != ["months"] else []
    for frequency in includes.items("months"):
        months = spelled(frequency.numbers("months"), "month")
        frequency.passed("from", "to")
        found += [Days(days.day, months, days.weekday) for days in _days_of_any_month(frequency)]
    return found


def _days_of_any_month(includes: Item) -> list[Days]:
    found: list[Days] = []
    for frequency in includes.items("weekdays"):
        numbers = [day % 7 for day in frequency.numbers("days")]
        found.append(Days(weekday=spelled(numbers, "weekday")))
    for frequency in includes.items("monthdays"):
        if days := frequency.numbers("days"):
            found.append(Days(spelled(days, "day")))
        for nth in frequency.items("weeklyDays"):
            day, which = int(nth.number("day") or 0) % 7, int(nth.number("weekOfMonth") or 0)
            found.append(Days(weekday=f"{day}#{which}"))
    for frequency in includes.items("ultimos"):
        found += [Days(last_day(number - 1)) for number in frequency.numbers("days")]
        for nth in frequency.items("weeklyDays"):
            day, which = int(nth.number("day") or 0) % 7, int(nth.number("weekOfMonth") or 0)
            if which != 1:
                raise NotTaken(
                    f"the weekday {which} before a month's end: only the last one can be kept", nth.place()
                )
            found.append(Days(weekday=f"{day}L"))
    for key in ("dates", "holidays", "repetitions"):
        if key in includes:
            raise NotTaken(f"{key}: make a calendar of them", includes.place(key))
    if not found:
        raise NotTaken("a calendar without days", includes.place())
    return found


def _workflow(gathering: Gathering, name: str, workflow: Item, times: list[dict[str, Any]]) -> None:
    if not times:
        gathering.note(workflow.place(), name, "no schedule among the files is for it: it has no times")
    jobs = workflow.named_items("jobs")
    params = {}
    for key, parameter in workflow.item("orderPreparation").named_items("parameters").items():
        default = parameter.text("default")
        params[key] = {"type": "string"} | (
            {"default": default.strip('"')} if default else {"required": True}
        )
        parameter.passed("type", "final")
    tasks: dict[str, dict[str, Any]] = {}
    _instructions(workflow, jobs, tasks, [])
    zone_text = workflow.text("timeZone")
    if zone_text and not any(trigger["tz"] != "UTC" for trigger in times):
        gathering.note(
            workflow.place("timeZone"), zone_text, "the zone of a workflow is not that of its schedule"
        )
    gathering.take(
        workflow.place(),
        {
            "job": name_of(name),
            "triggers": times,
            "policies": {"overlap": "allow", "catchup": {"mode": "all"}},
            "params": params,
            **alone(tasks),
        },
    )
    workflow.told(gathering)


def _instructions(
    block: Item, jobs: dict[str, Item], tasks: dict[str, dict[str, Any]], needs: list[str]
) -> list[str]:
    """Adds a block's tasks; returns what comes after it has to wait for."""
    for instruction in block.items("instructions"):
        kind = instruction.text("TYPE")
        instruction.passed("label", "positionString", "position")
        if kind == "Execute.Named":
            job = instruction.text("jobName")
            if job not in jobs:
                raise NotTaken(f"there is no job {job}", instruction.place("jobName"))
            name, number = name_of(instruction.text("label") or job), 1
            while name in tasks:
                number += 1
                name = f"{name_of(job)}-{number}"
            tasks[name] = _task(jobs[job]) | ({"needs": list(needs)} if needs else {})
            needs = [name]
        elif kind == "Fork":
            ends: list[str] = []
            for branch in instruction.items("branches"):
                branch.passed("id")
                inside = branch.item("workflow") if "workflow" in branch else branch
                ends += [end for end in _instructions(inside, jobs, tasks, needs) if end not in ends]
            needs = ends
        elif kind in ("ImplicitEnd", "Gap"):
            continue
        else:
            here = f": here it is `{_NOT_TAKEN[kind]}`" if kind in _NOT_TAKEN else ""
            raise NotTaken(f"the instruction {kind} is not taken over{here}", instruction.place())
    return needs


def _task(job: Item) -> dict[str, Any]:
    executable = job.item("executable")
    kind = executable.text("TYPE", "ShellScriptExecutable")
    executable.passed("v1Compatible", "returnCodeMeaning")
    job.passed("title", "agentName", "subagentClusterId", "documentationName", "parallelism")
    if kind not in ("ShellScriptExecutable", "ScriptExecutable"):
        raise NotTaken(
            f"{kind}: only shell scripts are taken over, no job in a JVM", executable.place("TYPE")
        )
    task: dict[str, Any] = {"script": executable.text("script")}
    if agent := job.text("agentName"):
        task["on"] = {"labels": {"agent": agent}}
    if env := {key: executable.item("env").text(key) for key in executable.item("env").names()}:
        variables = [key for key, value in env.items() if value.startswith("$")]
        task["env"] = {key: value.strip('"') for key, value in env.items() if key not in variables}
    codes = executable.item("returnCodeMeaning")
    if success := codes.numbers("success"):
        task["exit"] = {"ok": success}
    if job.flag("failOnErrWritten"):
        task["stderr"] = "fail"
    if limit := job.number("timeout"):
        task["timeout"] = seconds(limit)
    if grace := job.number("graceTimeout"):
        task["grace"] = seconds(grace)
    return {key: value for key, value in task.items() if value}
