"""Who is told of what becomes of a job: whom it names itself, and whom the routes send it to.

Rules of this file:

1. Of a route decide the job's own name, namespace, labels, owner and criticality, as its revision has them.
2. A channel is looked up when something is told: who changes it changes it for all that comes after, and for
   nothing that was told.
3. Nobody is told of the same by two ways: of the job's own notices and of routes the first that names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from scheduler.model.compiled import CompiledJob
from scheduler.model.named import resolved
from scheduler.model.notify import WAYS
from scheduler.model.quantities import parse_duration_ms
from scheduler.patterns import fits
from scheduler.store.connection import Store
from scheduler.store.tables import objects, routes

CHANNEL, ROUTE = "channel", "route"
ROUTED = frozenset({"routes"})
MAILS_MOST, MAILS_PER_MS = 60, 3_600_000
"""To one address, of what jobs name it for themselves: a job that fails each second fills nobody's box."""


class Receiver(NamedTuple):
    kind: str
    target: str
    channel: str = ""  #: namespace/name that it stands in; empty: in the job
    route: str = ""  #: namespace/name that leads there; empty: the job
    gather_ms: int = 0  #: it is told together with what comes within so long; 0: alone
    most: int = 0  #: so many alone within `per_ms`; 0: all
    per_ms: int = 0
    escalate_ms: int | None = None  #: so long after, if nobody saw it, others are told


class Route(NamedTuple):
    """A route as the machine reads it."""

    on: tuple[str, ...]
    everywhere: bool
    match: Mapping[str, Any]
    to: tuple[str, ...]
    gather_ms: int
    most: int
    per_ms: int
    escalate_ms: int | None
    escalate_to: tuple[str, ...]


def receivers(store: Store, job: CompiledJob, namespace: str, name: str, about: str) -> list[Receiver]:
    """Of something of this job. `about`: what happened, in a word."""
    found: dict[tuple[str, str], Receiver] = {}
    for notice in job.notify:
        if about not in notice.on:
            continue
        if notice.kind == CHANNEL:
            ways = _of_channel(store, namespace, notice.target)
        else:
            ways = iter((Receiver(notice.kind, notice.target),))
        for way in ways:
            limited = way._replace(most=MAILS_MOST, per_ms=MAILS_PER_MS) if way.kind == "email" else way
            found.setdefault((way.kind, way.target), limited)
    if not store.kept.are_empty(ROUTED):
        for way in _routed(store, job, namespace, name, about):
            found.setdefault((way.kind, way.target), way)
    return list(found.values())


def _routed(
    store: Store, job: CompiledJob, namespace: str, name: str, about: str
) -> Iterator[Receiver]:
    for home, route_name in routes.covering(store, namespace):
        row = objects.find(store, ROUTE, home, route_name)
        route = None if row is None else compiled_route(row.spec)
        if route is None or about not in route.on or not is_for(route, job, name):
            continue
        for channel in route.to:
            for way in _of_channel(store, home, channel):
                yield way._replace(
                    route=f"{home}/{route_name}", gather_ms=route.gather_ms, most=route.most,
                    per_ms=route.per_ms, escalate_ms=route.escalate_ms,
                )  # fmt: skip


def _standing(store: Store, route: str) -> Route | None:
    """None: by now it leads nowhere."""
    home, _, name = route.partition("/")
    row = objects.find(store, ROUTE, home, name)
    found = None if row is None else compiled_route(row.spec)
    return found if found is not None and found.on else None


def escalates_after_ms(store: Store, route: str) -> int | None:
    found = _standing(store, route) if route else None
    return None if found is None else found.escalate_ms


def escalated(store: Store, route: str) -> list[Receiver]:
    """Who is told next by this route."""
    home, found = route.partition("/")[0], _standing(store, route)
    if found is None:
        return []
    ways = [way for to in found.escalate_to for way in _of_channel(store, home, to)]
    return list({(way.kind, way.target): way._replace(route=route) for way in ways}.values())


def of_channel(store: Store, namespace: str, name: str) -> list[Receiver]:
    return list(_of_channel(store, namespace, name))


def _of_channel(store: Store, namespace: str, text: str) -> Iterator[Receiver]:
    """One that is no more reaches nobody: who refers to it keeps it there, but earlier revisions may."""
    where, name = resolved(text, namespace)
    row = objects.find(store, CHANNEL, where, name)
    if row is not None:
        for kind, target in _ways(row.spec):
            yield Receiver(kind, target, f"{where}/{name}")


@lru_cache(maxsize=1_024)
def _ways(spec: bytes) -> tuple[tuple[str, str], ...]:
    shape = json.loads(spec)
    return tuple((kind.name, target) for kind in WAYS if kind.name in shape for target in kind.targets(shape))


@lru_cache(maxsize=1_024)
def compiled_route(spec: bytes) -> Route:
    shape = json.loads(spec)
    most, escalate = shape.get("most"), shape.get("escalate")
    return Route(
        tuple(shape["on"]) if shape["enabled"] else (),
        shape["everywhere"],
        shape.get("match", {}),
        tuple(shape["to"]),
        parse_duration_ms(shape["digest"]) if "digest" in shape else 0,
        most["n"] if most else 0,
        parse_duration_ms(most["per"]) if most else 0,
        parse_duration_ms(escalate["after"]) if escalate else None,
        tuple(escalate["to"]) if escalate else (),
    )


def is_for(route: Route, job: CompiledJob, name: str) -> bool:
    match = route.match
    if not match:
        return True
    names, owners, levels = match.get("jobs"), match.get("owners"), match.get("criticality")
    if names and not any(fits(each, name) for each in names):
        return False
    if owners and not any(fits(each, job.owner) for each in owners):
        return False
    if levels and job.criticality not in levels:
        return False
    wanted = match.get("labels")
    if not wanted:
        return True
    labels = json.loads(job.labels)
    return all(key in labels and fits(pattern, labels[key]) for key, pattern in wanted.items())
