"""The plan of a day: what a namespace's jobs have on one of its plan dates, past, present or to come.

Rules of this file:

1. By job, and of a job by instant: what a page costs is bounded by the jobs that it looks at, however many
   the namespace has. A page ends with the last line of a job, so its cursor is a name.
2. A tick belongs to the date of its nominal instant, wherever a calendar moved it. What fires by an event is
   on the date on which it did; to come it has a line without an instant.
3. What ended is told as it ended. What is to come is told as things stand: by the gates, and by how long runs
   of the job took of late.
4. A job of which a calendar or a substitute takes something away on that date has a line that says so.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Any

from api.cursors import make_cursor
from api.days import Day, change_json, closed_json
from api.instants import rfc3339
from api.tick_pages import Tick, of_era, of_event
from scheduler.explain.outlook import Outlooks
from scheduler.explain.runs import Compiled
from scheduler.machine.rules.limits import NOTHING, Due, Limits, limits, usual_ms
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.reads import days
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.reads import triggers as trigger_reads
from scheduler.store.reads.ledger import IN_THE_WAY
from scheduler.store.tables import changed_ticks, durations, watches
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.changed_ticks import ChangedTick
from scheduler.store.tables.durations import Usual
from scheduler.store.tables.runs import Run
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import DELAY, left_out, nominal_ms, plan_days, reach_ms

KIND = "plan"
JOBS_MAX = 100  #: that a page looks at: of a namespace whose jobs rest that day it is short, or empty
CHANGED_MAX = 200  #: more than may be changed of one job
NEAR_MS = 380 * 86_400_000  #: no calendar moves a tick further


def day_page(
    store: Store, compiled: Compiled, day: Day, *, after: str, limit: int, each: int
) -> dict[str, Any]:
    """Lines of the jobs behind the name `after`: so many, and those of the last job to its end."""
    items: list[dict[str, Any]] = []
    name: str | None = after
    for _ in range(JOBS_MAX):
        name = days.next_name(store, day.namespace, name or "")
        if name is None:
            break
        items += _of_name(store, compiled, day, name, each)
        if len(items) >= limit:
            break
    return {
        "namespace": day.namespace,
        "date": plan_days.text_of(day.date),
        "from": rfc3339(max(0, day.from_ms)),
        "until": rfc3339(day.until_ms),
        "closed": closed_json(day.closed),
        "closes": rfc3339(day.closes_ms),
        "items": items,
        "next_cursor": None if name is None else make_cursor(KIND, name),
    }


def _of_name(store: Store, compiled: Compiled, day: Day, name: str, each: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for job in job_reads.ids(store, day.namespace, name):
        found += _of_job(store, compiled, day, job, name, each)
    return found


def _of_job(
    store: Store, compiled: Compiled, day: Day, job: int, name: str, each: int
) -> list[dict[str, Any]]:
    near = max(0, day.from_ms - NEAR_MS), day.until_ms + NEAR_MS
    eras = [era for era in trigger_reads.of_job_in(store, job, *near) if _may_meet(era, day)]
    ticks = list(islice(heapq.merge(*(_ticks(store, era, day, each) for era in eras), key=_place), each + 1))
    row = job_rows.get(store, job)
    here = None if row is None else compiled(job, row.revision, row.namespace, row.name)
    lines = _without_instant(eras, {tick[3]["trigger"] for tick in ticks}, here, day)
    if not ticks:
        return [_line(day, name, line) for line in lines]
    keys = {era.id: era for era in eras}
    runs = run_reads.of_ids(store, [tick[3]["run"] for tick in ticks[:each] if tick[3]["run"]])
    usual = durations.usual(store, job)
    said_of = {(each.key, each.at_ms): each for each in changed_ticks.of_job(store, job, CHANGED_MAX)}
    closed_day = None if day.closed is None else day.date
    outlooks = None if here is None else Outlooks(store, day.namespace, here, day.now_ms, closed_day)
    for at_ms, trigger, _, told in ticks[:each]:
        run = None if told["reason"] in IN_THE_WAY else runs.get(told["run"] or 0)
        due_ms = at_ms if keys[trigger].event else at_ms + keys[trigger].jitter_ms
        changed = said_of.get((keys[trigger].key, at_ms))
        line = {field: told[field] for field in ("trigger", "at", "due", "outcome", "reason", "run")}
        line["changed"] = change_json(changed)
        found = _limits(store, day, here, keys[trigger], at_ms, due_ms, run, changed, usual)
        line |= _course(told, run, outlooks, trigger, due_ms, usual, changed, day.now_ms, found)
        lines.append(line)
    if len(ticks) > each:
        told = ticks[each][3]
        said = "there are more from here on: ask for the ticks of the job"
        lines.append({"trigger": told["trigger"], "at": told["at"], "more": True, "said": said})
    return [_line(day, name, line) for line in lines]


def _place(tick: Tick) -> tuple[int, int, int]:
    return tick[:3]


def _may_meet(era: Trigger, day: Day) -> bool:
    """Whether a tick of it can be of that date, moved there or not."""
    low_ms, high_ms = _reach(era, day)
    return era.from_ms < high_ms and (era.until_ms is None or era.until_ms >= low_ms)


def _reach(era: Trigger, day: Day) -> tuple[int, int]:
    if era.event:
        return day.from_ms, day.until_ms
    return reach_ms(era.spec, day.from_ms, day.until_ms)


def _ticks(store: Store, era: Trigger, day: Day, most: int) -> Iterator[Tick]:
    low_ms, high_ms = _reach(era, day)
    if era.event:
        yield from of_event(store, era, low_ms - 1, high_ms - 1, most + 2)
        return
    for tick in of_era(store, era, low_ms - 1, high_ms - 1, high_ms, most + 2):  # to come, too
        stood_ms = nominal_ms(era.spec, tick[0])
        if day.has(tick[0] if stood_ms is None else stood_ms):
            yield tick


def _without_instant(
    eras: list[Trigger], having: set[str], job: CompiledJob | None, day: Day
) -> list[dict[str, Any]]:
    """Of triggers that have no tick on that date: why not, or what they wait for."""
    is_over = day.until_ms <= day.now_ms
    if job is not None and not job.enabled and not is_over:
        return [{"trigger": None, "said": "the job is disabled (enabled: false)"}]
    lines: dict[str, str] = {}
    for era in eras:
        if era.key in having or (era.event and (is_over or era.until_ms is not None)):
            continue
        if era.event == DELAY:
            lines[era.key] = "it counts from the end of the job's last run"
        elif era.event:
            lines[era.key] = "it waits for an event; job explain tells what has come"
        elif (found := left_out(era.spec, day.from_ms, day.until_ms)) is not None and _holds(era, found[0]):
            lines[era.key] = found[1]
    return [{"trigger": key, "said": said} for key, said in sorted(lines.items())]


def _holds(era: Trigger, at_ms: int) -> bool:
    return era.from_ms < at_ms and (era.until_ms is None or at_ms <= era.until_ms)


def _course(
    told: dict[str, Any], run: Run | None, outlooks: Outlooks | None, trigger: int, due_ms: int,
    usual: Usual | None, changed: ChangedTick | None, now_ms: int, found: Limits,
) -> dict[str, Any]:  # fmt: skip
    """How it went, goes, or is expected to go."""
    line: dict[str, Any] = {} if usual is None else {"usual": usual._asdict()}
    if run is not None:
        line |= {"state": run.state, "started": rfc3339(run.started_ms), "finished": rfc3339(run.finished_ms)}
    if told["outcome"] != "pending" and (run is None or run.finished_ms is not None):
        return line
    begins_ms: int | None = due_ms
    if run is not None:
        begins_ms = run.started_ms if run.started_ms is not None else max(due_ms, now_ms)
    elif outlooks is not None:
        outlook = outlooks.of(trigger, due_ms, changed)
        begins_ms = outlook.starts_ms
        line |= {"forecast": outlook.forecast, "said": outlook.said or None, "waits": list(outlook.waits)}
    if begins_ms is not None:
        ends_ms = None if usual is None else begins_ms + usual.median_ms
        line["expected"] = {"start": rfc3339(begins_ms), "end": rfc3339(ends_ms)}
        takes_ms = usual_ms(usual)
        if found.end_ms is not None and takes_ms is not None:
            line["at_risk"] = begins_ms + takes_ms > found.end_ms
    line |= {"start_by": rfc3339(found.start_ms), "end_by": rfc3339(found.end_ms)}
    return line


def _limits(
    store: Store, day: Day, job: CompiledJob | None, era: Trigger, at_ms: int, due_ms: int, run: Run | None,
    changed: ChangedTick | None, usual: Usual | None,
) -> Limits:  # fmt: skip
    """By when it is to start and to end: of a run as it was made, of what is to come as the job says now."""
    if run is not None:
        now = watches.get(store, run.id)
        return NOTHING if now is None else Limits(now.start_ms, now.end_ms, now.risk_ms)
    if job is None or job.expected is None:
        return NOTHING
    moved_ms = None if changed is None else changed.move_ms
    tick_ms = None if era.event else at_ms
    due = Due(day.namespace, era.id, tick_ms, due_ms if moved_ms is None else moved_ms, day.date)
    return limits(store, job.expected, due, usual_ms(usual))


def _line(day: Day, name: str, told: dict[str, Any]) -> dict[str, Any]:
    """With every field, whatever is known of it."""
    return {
        "namespace": day.namespace,
        "job": name,
        "plan_date": plan_days.text_of(day.date),
        **dict.fromkeys(
            ("trigger", "at", "due", "outcome", "reason", "run", "state", "started", "finished", "forecast",
             "said", "expected", "start_by", "end_by", "at_risk", "usual", "changed")
        ),
        "waits": [],
        "more": False,
        **told,
    }  # fmt: skip
