"""Where the value of a setting comes from: a line of a file, the environment, a flag, or nobody.

The line is found by the TOML parser itself, asked again and again with one line more: so a word in a comment
or within a text of several lines is never taken for the setting.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

DEFAULT = "default"
HIDDEN = "(hidden)"
LINES_MAX = 500  #: of a file, beyond which nobody is told of lines


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting for people: a secret's value is HIDDEN."""

    setting: str
    value: Any  #: what JSON has
    origin: str  #: FILE:LINE, the name of a variable, --flag, or DEFAULT


def tell(shown: Callable[[], Iterable[Shown]], *, refused: type[Exception]) -> int:
    """Print all that a program would start with as JSON, or why it would not; the exit code. `refused`: what
    `shown` raises where the settings are wrong."""
    try:
        found = [asdict(each) for each in shown()]
    except refused as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


class Lines:
    """The lines of a TOML text on which settings begin."""

    def __init__(self, text: str) -> None:
        lines = text.splitlines(keepends=True)
        self._steps: list[tuple[int, dict[str, Any]]] = []
        """What each beginning of the file that is TOML says, and on which line its last statement begins."""
        begins = 1
        for end in range(1, len(lines) + 1 if len(lines) <= LINES_MAX else 1):
            try:
                said = tomllib.loads("".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue  # in the middle of a value
            self._steps.append((begins, said))
            begins = end + 1

    def of(self, path: Sequence[str]) -> int | None:
        """The first line of the statement that gives the value at this path; None: there is none."""
        for begins, said in self._steps:
            found: Any = said
            for key in path:
                found = found.get(key) if isinstance(found, dict) else None
            if found is not None:
                return begins
        return None
