"""Jobs of Dkron, from `GET /v1/jobs` or its web UI: by its source (extcron, dkron/job.go).

Six fields, seconds first, read by robfig/cron. `timezone` is ignored for all that begins with @; without it
the server's zone counts. `~` is a number made from the job's name. A job with `parent_job` has no schedule.
Nothing that was missed is made up. Retries come at once.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, name_of, natural, seconds, zone_of
from cli.importing.items import Item, read_items
from cli.importing.schedules.robfig import robfig

_PASSED = (
    "id", "displayname", "success_count", "error_count", "last_success", "last_error", "next", "status",
    "metadata", "dependent_jobs", "owner_email", "queries",
)  # fmt: skip
_SPREAD = (60, 60, 24, 28, 12, 7)  #: of the six fields: how many values ~ chooses from
_OPERATORS = frozenset("|&;<>$`*?(){}")


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    items = [item for source in sources for item in read_items(source)]
    names = {item.called("name") for item in items}
    for item in items:
        with gathering.each(item.place(), f"job {item.called('name')}"):
            _job(gathering, item, names)
    return gathering.found()


def _job(gathering: Gathering, item: Item, names: set[str]) -> None:
    item.passed(*_PASSED)
    name = item.text("name")
    task = _work(gathering, item)
    if retries := item.number("retries"):
        task["retry"] = {"max": int(retries), "backoff": "constant", "first": "1ms"}
    if "tags" in item:
        task["on"], fanout = _tags(item.item("tags"))
        if fanout:
            task["fanout"] = {"all": "registered", "ttl": "1s", "offline": "skip"}
    else:
        gathering.note_once(
            item.place().file, "without tags Dkron ran a job on every server: here one agent runs it"
        )
    job = {
        "job": name_of(name),
        "owner": item.text("owner"),
        "enabled": False if item.flag("disabled") else None,
        "triggers": _triggers(gathering, item, name, names),
        "policies": {
            "overlap": "skip" if item.text("concurrency", "allow") == "forbid" else "allow",
            "catchup": {"mode": "none"},
        },
        **task,
    }
    if item.flag("ephemeral"):
        gathering.note(
            item.place("ephemeral"), name, "ephemeral: it went after its first success; here it stays"
        )
    gathering.take(item.place(), job)
    item.told(gathering)


def _triggers(gathering: Gathering, item: Item, name: str, names: set[str]) -> list[dict[str, Any]]:
    text, tz = item.text("schedule"), item.text("timezone")
    place = item.place("schedule")
    if parent := item.text("parent_job"):
        if parent not in names:
            raise NotTaken(f"parent_job: {parent} is not in what is imported", item.place("parent_job"))
        if text:
            gathering.note(place, text, "the schedule of a job with a parent was never used")
        return [{"after": f"{name_of(parent)}.succeeded"}]
    if text == "@manually" or not text:
        return []
    if text.startswith("@at "):
        return [{"at": text.removeprefix("@at ").strip()}]
    if text == "@minutely":
        text = "0 * * * * *"
    if text.startswith("@") and not text.startswith("@every ") and tz:
        gathering.note(
            item.place("timezone"),
            tz,
            f"Dkron takes no notice of timezone beside {text}: the server's zone counts",
        )
        tz = ""
    if not tz and not text.startswith("@every ") and not gathering.wishes.tz_given:
        gathering.note_once(
            place.file, "without timezone the server's zone counts: UTC was taken, --tz says otherwise"
        )
    if "~" in text:
        spread = _spread(text, name)
        gathering.note(place, text, f"~ was made a number of the job's name there: {spread}")
        text = spread
    read = robfig(text, zone_of(tz or gathering.wishes.tz), with_seconds=True)
    for note in read.notes:
        gathering.note(place, text, note)
    if "every" in read.trigger:
        gathering.note(
            place, text, "Dkron counted from its own start, or the job's last edit; here the phase is fixed"
        )
    span = {to: item.text(of) for to, of in (("from", "starts_at"), ("until", "expires_at")) if of in item}
    return [read.trigger | ({"valid": span} if span else {})]


def _spread(text: str, name: str) -> str:
    """`~` as Dkron replaces it: the sum of the name's bytes, within what the field takes."""
    total = sum(name.encode())
    words = text.split()
    for index, (word, size) in enumerate(zip(words, _SPREAD, strict=False)):
        number = total % size + (1 if index in (3, 4) else 0)
        words[index] = word.replace("~", str(number))
    return " ".join(words)


def _tags(tags: Item) -> tuple[dict[str, Any], bool]:
    """Where it runs: agents with these labels, one of them where the count is 1, else all."""
    labels, fanout = {}, True
    for key in tags.names():
        value, colon, count = tags.text(key).rpartition(":")
        if not colon:
            value, count = tags.text(key), ""
        if count and count != "1":
            raise NotTaken(
                f"tags: {key}: {value} on {count} servers: use a task with fanout: {{n: {count}}}",
                tags.place(key),
            )
        fanout = fanout and not count
        labels[key] = value
    return {"labels": labels}, fanout


def _work(gathering: Gathering, item: Item) -> dict[str, Any]:
    executor = item.text("executor", "shell")
    config = item.item("executor_config")
    if executor == "http":
        return _request(gathering, config)
    if executor != "shell":
        raise NotTaken(f"executor {executor}: only shell and http are taken over", item.place("executor"))
    command = config.text("command")
    task: dict[str, Any]
    if config.flag("shell"):
        task = {"run": command}
    else:
        try:
            task = {"exec": shlex.split(command)}
        except ValueError as error:
            raise NotTaken(f"command: {error}", config.place("command")) from None
        if _OPERATORS & set(command):
            reason = "without `shell: true` operators of a shell are arguments of the program, there and here"
            gathering.note(config.place("command"), command, reason)
    if env := config.text("env"):
        task["env"] = dict(pair.partition("=")[::2] for pair in env.split(","))
    if directory := config.text("cwd"):
        task["cwd"] = directory
    if limit := config.text("timeout"):
        task["timeout"] = limit
    return task


def _request(gathering: Gathering, config: Item) -> dict[str, Any]:
    request: dict[str, Any] = {"method": config.text("method", "GET"), "url": config.text("url")}
    if body := config.text("body"):
        request["body"] = body
    if headers := config.text("headers"):
        try:
            request["headers"] = dict(line.split(": ", 1) for line in json.loads(headers))
        except (ValueError, TypeError):
            raise NotTaken("headers: expected a JSON list of texts", config.place("headers")) from None
    if codes := config.text("expectCode"):
        request["expect"] = [code for text in codes.split(",") if (code := natural(text.strip()))]
    task: dict[str, Any] = {"http": request}
    if limit := config.number("timeout"):
        task["timeout"] = seconds(limit)
    config.passed("debug")
    return task
