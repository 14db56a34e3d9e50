"""A crontab, as Debian's cron reads it: one line for each trigger.

The environment stands in the line, since that of a crontab would hold for all lines below it. cron knows one
zone, that of its host; other zones are refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cli.exports.plain import NotSayable, Plain, Wanted, is_any, night_note, plain
from cli.importing.formats.crontab.debian import COMMAND_BYTES_MAX
from cli.importing.schedules.spelling import spelled
from scheduler.ticks.expression import Expression


def written(
    jobs: Sequence[Mapping[str, Any]], wanted: Wanted
) -> tuple[str, dict[str, list[str]], dict[str, str]]:
    """The crontab; notes and refusals by the jobs' names."""
    notes: dict[str, list[str]] = {}
    refused: dict[str, str] = {}
    lines: list[str] = []
    tz = wanted.tz
    for job in jobs:
        try:
            found = plain(job)
            zones = {trigger.get("tz", "UTC") for trigger in found.triggers}
            tz = tz or min(zones)
            if zones != {tz}:
                raise NotSayable(f"the zone {min(zones - {tz})} beside {tz}: a crontab has that of its host")
            command = _command(found)
            mark, told = ("", "") if found.enabled else ("#", ", which is disabled")
            due = [f"{mark}{_fields(found, trigger)} {command}" for trigger in found.triggers]
            lines += ["", f"# {found.namespace}/{found.name}{told}", *due]
            notes[found.name] = [*found.notes, *_policies(found)]
        except NotSayable as reason:
            refused[job["job"]] = str(reason)
    head = [f"# Of Cronclave. Times are those of {tz}: cron must run in this zone.", "SHELL=/bin/sh"]
    return "\n".join([*head, *lines, ""]), notes, refused


def _fields(found: Plain, trigger: Mapping[str, Any]) -> str:
    expression = found.expression(trigger)
    both_starred = expression.days.star or expression.weekdays.star
    restricted = not is_any(expression.days, "day") and not is_any(expression.weekdays, "weekday")
    joined = trigger.get("days", "debian")
    if restricted and joined != "debian" and (joined == "both") != both_starred:
        raise NotSayable(f"{trigger['cron']} with days: {joined}, which cron joins otherwise")
    if joined == "either" and not restricted:
        raise NotSayable(f"{trigger['cron']} with days: either: say each day in one of the two fields")
    if trigger.get("jitter"):
        raise NotSayable("a trigger's jitter")
    night_note(found, trigger, "cron")
    return " ".join(_words(expression))


def _words(expression: Expression) -> Iterable[str]:
    """As it is written where a field begins with `*`, which means something to cron, else in numbers."""
    numbers = (
        expression.minutes, expression.hours, expression.days.values, expression.months,
        expression.weekdays.values,
    )  # fmt: skip
    texts = expression.text.split()[-5:]
    for kind, text, some in zip(("minute", "hour", "day", "month", "weekday"), texts, numbers, strict=True):
        yield text.replace("?", "*") if text[0] in "*?" else spelled_without_star(some, kind)


def spelled_without_star(numbers: Sequence[int], kind: str) -> str:
    """A field that holds all its values, and does not begin with `*`, is another one to cron."""
    text = spelled(numbers, kind)
    return f"{numbers[0]}-{numbers[-1]}" + text[1:] if text.startswith("*") else text


def _command(found: Plain) -> str:
    line = found.shell
    if "\n" in line:
        raise NotSayable("a command of several lines: put them into a script")
    before = "".join(f"export {name}={shlex.quote(value)}; " for name, value in found.env.items())
    if found.cwd:
        before += f"cd {shlex.quote(found.cwd)} && "
    text = (before + line).replace("%", "\\%")
    if found.stdin:
        if not found.stdin.endswith("\n"):
            raise NotSayable("a stdin without a line feed at its end")
        text += "%" + found.stdin.removesuffix("\n").replace("%", "\\%").replace("\n", "%")
    if text.lstrip().startswith("*") or len(text.encode()) > COMMAND_BYTES_MAX or "\r" in text:
        raise NotSayable(f"its command: cron takes {COMMAND_BYTES_MAX} bytes, and none that begins with *")
    return text


def _policies(found: Plain) -> Iterable[str]:
    if found.policies.get("overlap", "skip") != "allow":
        yield "cron runs it beside itself: flock -n FILE keeps it from that"
    if found.policies.get("catchup", {}).get("mode", "latest") != "none":
        yield "cron makes up for nothing that was missed"
    if found.retry:
        yield "cron tries nothing again"
    if found.timeout:
        yield "cron ends nothing: timeout SECONDS COMMAND does"
