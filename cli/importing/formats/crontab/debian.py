"""What Debian's cron (3.0pl1) makes of a field, of NAME=value and of a file: as its parser reads them, found
by running it (tests/cli/crontabs).

Rules: a line that it cannot read costs the whole file, not one line of which runs then. What follows an item
of a list and belongs to nothing (`1#5,2`, `4.30`) it drops up to the next blank, in silence.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

#: A number is all letters and digits that stand together, also where it is none.
_ITEM = re.compile(
    r"(?:\*|(?P<first>[0-9a-z]+)(?P<range>-(?P<last>[0-9a-z]*))?)(?:/(?P<step>[0-9a-z]*))?", re.ASCII
)
_NOT_EMPTY = re.compile(r"(?:\"[^\"]*\"|'[^']*')[ \t]*|[^\"'\s].*", re.DOTALL)

COMMAND_BYTES_MAX = 998  #: with its input


class Kind(Protocol):
    """One of the five fields, as in scheduler/ticks/expression."""

    @property
    def low(self) -> int: ...
    @property
    def high(self) -> int: ...
    def number(self, text: str) -> int | None: ...


class Field(NamedTuple):
    text: str  #: what it reads; empty: it refuses the file
    dropped: str  #: what it dropped of the field's end


def read_field(kind: Kind, word: str) -> Field:
    """`word`: in small letters."""
    items: list[str] = []
    at = 0
    while True:
        item = _ITEM.match(word, at)
        if item is None or not _is_taken(kind, item):
            return Field("", "")
        items.append(item[0])
        at = item.end()
        if word[at : at + 1] != ",":
            return Field(",".join(items), word[at:])
        at += 1


def _is_taken(kind: Kind, item: re.Match[str]) -> bool:
    step = item["step"]
    if step is not None and not (step.isascii() and step.isdigit() and int(step[:9])):
        return False
    if item["first"] is None:
        return True
    first = kind.number(item["first"])
    last = kind.number(item["last"]) if item["range"] else first
    if first is None or last is None or (step is not None and not item["range"]):
        return False
    # What runs backwards is taken, and never due.
    return kind.low <= min(first, last) and max(first, last) <= kind.high


def takes_value(value: str) -> bool:
    """Whether what stands behind `NAME=` is a value: quotes must enclose all of it, and none is none."""
    return bool(_NOT_EMPTY.fullmatch(value))


def why_refused(behind: str, command: str) -> str:
    """Why it refuses the file for this line's command. `behind`: what stands behind the five fields, the user
    too."""
    if behind.startswith("*"):
        return "a command that begins with *, or a sixth field: cron has five"
    if len(command.encode("utf-8", "surrogateescape")) > COMMAND_BYTES_MAX:
        return f"the command is longer than {COMMAND_BYTES_MAX} bytes"
    return ""


def file_reasons(text: str) -> list[tuple[int, str]]:
    """Why it takes nothing of this file: lines (0: the file) and reasons that lie in no single entry."""
    found = []
    lines = text.split("\n")
    if lines[-1]:
        found.append((0, "it does not end in a line feed"))
    if text.startswith("\ufeff"):
        found.append((1, "it begins with a byte order mark"))
    empty = next((number for number, line in enumerate(lines, 1) if line.strip(" \t") == "\r"), None)
    if empty:
        found.append((empty, "the line is empty but for a carriage return"))
    return found
