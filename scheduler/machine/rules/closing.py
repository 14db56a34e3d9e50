"""Whether one more plan date of a namespace may be closed: asked by the machine and by dry runs alike.

So many stay closed. The oldest gives way to a later one, but only if it is over: one that is to come would
be open again, and nobody would know."""

from __future__ import annotations

from scheduler.store.connection import Store
from scheduler.store.tables import closed_dates, namespaces
from scheduler.ticks import plan_days
from scheduler.words.outcomes import Code, Outcome


def judge(store: Store, namespace: str, day: int, now_ms: int) -> Outcome | None:
    """The refusal; None: it may."""
    gone = closed_dates.forgotten_by(store, namespace, day)
    today = plan_days.day_of(namespaces.plan_days_of(store, namespace), now_ms)
    if gone is None or (gone < today and gone != day):
        return None
    hint = "Open some that need not be closed any more: plan open. A job that rests on many has a calendar."
    said = f"{closed_dates.KEPT_MAX} dates of namespace {namespace} are closed, the most"
    return Outcome(Code.LIMIT, said, {"hint": hint})
