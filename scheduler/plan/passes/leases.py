"""Attempts whose agent is not connected: taken back, marked, or lost.

Rules of this file (docs/architecture.md, "Rules without exception", 6):

1. Without a grant an attempt is taken back at once; that is free. Of a connected agent it is taken back when
   no claim came for UNCLAIMED_MS: the claim or the assignment was lost; where its node is quiet, as soon as
   it is due and another agent has room, since claims do not come through before the agent gives that node up.
2. With a grant nothing happens before its lease is over. How long that takes is measured by the caller, on
   the leader's monotonic clock, anew under each leadership and after each disconnection (`since_ms`).
3. Then `on_lost` decides: wait marks it unreachable; fail and retry lose it. An unreachable one is lost when
   its task's timeout has passed as well.
"""

from __future__ import annotations

from scheduler.plan.lookahead import PlanCache
from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import CutOffAttempt
from scheduler.words.causes import Kind
from scheduler.words.commands import Command, Lose, MarkUnreachable, Revoke

UNCLAIMED_MS = 15_000
CUT_OFF_MAX = 10_000


def cut_off(store: Store) -> list[CutOffAttempt]:
    """Live attempts of disconnected agents; those with a grant (state not `assigned`) need a lease kept."""
    return attempt_rows.of_disconnected_agents(store, CUT_OFF_MAX)


def plan(view: View) -> list[Command]:
    store, epoch, limit = view.store, view.epoch, view.limits.each_kind
    commands: list[Command] = []
    for attempt in attempt_rows.unclaimed_since(store, view.now_ms - UNCLAIMED_MS, limit):
        commands.append(Revoke(epoch, attempt, "not claimed"))
    if view.quiet_nodes and not view.overloaded:
        found = attempt_rows.unclaimed_on(store, view.quiet_nodes, view.now_ms, limit - len(commands))
        commands += [
            Revoke(epoch, attempt, "its agent's node is quiet")
            for attempt, selector in found
            if view.places.free(selector, 1)
        ]
    taken = {command.attempt for command in commands if isinstance(command, Revoke)}
    for tried in cut_off(store):
        if len(commands) >= limit:
            break
        if tried.state == "assigned":
            if tried.id not in taken:
                commands.append(Revoke(epoch, tried.id, "its agent is disconnected"))
        elif tried.id > view.hold.attempts_through and (tried.id, tried.since_ms) in view.ended:
            command = _at_lease_end(store, view.cache, tried, view.now_ms, epoch)
            if command is not None:
                commands.append(command)
    return commands


def wake(outlook: Outlook) -> int | None:
    if outlook.hold.restore is not None:
        return None
    unclaimed_ms = attempt_rows.oldest_unclaimed_ms(outlook.store)
    return None if unclaimed_ms is None else unclaimed_ms + UNCLAIMED_MS + 1


def _at_lease_end(
    store: Store, cache: PlanCache, tried: CutOffAttempt, now_ms: int, epoch: int
) -> Command | None:
    run = run_rows.get(store, tried.run)
    task = task_rows.get(store, tried.task)
    if run is None or task is None:
        return None
    if run.cause == Kind.ORPHAN:  # its policy was another cluster's: it waits for its agent, or a person
        return None if tried.unreachable else MarkUnreachable(epoch, tried.id, tried.since_ms)
    job = cache.job(store, run.job, run.namespace, run.name, run.revision)
    if job.on_lost_of(task.name) != "wait":
        return Lose(epoch, tried.id, "lease", tried.since_ms)
    if not tried.unreachable:
        return MarkUnreachable(epoch, tried.id, tried.since_ms)
    compiled = job.by_name[task.name]
    began_ms = tried.started_ms if tried.started_ms is not None else tried.due_ms
    if compiled.timeout_ms is not None and began_ms + compiled.timeout_ms + compiled.grace_ms < now_ms:
        return Lose(epoch, tried.id, "timeout", tried.since_ms)
    return None
