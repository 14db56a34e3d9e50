"""What a benchmark reports: rows of one table, and the arithmetic of percentiles.

Rules: a row names its target; a row that could not be measured says why instead of giving a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

NONE = "-"  #: a cell without a value


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `met` is None where the target cannot be judged (too short, no target)."""

    what: str
    target: str
    measured: str
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found: rows for the table, and notes that explain them."""

    rows: Sequence[Row]
    notes: Sequence[str] = field(default_factory=tuple)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: a value that was really measured. NaN without values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """`p50 …, p99 …, max …` of these values."""
    if not values:
        return "nothing measured"
    p50, p99, most = percentile(values, 0.5), percentile(values, 0.99), max(values)
    return f"p50 {p50:,.{digits}f}, p99 {p99:,.{digits}f}, max {most:,.{digits}f} {unit}"


def markdown(rows: Sequence[Row]) -> str:
    """The table of docs/benchmarks.md: what, target, measured, met."""
    lines = [
        "| what | target | measured | met |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        met = {True: "yes", False: "NO", None: NONE}[row.met]
        lines.append(f"| {row.what} | {row.target} | {row.measured} | {met} |")
    return "\n".join(lines)
