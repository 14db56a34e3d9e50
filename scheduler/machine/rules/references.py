"""Whether what jobs and objects refer to is there, and stays: for dry runs too, so it writes nothing.

Rules of this file:

1. What is put together may refer to each other, in any order. What goes may be what something refers to that
   goes with it, or that is put beside it and then no longer does.
2. A reference is of a kind, a namespace and a name: who knows what exists under it is asked by kind. A job's
   secrets are judged with whom they are granted to (`secret_uses`); what else names a secret that is not
   granted to it is told what it would be told if there were none.
3. What is told of a refusal is bounded: some by name, and how many more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler.machine.rules import secret_uses
from scheduler.store.connection import Store
from scheduler.store.tables import jobs, refs
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.refs import Named
from scheduler.words.outcomes import Code, Outcome

TOLD_MAX = 20
COUNTED_MAX = 1_000
JOB, SECRET = "job", "secret"

Puts = Mapping[Named, Sequence[tuple[str, str, str]]]
"""What is put, and what each refers to."""


def judge(store: Store, puts: Puts, gone: Mapping[Named, object] | None = None) -> Outcome | None:
    """The refusal of these changes together; None: they may be."""
    return missing(store, puts, gone or {}) or referred(store, puts, gone or {})


def missing(store: Store, puts: Puts, gone: Mapping[Named, object]) -> Outcome | None:
    known: dict[Named, bool] = {}
    is_there: bool | None
    absent: list[tuple[str, ...]] = []
    for who, targets in puts.items():
        for target in map(Named._make, targets):
            if (who.kind, target.kind) == (JOB, SECRET):
                continue
            if target.kind == SECRET:
                is_there = target not in gone and secret_uses.serves(store, who, *target[1:])
            elif (is_there := known.get(target)) is None:
                is_there = target in puts or (target not in gone and _exists(store, target))
                known[target] = is_there
            if not is_there:
                absent.append((*who, *target))
    if not absent:
        return None
    who, target = Named(*absent[0][:3]), Named(*absent[0][3:])
    more = f", and {len(absent) - 1} more like it" if len(absent) > 1 else ""
    foreign = ", or is not granted to it" if is_foreign_secret(who, target) else ""
    detail = f"{who} refers to {target}, which does not exist{foreign}{more}"
    return Outcome(Code.MISSING, detail, {"missing": absent[:TOLD_MAX], "count": len(absent)})


def is_foreign_secret(who: Named, target: Named) -> bool:
    return target.kind == SECRET and target.namespace != who.namespace


def _exists(store: Store, target: Named) -> bool:
    if target.kind == JOB:
        return jobs.standing_named(store, target.namespace, target.name) is not None
    return object_rows.exists(store, *target)


def referred(store: Store, puts: Puts, gone: Mapping[Named, object]) -> Outcome | None:
    for target in gone:
        found = [
            who
            for who in refs.to(store, target, COUNTED_MAX + len(puts) + len(gone) + 1)
            if who not in gone and who not in puts  # its new references were judged already
        ]
        if found:
            return in_the_way(target, found)
    return None


def in_the_way(target: Named, found: Sequence[Named]) -> Outcome:
    """The refusal of a deletion, for those who refer to it."""
    return Outcome(Code.REFERRED, _said(target, found), _told(target, found))


def _said(target: Named, found: Sequence[Named]) -> str:
    named = ", ".join(map(str, found[:TOLD_MAX]))
    more = len(found) - TOLD_MAX
    rest = "" if more <= 0 else f" and {min(more, COUNTED_MAX)}{' or' if more > COUNTED_MAX else ''} more"
    return f"{target} is referred to by {named}{rest}"


def _told(target: Named, found: Sequence[Named]) -> dict[str, object]:
    referrers = [tuple(who) for who in found[:TOLD_MAX]]
    return {"target": tuple(target), "referrers": referrers, "more": max(0, len(found) - TOLD_MAX)}
