"""Jobs of Chronos, from `GET /v1/scheduler/jobs`: by its source (3.x, Iso8601Expressions, JobScheduler).

With `scheduleTimeZone` the clock time of the start counts in that zone, and its `Z` or offset is thrown away.
Days, months and years are counted on that zone's calendar, hours elapse. `epsilon` is not read any more: what
was missed runs once, however late. A child runs when each parent has succeeded since its last run.
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

from cli.importing import mailing
from cli.importing.containers import NOTE, docker_run
from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, name_of, zone_of
from cli.importing.items import Item, read_items
from scheduler.ticks import UnknownZoneError, zone

_PASSED = (
    "successCount", "errorCount", "lastSuccess", "lastError", "errorsSinceLastSuccess", "async", "epsilon",
    "executor", "executorFlags", "dataProcessingJobType", "taskInfoData", "invocationCount", "lastHost",
    "cpus", "mem", "disk", "gpus",
)  # fmt: skip
_SCHEDULE = re.compile(r"R(?P<count>[0-9]{0,9})/(?P<start>[^/]*)/(?P<period>P[^/]+)")
_OFFSET = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})$")


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    items = [item for source in sources for item in read_items(source)]
    soft = {item.called("name"): item.get("softError") is True for item in items}
    for item in items:
        with gathering.each(item.place(), f"job {item.called('name')}"):
            _job(gathering, item, soft)
    return gathering.found()


def _job(gathering: Gathering, item: Item, soft: dict[str, bool]) -> None:
    item.passed(*_PASSED)
    if item.get("epsilon"):
        reason = "epsilon was not read any more: what was missed ran once, however late"
        gathering.note_once(item.place("epsilon").file, reason)
    if any(key in item for key in ("cpus", "mem", "disk")):
        gathering.note_once(
            item.place().file, "cpus, mem and disk are left out: agents have slots, and tasks limits"
        )
    name = item.text("name")
    retries = item.number("retries")
    retries = 2 if retries is None else retries
    task = _work(gathering, item)
    if retries:
        task["retry"] = {"max": int(min(retries, 100)), "backoff": "constant", "first": "1m"}
    job = {
        "job": name_of(name),
        "owner": item.text("ownerName") or item.text("owner"),
        "description": item.text("description"),
        "notify": mailing.notice(item.text("owner"), "failed"),
        "enabled": False if item.flag("disabled") else None,
        "triggers": [_after(item, soft) if "parents" in item else _trigger(gathering, item)],
        "policies": {
            "overlap": "allow" if item.flag("concurrent") else "skip",
            "catchup": {"mode": "latest", "window": "3650d"},
            "priority": 75 if item.flag("highPriority") else None,
        },
        **task,
    }
    job["policies"] = {key: value for key, value in job["policies"].items() if value is not None}
    if "parents" in item:  # what it catches up are its parents' ends
        job["policies"] = {key: value for key, value in job["policies"].items() if key != "catchup"}
        job["policies"]["overlap"] = "allow" if item.flag("concurrent") else "queue_one"
    item.passed("owner", "ownerName")
    gathering.take(item.place(), job)
    item.told(gathering)


def _after(item: Item, soft: dict[str, bool]) -> dict[str, Any]:
    item.passed("schedule", "scheduleTimeZone")
    parts = []
    for parent in item.texts("parents"):
        if parent not in soft:
            raise NotTaken(
                f"its parent {parent} is not in what is imported: Chronos drops such a job",
                item.place("parents"),
            )
        parts.append(f"{name_of(parent)}.{'ended' if soft[parent] else 'succeeded'}")
    return {"after": " and ".join(parts)}


def _trigger(gathering: Gathering, item: Item) -> dict[str, Any]:
    item.passed("parents")
    text, tz, place = item.text("schedule"), item.text("scheduleTimeZone"), item.place("schedule")
    parts = _SCHEDULE.fullmatch(text)
    if parts is None:
        raise NotTaken(f"schedule {text!r}: expected R[number]/start/period", place)
    if parts["count"] and not int(parts["count"]):
        raise NotTaken("R0: it never ran there", place)
    start = parts["start"]
    if tz:
        try:
            zone(tz)
        except UnknownZoneError:
            gathering.note(
                item.place("scheduleTimeZone"), tz, "Chronos takes GMT for a zone that it does not know"
            )
            tz = "UTC"
        start = _OFFSET.sub("", start)
        if _has_dst(tz):
            gathering.note(
                place, text, f"the clock time counts in {tz}, as it did there: Z and offsets are left out"
            )
    if "M" in parts["period"].partition("T")[0] and start[8:10] > "28":
        gathering.note(
            place, text, "Chronos drifts (31, 28, 28); here each month is counted from the start (31, 28, 31)"
        )
    if parts["count"]:
        gathering.note(
            place,
            text,
            f"{parts['count']} runs from its start on; those that have run are counted among them",
        )
    trigger = {"iso8601": f"R{parts['count']}/{start}/{parts['period']}"}
    return trigger | ({"tz": zone_of(tz)} if tz and tz != "UTC" else {"tz": "UTC"} if tz else {})


def _has_dst(tz: str) -> bool:
    return tz not in ("UTC", "GMT", "Etc/UTC") and ZoneInfo(tz) is not None


def _work(gathering: Gathering, item: Item) -> dict[str, Any]:
    command, arguments = item.text("command"), item.texts("arguments")
    env = {variable.text("name"): variable.text("value") for variable in item.items("environmentVariables")}
    shell = item.flag("shell", default=True)
    words = ["/bin/sh", "-c", command] if shell else [command, *arguments]
    task: dict[str, Any]
    container = item.item("container")
    if image := container.text("image"):
        gathering.note_once(item.place("container").file, NOTE)
        container.passed("type", "forcePullImage")
        task = {"exec": docker_run(image, words[:1], words[1:], env)}
    else:
        task = {"run": command} if shell else {"exec": words}
        task["env"] = env
    if user := item.text("runAsUser"):
        task["run_as"] = user
    if labels := _constraints(item):
        task["on"] = {"labels": labels}
    return {key: value for key, value in task.items() if value not in ({}, [], "")}


def _constraints(item: Item) -> dict[str, str]:
    labels = {}
    constraints = item.get("constraints") or []
    if not isinstance(constraints, list):
        raise NotTaken("constraints: expected a list", item.place("constraints"))
    for constraint in constraints:
        if not isinstance(constraint, list) or len(constraint) != 3 or constraint[1] != "EQUALS":
            raise NotTaken(
                f"constraints: {constraint}: only EQUALS is taken over, as a label", item.place("constraints")
            )
        labels[str(constraint[0])] = str(constraint[2])
    return labels
