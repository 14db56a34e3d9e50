"""How crons differ: what each made of a line, found by running them.

Rules: a schedule that this cron never fired is not taken, and nothing is offered that would make it run;
what it refused is not taken either, since the file is then another cron's; what it read in its own way is
taken that way, with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cli.importing.formats.crontab import debian
from scheduler.ticks import CronError, parse_expression
from scheduler.ticks.expression import ALIASES, KINDS, WEEKDAY

_RANGE = re.compile(r"([0-9a-z]+)-([0-9a-z]+)(?:/[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One program that reads crontabs."""

    name: str
    dst: Literal["cron", "skip", "literal"] = "cron"  #: the nearest of our policies
    days: Literal["either", "both", "debian"] = "debian"  #: how day of month and day of week are joined
    strict: bool = False  #: its own parser is known: see debian
    path: str = ""  #: the PATH of commands where the crontab sets none; empty: that of its own start
    note: str = ""  #: where it differs from what the jobs will do


DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("debian", strict=True, path="/usr/bin:/bin"),
        Dialect("cronie", path="/usr/bin:/bin"),
        Dialect("busybox", dst="literal"),
        Dialect(
            "bcron",
            note="when clocks are put forward bcron makes a run up an hour later, and in autumn it runs "
            "lists of hours twice; these jobs do neither",
        ),
        Dialect(
            "mcron",
            note="when clocks are put forward mcron runs an hour later, and of the hour that comes twice it "
            "leaves out the second; these jobs run right after the gap, and every minute means both hours",
        ),
        Dialect("systemd-cron", dst="skip", days="both"),
        Dialect(
            "supercronic",
            dst="skip",
            days="either",
            note="in the two nights in which clocks change supercronic runs at other hours in some zones",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Read:
    """What a dialect made of a schedule: `schedule` in our spelling, or `problem` why it is not taken."""

    schedule: str
    problem: str = ""
    notes: tuple[str, ...] = ()
    refused: bool = False  #: this cron refuses the whole file for it
    days: Literal["either", "both", "debian"] = "debian"  #: how this cron joins the two day fields


def read(dialect: Dialect, schedule: str, *, silent: bool = False) -> Read:
    """`schedule`: five fields with single blanks, or a name such as @daily. `silent`: a - is before it."""
    if silent and dialect.strict:
        return Read(schedule, _why_refused(dialect, schedule, "-"), refused=True)
    if schedule.startswith("@"):
        if dialect.strict and schedule not in ALIASES:
            return Read(schedule, _why_refused(dialect, schedule, schedule), refused=True)
        return Read(schedule)
    fields, notes = [], []
    for kind, word in zip(KINDS[1:], schedule.split(" "), strict=True):
        word = word.lower()
        random = next((item for item in word.split(",") if "~" in item), None)
        if random is not None:
            low, _, high = random.partition("~")
            hint = f"H({low or kind.low}-{high or kind.high})"
            reason = f"{kind.name}: {random} is a random time in cron; {hint} is a fixed one for each job"
            return Read(schedule, reason)
        if dialect.strict:
            text, dropped = debian.read_field(kind, word)
            if not text:
                return Read(schedule, _why_refused(dialect, schedule, word), refused=True)
            if dropped:
                notes.append(f"{kind.name}: cron dropped the {dropped} of {word} and read {text}")
            word = text
        for item in word.split(","):
            backwards = _RANGE.fullmatch(item)
            if backwards and _runs_backwards(kind.number(backwards[1]), kind.number(backwards[2])):
                return Read(schedule, f"{kind.name}: {item} runs backwards: this line never ran under cron")
            if dialect.days == "both" and kind is WEEKDAY and backwards and backwards[2] == "7":
                reason = f"{kind.name}: {item}: {dialect.name} reads ranges to 7 wrongly"
                return Read(schedule, f"{reason}; say what its timer does")
        fields.append(word)
    return Read(" ".join(fields), notes=tuple(notes), days=_joined(dialect, fields[2], fields[4]))


def _runs_backwards(first: int | None, last: int | None) -> bool:
    return first is not None and last is not None and first > last


def _why_refused(dialect: Dialect, schedule: str, word: str) -> str:
    """A slip by its own name, what means something elsewhere as another cron's."""
    try:
        parse_expression(schedule.lower(), "any/job")
    except CronError as error:
        return f"{error} ({error.hint})" if error.hint else str(error)
    return (
        f"{word} is nothing that {dialect.name.capitalize()}'s cron takes: it refuses the whole file, which "
        "is probably another cron's: say whose with --dialect"
    )


def _joined(dialect: Dialect, days: str, weekdays: str) -> Literal["either", "both", "debian"]:
    """How it joins the two day fields, where Debian's rule, and ours, would do it otherwise."""
    joined_by_both = days[0] in "*?" or weekdays[0] in "*?"
    restricted = days not in "*?" and weekdays not in "*?"
    if not restricted or dialect.days == "debian" or (dialect.days == "both") == joined_by_both:
        return "debian"
    return dialect.days
