"""Events of Cronicle and of xyOps: from `GET /api/app/get_schedule`, or lines of their export.

Each minute they ask whether all fields of `timing` hold the local time: days are joined by AND, and in the
two nights in which clocks change nothing is made up or left out: our `literal`. `catch_up` runs each one
missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.importing import mailing
from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, name_of, seconds, zone_of
from cli.importing.items import Item, read_items
from cli.importing.schedules.quartz import years
from cli.importing.schedules.spelling import expression, spelled

_PASSED = (
    "id", "created", "modified", "username", "category", "detached", "log_max_size", "algo", "session_id",
    "memory_sustain", "cpu_sustain", "queue_max", "api_key", "code", "revision", "icon", "sort_order",
    "expression", "max_children", "timezone", "plugin", "params", "target", "targets",
)  # fmt: skip
_KINDS = {"hours": "hour", "minutes": "minute", "days": "day", "months": "month", "weekdays": "weekday"}


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    events = [event for source in sources for event in _events(source)]
    titles = {event.called("id"): event.called("title") for event in events}
    for event in events:
        with gathering.each(event.place(), f"event {event.called('title')}"):
            _event(gathering, event, events, titles)
    return gathering.found()


def _events(source: Source) -> Iterator[Item]:
    """Lines `global/schedule/0 - {…}` of an export, rows of the API, or events alone."""
    exported = [line for line in source.text.split("\n") if line.startswith("global/schedule/")]
    if exported:
        for number, line in enumerate(source.text.split("\n")):
            key, _, data = line.partition(" - ")
            if key.startswith("global/schedule/"):
                for page in read_items(Source(source.name, "\n" * number + data)):
                    yield from page.items("items")
        return
    for page in read_items(source):
        page.passed("code", "list", "type", "description", "version")
        yield from page.items("rows") or page.items("events") or [page]


def _event(gathering: Gathering, event: Item, events: list[Item], titles: dict[str, str]) -> None:
    event.passed(*_PASSED)
    title = event.text("title")
    triggers = _triggers(gathering, event)
    for other in events:
        for key, word in (("chain", "succeeded"), ("chain_error", "failed")):
            if (to := other.called(key)) and to == event.text("id"):
                triggers.append(
                    {
                        "after": f"{name_of(other.called('title'))}.{word}",
                        "id": f"{key}-{name_of(other.called('title'))}",
                    }
                )
            elif to and to not in titles:
                gathering.note(other.place(key), to, f"{key}: the event is not in what is imported")
    task = _work(gathering, event)
    if limit := event.number("timeout"):
        task["timeout"] = seconds(limit)
    if retries := event.number("retries"):
        delay = event.number("retry_delay") or 0
        task["retry"] = {"max": int(retries), "backoff": "constant", "first": seconds(delay or 0.001)}
    event.passed("retry_delay")
    several = (event.number("max_children") or 1) != 1
    job = {
        "job": name_of(title),
        "description": event.text("notes"),
        "enabled": None if event.flag("enabled", default=True) else False,
        "labels": {"category": category} if (category := event.text("category")) else {},
        "triggers": triggers,
        "notify": mailing.notice(event.text("notify_fail"), "failed"),
        "policies": {
            "overlap": "allow" if several else "queue_all" if event.flag("queue") else "skip",
            "catchup": {"mode": "all"} if event.flag("catch_up") else {"mode": "none"},
        },
        **task,
    }
    gathering.take(event.place(), job)
    event.told(gathering)


def _triggers(gathering: Gathering, event: Item) -> list[dict[str, Any]]:
    tz = event.text("timezone")
    if isinstance(event.get("triggers"), list):  # xyOps
        found = []
        for each in event.items("triggers"):
            kind = each.text("type")
            if not each.flag("enabled", default=True) or kind in ("manual", "catchup"):
                each.passed(*each.names())
            elif kind == "schedule":
                found.append(_timing(gathering, each, each.text("timezone") or tz))
            elif kind == "interval" and (every := each.number("duration")):
                found.append({"every": seconds(every)})
            else:
                raise NotTaken(f"a trigger of type {kind} is not taken over", each.place("type"))
        return found
    if not isinstance(event.get("timing"), dict):
        return []  # on demand
    return [_timing(gathering, event.item("timing"), tz)]


def _timing(gathering: Gathering, timing: Item, tz: str) -> dict[str, Any]:
    if not tz and not gathering.wishes.tz_given:
        gathering.note_once(
            timing.place().file,
            "without timezone the server's zone counts: UTC was taken, --tz says otherwise",
        )
    tz = zone_of(tz or gathering.wishes.tz)
    fields = {}
    for key, kind in _KINDS.items():
        numbers = timing.get(key) or []
        if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
            raise NotTaken(f"{key}: expected a list of numbers", timing.place(key))
        negative = [number for number in numbers if number < 0]
        if negative and kind != "day":
            raise NotTaken(f"{key}: {negative[0]} is none", timing.place(key))
        plain = (
            spelled([number for number in numbers if number >= 0], kind)
            if len(negative) < len(numbers)
            else ""
        )
        last = ["L" if number == -1 else f"L{number + 1}" for number in negative]
        fields[kind] = ",".join([word for word in [plain, *last] if word]) if numbers else "*"
    trigger: dict[str, Any] = {
        "cron": expression(
            "0", fields["minute"], fields["hour"], fields["day"], fields["month"], fields["weekday"]
        ),
        "tz": tz,
        "dst": "literal",
    }
    if fields["day"] != "*" and fields["weekday"] != "*":
        trigger["days"] = "both"
    if "years" in timing:
        trigger["valid"] = years(",".join(timing.texts("years")), tz)
    timing.passed("type", "enabled", "timezone")
    return trigger


def _work(gathering: Gathering, event: Item) -> dict[str, Any]:
    plugin, params = event.text("plugin"), event.item("params")
    place = event.place("plugin")
    task: dict[str, Any]
    if plugin == "shellplug":
        task = {"script": params.text("script")}
        params.passed("annotate", "json")
        if params.flag("json"):
            gathering.note(
                params.place("json"),
                "json",
                "lines of JSON in the output are output here: outputs take values",
            )
    elif plugin in ("urlplug", "httpplug"):
        task = {"http": {"method": params.text("method", "GET").upper(), "url": params.text("url")}}
        if body := params.text("data"):
            task["http"]["body"] = body
        if headers := params.text("headers"):
            task["http"]["headers"] = dict(
                line.split(": ", 1) for line in headers.splitlines() if ": " in line
            )
        if limit := params.number("timeout"):
            task["http"]["silence"] = seconds(limit)
        params.passed("success_match", "error_match", "follow", "ssl_cert_bypass")
    else:
        raise NotTaken(f"plugin {plugin}: only the shell and the HTTP plug-in are taken over", place)
    target = event.text("target") or next(iter(event.texts("targets")), "")
    if target and target not in ("all", "allgrp", "main", "maingrp"):
        task["on"] = {"labels": {"group": target}}
        gathering.note_once(event.place("target").file, "targets become the label group of agents")
    if event.flag("multiplex"):
        task["fanout"] = {"all": "registered", "ttl": "1s", "offline": "skip"}
        if stagger := event.number("stagger"):
            task["fanout"]["stagger"] = seconds(stagger)
    return task
