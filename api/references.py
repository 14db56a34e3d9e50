"""What the state says of references, told to whoever sent them: where, and the near miss."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from api.problems import FieldError, Problem
from scheduler.machine.rules import references
from scheduler.model.named import Target
from scheduler.store.connection import Store
from scheduler.store.reads import objects as object_reads
from scheduler.store.tables.refs import Named
from scheduler.words.outcomes import Code, Outcome

Places = Mapping[Named, tuple[str, Sequence[Target]]]
"""Of each document that was sent: where it stands in the body, and to what it refers."""


def need_targets(store: Store, puts: references.Puts, gone: Mapping[Named, object], places: Places) -> None:
    """Raises the Problem that proposing this would end in."""
    refusal = references.judge(store, puts, gone)
    if refusal is not None:
        need_references(store, refusal, places)


def need_references(store: Store, outcome: Outcome, places: Places) -> None:
    """Raises the Problem of a refusal that is about references."""
    value: dict[str, Any] = dict(outcome.value or {})
    if outcome.code == Code.MISSING:
        errors = [_missing(store, Named(*row[:3]), Named(*row[3:]), places) for row in value["missing"]]
        first = errors[0]
        raise Problem("validation", f"{first.pointer}: {first.detail}", hint=first.hint, errors=errors)
    if outcome.code == Code.REFERRED:
        referrers = [dict(zip(Named._fields, row, strict=True)) for row in value["referrers"]]
        raise Problem(
            "conflict", outcome.detail, hint="Change or delete those first, or in the same apply.",
            extra={"code": outcome.code, "referrers": referrers, "more": value["more"]},
        )  # fmt: skip


def _missing(store: Store, who: Named, target: Named, places: Places) -> FieldError:
    above, targets = places.get(who, ("", ()))
    place = next((each.pointer for each in targets if each[:3] == tuple(target)), "")
    detail = f"there is no {target.kind} {target.name[:200]!r} in namespace {target.namespace[:200]!r}"
    known = object_reads.names(store, target.kind, target.namespace)
    near = difflib.get_close_matches(target.name[:128], known, 1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif target.kind == references.SECRET:
        hint = "put it first: cronclave secret put NAME"
    else:
        hint = f"make it first, or in the same apply: {target.kind}: NAME"
    return FieldError(above + place, detail, hint)
