"""Timers of systemd and the services that they start: by systemd.timer(5) and systemd.service(5).

A unit is active once, so what falls due meanwhile is left out: `overlap: skip`. Only `Persistent=true` makes
up for what was missed, once. Lines of OnCalendar add up, and an empty one clears those before it; a bad one
is left out where another is good.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from cli.importing.found import Found, Source, UnreadableError, Wishes
from cli.importing.gathering import Gathering, NotTaken, Place, alone, name_of, natural, seconds
from cli.importing.schedules.calendar_events import calendar_event

_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Zµ]*)\s*")
_UNITS = {
    1e-6: "us usec µs", 1e-3: "ms msec", 1.0: "s sec second seconds", 60.0: "m min minute minutes",
    3600.0: "h hr hour hours", 86400.0: "d day days", 604800.0: "w week weeks",
    2629800.0: "M month months", 31557600.0: "y year years",
}  # fmt: skip
_SECONDS = {word: length for length, words in _UNITS.items() for word in words.split()} | {"": 1.0}
_PREFIXES = "@-:+!|"
_PASSED = {
    "Timer": {"AccuracySec", "Unit", "WakeSystem", "RemainAfterElapse"},
    "Service": {"Type", "StandardOutput", "StandardError", "SyslogIdentifier", "RemainAfterExit"},
    "Unit": {"Description", "Documentation"},
    "Install": {"WantedBy", "Also"},
}


@dataclass(slots=True)
class _Unit:
    """Its settings, each with its line, in the file's order."""

    name: str
    file: str
    settings: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)
    read: set[tuple[str, str]] = field(default_factory=set)

    def all(self, section: str, key: str) -> list[tuple[int, str]]:
        """Its lines; an empty one clears those before it."""
        self.read.add((section, key))
        lines: list[tuple[int, str]] = []
        for line, value in self.settings.get((section, key), ()):
            lines = [*lines, (line, value)] if value else []
        return lines

    def last(self, section: str, key: str, default: str = "") -> str:
        return next((value for _, value in reversed(self.all(section, key))), default)

    def line(self, section: str, key: str) -> Place:
        return Place(self.file, self.settings.get((section, key), [(1, "")])[-1][0])

    def told(self, gathering: Gathering) -> None:
        for (section, key), lines in self.settings.items():
            if (section, key) not in self.read and key not in _PASSED.get(section, ()):
                for line, value in lines:
                    gathering.note(
                        Place(self.file, line), f"{key}={value}", f"{key} of [{section}] is not taken over"
                    )


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    units = [_read_unit(source) for source in sources]
    services = {unit.name: unit for unit in units if unit.name.endswith(".service")}
    timers = [unit for unit in units if unit.name.endswith(".timer")]
    if not timers:
        hint = "Name the .timer and the .service that it starts; `systemctl cat NAME.timer` shows both."
        raise UnreadableError(sources[0].name, "no file is called NAME.timer", hint)
    for timer in timers:
        with gathering.each(Place(timer.file, 1), timer.name):
            _timer(gathering, timer, services)
    return gathering.found()


def _read_unit(source: Source) -> _Unit:
    unit = _Unit(PurePosixPath(source.name).name, source.name)
    section, begun, pending = "", 0, ""
    for number, text in enumerate(source.text.split("\n"), 1):
        stripped = text.strip()
        if not pending and (not stripped or stripped[0] in "#;"):
            continue
        if stripped.endswith("\\"):
            pending, begun = pending + stripped[:-1] + " ", begun or number
            continue
        whole, line = pending + stripped, begun or number
        pending, begun = "", 0
        if whole.startswith("[") and whole.endswith("]"):
            section = whole[1:-1]
            continue
        key, equals, value = whole.partition("=")
        if not equals or not section:
            raise UnreadableError(
                f"{source.name}:{line}", f"{whole[:60]!r} is no NAME=value below a [Section]"
            )
        unit.settings.setdefault((section, key.strip()), []).append((line, value.strip()))
    return unit


def _timer(gathering: Gathering, timer: _Unit, services: dict[str, _Unit]) -> None:
    wanted = timer.last("Timer", "Unit") or timer.name.removesuffix(".timer") + ".service"
    service = services.get(wanted)
    if service is None:
        raise NotTaken(f"{wanted}, which it starts, is not among the files", timer.line("Timer", "Unit"))
    triggers = [*_calendar(gathering, timer), *_monotonic(gathering, timer)]
    if not triggers:
        raise NotTaken("it has no time at which it would run")
    if jitter := timer.last("Timer", "RandomizedDelaySec"):
        for trigger in triggers:
            if "cron" in trigger or isinstance(trigger.get("every"), str):
                trigger["jitter"] = seconds(_span_s(jitter))
        if timer.last("Timer", "FixedRandomDelay").lower() not in _YES:
            reason = "another delay each time there; here another for each job, always the same for one job"
            gathering.note(timer.line("Timer", "RandomizedDelaySec"), f"RandomizedDelaySec={jitter}", reason)
    persistent = timer.last("Timer", "Persistent").lower() in _YES
    job = {
        "job": name_of(timer.name.removesuffix(".timer")),
        "description": service.last("Unit", "Description") or timer.last("Unit", "Description"),
        "triggers": triggers,
        "policies": {
            "overlap": "skip",
            "catchup": {"mode": "latest", "window": "3650d"} if persistent else {"mode": "none"},
        },
        **_work(gathering, service),
    }
    if any(isinstance(trigger.get("every"), dict) for trigger in triggers):
        del job["policies"]["catchup"]
    gathering.take(Place(timer.file, 1), job)
    timer.told(gathering)
    service.told(gathering)


_YES = ("true", "yes", "on", "1")


def _calendar(gathering: Gathering, timer: _Unit) -> list[dict[str, Any]]:
    triggers, lines = [], timer.all("Timer", "OnCalendar")
    for line, value in lines:
        try:
            read = calendar_event(value, gathering.wishes.tz)
            triggers.append(read.trigger)
            for note in read.notes:
                gathering.note(Place(timer.file, line), f"OnCalendar={value}", note)
        except NotTaken as reason:
            if len(lines) == 1:
                raise NotTaken(str(reason), Place(timer.file, line)) from None
            gathering.refuse(Place(timer.file, line), f"OnCalendar={value}", str(reason))
    if triggers and not gathering.wishes.tz_given and any(trigger["tz"] == "UTC" for trigger in triggers):
        gathering.note_once(
            timer.file, "times are those of the host's zone: UTC was taken, --tz says otherwise"
        )
    return triggers


def _monotonic(gathering: Gathering, timer: _Unit) -> list[dict[str, Any]]:
    triggers: list[dict[str, Any]] = []
    for key in ("OnBootSec", "OnStartupSec"):
        for _, value in timer.all("Timer", key):
            triggers.append(
                {"startup": {"pool": gathering.wishes.pool, "delay": seconds(max(_span_s(value), 0.001))}}
            )
    for line, value in timer.all("Timer", "OnUnitActiveSec"):
        triggers.append({"every": seconds(_span_s(value))})
        gathering.note(
            Place(timer.file, line),
            f"OnUnitActiveSec={value}",
            "it counted from the host's last start of it; here the phase is fixed",
        )
    triggers += [
        {"every": {"delay": seconds(_span_s(value))}} for _, value in timer.all("Timer", "OnUnitInactiveSec")
    ]
    return triggers


def _span_s(text: str) -> float:
    parts = list(_SPAN.finditer(text.strip()))
    if (
        not parts
        or "".join(part[0] for part in parts) != text.strip()
        or any(part[2] not in _SECONDS for part in parts)
    ):
        raise NotTaken(f"{text!r} is no time span of systemd")
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)


def _work(gathering: Gathering, service: _Unit) -> dict[str, Any]:
    lines = [*service.all("Service", "ExecStartPre"), *service.all("Service", "ExecStart")]
    if not service.settings.get(("Service", "ExecStart")):
        raise NotTaken(f"{service.name} has no ExecStart", Place(service.file, 1))
    common: dict[str, Any] = {"env": _environment(service)}
    if user := service.last("Service", "User"):
        common["run_as"] = user
    if directory := service.last("Service", "WorkingDirectory"):
        common["cwd"] = directory
    for key in ("TimeoutStartSec", "RuntimeMaxSec", "TimeoutSec"):
        if (value := service.last("Service", key)) and value not in ("infinity", "0"):
            common["timeout"] = seconds(_span_s(value))
    if nice := service.last("Service", "Nice"):
        common["nice"] = -(natural(nice[1:]) or 0) if nice.startswith("-") else natural(nice)
    if umask := service.last("Service", "UMask"):
        common["umask"] = umask.zfill(3)[-3:]
    tasks: dict[str, dict[str, Any]] = {}
    for line, value in lines:
        task = _command(Place(service.file, line), value) | {key: one for key, one in common.items() if one}
        if tasks:
            task["needs"] = [list(tasks)[-1]]
        tasks[f"step-{len(tasks) + 1}"] = task
    return alone(tasks)


def _environment(service: _Unit) -> dict[str, str]:
    found: dict[str, str] = {}
    for line, value in service.all("Service", "Environment"):
        try:
            found |= dict(word.partition("=")[::2] for word in shlex.split(value))
        except ValueError as error:
            raise NotTaken(f"Environment={value}: {error}", Place(service.file, line)) from None
    return found


def _command(place: Place, text: str) -> dict[str, Any]:
    """systemd replaces `$NAME` and `${NAME}` itself and knows no shell; a shell that does nothing else is the
    same."""
    prefixes = text[: len(text) - len(text.lstrip(_PREFIXES))]
    try:
        words = shlex.split(text[len(prefixes) :])
    except ValueError as error:
        raise NotTaken(f"{text}: {error}", place) from None
    if "@" in prefixes and len(words) > 1:
        del words[1]  # what the program is told that it is called
    if specifier := next((word for word in words if re.search("%[^%]", word)), None):
        raise NotTaken(f"{specifier}: what % stands for is known to that host's systemd alone", place)
    words = [word.replace("%%", "%") for word in words]
    if any("$" in word.replace("$$", "") for word in words) and ":" not in prefixes:
        task: dict[str, Any] = {"run": "exec " + " ".join(_for_shell(word) for word in words)}
    else:
        task = {"exec": [word.replace("$$", "$") for word in words]}
    if "-" in prefixes:
        task["allow_failure"] = True
    return task


def _for_shell(word: str) -> str:
    if re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", word):
        return word  # alone it is split into words, in both
    parts = re.split(r"(\$\$|\$\{[A-Za-z_][A-Za-z0-9_]*\})", word)
    return "".join(
        "'$'" if part == "$$" else f'"{part}"' if part.startswith("${") else shlex.quote(part)
        for part in parts
        if part
    )
