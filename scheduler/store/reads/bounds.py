"""How much one query asks for, and one page gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

K = TypeVar("K", int, str)
CHUNK = 500  #: ids in one IN list
LOOKED_MAX = 2_000  #: rows that one page looks at: of a filter that fits few of them the page is short
PAGE_BYTES = 4 << 20  #: of definitions on one page, which has one at least


def chunks(ids: Iterable[K]) -> Iterable[list[K]]:
    rest = sorted(set(ids))
    for start in range(0, len(rest), CHUNK):
        yield rest[start : start + CHUNK]


def marks(count: int) -> str:
    return ",".join("?" * count)


def asked(*conditions: tuple[str, object]) -> tuple[str, list[object]]:
    """The end of a WHERE, and its values: of these conditions on one value those whose value is not None."""
    given = [(condition, value) for condition, value in conditions if value is not None]
    return "".join(f" AND {condition}" for condition, _ in given), [value for _, value in given]


def among(column: str, wanted: Sequence[str] | None) -> tuple[str, list[object]]:
    """The condition that a column has one of these values, and its parameters; None: any."""
    if wanted is None:
        return "", []
    return f" AND {column} IN ({marks(len(wanted))})", list(wanted)


def fitting(sizes: Iterable[int]) -> int:
    """How many of the first take PAGE_BYTES together; one at least."""
    total = count = 0
    for size in sizes:
        total += size
        if count and total > PAGE_BYTES:
            break
        count += 1
    return count
