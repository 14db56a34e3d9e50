"""What commands left of the work on large runs and agents: one Continue a plan, in turn for all of them."""

from __future__ import annotations

from scheduler.plan.lookahead import PlanCache
from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import doomed
from scheduler.store.tables import runs as run_rows
from scheduler.words.commands import CONTINUE_RUNS_MAX, Command, Continue


def plan(view: View) -> list[Command]:
    return go_on(view.store, view.cache, epoch=view.epoch)


def go_on(store: Store, cache: PlanCache, *, epoch: int) -> list[Command]:
    """The runs next in turn. The next turn goes on after the first of them, so that none of very many waits
    for ever.
    """
    runs = run_rows.unfinished(store, cache.continued, CONTINUE_RUNS_MAX)
    if cache.continued and len(runs) < CONTINUE_RUNS_MAX:
        runs += run_rows.unfinished(store, 0, CONTINUE_RUNS_MAX - len(runs))
    runs = list(dict.fromkeys(runs))
    if not runs and doomed.first(store) is None:
        return []
    cache.continued = runs[0] if runs else 0
    return [Continue(epoch, tuple(runs))]


def wake(outlook: Outlook) -> int | None:
    any_left = run_rows.unfinished(outlook.store, 0, 1) or doomed.first(outlook.store) is not None
    return 0 if any_left else None
