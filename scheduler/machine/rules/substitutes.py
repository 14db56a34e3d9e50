"""What takes the place of a schedule for a time, and what both together mean to the jobs that name it.

Rules of this file:

1. A substitute refers to the schedule whose place it takes, in the same namespace, and to no other schedule:
   so who refers to whom tells of all.
2. Refused are a substitute of a substitute, two of one schedule that overlap, and more triggers of a schedule
   and its substitutes together than a job may have. It writes nothing: dry runs ask too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from scheduler.model.bounds import TRIGGERS_MAX
from scheduler.model.known_schedules import KIND, InForce, in_force, pin_in_force
from scheduler.model.quantities import parse_instant_ms
from scheduler.store.connection import Store
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import refs
from scheduler.store.tables.refs import Named
from scheduler.words.commands import PreparedObject
from scheduler.words.outcomes import Code, Outcome

SUBSTITUTES_MAX = 20  #: of one schedule

Beside = Mapping[tuple[str, str], PreparedObject | None]
"""Schedules that are put with it, by namespace and name; None: it is deleted."""


class Stored(NamedTuple):
    spec: bytes
    pin: str
    per_day: int


def put_with(objects: Iterable[PreparedObject], gone: Iterable[tuple[str, str, str]] = ()) -> Beside:
    deleted = {(namespace, name): None for kind, namespace, name in gone if kind == KIND}
    return deleted | {(new.namespace, new.name): new for new in objects if new.kind == KIND}


def base_of(refers: Iterable[tuple[str, str, str]]) -> str:
    """The name of the schedule whose place one with these references takes; empty: it is no substitute."""
    return next((name for kind, _, name in refers if kind == KIND), "")


def names_of(store: Store, namespace: str, name: str, beside: Beside | None = None) -> list[str]:
    """What takes its place, of this namespace; one more than there may be, where there are more."""
    beside = beside or {}
    first = Named(KIND, "", "")
    stored = refs.to(store, Named(KIND, namespace, name), SUBSTITUTES_MAX + 1 + len(beside), first)
    found = [who.name for who in stored if who.kind == KIND and (namespace, who.name) not in beside]
    for (where, each), new in beside.items():
        if where == namespace and new is not None and base_of(new.refers) == name:
            found.append(each)
    return sorted(found)[: SUBSTITUTES_MAX + 1]


def stored(store: Store, namespace: str, name: str, beside: Beside | None = None) -> Stored | None:
    if beside is not None and (namespace, name) in beside:
        new = beside[namespace, name]
        return None if new is None else Stored(new.spec, new.pin, new.per_day)
    row = object_rows.find(store, KIND, namespace, name)
    return None if row is None else Stored(bytes(row.spec), row.pin, row.per_day)


def pin_of(store: Store, namespace: str, name: str) -> str | None:
    """Of what the schedule means now, with all that takes its place; None: there is none."""
    own = object_rows.pin_of(store, KIND, namespace, name)
    if own is None:
        return None
    names = names_of(store, namespace, name)
    pins = ((each, object_rows.pin_of(store, KIND, namespace, each) or "") for each in names)
    return pin_in_force(own, list(pins))


def known(store: Store, namespace: str, name: str, beside: Beside | None = None) -> InForce | None:
    """What the schedule means, as it is stored or put."""
    own = stored(store, namespace, name, beside)
    if own is None:
        return None
    names = names_of(store, namespace, name, beside)
    found = ((each, stored(store, namespace, each, beside)) for each in names)
    taking = {each: told for each, told in found if told is not None}
    pin = pin_in_force(own.pin, [(each, told.pin) for each, told in taking.items()])
    return in_force(namespace, name, own.spec, pin, {each: told.spec for each, told in taking.items()})


def judge(store: Store, objects: Iterable[PreparedObject], beside: Beside) -> Outcome | None:
    """The refusal of the first of these that is no substitute, or has none as it is."""
    for new in objects:
        if new.kind == KIND and (refusal := _judge(store, new, beside)):
            return refusal
    return None


def _judge(store: Store, new: PreparedObject, beside: Beside) -> Outcome | None:
    shape, substitutes = json.loads(new.spec), names_of(store, new.namespace, new.name, beside)
    base = base_of(new.refers)
    if not base:
        return _too_many(store, new, new.name, shape, substitutes, beside)
    said = stored(store, new.namespace, base, beside)
    if substitutes:
        detail = f"{substitutes[0]} takes the place of {new.name}, so {new.name} cannot take that of {base}"
        return _refused(new, "/substitute", detail, f"have {substitutes[0]} take the place of {base} itself")
    if said is None:
        return None  # what it refers to is not there: told where references are judged
    of_base = json.loads(said.spec)
    if of_base.get("substitute"):
        above = of_base["substitute"].rpartition("/")[2]
        return _refused(new, "/substitute", f"{base} takes the place of {above} itself", f"name {above}")
    names = names_of(store, new.namespace, base, beside)
    from_ms, until_ms = _span(shape)
    for name in names:
        other = stored(store, new.namespace, name, beside) if name != new.name else None
        if other is None:
            continue
        began_ms, ended_ms = _span(json.loads(other.spec))
        if from_ms < ended_ms and began_ms < until_ms:
            detail = f"{name} takes the place of {base} in a part of this time"
            return _refused(new, "/valid", detail, "let one end where the other begins")
    return _too_many(store, new, base, of_base, names, beside)


def _too_many(
    store: Store, new: PreparedObject, base: str, of_base: dict[str, Any], names: list[str], beside: Beside
) -> Outcome | None:
    if len(names) > SUBSTITUTES_MAX:
        detail = f"{base} has {SUBSTITUTES_MAX} substitutes at most"
        return _refused(new, "/substitute", detail, "delete those whose time is over")
    texts = [told.spec for name in names if (told := stored(store, new.namespace, name, beside)) is not None]
    count = len(of_base["triggers"]) + sum(len(json.loads(text)["triggers"]) for text in texts)
    if count > TRIGGERS_MAX:
        detail = f"{base} and what takes its place have {count} triggers together, {TRIGGERS_MAX} at most"
        hint = "delete substitutes whose time is over, or make two schedules"
        return _refused(new, "/triggers", detail, hint)
    return None


def _span(shape: dict[str, Any]) -> tuple[int, int]:
    valid = shape["valid"]
    return parse_instant_ms(valid["from"]), parse_instant_ms(valid["until"])


def _refused(new: PreparedObject, pointer: str, detail: str, hint: str) -> Outcome:
    told: dict[str, object] = {"kind": new.kind, "namespace": new.namespace, "name": new.name}
    told |= {"pointer": pointer, "hint": hint}
    return Outcome(Code.NOT_ALLOWED, f"schedule {new.name}: {detail}", told)
