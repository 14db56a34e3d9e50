"""Each write that was acknowledged has one entry in the audit, and there is none for what was refused.

Rules:
1. Of each revision that was acknowledged there is one entry that says so, of each deletion, of each run.
2. Entries are numbered without a gap, in the order of their indices, and no two tell of one revision or run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding
from chaos.history import Operation

NAME = "audit"
Entries = Sequence[Mapping[str, Any]]
What = tuple[str, str, Any]


def check(case: Case) -> Finding:
    entries: Entries = case.final.get("audit", [])
    if not entries:
        return finding(NAME, [], "nothing was read of it")
    noted = Counter(filter(None, map(_told, entries)))
    asked = {op.id: _asked(op) for op in case.operations if op.outcome == "ok"}
    offences = [*_missing(case, asked, noted), *_twice(noted), *_order(entries)]
    counts = {"entries": len(entries), "writes": sum(each is not None for each in asked.values())}
    return finding(NAME, offences, f"{counts['writes']} acknowledged writes, {len(entries)} entries", counts)


def _told(entry: Mapping[str, Any]) -> What | None:
    """What makes a write the same again: the revision that it made or ended, or its run."""
    action = entry["action"]
    which = {"put": entry["after"], "delete": entry["before"], "run": entry["run"]}.get(action)
    return None if which is None or entry["kind"] != "job" else (action, entry["name"], which)


def _asked(op: Operation) -> What | None:
    if op.op == "put":
        return "put", op.arguments["job"], op.result.get("revision")
    if op.op == "delete":
        return "delete", op.arguments["job"], int(op.arguments["if_match"])
    return ("run", op.arguments["job"], op.result["run"]) if op.op == "run" else None


def _missing(case: Case, asked: Mapping[int, What | None], noted: Counter[What]) -> Iterator[Offence]:
    for op in case.operations:
        what = asked.get(op.id)
        if what is not None and not noted[what]:
            detail = "{} of {} ({}) was acknowledged; the audit does not have it".format(*what)
            yield Offence("unnoted", detail, op.ended_s, what[1], op.id)


def _twice(noted: Counter[What]) -> Iterator[Offence]:
    for what, count in noted.items():
        if count > 1:
            yield Offence("noted-twice", "{} of {} ({}) has {} entries".format(*what, count), None, what[1])


def _order(entries: Entries) -> Iterator[Offence]:
    """The newest first."""
    for later, sooner in pairwise(entries):
        if later["number"] != sooner["number"] + 1 or later["index"] < sooner["index"]:
            yield Offence("audit-gap", f"entry {later['number']} comes behind {sooner['number']}", None)
