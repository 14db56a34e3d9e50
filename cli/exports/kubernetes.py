"""CronJobs of Kubernetes: one for each trigger. Its schedules are robfig/cron's, as the import reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cli.exports.plain import NotSayable, Plain, Wanted, is_any, night_note, plain
from cli.importing.schedules.spelling import spelled
from scheduler.model.documents import dump_yaml
from scheduler.model.quantities import parse_duration_ms

NAME_LENGTH_MAX = 52
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_OVERLAP = {
    "allow": "Allow", "skip": "Forbid", "cancel_running": "Replace", "terminate_running": "Replace",
}  # fmt: skip


def written(
    jobs: Sequence[Mapping[str, Any]], wanted: Wanted
) -> tuple[str, dict[str, list[str]], dict[str, str]]:
    """The manifests; notes and refusals by the jobs' names."""
    notes: dict[str, list[str]] = {}
    refused: dict[str, str] = {}
    documents: list[dict[str, Any]] = []
    for job in jobs:
        try:
            found = plain(job)
            several = [
                _cron_job(found, number, trigger, wanted) for number, trigger in enumerate(found.triggers, 1)
            ]
        except NotSayable as reason:
            refused[job["job"]] = str(reason)
            continue
        documents += several
        if len(several) > 1:
            found.notes.append("its triggers become CronJobs that know nothing of each other")
        notes[found.name] = found.notes
    return dump_yaml(documents) if documents else "", notes, refused


def _cron_job(found: Plain, number: int, trigger: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    name = found.name.lower().replace("_", "-") + (f"-{number}" if number > 1 else "")
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH_MAX:
        raise NotSayable(f"its name: Kubernetes takes {NAME_LENGTH_MAX} small letters, digits and - at most")
    overlap = found.policies.get("overlap", "skip")
    if not isinstance(overlap, str) or overlap not in _OVERLAP:
        raise NotSayable("overlap: one that waits")
    spec: dict[str, Any] = {
        "schedule": _schedule(found, trigger),
        "timeZone": trigger.get("tz", "UTC"),
        "concurrencyPolicy": _OVERLAP[overlap],
        **({} if found.enabled else {"suspend": True}),
        **_deadline(found),
        "jobTemplate": {"spec": _job(found, wanted)},
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def _schedule(found: Plain, trigger: Mapping[str, Any]) -> str:
    expression = found.expression(trigger)
    any_day, any_weekday = is_any(expression.days, "day"), is_any(expression.weekdays, "weekday")
    joined = trigger.get("days", "debian")
    by_both = joined == "both" or (joined == "debian" and (expression.days.star or expression.weekdays.star))
    if not any_day and not any_weekday and by_both:
        raise NotSayable(f"{trigger['cron']}: both days must match, where Kubernetes takes either")
    if trigger.get("jitter"):
        raise NotSayable("a trigger's jitter")
    # Either of all days is each day; else a field without a restriction is `*`, which joins nothing.
    every_day = not by_both and (any_day or any_weekday) and joined == "either"
    is_wild = expression.text.split()[-5][0] == "*" or expression.text.split()[-4][0] == "*"
    night_note(found, trigger, "cron" if is_wild and trigger.get("dst", "cron") == "cron" else "literal")
    return " ".join(
        (
            spelled(expression.minutes, "minute"),
            spelled(expression.hours, "hour"),
            "*" if every_day or any_day else spelled(expression.days.values, "day"),
            spelled(expression.months, "month"),
            "*" if every_day or any_weekday else spelled(expression.weekdays.values, "weekday"),
        )
    )


def _deadline(found: Plain) -> dict[str, int]:
    catchup = found.policies.get("catchup", {})
    if catchup.get("mode", "latest") == "all":
        found.notes.append("catchup: all: Kubernetes makes up for the newest start alone")
    window = catchup.get("grace", "1m") if catchup.get("mode") == "none" else catchup.get("window", "1d")
    return {"startingDeadlineSeconds": max(10, parse_duration_ms(window) // 1000)}


def _job(found: Plain, wanted: Wanted) -> dict[str, Any]:
    if found.stdin:
        raise NotSayable("its stdin")
    container: dict[str, Any] = {"name": "main", **_container(found, wanted)}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job: dict[str, Any] = {"backoffLimit": 0, "template": template}
    if found.retry:
        job["backoffLimit"] = found.retry.get("max") or len(found.retry.get("delays", ()))
        found.notes.append("retries come after 10 s, twice as long each time, as Kubernetes has it")
    if found.timeout:
        job["activeDeadlineSeconds"] = max(1, parse_duration_ms(found.timeout) // 1000)
        found.notes.append("timeout counts all attempts together there")
    return job


def _container(found: Plain, wanted: Wanted) -> dict[str, Any]:
    if list(found.words[:3]) == ["docker", "run", "--rm"]:
        return _of_docker(list(found.words[3:]))
    if not wanted.image:
        raise NotSayable("a command without an image: say it with --image")
    container: dict[str, Any] = {"image": wanted.image}
    container["command"] = list(found.words) or ["/bin/sh", "-c", found.line]
    if found.env:
        container["env"] = [{"name": name, "value": value} for name, value in found.env.items()]
    if found.cwd:
        container["workingDir"] = found.cwd
    return container


def _of_docker(words: list[str]) -> dict[str, Any]:
    """What the import writes for a container, read back. Raises NotSayable for other options of docker."""
    container: dict[str, Any] = {}
    env: list[dict[str, str]] = []
    command: list[str] = []
    while words and words[0].startswith("-"):
        option, value, words = words[0], words[1] if len(words) > 1 else "", words[2:]
        if option == "--env" and "=" in value:
            env.append(dict(zip(("name", "value"), value.split("=", 1), strict=True)))
        elif option == "--workdir":
            container["workingDir"] = value
        elif option == "--entrypoint":
            command = [value]
        else:
            raise NotSayable(f"docker run {option}")
    if not words:
        raise NotSayable("docker run without an image")
    image, *rest = words
    container["image"] = image
    if command:
        container["command"] = [*command, *rest]
    elif rest:
        container["args"] = rest
    if env:
        container["env"] = env
    return container
