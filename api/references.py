"""What the state says of references, told to whoever sent them: where, and the near miss.

Rules of this file:

1. Who names what is of another namespace may read there: a run is given the values that its job names, and a
   refusal would tell what there is. Secrets are another thing: they are granted by name, to jobs and hooks.
2. Of those who refer to something, the names are told to whoever may read where they are; the others are a
   number.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from api import access
from api.call import Call
from api.problems import FieldError, Problem
from scheduler.machine.rules import references
from scheduler.model import Job
from scheduler.model.named import Target
from scheduler.model.objects.parsing import Definition
from scheduler.store.connection import Store
from scheduler.store.reads import objects as object_reads
from scheduler.store.tables.refs import Named
from scheduler.words.outcomes import Code, Outcome


class Place(NamedTuple):
    """A document that was sent."""

    above: str  #: where it stands in the body
    parsed: Job | Definition

    def of(self, pointer: str) -> str:
        """Where in the body what the machine names is."""
        return self.above + (self.parsed.as_given(pointer) if isinstance(self.parsed, Job) else pointer)


Places = Mapping[Named, Place]
NOWHERE: Places = {}


def need_nameable(call: Call, who: Named, refers: Sequence[Target], pointer: str = "") -> None:
    """Raises Problem forbidden for what is of a namespace in which the caller may not read."""
    foreign = not_nameable(call, who.namespace, refers)
    errors = [
        FieldError(
            pointer + each.pointer,
            f"to name {each.kind} {each.namespace[:200]}/{each.name[:200]} it needs {each.needs!r} in"
            f" namespace {each.namespace[:200]!r}, which this token does not have",
        )
        for each in foreign[: references.TOLD_MAX]
    ]
    if errors:
        first = errors[0]
        hint = "Ask for a role there, or name what is in a namespace in which it may read."
        raise Problem("forbidden", f"{first.pointer}: {first.detail}", hint=hint, errors=errors)


def not_nameable(call: Call, namespace: str, refers: Sequence[Target]) -> list[Target]:
    """What of it is of another namespace, in which the caller may not what naming it needs."""
    return [
        each
        for each in refers
        if each.kind != references.SECRET
        and each.namespace != namespace
        and not call.principal.may(each.needs, each.namespace)
    ]


def need_targets(
    store: Store, call: Call, puts: references.Puts, gone: Mapping[Named, object], places: Places
) -> None:
    """Raises the Problem that proposing this would end in."""
    refusal = references.judge(store, puts, gone)
    if refusal is not None:
        need_references(store, call, refusal, places)


def need_references(store: Store, call: Call, outcome: Outcome, places: Places) -> None:
    """Raises the Problem of a refusal that is about references."""
    value: dict[str, Any] = dict(outcome.value or {})
    if outcome.code == Code.MISSING:
        errors = [_missing(store, Named(*row[:3]), Named(*row[3:]), places) for row in value["missing"]]
        first = errors[0]
        raise Problem("validation", f"{first.pointer}: {first.detail}", hint=first.hint, errors=errors)
    if outcome.code == Code.REFERRED:
        found = [Named(*row) for row in value["referrers"]]
        seen = [who for who in found if call.principal.may(access.READ, who.namespace)]
        more, detail = value["more"] + len(found) - len(seen), outcome.detail
        if len(seen) < len(found):
            shown = [*map(str, seen), f"{more} that this token may not read"]
            detail = f"{Named(*value['target'])} is referred to by {', '.join(shown)}"
        raise Problem(
            "conflict", detail, hint="Change or delete those first, or in the same apply.",
            extra={"code": outcome.code, "referrers": [who._asdict() for who in seen], "more": more},
        )  # fmt: skip


def _missing(store: Store, who: Named, target: Named, places: Places) -> FieldError:
    above, parsed = places.get(who, ("", None))
    targets = () if parsed is None else parsed.refers
    place = next((each.pointer for each in targets if each[:3] == tuple(target)), "")
    detail = f"there is no {target.kind} {target.name[:200]!r} in namespace {target.namespace[:200]!r}"
    if references.is_foreign_secret(who, target):  # whoever may not look there is told no more
        whom = f"{who.namespace}/{who.name}"
        hint = f"cronclave secret grant {target.name[:128]} --namespace {target.namespace[:128]} --job {whom}"
        return FieldError(above + place, f"{detail}, or it is not granted to {whom}", hint)
    known = object_reads.names(store, target.kind, target.namespace)
    near = difflib.get_close_matches(target.name[:128], known, 1)
    hint = f"did you mean {near[0]}?" if near else _how_to_make(target)
    return FieldError(above + place, detail, hint)


def _how_to_make(target: Named) -> str:
    if target.kind == references.SECRET:  # its value goes into no file
        return f"put it first: cronclave secret put {target.name[:128]} --namespace {target.namespace[:128]}"
    return f"make it first, or in the same apply: {target.kind}: NAME"
