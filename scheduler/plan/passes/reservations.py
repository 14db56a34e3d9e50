"""Ticks that agents have in advance (`policies.autonomy`): reserved while their agent is connected, fired at
their instant, asked back where something has changed.

What a plan reserves it reserves a window ahead, so a look every LOOK_MS is soon enough."""

from __future__ import annotations

from scheduler.machine.rules import selectors
from scheduler.machine.rules.selectors import parse_kinds
from scheduler.plan.view import Outlook, View
from scheduler.protocol import RESERVES
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import changed_ticks, reservations
from scheduler.store.tables.pauses import ALL
from scheduler.store.tables.reservations import RESERVED_MAX, Open
from scheduler.ticks import nominal_ms
from scheduler.words.commands import AskBack, Command, FireReserved, Reserve

LOOK_MS = 5_000
EARLY_MS = 500  #: a tick that is due sooner goes its usual way, and the next one is reserved
OF_TRIGGER_MAX = 100  #: ticks that one plan reserves of a trigger
TRIGGERS_MAX = 100


def plan(view: View) -> list[Command]:
    store, epoch, most = view.store, view.epoch, view.limits.each_kind
    if view.hold.restore is not None:
        return []
    found: list[Command] = []
    due: list[tuple[int, int]] = []
    if reservations.any_of_all(store):
        found += [AskBack(epoch, *each) for each in reservations.to_ask_back(store, most)]
        due = reservations.due(store, view.due.fire_ms, most)
    found += [FireReserved(epoch, attempt) for attempt, _ in due]
    fired = {job for _, job in due}  # of which all may be asked back by that
    if not reservations.any_open(store) or view.overloaded or (view.cache.reserved_ms or 0) > view.now_ms:
        return found
    view.cache.reserved_ms = view.now_ms + LOOK_MS
    for trigger in reservations.open_triggers(store, view.now_ms, TRIGGERS_MAX):
        if len(found) < most and trigger.job not in fired:
            found += _of_trigger(view, trigger)
    return found


def _of_trigger(view: View, trigger: Open) -> list[Command]:
    if not view.cache.can_read(trigger.spec) or not view.cache.has_room(trigger.job, trigger.revision):
        return []
    if {ALL, trigger.namespace}.intersection(view.pauses.kept_back(view.now_ms)):
        return []
    agent = trigger.agent or _agent(view, trigger)
    row = agent_rows.get(view.store, agent) if agent else None
    if row is None or not row.node or row.draining:
        return []
    room = min(OF_TRIGGER_MAX, RESERVED_MAX - reservations.count_of(view.store, trigger.job))
    commands: list[Command] = []
    at_ms: int | None = trigger.next_due_ms
    while at_ms is not None and len(commands) < room:
        due_ms = at_ms + trigger.jitter_ms
        if due_ms > view.now_ms + trigger.window_ms:
            break
        if due_ms < view.now_ms + EARLY_MS:
            view.cache.reserved_ms = max(due_ms, view.now_ms) + 1
            break
        if changed_ticks.get(view.store, trigger.job, trigger.key, at_ms) is not None:
            break
        next_ms = view.cache.next(trigger.trigger, trigger.spec, at_ms)
        commands.append(
            Reserve(view.epoch, trigger.trigger, at_ms, next_ms, agent, nominal_ms(trigger.spec, at_ms))
        )
        at_ms = next_ms
    if at_ms is not None and len(commands) == OF_TRIGGER_MAX:
        view.cache.reserved_ms = view.now_ms  # the next plan goes on
    return commands


def _agent(view: View, trigger: Open) -> int:
    """One that the job's task may go to and that knows what a reserved tick is; 0: none is there."""
    job = view.cache.outline(view.store, trigger.job, trigger.namespace, trigger.name, trigger.revision)
    first = job.placed_early
    if first is None:
        return 0
    agent = view.places.take_for_tick(selectors.of_task(first, trigger.namespace))
    row = agent_rows.get(view.store, agent) if agent else None
    return agent if row is not None and RESERVES in parse_kinds(row.kinds) else 0


def wake(outlook: Outlook) -> int | None:
    if outlook.hold.restore is not None:
        return None
    due_ms = wanted_ms = None
    if reservations.any_of_all(outlook.store):
        if reservations.to_ask_back(outlook.store, 1):
            return 0
        due_ms = reservations.next_ms(outlook.store)
    if reservations.any_open(outlook.store):
        wanted_ms = reservations.wanted_ms(outlook.store)
    if wanted_ms is not None:
        wanted_ms = max(wanted_ms, outlook.cache.reserved_ms or 0)
    told = [ms for ms in (None if due_ms is None else due_ms - outlook.lead_ms, wanted_ms) if ms is not None]
    return min(told, default=None)
