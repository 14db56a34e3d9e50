"""What is expected of runs and jobs, and what does not hold, in words."""

from __future__ import annotations

from scheduler.model.expected import AT_RISK, LATE_END, LATE_START, LONG, SHORT, STALLED, TOO_FEW
from scheduler.model.quantities import format_duration, format_instant
from scheduler.store.connection import Store
from scheduler.store.reads import expectations as reads
from scheduler.store.tables import watches
from scheduler.store.tables.runs import Run
from scheduler.store.tables.unmet import Unmet
from scheduler.store.tables.watches import Watch
from scheduler.words.counted import counted

_WORDS = {
    LATE_START: "it had not started by {limit}",
    AT_RISK: "it is not likely to end by {limit}: runs take {found}, and {wanted} were left",
    LATE_END: "by {limit} neither it nor a later run had succeeded",
    SHORT: "it took {found}, less than {wanted}",
    LONG: "it takes longer than {wanted}",
    STALLED: "attempt {part} had written nothing for {wanted} by {limit}",
}


def said(row: Unmet) -> str:
    if row.what == TOO_FEW:
        few = "no run" if not row.found else f"{row.found} of {counted(row.wanted, 'run')}"
        return f"{few} succeeded from {format_instant(row.part)} to {format_instant(row.limit_ms)}"
    return _WORDS[row.what].format(
        limit=format_instant(row.limit_ms), found=_span(row.found), wanted=_span(row.wanted), part=row.part
    )


def _span(length_ms: int) -> str:
    """To the second, where it is longer than some."""
    length_ms = length_ms if length_ms < 10_000 else length_ms // 1_000 * 1_000
    return format_duration(length_ms) or "0s"


def of_run(store: Store, run: Run) -> list[str]:
    """What did not hold of it, and what is still to come."""
    told = [_told(row) for row in reads.of_run(store, run.id)]
    now = watches.get(store, run.id)
    return told + ([] if now is None else _to_come(now))


def _told(row: Unmet) -> str:
    text = f"{row.what}: {said(row)}"
    if row.over_ms is not None and row.over_ms > row.at_ms:
        text += f" (until {format_instant(row.over_ms)})"
    if row.acknowledged_until_ms is not None:
        by = row.actor or "somebody"
        why = f": {row.reason}" if row.reason else ""
        text += f"; acknowledged by {by} until {format_instant(row.acknowledged_until_ms)}{why}"
    return text


def _to_come(now: Watch) -> list[str]:
    found = []
    if now.start_ms is not None:
        found.append(f"it is to start by {format_instant(now.start_ms)}")
    if now.end_ms is not None:
        whose = "a later run of the job is to succeed" if now.ended else "it is to succeed"
        found.append(f"{whose} by {format_instant(now.end_ms)}")
    if now.risk_ms is not None and now.usual_ms is not None:
        text = f"runs take {_span(now.usual_ms)}: not started by {format_instant(now.risk_ms)}, it is at risk"
        found.append(text)
    if now.long_ms is not None:
        found.append(f"it is long from {format_instant(now.long_ms)} on")
    return found
