"""anacrontab: by anacron(8). Each period the job runs once, when the host is up, `delay` minutes after
anacron began; a period is days of the local date, or @monthly. A job that failed counts as done.

Here there is one time for it: the first hour of START_HOURS_RANGE (else midnight) and the delay; what was
missed is caught up once.
"""

from __future__ import annotations

import re
from typing import Any

from cli.importing import mailing
from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, Place, name_of, natural

_VARIABLE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_LINE = re.compile(r"\s*(@?[a-z0-9]+)\s+([0-9]{1,9})\s+(\S+)\s+(.+)")
_WORDS = {"@daily": "1", "@weekly": "7", "@monthly": "@monthly", "@yearly": "@yearly", "@annually": "@yearly"}


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    for source in sources:
        if not wishes.tz_given:
            gathering.note_once(
                source.name, "times are those of the host's zone: UTC was taken, --tz says otherwise"
            )
        environment: dict[str, str] = {}
        for number, line in enumerate(source.text.split("\n"), 1):
            place = Place(source.name, number)
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if variable := _VARIABLE.fullmatch(line):
                environment[variable[1]] = variable[2]
                continue
            with gathering.each(place, line):
                _line(gathering, place, line, environment)
    return gathering.found()


def _line(gathering: Gathering, place: Place, line: str, environment: dict[str, str]) -> None:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise NotTaken("no line of an anacrontab: expected period, delay in minutes, name and command")
    period, delay, name, command = parts.groups()
    trigger = _trigger(_WORDS.get(period, period), int(delay), environment.get("START_HOURS_RANGE", ""))
    trigger["tz"] = gathering.wishes.tz
    if random := natural(environment.get("RANDOM_DELAY", "").strip()):
        trigger["jitter"] = f"{random}m"
    hidden = ("START_HOURS_RANGE", "RANDOM_DELAY", "MAILTO", "MAILFROM")
    env = {key: value for key, value in environment.items() if key not in hidden}
    notices, said = mailing.read(environment["MAILTO"]) if "MAILTO" in environment else ([], "")
    if said:
        gathering.note_once(place.file, said)
    shell = env.get("SHELL", "/bin/sh")
    gathering.note_once(
        place.file,
        "anacron ran when the host came up; these jobs have one time, and catch up once what was missed",
    )
    gathering.take(place, {
        "job": name_of(name),
        "description": " ".join(line.split()),
        "triggers": [trigger],
        "notify": notices,
        "policies": {"overlap": "skip", "catchup": {"mode": "latest", "window": "3650d"}},
        **({"run": command} if shell == "/bin/sh" else {"exec": [shell, "-c", command]}),
        "env": env,
    })  # fmt: skip


def _trigger(period: str, delay: int, hours: str) -> dict[str, Any]:
    minutes = (natural(hours.partition("-")[0].strip()) or 0) * 60 + delay
    hour, minute = minutes // 60 % 24, minutes % 60
    if period == "@monthly":
        return {"cron": f"{minute} {hour} 1 * *"}
    if period == "@yearly":
        return {"cron": f"{minute} {hour} 1 1 *"}
    if not (days := natural(period)):
        raise NotTaken(f"{period!r} is no period: a number of days, @daily, @weekly, @monthly or @yearly")
    if days == 1:
        return {"cron": f"{minute} {hour} * * *"}
    # The day on which it last ran is in a file of that host: any first day is as good, and this a Monday.
    return {"iso8601": f"R/2024-01-01T{hour:02}:{minute:02}:00/P{days}D"}
