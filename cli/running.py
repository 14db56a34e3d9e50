"""What is asked of a run by several commands: its parameters are read, it is waited for, it is shown."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import click

from cli.approving import asks
from cli.client import Client, path_of
from cli.completions import completion_words
from cli.exits import TIMED_OUT, USAGE, Failure, of_run
from cli.hands import hold_words, members_words, verdict_words
from cli.output import facts, show, table, with_warning

VALUE_LETTERS_MAX = 80  #: of an output, in a table
WAIT_S = 25.0  #: of one request; longer waits ask again


def show_run(found: dict[str, Any], waits_for: str = "") -> None:
    why = found.get("reason")
    kept_back = found.get("hold")
    facts(
        [
            ("run", found["id"]),
            ("job", f"{found['namespace']}/{found['job']}, revision {found['revision']}"),
            ("state", f"{with_warning(found)} ({why})" if why else with_warning(found)),
            *((("counts as", verdict_words(found["override"])),) if found.get("override") else ()),
            *((("kept back", hold_words(kept_back)),) if kept_back else ()),
            *((("the rest", _rest_words(found["rest"])),) if found.get("rest") else ()),
            *((("waits for", waits_for),) if waits_for else ()),
            ("cause", f"{found.get('cause')} {found.get('actor') or ''}".strip()),
            *((("parent", _parent_words(found["parent"])),) if found.get("parent") else ()),
            *((("repeats", repeated_words(found["rerun"])),) if found.get("rerun") else ()),
            *((("repeated by", ", ".join(map(str, found["reruns"]))),) if found.get("reruns") else ()),
            ("tick", found["tick"]),
            ("plan date", found.get("plan_date")),
            ("params", " ".join(f"{name}={text}" for name, text in param_rows(found.get("params") or {}))),
            ("started", found["started"]),
            ("finished", found["finished"]),
            ("exit code", found["exit_code"]),
            *_expected_facts(found.get("expected") or {}),
        ]
    )
    rows: list[tuple[object, ...]] = []
    has_groups = any(task.get("group") for task in found["tasks"].values())
    for name, task in found["tasks"].items():
        if not task["attempts"]:
            why = f"until {task['until']}" if task.get("until") else task.get("reason")
            if task.get("members"):
                why = "; ".join(filter(None, (members_words(task["members"]), why)))
            if (approval := task.get("approval")) and task["state"] == "active":
                why = asks(approval)
            why = why if not task.get("run") else f"run {task['run']}" + (f"; {why}" if why else "")
            why = hold_words(task["hold"]) if task.get("hold") else why
            why = f"taken over from run {task['taken_from']}" if task.get("taken_from") else why
            row = (name, with_warning(task), "", "", "", "", task.get("started"), "", why)
            rows.append((*_place(task, task), *row) if has_groups else row)
        for attempt in task["attempts"]:
            state = f"{attempt['state']} unreachable" if attempt.get("unreachable") else attempt["state"]
            row = (
                name, with_warning(task), attempt["number"], state, attempt["agent"], attempt["zone"],
                attempt["started"], attempt["exit_code"], completion_words(attempt) or attempt.get("reason"),
            )  # fmt: skip
            rows.append((*_place(task, attempt), *row) if has_groups else row)
    click.echo()
    columns = ("task", "state", "attempt", "attempt state", "agent", "zone", "started", "exit", "reason")
    table(("group", "round", *columns) if has_groups else columns, rows)
    outputs = [
        (name, output, _shortened(value))
        for name, task in found["tasks"].items()
        for output, value in (task.get("outputs") or {}).items()
    ]
    if outputs:
        click.echo()
        table(("task", "output", "value"), outputs)


def _expected_facts(expected: dict[str, Any]) -> list[tuple[str, object]]:
    from cli.expectation import unmet_words

    named = (("start by", "start_by"), ("end by", "end_by"), ("at risk from", "at_risk_from"))
    found: list[tuple[str, object]] = [(name, expected[at]) for name, at in named if expected.get(at)]
    if expected.get("long_from"):
        found.append(("long from", expected["long_from"]))
    return found + [("unmet", unmet_words(item)) for item in expected.get("told", ())]


def _parent_words(parent: dict[str, Any]) -> str:
    """The task of another namespace has no name here."""
    return f"run {parent['run']}" + (f", task {parent['task']}" if parent["task"] else "")


def _rest_words(rest: dict[str, Any]) -> str:
    why = f" ({rest['reason']})" if rest.get("reason") else ""
    return f"{rest['state']}{why}; what is done finally goes on"


def _place(task: dict[str, Any], tried: dict[str, Any]) -> tuple[object, object]:
    """In which group, and in which round of that: people count from one."""
    return (task["group"], tried["round"] + 1) if task.get("group") else ("", "")


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else str(value).lower()
    return text if len(text) <= VALUE_LETTERS_MAX else f"{text[:VALUE_LETTERS_MAX]}… ({len(text)} letters)"


def repeated_words(rerun: dict[str, Any]) -> str:
    parts = [
        "from what failed" if rerun["from_failed"] else "", f"from {rerun['from']}" if rerun["from"] else "",
        f"until {rerun['until']}" if rerun["until"] else "",
    ]  # fmt: skip
    part = " ".join(filter(None, parts))
    return f"run {rerun['of']}{f', {part}' if part else ''}"


def wait_for(client: Client, started: dict[str, Any], timeout: float, form: str) -> None:
    """Until the run has ended, which is shown. Raises Failure, with the exit code of its end."""
    if form == "table":
        click.echo(f"run {started['id']} is accepted; waiting for its end …", err=True)
        say_what_it_waits_for(client, started)
    ended = until_ended(client, started["id"], timeout)
    if form == "table":
        show_run(ended)
        _show_output(client, ended)
    else:
        show(form, ended, (), list)
    if ended["finished"] is None:
        raise Failure(f"run {ended['id']} has not ended within the time given", code=TIMED_OUT)
    need_good_end(ended)


def say_what_it_waits_for(client: Client, started: dict[str, Any]) -> None:
    from cli.waiting import waits_for

    if why := waits_for(client, started):
        click.echo(f"it waits for {why}", err=True)


def _show_output(client: Client, ended: dict[str, Any]) -> None:
    if len(ended["tasks"]) == 1 and not any(task.get("members") for task in ended["tasks"].values()):
        from cli.following import Reading

        parts: list[bytes] = []
        Reading(
            client, ended["id"], next(iter(ended["tasks"])), None, write=parts.append,
            note=lambda text: click.echo(text, err=True),
        ).now()  # fmt: skip
        text = b"".join(parts).decode(errors="replace")
        if text:
            click.echo(f"\n{text}", nl=not text.endswith("\n"))


def typed_params(client: Client, name: str, namespace: str, given: tuple[str, ...]) -> dict[str, Any]:
    """Texts become values of the types that the job declares."""
    declared = client.get(path_of("jobs", name, namespace=namespace)).get("params") or {}
    values: dict[str, Any] = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise Failure(f"--param {pair!r} is not KEY=VALUE", code=USAGE)
        param = declared.get(key) or {}
        kind = param.get("type", "string")
        try:
            values[key] = _value(kind, text, param.get("enum") or ())
        except ValueError:
            such = {"list": ": a,b or a JSON list", "map": ": a JSON object"}.get(kind, "")
            raise Failure(f"--param {key}: {text!r} is no {kind}{such}", code=USAGE) from None
    return values


def param_rows(params: dict[str, Any]) -> list[tuple[str, str]]:
    """As commands get them: what is no text as JSON."""
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in params.items()]


def _value(kind: str, text: str, choices: Sequence[object]) -> object:
    """What stays text is judged by the server: dates and what says them, durations."""
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text)
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if kind == "list" and not text.lstrip().startswith("["):
        return text.split(",") if text else []
    if kind in ("list", "map"):
        return json.loads(text)
    if kind == "enum":
        return next((each for each in choices if str(each).lower() == text.lower()), text)
    return text


def until_ended(client: Client, run_id: int, timeout_s: float) -> dict[str, Any]:
    """The run once it has ended, or as it is when the time is over."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        left_s = max(0.001, min(WAIT_S, deadline_s - time.monotonic()))
        path = path_of("runs", run_id, wait=f"{int(left_s * 1000)}ms")
        found: dict[str, Any] = client.get(path, wait_s=left_s)
        if found["finished"] is not None or time.monotonic() >= deadline_s:
            return found


def need_good_end(found: dict[str, Any]) -> None:
    """Of a run that has ended. Raises Failure, with the exit code of its end."""
    if code := of_run(found):
        verdict = found.get("override")
        counts = f", and counts as {verdict['as']}" if verdict else ""
        raise Failure(f"run {found['id']} {found['state']}{counts}", code=code)
