"""One plan: the order in which things come, and when to plan next."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from scheduler.plan.due import Horizon, plan_backlog, plan_live
from scheduler.plan.held import held, plan_held
from scheduler.plan.leases import UNCLAIMED_MS, Lease, plan_leases
from scheduler.plan.lookahead import PlanCache
from scheduler.plan.migration import plan_migration
from scheduler.plan.placement import Places, plan_queue
from scheduler.plan.unfinished import is_any, plan_unfinished
from scheduler.plan.upkeep import plan_upkeep
from scheduler.store import agents as agent_rows
from scheduler.store import attempts as attempt_rows
from scheduler.store import runs as run_rows
from scheduler.store import state as state_rows
from scheduler.store import tasks as task_rows
from scheduler.store import triggers as trigger_rows
from scheduler.store.connection import Store
from scheduler.words.commands import Command, ExpireRun, LoseNode, Requeue, StopRun

LeaseView = Container[Lease]
"""The leases that are over, as the leader's monotonic clock says (see `leases.orphans`)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one plan."""

    commands: int = 1_000
    catchup_fires: int = 100
    backlog_instants: int = 20_000
    each_kind: int = 300  #: of expiries, stops, requeues and lease ends


def plan(
    store: Store,
    now_ms: int,
    *,
    epoch: int,
    lead_ms: int,
    leases: LeaseView = (),
    silent_nodes: Sequence[str] = (),
    quiet_nodes: Container[str] = (),
    limits: Limits | None = None,
    cache: PlanCache | None = None,
) -> list[Command]:
    """What to propose now, in this order. One plan in flight: plan again when its outcomes are known.

    `silent_nodes` are given up: their agents count as disconnected. `quiet_nodes` missed some heartbeats:
    their agents get nothing new for now.

    `cache` is kept between plans of one planner. The store's snapshot is taken here.
    """
    limits = limits or Limits()
    cache = cache or PlanCache()
    cache.begin()
    with store.snapshot():
        places = Places(store, quiet_nodes)
        return _plan(store, places, now_ms, epoch, lead_ms, leases, silent_nodes, limits, cache)


def _plan(
    store: Store,
    places: Places,
    now_ms: int,
    epoch: int,
    lead_ms: int,
    leases: LeaseView,
    silent_nodes: Sequence[str],
    limits: Limits,
    cache: PlanCache,
) -> list[Command]:
    hold = held(store)
    horizon = Horizon(now_ms, now_ms + lead_ms, epoch, hold)
    each = limits.each_kind
    urgent: list[Command] = [
        LoseNode(epoch, node) for node in silent_nodes if agent_rows.any_on_node(store, node)
    ]
    urgent += plan_held(store, cache, hold, now_ms, epoch=epoch)
    urgent += plan_leases(
        store, cache, now_ms, epoch=epoch, ended=leases, limit=each, after=hold.attempts_through
    )
    # Places are planned for the queue before ticks that fire now, but a tick's command goes first: it is due.
    assigns = plan_queue(
        store, places, cache, epoch=epoch, limit=limits.commands // 2, after=hold.queue_through
    )
    live, behind = plan_live(store, places, cache, horizon, limit=limits.commands // 2)
    commands = [*urgent, *live, *assigns]
    after = hold.runs_through
    commands += [StopRun(epoch, run) for run in run_rows.past_stop(store, now_ms, each, after)]
    commands += [ExpireRun(epoch, run) for run in run_rows.past_deadline(store, now_ms, each, after)]
    commands += [Requeue(epoch, task) for task in task_rows.past_retry(store, now_ms, each, after)]
    commands += plan_migration(store, epoch=epoch)
    room = limits.commands - len(commands)
    if room > 0:
        commands += plan_backlog(
            store,
            places,
            cache,
            horizon,
            behind,
            limit=room,
            fires_max=limits.catchup_fires,
            instants_max=limits.backlog_instants,
        )
        commands += plan_upkeep(store, cache, now_ms, epoch=epoch)
    # Last, so that no task is placed that it ends; never cut off, or full plans would keep it from its turn.
    left = plan_unfinished(store, cache, epoch=epoch)
    return [*commands[: limits.commands - len(left)], *left]


def wake_ms(store: Store, *, lead_ms: int = 0) -> int | None:
    """The earliest instant at which time alone makes something due; None: only an event can.

    An instant in the past: plan now. Queued tasks wait for events (a slot, an agent), not for time.
    """
    with store.snapshot():
        if state_rows.migration_cursor(store) is not None or is_any(store):
            return 0
        hold = held(store)
        if hold.settling:
            return 0
        if hold.restore is not None:  # what is held must not be looked at again and again
            next_ms = trigger_rows.next_fire_ms(store, hold.taken_ms)
            return None if next_ms is None else next_ms - lead_ms
        fire_ms = trigger_rows.next_fire_ms(store)
        unclaimed_ms = attempt_rows.oldest_unclaimed_ms(store)
        instants = (
            None if fire_ms is None else fire_ms - lead_ms,
            task_rows.next_retry_ms(store),
            run_rows.next_deadline_ms(store),
            run_rows.next_stop_ms(store),
            None if unclaimed_ms is None else unclaimed_ms + UNCLAIMED_MS + 1,
        )
    return min((instant for instant in instants if instant is not None), default=None)
