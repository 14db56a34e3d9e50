"""How many routes there may be: of the jobs of one namespace, and of those of all.

Something that is told asks each of them, so there is a limit; and no route beyond it that is never asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scheduler.machine.rules.routing import ROUTE, compiled_route
from scheduler.store.connection import Store
from scheduler.store.tables import routes
from scheduler.store.tables.routes import EVERYWHERE, ROUTES_MAX
from scheduler.words.commands import PreparedObject
from scheduler.words.outcomes import Code, Outcome

Named = tuple[str, str, str]


def change(store: Store, puts: Sequence[PreparedObject], gone: Iterable[Named]) -> dict[str, int]:
    """How many more there would be, by the namespace of whose jobs they are (EVERYWHERE: of all)."""
    found: dict[str, int] = {}
    for new in puts:
        if new.kind == ROUTE:
            now = EVERYWHERE if compiled_route(new.spec).everywhere else new.namespace
            found[now] = found.get(now, 0) + 1
    for kind, namespace, name in (*((new.kind, new.namespace, new.name) for new in puts), *gone):
        before = routes.covers(store, namespace, name) if kind == ROUTE else None
        if before is not None:
            found[before] = found.get(before, 0) - 1
    return found


def judge(store: Store, more: Mapping[str, int]) -> Outcome | None:
    """The refusal, if there would be too many."""
    for of, change in more.items():
        if change > 0 and (count := routes.count(store, of) + change) > ROUTES_MAX:
            whose = "of all namespaces" if of == EVERYWHERE else f"of namespace {of}"
            detail = f"there would be {count} routes {whose}; {ROUTES_MAX} are the most"
            hint = "Say it with fewer: a route matches jobs by patterns of names, labels and owners."
            return Outcome(Code.QUOTA, detail, {"namespace": of, "routes": count, "hint": hint})
    return None
