"""Jobs of Rundeck, exported as YAML: by its source (ScheduledExecution, JobYAMLFormat).

A day of the month other than `?` wins over a weekday beside it. Numbers are those of Quartz. What fell due
while the server was down, or the job ran, is left out.
"""

from __future__ import annotations

import re
from typing import Any

from cli.importing import mailing
from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, alone, name_of, natural, seconds, zone_of
from cli.importing.items import Item, read_items
from cli.importing.schedules.quartz import DST_NOTE, quartz

_OPTION = re.compile(r"\$\{option\.([A-Za-z0-9_-]+)\}")
_VARIABLE = re.compile(r"\bRD_OPTION_([A-Z0-9_]+)")
_OTHER = re.compile(r"@(?:option|job|node)\.[^@\s]+@|\$\{(?:job|node|globals|data)\.[^}]+\}")
_SPAN = re.compile(r"(?:([0-9]+)d)?\s*(?:([0-9]+)h)?\s*(?:([0-9]+)m)?\s*(?:([0-9]+)s?)?")
_PASSED = (
    "id", "uuid", "loglevel", "defaultTab", "nodesSelectedByDefault", "nodeFilterEditable", "project",
    "plugins", "loglimit", "loglimitAction",
)  # fmt: skip


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    for source in sources:
        for item in read_items(source):
            with gathering.each(item.place(), f"job {item.called('name')}"):
                _job(gathering, item)
    return gathering.found()


def _job(gathering: Gathering, item: Item) -> None:
    item.passed(*_PASSED)
    params = _params(gathering, item)
    tasks = _tasks(gathering, item, params)
    if not item.flag("executionEnabled", default=True):
        reason = "it could not be run by hand either; here a person may"
        gathering.note(item.place("executionEnabled"), "executionEnabled: false", reason)
    enabled = item.flag("scheduleEnabled", default=True) and item.flag("executionEnabled", default=True)
    job = {
        "job": name_of(item.text("name")),
        "description": item.text("description"),
        "enabled": None if enabled else False,
        "labels": {"group": group} if (group := item.text("group")) else {},
        "triggers": _triggers(gathering, item),
        "notify": _notices(item),
        "policies": {
            "overlap": "allow" if item.flag("multipleExecutions") else "skip",
            "catchup": {"mode": "none"},
        },
        "params": params,
        **alone(tasks),
    }
    if (limit := item.text("timeout")) and limit != "0":
        job["policies"]["timeout"] = seconds(_span_s(item, "timeout", limit))
    gathering.take(item.place(), job)
    item.told(gathering)


def _span_s(item: Item, key: str, text: str) -> float:
    parts = _SPAN.fullmatch(text.strip())
    if not text.strip() or parts is None:
        raise NotTaken(
            f"{key}: {text}: what an option says cannot be kept here, nor is it a time", item.place(key)
        )
    return float(
        sum(
            int(part or 0) * length for part, length in zip(parts.groups(), (86400, 3600, 60, 1), strict=True)
        )
    )


def _triggers(gathering: Gathering, item: Item) -> list[dict[str, Any]]:
    if "schedule" not in item:
        return []
    schedule, place = item.item("schedule"), item.place("schedule")
    tz = item.text("timeZone")
    if not tz and not gathering.wishes.tz_given:
        gathering.note_once(
            place.file, "without timeZone the server's zone counts: UTC was taken, --tz says otherwise"
        )
    tz = zone_of(tz or gathering.wishes.tz)
    text = schedule.text("crontab")
    if text:
        words = text.split(" ")[:7]
    else:
        if "time" not in schedule:
            raise NotTaken("a schedule without crontab and time: nobody can say when it was due", place)
        time = schedule.item("time")
        day = schedule.item("dayofmonth").text("day", "?")
        weekday = schedule.item("weekday").text("day", "?")
        if day != "?" and weekday not in ("?", "*"):
            gathering.note(
                schedule.place("weekday"), weekday, "the weekday beside a day of month was left out there"
            )
        if day != "?":
            weekday = "?"
        elif weekday in ("?", "*"):
            day, weekday = "*", "?"
        month = schedule.item("month") if isinstance(schedule.get("month"), dict) else None
        month_text = month.text("day", "*") if month else schedule.text("month", "*")
        words = [
            time.text("seconds", "0"), time.text("minute", "0"), time.text("hour", "0"), day, month_text,
            weekday, schedule.text("year", "*"),
        ]  # fmt: skip
    try:
        read = quartz(" ".join(words), tz)
    except NotTaken as reason:
        raise NotTaken(str(reason), place) from None
    for note in read.notes:
        gathering.note(place, " ".join(words), note)
    if tz != "UTC":
        gathering.note_once(place.file, DST_NOTE)
    return [read.trigger]


def _notices(item: Item) -> list[dict[str, Any]]:
    """Mails of failures. Other ways and moments are told: a webhook has another form here."""
    mail = item.item("notification").item("onfailure").item("email")
    mail.passed("subject", "attachLog", "attachType", "attachLogInFile", "attachLogInline")
    return mailing.notice(mail.text("recipients"), "failed")


def _params(gathering: Gathering, item: Item) -> dict[str, Any]:
    params: dict[str, Any] = {}
    options = item.items("options") if isinstance(item.get("options"), list) else [
        child for child in item.named_items("options").values()
    ]  # fmt: skip
    names = (
        list(item.get("options") or ())
        if isinstance(item.get("options"), dict)
        else [o.text("name") for o in options]
    )
    for name, option in zip(names, options, strict=True):
        option.passed("name", "label", "hidden", "sortIndex", "delimiter", "sortValues")
        if option.flag("secure") or option.flag("valueExposed"):
            raise NotTaken(
                f"option {name} is secret: put it as a secret, and name it in the task", option.place()
            )
        param: dict[str, Any] = {"type": "string"}
        if value := option.text("value"):
            param["default"] = value
        elif option.flag("required"):
            param["required"] = True
        else:
            param["default"] = ""
        if option.flag("enforced") and (values := option.texts("values")):
            param["enum"] = values
        option.passed("values", "enforced", "required")
        if text := option.text("description"):
            param["description"] = text
        params[re.sub("[^A-Za-z0-9_]", "_", name)] = param
    return params


def _tasks(gathering: Gathering, item: Item, params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    sequence = item.item("sequence")
    keepgoing = sequence.flag("keepgoing")
    sequence.passed("strategy", "pluginConfig")
    tasks: dict[str, dict[str, Any]] = {}
    for step in sequence.items("commands"):
        task = _task(gathering, step, params)
        name = f"step-{len(tasks) + 1}"
        if tasks:
            task["needs"] = [f"step-{len(tasks)}"]
            if keepgoing:
                task["rule"] = "all_done"
        tasks[name] = task
    if not tasks:
        raise NotTaken("it has no step", item.place("sequence"))
    retries, delay = item.get("retry"), 0.0
    if isinstance(retries, dict):
        retry = item.item("retry")
        retries, delay = retry.text("retry"), _span_s(retry, "delay", retry.text("delay", "0"))
    if retries not in (None, "", "0", 0):
        count = natural(str(retries))
        if count is None:
            raise NotTaken(f"retry: {retries}: what an option says cannot be kept here", item.place("retry"))
        for task in tasks.values():
            if "job" not in task:
                task["retry"] = {"max": count, "backoff": "constant", "first": seconds(delay or 0.001)}
        if len(tasks) > 1:
            gathering.note(
                item.place("retry"),
                f"retry: {retries}",
                "there all steps were tried again; here the one that failed",
            )
    if "nodefilters" in item:
        _where(gathering, item, tasks)
    return tasks


def _where(gathering: Gathering, item: Item, tasks: dict[str, dict[str, Any]]) -> None:
    filters = item.item("nodefilters")
    text = filters.text("filter")
    filters.item("dispatch").passed(
        "excludePrecedence", "keepgoing", "rankOrder", "rankAttribute", "successOnEmptyNodeFilter"
    )
    threads = filters.item("dispatch").text("threadcount", "1")
    count = natural(threads)
    labels = dict(part.partition(":")[::2] for part in text.split() if ":" in part)
    plain = re.fullmatch(r"(?:[A-Za-z0-9_.-]+:\s*[A-Za-z0-9_.-]+\s*)*", text)
    if text in ("", ".*"):
        labels = {}
    elif not plain:
        raise NotTaken(
            f"nodefilters: {text}: only NAME: VALUE is taken over, as labels of agents",
            item.place("nodefilters"),
        )
    else:
        labels = dict(re.findall(r"([A-Za-z0-9_.-]+):\s*([A-Za-z0-9_.-]+)", text))
    if count is None:
        raise NotTaken(
            f"threadcount: {threads}: what an option says cannot be kept here", item.place("nodefilters")
        )
    for task in tasks.values():
        if "job" not in task:
            task["fanout"] = {"all": "registered", "ttl": "1m", "max_parallel": count}
            task |= {"on": {"labels": labels}} if labels else {}
    gathering.note(
        item.place("nodefilters"),
        text or ".*",
        "agents need these as labels; each step runs on all of them before the next",
    )


def _task(gathering: Gathering, step: Item, params: dict[str, Any]) -> dict[str, Any]:
    step.passed("description")
    place = step.place()
    if command := step.text("exec"):
        return {"run": _without_options(gathering, step, "exec", command, params)}
    if script := step.text("script"):
        text = _without_options(gathering, step, "script", script, params)
        interpreter = step.text("scriptInterpreter")
        step.passed("fileExtension", "interpreterArgsQuoted")
        if "args" in step:
            raise NotTaken("args of a script are not taken over: write them into it", step.place("args"))
        return {"script": {"text": text} | ({"interpreter": interpreter.split()} if interpreter else {})}
    if "jobref" in step:
        reference = step.item("jobref")
        reference.passed("uuid", "group", "project", "nodeStep", "useName", "childNodes", "importOptions")
        return {"job": {"name": name_of(reference.text("name")), "wait": True}}
    raise NotTaken(
        f"a step of another kind ({', '.join(step.names())[:60]}): exec, script and jobref are taken over",
        place,
    )


def _without_options(
    gathering: Gathering, step: Item, key: str, text: str, params: dict[str, Any]
) -> str:
    """Options as the variables of parameters. Rundeck writes them into commands, and hands them to both as
    RD_OPTION_…; of a script it replaces @option.x@ alone."""
    found = set(_VARIABLE.findall(text)) | (set(_OPTION.findall(text)) if key == "exec" else set())
    known = {param.upper() for param in params}
    if unknown := next((name for name in sorted(found) if _variable(name) not in known), None):
        raise NotTaken(f"option {unknown}: there is no such option", step.place(key))
    if other := _OTHER.search(text):
        raise NotTaken(f"{other[0]}: only options are taken over", step.place(key))
    if key != "exec" and _OPTION.search(text):
        gathering.note(step.place(key), text, "Rundeck replaces ${option…} in commands, not in scripts")
    elif found:
        reason = "options become variables: put them in double quotes where they may hold blanks"
        gathering.note(step.place(key), text, reason)
    text = _VARIABLE.sub(lambda match: f"CRONCLAVE_PARAM_{match[1]}", text)
    if key != "exec":
        return text
    return _OPTION.sub(lambda match: "${CRONCLAVE_PARAM_" + _variable(match[1]) + "}", text)


def _variable(option: str) -> str:
    return re.sub("[^A-Za-z0-9_]", "_", option).upper()
