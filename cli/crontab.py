"""From a crontab to jobs. Pure: text in, job mappings in the public shape and remarks by line out.

Rules of this file:

1. The jobs do what cron did: the same instants in the same zone, the same shell, environment, directory and
   stdin, runs that may overlap, and no catch-up of what was missed.
2. A line is either taken whole or reported as a problem with its number. What is taken with a difference is
   a note.
3. A job's name comes from its command alone, so it stays the same when lines move, are added or get another
   schedule.
4. Environment lines hold for the lines below them, as in cron. Cron expands no variables in them, and
   neither does this.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scheduler.model import JobError, parse_job
from scheduler.ticks import CronError, UnknownZoneError, lint, parse_expression, zone

LINES_MAX = 10_000
LINE_CHARACTERS_MAX = 65_536

MAIL_VARIABLES = ("MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING")

WELL_KNOWN_USERS = frozenset(
    (
        "root",
        "daemon",
        "bin",
        "sys",
        "man",
        "lp",
        "mail",
        "news",
        "uucp",
        "proxy",
        "www-data",
        "backup",
        "list",
        "irc",
        "nobody",
        "apache",
        "nginx",
        "postgres",
        "mysql",
        "git",
        "ubuntu",
        "admin",
        "centos",
        "ec2-user",
    )
)

_ENVIRONMENT = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z_][A-Za-z0-9_]*))\s*=(.*)""", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")
_SCHEDULE = re.compile(r"\s*-?(@[^\s]+|(?:[^\s]+[ \t]+){4}[^\s]+)(?:[ \t]+(.*))?", re.DOTALL)
_WORD = re.compile(r"[^\s;&|()<>\"']+")
_WRAPPERS = frozenset(
    (
        "sudo",
        "nice",
        "ionice",
        "env",
        "time",
        "timeout",
        "flock",
        "chronic",
        "setsid",
        "nohup",
        "exec",
        "cd",
        "test",
        "[",
        "bash",
        "sh",
        "zsh",
        "dash",
        "python",
        "python3",
        "perl",
        "ruby",
        "php",
        "node",
        "if",
        "then",
    )
)


class LineRemark(NamedTuple):
    line: int  #: from 1
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class CrontabImport:
    jobs: tuple[dict[str, Any], ...]  #: in the public shape, in the file's order
    problems: tuple[LineRemark, ...]  #: lines that were not taken
    notes: tuple[LineRemark, ...]  #: lines that were taken, with something to know
    user_column: bool


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    schedule: str
    rest: str


@dataclass(slots=True)
class _Reading:
    """What was read so far; it lives for one call of `parse_crontab`."""

    tz: str
    environment: dict[str, str] = field(default_factory=dict)
    delay_minutes: int = 0
    jobs: list[dict[str, Any]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    problems: list[LineRemark] = field(default_factory=list)
    notes: list[LineRemark] = field(default_factory=list)


def parse_crontab(
    text: str, *, user_column: bool | None = None, filename: str = "crontab", tz: str = "UTC"
) -> CrontabImport:
    """The jobs of a crontab. `tz`: the zone of the host's cron. `user_column`: the sixth word is a user, as
    in /etc/crontab; None: find out. Raises UnknownZoneError for a bad `tz` only.
    """
    zone(tz)
    lines = text.replace("\r\n", "\n").split("\n")
    if user_column is None:
        user_column = _has_user_column(lines, filename)
    reading = _Reading(tz)
    for number, line in enumerate(lines, 1):
        if number > LINES_MAX:
            reason = f"more than {LINES_MAX} lines: the rest is left out"
            reading.problems.append(LineRemark(number, "", reason))
            break
        _read_line(reading, number, line, user_column)
    return CrontabImport(tuple(reading.jobs), tuple(reading.problems), tuple(reading.notes), user_column)


def _read_line(reading: _Reading, number: int, text: str, user_column: bool) -> None:
    stripped = text.strip()
    if not stripped or stripped.startswith("#"):
        return
    shown = stripped if len(stripped) <= 500 else stripped[:499] + "…"
    if len(stripped) > LINE_CHARACTERS_MAX:
        reading.problems.append(LineRemark(number, shown, "the line is too long"))
        return
    variable = _ENVIRONMENT.fullmatch(text)
    if variable:
        _read_variable(reading, number, shown, variable)
        return
    parts = _SCHEDULE.fullmatch(text)
    if parts is None:
        reason = "no crontab line: expected five fields and a command, or NAME=value"
        reading.problems.append(LineRemark(number, shown, reason))
        return
    schedule = " ".join(parts[1].split())
    reason = _read_job(reading, _Line(number, shown, schedule, (parts[2] or "").strip()), user_column)
    if reason:
        reading.problems.append(LineRemark(number, shown, reason))


def _read_variable(reading: _Reading, number: int, shown: str, match: re.Match[str]) -> None:
    name = next(group for group in match.groups()[:3] if group is not None)
    value = match[4].strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if name in MAIL_VARIABLES:
        reason = f"{name} is left out: output is kept with each run; mail is not available in this version"
        reading.notes.append(LineRemark(number, shown, reason))
    elif name == "CRON_TZ":
        try:
            zone(value)
        except UnknownZoneError as error:
            reason = f"{error}: the lines below keep {reading.tz}"
            reading.problems.append(LineRemark(number, shown, reason))
        else:
            reading.tz = value
    elif name == "RANDOM_DELAY" and value.isdigit():
        reading.delay_minutes = int(value)
        if int(value):
            reason = "RANDOM_DELAY becomes a jitter: another delay for each job, always the same for one job"
            reading.notes.append(LineRemark(number, shown, reason))
    elif not _VARIABLE.fullmatch(name) or name.upper().startswith("CRONCLAVE_"):
        reading.problems.append(LineRemark(number, shown, f"{name[:60]!r} cannot be a task's variable"))
    elif name in ("LOGNAME", "USER"):
        reason = f"{name} is left out: a task runs as the agent's user"
        reading.notes.append(LineRemark(number, shown, reason))
    else:
        reading.environment[name] = value
        if "$" in value:
            reason = "cron expands no variables here, so the value is taken as it is written"
            reading.notes.append(LineRemark(number, shown, reason))


def _read_job(reading: _Reading, line: _Line, user_column: bool) -> str:
    """Take one line; returns why it cannot be taken, or nothing."""
    schedule, rest, user = line.schedule, line.rest, ""
    if schedule.lower() == "@reboot":
        return "@reboot names no instant: use a service of the host, or a start of the agent"
    try:
        expression = parse_expression(schedule)
    except CronError as error:
        return f"{error} ({error.hint})" if error.hint else str(error)
    if user_column:
        user, rest = (*rest.split(None, 1), "", "")[:2]
        if not _USER.fullmatch(user):
            return f"{user[:40]!r} is no user's name: expected one between the fields and the command"
    command, stdin = _split_percent(rest)
    if not command.strip():
        return "the command is missing"
    job = _job(reading, line, command, stdin, user)
    try:
        parse_job(job)
    except JobError as error:
        return "; ".join(
            p.detail if p.pointer.endswith("/cron") else f"{p.pointer.rpartition('/')[2]}: {p.detail}"
            for p in error.problems
        )
    job["job"] = _unique(job["job"], schedule, reading.names)
    reading.jobs.append(job)
    for remark in _remarks(line, expression.text, user):
        reading.notes.append(LineRemark(line.number, line.text, remark))
    return ""


def _job(reading: _Reading, line: _Line, command: str, stdin: str | None, user: str) -> dict[str, Any]:
    environment = dict(reading.environment)
    shell, home = environment.get("SHELL", "/bin/sh"), environment.get("HOME")
    trigger: dict[str, Any] = {"cron": line.schedule, "tz": reading.tz}
    if reading.delay_minutes:
        trigger["jitter"] = f"{reading.delay_minutes}m"
    job: dict[str, Any] = {
        "job": _name(command, user),
        "description": line.text,
        "labels": {"source": "crontab", **({"user": user} if user else {})},
        "triggers": [trigger],
        "policies": {"overlap": "allow", "catchup": {"mode": "none"}},
    }
    if shell == "/bin/sh":
        job["run"] = command
    else:
        job["exec"] = [shell, "-c", command]
    if stdin is not None:
        job["stdin"] = stdin
    if home:
        job["cwd"] = home
    if environment:
        job["env"] = environment
    return job


def _remarks(line: _Line, expression: str, user: str) -> Iterator[str]:
    yield from lint(expression)
    if line.text.startswith("-"):
        yield "the leading - (no log entry) has no meaning here"
    if user:
        yield f"it runs as the agent's user, not as {user}: put an agent of that user into a pool"


def _split_percent(text: str) -> tuple[str, str | None]:
    r"""Command and stdin: `%` ends the command, further ones are newlines, `\%` is a plain percent sign."""
    parts = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", text)]
    if len(parts) == 1:
        return parts[0], None
    stdin = "\n".join(parts[1:])
    return parts[0].rstrip(), stdin if stdin.endswith("\n") else stdin + "\n"


def _has_user_column(lines: list[str], filename: str) -> bool:
    """True when every job line has a plausible user and a command behind it, one user being well known."""
    if re.fullmatch(r"(?:.*/)?etc/(?:crontab|cron\.d/[^/]+)", filename):
        return True
    users = []
    for text in lines[:LINES_MAX]:
        if not text.strip() or text.lstrip().startswith("#") or _ENVIRONMENT.fullmatch(text):
            continue
        parts = _SCHEDULE.fullmatch(text)
        words = (parts[2] or "").split(None, 2) if parts else []
        if parts is None:
            continue
        if len(words) < 2 or not _USER.fullmatch(words[0]) or words[1][0] in "-<>|&;%":
            return False
        users.append(words[0])
    return any(user in WELL_KNOWN_USERS for user in users)


def _name(command: str, user: str) -> str:
    """A readable word of the command, and a hash of it."""
    digest = hashlib.sha256(f"{user}\0{command}".encode()).hexdigest()[:6]
    return f"{_readable(command)}-{digest}"


def _readable(command: str) -> str:
    fallback = ""
    for word in _WORD.findall(command):
        if "=" in word or word[0] in "-$`{}" or word[:2] == "\\" or word.isdigit():
            continue
        last = word.rstrip("/").rpartition("/")[2].lower()
        stem = re.sub(r"\.(sh|py|pl|rb|php|js)$", "", last)
        slug = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:40].strip("-")
        if not slug:
            continue
        fallback = fallback or slug
        is_directory = command.lstrip().startswith("cd ") and command.lstrip()[3:].lstrip().startswith(word)
        if stem not in _WRAPPERS and not is_directory:
            return slug
    return fallback or "job"


def _unique(name: str, schedule: str, taken: set[str]) -> str:
    """`name`, told apart by the schedule where two lines share a command."""
    if name in taken:
        name = f"{name}-{hashlib.sha256(schedule.encode()).hexdigest()[:4]}"
    stem, number = name, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name
