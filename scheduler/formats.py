"""Formats: the numbered versions of the state's rules. The one place that lists what each changed.

Rules of this file:

1. A released format never changes. What apply does differently, new commands and fields, new defaults and new
   tables come with the next number, and the code that knows it branches on `state.format`: below it, the
   bytes, rows, outcomes and events are those of the older format, or nodes of two versions would differ.
2. A cluster's format is raised by a committed Activate alone, once every member supports it, one format after
   the other, and is never lowered.
3. A migration brings stored rows into a format's shape. `begin` runs with Activate and `finish` with its last
   slice, so both hold statements of constant cost alone: new tables and columns, indices of empty tables, SQL
   triggers that keep the new shape true while the old one is written. `move` does the rest, in slices. The
   state keeps its old format, and readers its old shape, until `finish` has run: in that transaction the
   format is raised.
4. A new state begins at the oldest format (`store.schema`) and comes up the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

SLICE_ROWS_MAX = 500
"""Rows that one Migrate command may move: half of what a turn of the core may take."""


class NewerFormatError(Exception):
    """The log holds what only a newer version of the software can apply: this node must stop."""


class Rows(Protocol):
    """The open transaction of a state, as a migration sees it."""

    def rows(self, sql: str, parameters: Sequence[Any] = ..., /) -> list[Any]: ...

    def write(self, sql: str, parameters: Sequence[Any] = ..., /) -> int: ...


@dataclass(frozen=True, slots=True)
class Migration:
    """How rows get a format's shape. All statements are deterministic and have a total order; what `move`
    writes goes in as parameters, which join the state's hash."""

    begin: tuple[str, ...]
    move: Callable[[Rows, str, int], str | None]
    """Bring at most so many rows after the cursor ("" at first) into shape, with `store.write`; the next
    cursor, None when there are no more. Doing a row twice changes nothing."""
    finish: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    number: int
    changes: str  #: for a person who is about to activate it
    migration: Migration | None = None
    job_fields: tuple[str, ...] = ()
    """What a job can say only from this format on: pointers to fields of the canonical job, `*` for any name
    or place, or to a value (`/policies/overlap=terminate_running`). Below it the door refuses them, and
    their defaults are left out (`scheduler.model.newer`)."""


FORMATS: list[Format] = [
    Format(1, "The first format."),
]
"""Without a gap, the oldest that this version can still apply first."""


def oldest() -> int:
    return FORMATS[0].number


def newest() -> int:
    return FORMATS[-1].number


def get(number: int) -> Format:
    return FORMATS[number - oldest()]


def between(above: int, through: int) -> list[Format]:
    """The formats above the first and up to the second number, as far as they are known here."""
    return [known for known in FORMATS if above < known.number <= through]


def supported() -> str:
    """For people: "format 1", or "formats 1 to 3"."""
    return span(oldest(), newest())


def span(least: int, most: int) -> str:
    return f"format {least}" if least == most else f"formats {least} to {most}"
