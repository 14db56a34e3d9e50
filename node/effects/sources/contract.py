"""What a look at a source gives, whatever it is, and the limits of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

SUFFIXES = (".yaml", ".yml", ".json")
MARKER = "cronclave-source.yaml"  #: at its top: of which environment it is
FILES_MAX = 100_000
FILE_BYTES_MAX = 32 << 20
BYTES_MAX = 256 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    revision: str  #: the same as long as nothing in it is another
    files: Mapping[str, bytes] | None = None  #: by their paths in it; None: nobody needs them
    rewritten: bool = False  #: history was: what is live is none of what it came from


@dataclass(frozen=True, slots=True)
class Wanted:
    given: Mapping[str, Any]  #: the source, as it is stored
    secrets: Mapping[str, str]  #: values, by the fields that name them
    live: str  #: the revision that is live
    needless: str  #: the revision whose files nobody needs


class UnreachableError(Exception):
    """It could not be read: nothing is known of it."""


class WrongError(Exception):
    """It was read, and cannot go live."""

    def __init__(self, detail: str, problems: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)


class Place(Protocol):
    async def look(self, wanted: Wanted, /) -> Snapshot:
        """Raises UnreachableError, WrongError."""
        ...


def is_wanted(path: str) -> bool:
    """Whether a file is read: no hidden one, nor one in a hidden folder."""
    return path.endswith(SUFFIXES) and not any(part.startswith(".") for part in path.split("/"))


class Budget:
    """Of one look."""

    def __init__(self) -> None:
        self._files = self._bytes = 0

    def take(self, path: str, size: int) -> None:
        """Raises WrongError."""
        self._files += 1
        self._bytes += size
        if size > FILE_BYTES_MAX:
            raise WrongError(f"{path} has more than {FILE_BYTES_MAX >> 20} MiB, the most of a file")
        if self._files > FILES_MAX:
            raise WrongError(f"it has more than {FILES_MAX} files")
        if self._bytes > BYTES_MAX:
            raise WrongError(f"its files have more than {BYTES_MAX >> 20} MiB together")
