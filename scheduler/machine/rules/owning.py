"""Who may change what comes from a source.

Rules of this file:

1. A source is an object of that kind; what comes from it carries its namespace and name. A source that a
   person only names (`apply --source NAME`) guards nothing.
2. Of a source that says `drift: refuse` nobody else changes anything; of any other nobody takes it over
   by naming another source. An edit by hand, where it may be, leaves it the source's.
3. What a source that is no more left behind is nobody's.
"""

from __future__ import annotations

from scheduler.store.connection import Store
from scheduler.store.tables import objects
from scheduler.store.tables.refs import Named
from scheduler.store.tables.sources import KIND, REFUSE
from scheduler.words.outcomes import Code, Outcome


def judge(store: Store, what: Named, stored: str, source: str) -> Outcome | None:
    """The refusal of an edit of what comes from `stored`, that comes from `source`; empty: by hand."""
    if "/" not in stored or stored == source:
        return None
    namespace, _, name = stored.partition("/")
    drift = objects.pin_of(store, KIND, namespace, name)
    if drift is None or (drift != REFUSE and not source):
        return None
    detail = f"{what} comes from source {stored}"
    hint = f"Edit it there. Where that is: cronclave source show {name} -n {namespace}"
    return Outcome(Code.OWNED, detail, {**what._asdict(), "source": stored, "hint": hint})


def kept(stored: str, source: str) -> str:
    """Of whom it is after an edit."""
    return source or (stored if "/" in stored else "")
