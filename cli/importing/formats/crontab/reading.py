"""The lines of a crontab, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.importing import mailing
from cli.importing.formats.crontab import debian
from cli.importing.formats.crontab.dialects import DIALECTS, Dialect
from cli.importing.formats.crontab.dialects import read as read_schedule
from cli.importing.formats.crontab.names import name_of, short_hash
from cli.importing.formats.crontab.users import USER, is_system_place, leaves_it_open, show_users
from cli.importing.found import Found, LineRemark
from scheduler.model import JobError, parse_job
from scheduler.model.bounds import TRIGGERS_MAX
from scheduler.ticks import CronError, Expression, UnknownZoneError, lint, parse_expression, zone

LINES_MAX = 10_000
LINE_CHARACTERS_MAX = 65_536

LAST_HOUR_OF_A_GAP = 3  #: clocks are put forward at night

CRONIES_VARIABLES = ("CRON_TZ", "RANDOM_DELAY")

_ENVIRONMENT = re.compile(r"""[ \t]*(?:"([^"]*)"|'([^']*)'|([^\s="']*))\s*=(.*)""", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEDULE = re.compile(r"\s*-?(@[^\s]+|(?:[^\s]+[ \t]+){4}[^\s]+)(?:[ \t]+(.*))?", re.DOTALL)
_SIXTH_FIELD = re.compile(r"(?:[*?]|[0-9]+(?:-[0-9]+)?)(?:/[0-9]+)?(?:,[0-9*/-]+)*")
_BACKGROUND = re.compile(r"(?<![&>|])&\s*$")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class CrontabImport(Found):
    user_column: bool


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    schedule: str
    rest: str


@dataclass(slots=True)
class _Group:
    """Lines that do the same thing: one job."""

    body: dict[str, Any]  #: the job without name, description and triggers
    name: str
    lines: list[str] = field(default_factory=list)
    triggers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class _Reading:
    """What was read so far; it lives for one call of `parse_crontab`."""

    tz: str
    dialect: Dialect
    source: str
    environment: dict[str, str] = field(default_factory=dict)
    delay_minutes: int = 0
    notices: list[dict[str, Any]] = field(default_factory=list)  #: of the last MAILTO
    groups: dict[str, _Group] = field(default_factory=dict)  #: by what they do
    problems: list[LineRemark] = field(default_factory=list)
    notes: list[LineRemark] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)  #: lines for which its cron refuses the file


def parse_crontab(
    text: str,
    *,
    user_column: bool | None = None,
    filename: str = "crontab",
    tz: str = "UTC",
    dialect: str = "debian",
    source: str = "",
) -> CrontabImport:
    """The jobs of a crontab.

    `text`: bytes that are no UTF-8 as surrogates (`errors="surrogateescape"`). `tz`: the zone of the host's
    cron. `user_column`: the sixth word is a user, as in /etc/crontab; None: find out. `dialect`: whose
    crontab it is, of DIALECTS. `source`: a label of the jobs, by which a later import of the same crontab
    knows them; empty: none. Raises UnknownZoneError for a bad `tz` only.
    """
    zone(tz)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    reading = _Reading(tz, DIALECTS[dialect], source)
    if reading.dialect.note:
        reading.notes.append(LineRemark(0, "", reading.dialect.note))
    if "\r\n" in text:
        reason = "lines end in CR LF: cron hands the CR on in each command and value, here it is left out"
        reading.notes.append(LineRemark(0, "", reason))
    if user_column is None:
        user_column = _find_user_column(reading, lines, filename)
    for number, line in enumerate(lines, 1):
        if number > LINES_MAX:
            reason = f"more than {LINES_MAX} lines: the rest is left out"
            reading.problems.append(LineRemark(number, "", reason))
            break
        _read_line(reading, number, line, user_column)
    if reading.dialect.strict:
        _tell_refusal(reading, text)
    if any("PATH" not in group.body.get("env", {}) for group in reading.groups.values()):
        reason = f"commands find the PATH of the agent, not of {dialect}: PATH= in the crontab says which"
        reading.notes.append(LineRemark(0, "", reason))
    return CrontabImport(tuple(_jobs(reading)), tuple(reading.problems), tuple(reading.notes), user_column)


def _find_user_column(reading: _Reading, lines: list[str], filename: str) -> bool:
    if is_system_place(filename):
        return True
    rests = []
    for text in lines[:LINES_MAX]:
        if text.strip() and not text.lstrip().startswith("#") and not _ENVIRONMENT.fullmatch(text):
            parts = _SCHEDULE.fullmatch(text)
            rests += [parts[2] or ""] if parts else []
    found = show_users(rests)
    if found:
        reason = "the sixth word was taken for a user, as in /etc/crontab: --no-user-column says otherwise"
        reading.notes.append(LineRemark(0, "", reason))
    elif leaves_it_open(rests):
        reason = "the sixth word was taken for the command's first: --user-column says that it is a user"
        reading.notes.append(LineRemark(0, "", reason))
    return found


def _tell_refusal(reading: _Reading, text: str) -> None:
    """One line that Debian's cron cannot read costs it the whole file: what is taken here never ran there."""
    refused = sorted(debian.file_reasons(text) + reading.refused)
    if refused:
        line, why = refused[0]
        where = f"line {line}" + (f", {why}" if why else "") if line else why
        reason = f"Debian's cron refuses the whole file ({where}): not one line of it ran there"
        reading.notes.append(LineRemark(0, "", reason))


def _read_line(reading: _Reading, number: int, text: str, user_column: bool) -> None:
    stripped = text.strip()
    if not stripped or stripped.startswith("#"):
        return
    shown = stripped if len(stripped) <= 500 else stripped[:499] + "…"
    foreign = _NOT_UTF8.search(text)
    if foreign:
        shown = _NOT_UTF8.sub("\N{REPLACEMENT CHARACTER}", shown)
        byte = ord(foreign[0]) - 0xDC00
        reason = (
            f"character {foreign.start() + 1} is the byte 0x{byte:02X}, which is no UTF-8: convert the file"
        )
        reading.problems.append(LineRemark(number, shown, reason))
        return
    if len(stripped) > LINE_CHARACTERS_MAX:
        reading.problems.append(LineRemark(number, shown, "the line is too long"))
        return
    variable = _ENVIRONMENT.fullmatch(text)
    if variable:
        _read_variable(reading, number, shown, variable)
        return
    parts = _SCHEDULE.fullmatch(text)
    if parts is None:
        reading.refused.append((number, ""))
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
    if reading.dialect.strict and not debian.takes_value(match[4].lstrip()):
        reading.refused.append((number, ""))
        what = "a value after its quotes" if value else "a name without a value (an empty one is \"\")"
        reading.problems.append(LineRemark(number, shown, f"Debian's cron cannot read {what}"))
        return
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if name == "MAILTO":
        reading.notices, reason = mailing.read(value)
        reading.notes.append(LineRemark(number, shown, reason))
    elif name in mailing.OTHERS:
        reason = f"{name} is left out: the nodes' [mail] says how mails are sent"
        reading.notes.append(LineRemark(number, shown, reason))
    elif name == "CRON_TZ" and not reading.dialect.strict:
        try:
            zone(value)
        except UnknownZoneError as error:
            reason = f"{error}: the lines below keep {reading.tz}"
            reading.problems.append(LineRemark(number, shown, reason))
        else:
            reading.tz = value
    elif name == "RANDOM_DELAY" and not reading.dialect.strict and value.isascii() and value.isdigit():
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
        if name in CRONIES_VARIABLES:
            reason = f"Debian's cron makes nothing of {name}, and leaves it to the commands: --dialect cronie"
            reading.notes.append(LineRemark(number, shown, reason))
        if " #" in match[4] and match[4].lstrip()[0] not in "\"'":
            reason = "cron knows no comments behind a value: the # and what follows are part of it"
            reading.notes.append(LineRemark(number, shown, reason))
        if "$" in value:
            reason = "cron expands no variables here, so the value is taken as it is written"
            reading.notes.append(LineRemark(number, shown, reason))


def _read_job(reading: _Reading, line: _Line, user_column: bool) -> str:
    """Take one line; returns why it cannot be taken, or nothing."""
    rest, user, schedule = line.rest, "", line.schedule
    if schedule.lower() == "@reboot":
        if schedule != "@reboot":
            reading.refused.append((line.number, ""))
        return "@reboot names no instant: give a job the trigger startup, which fires on each host of a pool"
    if schedule == "@every":
        schedule = f"@every {(rest.split(None, 1) or [''])[0]}"
    understood = read_schedule(reading.dialect, schedule, silent=line.text.startswith("-"))
    if understood.refused:
        reading.refused.append((line.number, ""))
    if understood.problem:
        return understood.problem
    try:
        expression = parse_expression(understood.schedule)
    except CronError as error:
        return f"{error} ({error.hint})" if error.hint else str(error)
    if user_column:
        user, rest = (*rest.split(None, 1), "", "")[:2]
        if not USER.fullmatch(user):
            reading.refused.append((line.number, ""))
            return f"{user[:40]!r} is no user's name: expected one between the fields and the command"
    if reading.dialect.strict and (why := debian.why_refused(line.rest, rest)):
        reading.refused.append((line.number, ""))
        return why
    first = (rest.split(None, 1) or [""])[0]
    if _SIXTH_FIELD.fullmatch(first):
        return f"a sixth field: cron has five, and takes {first} for the command's first word"
    command, stdin = _split_percent(rest)
    if not command.strip():
        return "the command is missing"
    body = _body(reading, command, stdin, user)
    trigger = _trigger(reading, understood.schedule, understood.days)
    try:
        parse_job({**body, "job": "any", "description": line.text, "triggers": [trigger]})
    except JobError as error:
        return "; ".join(
            p.detail if p.pointer.endswith("/cron") else f"{p.pointer.rpartition('/')[2]}: {p.detail}"
            for p in error.problems
        )
    group = reading.groups.setdefault(repr(body), _Group(body, name_of(reading.source, command, stdin, user)))
    group.lines.append(line.text)
    group.triggers.append(trigger)
    for remark in (*understood.notes, *_remarks(reading, line, expression, user)):
        reading.notes.append(LineRemark(line.number, line.text, remark))
    return ""


def _body(reading: _Reading, command: str, stdin: str | None, user: str) -> dict[str, Any]:
    """What lines must have in common to be one job."""
    environment = dict(reading.environment)
    if reading.dialect.path:
        environment.setdefault("PATH", reading.dialect.path)
    environment = dict(sorted(environment.items()))
    shell, home = environment.get("SHELL", "/bin/sh"), environment.get("HOME")
    labels = {"source": "crontab", "crontab": reading.source, "user": user}
    body: dict[str, Any] = {
        "labels": {key: value for key, value in labels.items() if value},
        "policies": {"overlap": "allow", "catchup": {"mode": "none"}},
    }
    if shell == "/bin/sh":
        body["run"] = command
    else:
        body["exec"] = [shell, "-c", command]
    if stdin is not None:
        body["stdin"] = stdin
    if home:
        body["cwd"] = home
    if environment:
        body["env"] = environment
    if reading.notices:
        body["notify"] = reading.notices
    return body


def _trigger(reading: _Reading, schedule: str, days: str) -> dict[str, Any]:
    trigger: dict[str, Any] = {"cron": schedule, "tz": reading.tz}
    if reading.dialect.dst != "cron":
        trigger["dst"] = reading.dialect.dst
    if days != "debian":
        trigger["days"] = days
    if reading.delay_minutes:
        trigger["jitter"] = f"{reading.delay_minutes}m"
    return trigger


def _jobs(reading: _Reading) -> Iterator[dict[str, Any]]:
    """The jobs, each the same whatever the order of the lines that it is made of."""
    namesakes: dict[str, int] = {}
    for group in reading.groups.values():
        namesakes[group.name] = namesakes.get(group.name, 0) + 1
    for what, group in reading.groups.items():
        # One command under two environments: neither has the plain name, so that their order says nothing.
        name = group.name if namesakes[group.name] == 1 else f"{group.name}-{short_hash(what, 4)}"
        lines = sorted(
            zip(group.lines, group.triggers, strict=True), key=lambda line: repr((line[1], line[0]))
        )
        for part, begin in enumerate(range(0, len(lines), TRIGGERS_MAX)):
            some = lines[begin : begin + TRIGGERS_MAX]
            yield {
                "job": f"{name}-{part + 1}" if part else name,
                "description": "\n".join(dict.fromkeys(text for text, _ in some)),
                **{key: value for key, value in group.body.items() if key == "labels"},
                "triggers": list(_told_apart(trigger for _, trigger in some)),
                **{key: value for key, value in group.body.items() if key != "labels"},
            }


def _told_apart(triggers: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A line that stands twice ran twice: its second trigger needs a name of its own."""
    seen: dict[str, int] = {}
    for trigger in triggers:
        number = seen[repr(trigger)] = seen.get(repr(trigger), 0) + 1
        again = f"again-{number}-{short_hash(repr(trigger), 6)}"
        yield trigger if number == 1 else {**trigger, "id": again}


def _remarks(reading: _Reading, line: _Line, expression: Expression, user: str) -> Iterator[str]:
    yield from lint(expression.text)
    several = len(expression.minutes) > 1 and min(expression.hours) <= LAST_HOUR_OF_A_GAP
    if expression.fixed and several and reading.dialect.dst == "cron":
        yield "where clocks are put forward over several of its times cron makes up each, this job one"
    if line.text.startswith("-"):
        yield "the leading - (no log entry) has no meaning here"
    if _BACKGROUND.search(line.rest):
        yield "what it leaves running ends a second after it: `setsid COMMAND >FILE 2>&1 &` lives on"
    if user:
        yield f"it runs as the agent's user, not as {user}: put an agent of that user into a pool"


def _split_percent(text: str) -> tuple[str, str | None]:
    r"""Command and stdin: `%` ends the command, further ones are newlines, `\%` is a plain percent sign. With
    nothing behind it there is no input at all."""
    parts = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", text)]
    stdin = "\n".join(parts[1:])
    if not stdin:
        return parts[0].rstrip() if len(parts) > 1 else parts[0], None
    return parts[0].rstrip(), stdin if stdin.endswith("\n") else stdin + "\n"
