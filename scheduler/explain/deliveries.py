"""What would become of a delivery that came to a job's hook this moment: the gates are asked, as of ticks."""

from __future__ import annotations

import json
from dataclasses import dataclass

from scheduler.explain.findings import NEVER_WORD, Cluster, Finding, ask, of_cluster, verdict_of
from scheduler.explain.runs import Compiled
from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import Facts, RunView, TickView, overlap
from scheduler.store.connection import Store
from scheduler.store.tables import deliveries, objects, pauses
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.triggers import FiringTrigger, Trigger
from scheduler.words import causes

REFUSED = "no delivery is taken for any job of the hook"


@dataclass(frozen=True, slots=True)
class Awaited:
    trigger: str
    hook: str  #: namespace/name
    last: str | None  #: the newest delivery that the hook took
    last_ms: int | None
    said: str
    verdict: str
    gates: tuple[Finding, ...]


def of_job(store: Store, job: int, cluster: Cluster, compiled: Compiled) -> tuple[Awaited, ...]:
    """Of each of its live triggers that waits for a hook."""
    found = []
    for era in trigger_rows.live(store, job):
        row = trigger_rows.firing(store, era.id) if causes.is_hooked(era.event) else None
        if row is not None and row.namespace is not None:
            found.append(_awaited(store, era, row, cluster, compiled))
    return tuple(found)


def _awaited(
    store: Store, era: Trigger, row: FiringTrigger, cluster: Cluster, compiled: Compiled
) -> Awaited:
    _, namespace, name = era.event.split("/")
    job = compiled(row.job, row.revision, namespace, row.name)
    policy = job.overlap_of(era.key) if row.active_runs else "allow"
    paused = any(each.covers(cluster.now_ms, cluster.now_ms) for each in pauses.of(store, namespace))
    facts = Facts(store, cluster.now_ms, namespace)
    taken = ask(gates.TICK, TickView(row, cluster.now_ms, paused), facts)
    room = ask(gates.RUN, RunView(store, row.job, 0, policy, row.active_runs), facts)
    told = (of_cluster(cluster), _hook(store, namespace, name), *taken, *room)
    said = "each delivery to the hook makes a run"
    if verdict_of(taken) == NEVER_WORD:
        said = "a delivery is taken, and ends without a run"
    elif verdict_of(room) == NEVER_WORD:
        refuses = policy in overlap.QUEUES
        said = f"its queue is full: {REFUSED}" if refuses else "a delivery is taken, and ends without a run"
    if told[1].state == NEVER_WORD:
        said = f"the hook is disabled: {REFUSED}"
    newest = deliveries.newest(store, namespace, name, None, 1)
    last, last_ms = (newest[0].delivery, newest[0].at_ms) if newest else (None, None)
    return Awaited(era.key, f"{namespace}/{name}", last, last_ms, said, verdict_of(told), told)


def _hook(store: Store, namespace: str, name: str) -> Finding:
    row = objects.find(store, "hook", namespace, name)
    if row is not None and json.loads(row.spec)["enabled"]:
        return Finding("hook")
    return Finding("hook", NEVER_WORD, "it is disabled (enabled: false)", opens="enabled: true")
