"""What was looked at, what is to be said of it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

OK = "ok"
WARNING = "warning"  #: it works, and will hurt
FAULT = "fault"  #: it does not work, or is about to stop
UNKNOWN = "unknown"  #: it could not be looked at

COLOURS = {OK: "green", WARNING: "yellow", FAULT: "red", UNKNOWN: "cyan"}


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    verdict: str
    said: str
    fix: str = ""  #: of all but OK


def worst_of(findings: list[Finding]) -> str:
    order = (OK, UNKNOWN, WARNING, FAULT)
    return max((each.verdict for each in findings), key=order.index, default=OK)
