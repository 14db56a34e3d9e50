"""What an import gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Job = dict[str, Any]


class Source(NamedTuple):
    """A file that is imported."""

    name: str
    text: str


class LineRemark(NamedTuple):
    line: int  #: from 1; 0: the file as a whole
    text: str
    reason: str
    file: str = ""  #: empty: the only one


@dataclass(frozen=True, slots=True)
class Found:
    jobs: tuple[Job, ...]  #: in the public shape, in the files' order
    problems: tuple[LineRemark, ...]  #: what was not taken
    notes: tuple[LineRemark, ...]  #: what was taken, with something to know


class UnreadableError(ValueError):
    """A file that is none of this format: `where` is file:line:column, or the file."""

    def __init__(self, where: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{where}: {reason}")
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user said beside the files."""

    tz: str = "UTC"  #: of times of which the file does not say the zone
    tz_given: bool = True
    pool: str = "default"


class Reading(Protocol):
    """What the module of a format is: `read` raises UnreadableError, and gives everything else as remarks."""

    def read(self, sources: list[Source], wishes: Wishes) -> Found: ...
