"""What a person has to look at, of the whole cluster: late, failing, waiting, out of reach; of each how many,
the first of them, why, and the command that says or does more. One read of bounded cost. Who reads in some
namespaces is told of these alone: of what is theirs among the first that the cluster has of each.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from api.differences import difference_json
from api.instants import rfc3339
from api.jobs.reading import standing
from api.services import Services
from api.views import overload_json, pause_json
from scheduler.explain.expectations import said
from scheduler.machine.rules import selectors
from scheduler.machine.rules.gates import locks
from scheduler.store.connection import Store
from scheduler.store.reads import expectations as expectation_reads
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.reads import overview as reads
from scheduler.store.reads import triggers as trigger_reads
from scheduler.store.state import overload
from scheduler.store.tables import leaderships, tasks, triggers
from scheduler.store.tables.leaderships import Leadership
from scheduler.store.tables.pauses import ALL, Pause
from scheduler.store.tables.unmet import Unmet
from scheduler.words.counted import counted

SHOWN_MAX = 20  #: of each kind
LEADERSHIPS_MAX = 50
UNENDED = ("pending", "running", "held", "suspended")
LATE_MS = 2_000  #: a tick is decided within this, where all is well


class Owned(Protocol):
    @property
    def namespace(self) -> str | None: ...


T = TypeVar("T")
N = TypeVar("N", bound=Owned)
Scope = Sequence[str] | None
"""The namespaces that are told of; None: all."""


def overview(store: Store, services: Services, scope: Scope = None) -> dict[str, Any]:
    now_ms, paused = services.scheduler.now_ms(), standing(store, services)
    paused = [each for each in paused if scope is None or each.namespace in (ALL, *scope)]
    depth = outbox_reads.depth(store, scope)
    return {
        "at": rfc3339(now_ms),
        "late": _late(store, services, now_ms, paused, scope),
        "failing": _failing(store, scope),
        "waiting": _waiting(store, services, paused, scope),
        "unreachable": _unreachable(store, scope),
        "unmet": _unmet(store, now_ms, scope),
        "runs": {state: reads.count_runs(store, state, scope) for state in UNENDED},
        "zones": [{**zone._asdict()} for zone in reads.zones(store)],
        "pauses": [pause_json(pause) for pause in paused],
        "overload": overload_json(overload(store)),
        "difference": difference_json(store),
        "outbox": {
            "waiting": depth.waiting, "given_up": depth.given_up, "oldest": rfc3339(depth.oldest_ms),
        },
        "leaderships": _leaderships(leaderships.newest(store, LEADERSHIPS_MAX)),
    }  # fmt: skip


def _shown(count: int, rows: Sequence[T], told: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """`more`: there may be more than were counted."""
    return {"count": count, "more": count >= reads.COUNTED_MAX, "items": [told(row) for row in rows]}


def _first(
    scope: Scope, read: Callable[[int], Sequence[N]], count: Callable[[], int]
) -> tuple[int, Sequence[N]]:
    """How many there are, and the first; `read` gives so many of all namespaces."""
    if scope is None:
        return count(), read(SHOWN_MAX)
    rows = [row for row in read(reads.COUNTED_MAX) if row.namespace in scope]
    return len(rows), rows[:SHOWN_MAX]


def _command(*words: object, namespace: str = "") -> str:
    more = ["--namespace", namespace] if namespace not in ("", "default") else []
    return shlex.join(["cronclave", *map(str, words), *more])


def _late(
    store: Store, services: Services, now_ms: int, paused: Sequence[Pause], scope: Scope
) -> dict[str, Any]:
    """Triggers whose next tick should have been decided."""
    status = services.scheduler.status()
    late_ms = now_ms - LATE_MS
    count, rows = _first(
        scope,
        lambda limit: triggers.due(store, -1, late_ms, limit),
        lambda: triggers.count_due(store, late_ms, reads.COUNTED_MAX),
    )
    keys = trigger_reads.keys(store, [row.id for row in rows])

    def told(row: triggers.DueTrigger) -> dict[str, Any]:
        if not status.quorum:
            why = "this node reaches no quorum: nothing is decided meanwhile"
        elif status.leader is None:
            why = "the cluster has no leader now"
        elif row.name is None:
            why = "its job was deleted: what was due before is accounted for"
        elif row.state != "active" or any(each.namespace in (ALL, row.namespace) for each in paused):
            why = "it is paused: what is due is accounted for as skipped"
        elif overload(store) is not None:
            why = "more is due than can be started"
        else:
            why = "it is not decided yet"
        at, due_ms, namespace = rfc3339(row.next_due_ms), row.next_due_ms + row.jitter_ms, row.namespace or ""
        return {
            "job": row.name, "namespace": row.namespace, "trigger": keys.get(row.id), "at": at,
            "due": rfc3339(due_ms), "late_seconds": max(0, now_ms - due_ms) / 1000, "why": why,
            "command": row.name and _command("job", "explain", row.name, "--at", at, namespace=namespace),
        }  # fmt: skip

    return _shown(count, rows, told)


def _failing(store: Store, scope: Scope) -> dict[str, Any]:
    def told(row: reads.Failing) -> dict[str, Any]:
        ended = {"timed_out": "timed out", "lost": "was lost"}.get(row.last_state, row.last_state)
        why = f"its last run {ended}"
        if row.failures > 1:
            last = "" if ended == "failed" else f", the last one {ended}"
            why = f"its last {row.failures} runs failed{last}"
        return {
            "job": row.name, "namespace": row.namespace, "failures": row.failures, "run": row.last_run,
            "state": row.state, "why": why, "command": _command("run", "logs", row.last_run),
        }  # fmt: skip

    found = _first(scope, lambda limit: reads.failing(store, limit), lambda: reads.count_failing(store))
    return _shown(*found, told)


def _waiting(store: Store, services: Services, paused: Sequence[Pause], scope: Scope) -> dict[str, Any]:
    """Queues of tasks, jobs whose runs wait behind each other, and namespaces whose runs wait for their
    quota."""
    items, count = [], 0
    everything = any(pause.namespace == ALL for pause in paused)
    for selector in tasks.queued_selectors(store, SHOWN_MAX):
        row = reads.queue(store, selector, scope)
        if row is None:
            continue
        wanted = selectors.parse(selector)
        lacks = services.places(store).lacks(wanted)
        taken = locks.lacks(store, selector, services.scheduler.now_ms()) if wanted.locks else ""
        if everything or any(pause.namespace == row.namespace for pause in paused):
            why = "it is paused: no task starts"
        else:
            why = lacks or locks.brief(taken) or f"every agent for {selectors.words(wanted)} is busy"
            if wanted.agent_max and not lacks and not taken:
                why += f", or has {counted(wanted.agent_max, 'member')} of the task"
        of = f"resource {taken}" if locks.is_resource(taken) else selectors.words(wanted)
        count += row.size
        items.append({
            "kind": "agent", "for": of, "count": row.size, "run": row.run,
            "job": row.name, "namespace": row.namespace, "since": rfc3339(row.queued_ms), "behind": None,
            "why": why, "command": _command("run", "explain", row.run),
        })  # fmt: skip
    for each in reads.overlapping(store, SHOWN_MAX, scope):
        count += each.size
        behind = f"run {each.behind} of the job" if each.behind else "another run of the job"
        items.append({
            "kind": "overlap", "for": None, "count": each.size, "run": each.run, "job": each.name,
            "namespace": each.namespace, "since": rfc3339(each.created_ms), "behind": each.behind,
            "why": f"it waits behind {behind}", "command": _command("run", "explain", each.run),
        })  # fmt: skip
    for kept in reads.kept_back(store, SHOWN_MAX, scope):
        count += kept.size
        items.append({
            "kind": "quota", "for": None, "count": kept.size, "run": kept.run, "job": kept.name,
            "namespace": kept.namespace, "since": rfc3339(kept.created_ms), "behind": None,
            "why": f"by its quota namespace {kept.namespace} may not have one more run yet",
            "command": _command("run", "explain", kept.run),
        })  # fmt: skip
    return _shown(count, items, lambda item: item)


def _unreachable(store: Store, scope: Scope) -> dict[str, Any]:
    def told(row: reads.Unreachable) -> dict[str, Any]:
        away = "is connected again and has not told of it" if row.node else "is not connected"
        return {
            "attempt": row.attempt, "run": row.run, "job": row.name, "namespace": row.namespace,
            "task": row.task, "agent": row.agent, "zone": row.zone, "started": rfc3339(row.started_ms),
            "since": rfc3339(row.disconnected_ms), "why": f"{row.agent}, which has it, {away}",
            "command": _command("run", "explain", row.run),
        }  # fmt: skip

    found = _first(
        scope, lambda limit: reads.unreachable(store, limit), lambda: reads.count_unreachable(store)
    )
    return _shown(*found, told)


def _unmet(store: Store, now_ms: int, scope: Scope) -> dict[str, Any]:
    """What is expected, does not hold, and nobody has acknowledged."""

    def told(row: Unmet) -> dict[str, Any]:
        words = ("run", "explain", row.run) if row.run else ("job", "get", row.name)
        return {
            "id": row.id, "job": row.name, "namespace": row.namespace, "run": row.run or None,
            "what": row.what, "since": rfc3339(row.at_ms), "why": said(row),
            "command": _command(*words, namespace="" if row.run else row.namespace),
        }  # fmt: skip

    rows = expectation_reads.unseen(store, now_ms, reads.COUNTED_MAX, scope)
    return _shown(len(rows), rows[:SHOWN_MAX], told)


def _leaderships(newest: Sequence[Leadership]) -> list[dict[str, Any]]:
    """The newest first; each ends where the next one begins."""
    ends = [None, *(each.began_ms for each in newest)]
    return [
        {
            "epoch": row.epoch, "node": row.node, "zone": row.zone, "term": row.term,
            "began": rfc3339(row.began_ms), "ended": rfc3339(end_ms),
            "last_decision_before": rfc3339(row.before_ms or None),
            "vacant_since": rfc3339(row.vacant_ms or None),
        }
        for row, end_ms in zip(newest, ends, strict=False)
    ]  # fmt: skip
