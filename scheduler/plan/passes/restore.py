"""A restore's own steps: the hold is ended, what waited is given up in slices, then it is done.

While agents are awaited nothing wakes: they are events, and the end of the hold may be seen a little late.
"""

from __future__ import annotations

from scheduler.machine.rules import walks
from scheduler.plan.hold import RestoreHold
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import restores
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.restores import HOLDING, Restore
from scheduler.words.commands import Command, EndHold, EndRestore, GiveUpRun

SOONEST_SHARE = 10
RUNS_MAX = 200


def plan(view: View) -> list[Command]:
    restore = view.hold.restore
    if restore is None or restore.until_ms is None:
        return []
    if restore.phase == HOLDING:
        over = _is_over(view, view.hold, restore, restore.until_ms)
        return [EndHold(view.epoch, restore.number)] if over else []
    runs: list[int] = []
    if not restore.catchup:
        runs = restores.open_runs(view.store, restore.run_base, view.cache.settled_run, RUNS_MAX)
        view.cache.settled_run = runs[-1] if runs else view.cache.settled_run
    if runs:
        return [GiveUpRun(view.epoch, restore.number, run) for run in runs]
    if run_rows.any_walking(view.store, walks.GIVE_UP):
        return []
    first_ms = trigger_rows.next_fire_ms(view.store)
    if first_ms is None or first_ms > view.hold.taken_ms:
        return [EndRestore(view.epoch, restore.number)]
    return []


def _is_over(view: View, hold: RestoreHold, restore: Restore, until_ms: int) -> bool:
    soonest_ms = hold.taken_ms + restore.hold_ms // SOONEST_SHARE
    return view.now_ms >= until_ms or (view.now_ms >= soonest_ms and restores.awaited(view.store) == 0)


def wake(outlook: Outlook) -> int | None:
    return 0 if outlook.hold.settling else None
