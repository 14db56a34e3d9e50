"""What the exit codes of a task's command mean, as the machine reads it. No pydantic: the core compiles jobs.

The words are those of the job file: `exit: {ok: [0], warn: [4], skip: [99], retry: ["75-78"]}`. A code that
stands nowhere fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

OK, WARN, SKIP, RETRY = "ok", "warn", "skip", "retry"
CLASSES = (OK, WARN, SKIP, RETRY)
CODE_MAX = 255
ENTRIES_MAX = 64


class Exits(NamedTuple):
    """What a task says of its ends. Of one that says nothing there is none."""

    classes: dict[int, str]  #: by exit code, of those that do not just fail
    stderr: str  #: what it means that something was written there: warn | fail; empty: nothing

    @property
    def retries(self) -> bool:
        """Whether exit codes are named that are tried again."""
        return RETRY in self.classes.values()


def span(entry: int | str) -> range:
    """The codes of 4 or "10-19". Raises ValueError."""
    first, dash, last = (str(entry), "", "") if isinstance(entry, int) else entry.partition("-")
    if not all(part.isascii() and part.isdigit() for part in ((first, last) if dash else (first,))):
        raise ValueError(f"{str(entry)[:40]!r} is no exit code, and no range of some")
    codes = range(int(first[:9]), int(last[:9] if dash else first[:9]) + 1)
    if not codes:
        raise ValueError(f"{entry[:40] if isinstance(entry, str) else entry} is a range without a code")
    if codes[-1] > CODE_MAX:
        raise ValueError(f"{entry} is beyond {CODE_MAX}, the highest exit code there is")
    return codes


def codes_of(entries: Iterable[int | str]) -> list[int]:
    return [code for entry in entries for code in span(entry)]


def compiled_exits(task: Mapping[str, Any]) -> Exits | None:
    """Of a task of a canonical job."""
    given, stderr = task.get("exit"), task.get("stderr", "")
    if given is None and not stderr:
        return None
    named = {OK: (0,)} if given is None else given
    classes = {code: word for word in CLASSES for code in codes_of(named.get(word, ()))}
    return Exits(classes, stderr)
