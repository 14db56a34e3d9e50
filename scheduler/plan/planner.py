"""One plan: what the passes say, in their order, and when to plan next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scheduler.plan.catchup import Budget
from scheduler.plan.due import Due
from scheduler.plan.firing import fire_live
from scheduler.plan.hold import hold_of
from scheduler.plan.lookahead import PlanCache
from scheduler.plan.passes import DUE, NEVER_CUT, PASSES, PLACED_FIRST, SPARE, backlog, idle
from scheduler.plan.pausing import pauses_of
from scheduler.plan.places import Places
from scheduler.plan.view import LeaseView, Limits, Outlook, View
from scheduler.store.connection import Store
from scheduler.store.state import overload
from scheduler.store.tables.triggers import DueTrigger
from scheduler.words.commands import Account, Command
from scheduler.words.reasons import OVERLOAD


def plan(
    store: Store,
    now_ms: int,
    *,
    epoch: int,
    lead_ms: int,
    leases: LeaseView = (),
    silent_nodes: Sequence[str] = (),
    quiet_nodes: Sequence[str] = (),
    limits: Limits | None = None,
    cache: PlanCache | None = None,
) -> list[Command]:
    """What to propose now, in this order. One plan in flight: plan again when its outcomes are known.

    `silent_nodes` are given up: their agents count as disconnected. `quiet_nodes` missed some heartbeats:
    their agents get nothing new for now, and what is due and unclaimed there goes elsewhere.

    `cache` is kept between plans of one planner. The store's snapshot is taken here.
    """
    limits = limits or Limits()
    cache = cache or PlanCache()
    cache.begin()
    with store.snapshot():
        return _plan(
            _view(
                store, now_ms, epoch, lead_ms, limits, cache,
                ended=leases, silent_nodes=silent_nodes, quiet_nodes=quiet_nodes,
            )
        )  # fmt: skip


def plan_missed(store: Store, trigger: DueTrigger, now_ms: int) -> list[Command]:
    """What a plan would say of the missed ticks of this trigger, if there were nothing else to do; nothing
    where what is due of it is live, and none of that is too old under overload."""
    limits = Limits()
    with store.snapshot():
        view = _view(store, now_ms, 0, 0, limits, PlanCache())
        if not view.due.is_behind(trigger):
            turns = fire_live(view, trigger, trigger.next_due_ms) if view.overloaded else ()
            return [command for turn in turns for command in turn]
        return backlog.of_trigger(view, trigger, Budget(limits.catchup_fires, limits.backlog_instants))


def _view(
    store: Store,
    now_ms: int,
    epoch: int,
    lead_ms: int,
    limits: Limits,
    cache: PlanCache,
    *,
    ended: LeaseView = (),
    silent_nodes: Sequence[str] = (),
    quiet_nodes: Sequence[str] = (),
) -> View:
    hold = hold_of(store)
    return View(
        store=store,
        hold=hold,
        pauses=pauses_of(store),
        lead_ms=lead_ms,
        now_ms=now_ms,
        epoch=epoch,
        limits=limits,
        cache=cache,
        places=Places(store, quiet_nodes, cache.turns),
        due=Due(store, cache, hold, now_ms, now_ms + lead_ms, limit=limits.commands // 2),
        ended=ended,
        silent_nodes=silent_nodes,
        quiet_nodes=quiet_nodes,
        overloaded=overload(store) is not None,
        room=limits.commands,
    )


def _plan(view: View) -> list[Command]:
    first = {each: each.plan(view) for each in PLACED_FIRST}
    commands: list[Command] = []
    rests = idle(view.store)
    for each in DUE:
        if each not in rests:
            commands += first[each] if each in first else each.plan(view)
    # What ends ticks without a run sheds load, and takes no room.
    most = view.limits.commands + sum(1 for c in commands if isinstance(c, Account) and c.reason == OVERLOAD)
    room = most - len(commands)
    if room > 0:
        spare = replace(view, room=room)
        for each in SPARE:
            commands += each.plan(spare)
    left = [command for each in NEVER_CUT for command in each.plan(view)]
    return [*commands[: most - len(left)], *left]


def wake_ms(store: Store, *, lead_ms: int = 0, cache: PlanCache | None = None) -> int | None:
    """The earliest instant at which time alone makes something due; None: only an event can. `cache`: of the
    plans; what they found to be unreadable wakes nobody.

    An instant in the past: plan now. Queued tasks wait for events (a slot, an agent), not for time.
    """
    with store.snapshot():
        outlook = Outlook(store, hold_of(store), pauses_of(store), lead_ms, cache or PlanCache())
        rests = idle(store)
        instants = [each.wake(outlook) for each in PASSES if each not in rests]
    return min((instant for instant in instants if instant is not None), default=None)
