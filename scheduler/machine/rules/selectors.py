"""Which agents may take a task: pool, labels, zone and the kind of its work, as one canonical string that the
queue is indexed by. One that runs as a user of the host queues by that too, since its namespace may withdraw
the user (the gate `user`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple

from scheduler.model.compiled import CompiledTask


class Selector(NamedTuple):
    pool: str  #: empty: any pool
    labels: frozenset[tuple[str, str]]
    zone: str | None
    kind: str  #: of work, that it must offer
    agent: int = 0  #: the only one that may take it; 0: any
    user: str = ""  #: of the host, that it runs as; empty: the agent's own
    namespace: str = ""  #: of one with a user: that allows it


def of_task(task: CompiledTask, namespace: str) -> str:
    """Canonical JSON: [pool, {labels}, zone or null, kind], with a user [..., 0, user, namespace]."""
    wanted: list[object] = [task.pool, dict(task.labels), task.zone, task.executor]
    if task.user:
        wanted += [0, task.user, namespace]
    return json.dumps(wanted, sort_keys=True, separators=(",", ":"))


def bound(selector: str, agent: int) -> str:
    """The same, for this agent alone: [pool, {labels}, zone or null, kind, agent]."""
    wanted = json.loads(selector)
    wanted[4:5] = [agent]
    return json.dumps(wanted, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=4_096)
def parse(selector: str) -> Selector:
    pool, labels, zone, kind, *more = json.loads(selector)
    return Selector(pool, frozenset(labels.items()), zone, kind, *more)


@lru_cache(maxsize=4_096)
def parse_labels(labels: str) -> frozenset[tuple[str, str]]:
    return frozenset((str(key), str(value)) for key, value in json.loads(labels).items())


@lru_cache(maxsize=4_096)
def parse_kinds(kinds: str) -> frozenset[str]:
    return frozenset(json.loads(kinds))


def matches(selector: Selector, *, agent: int | None, pool: str, labels: str, zone: str) -> bool:
    """Whether the agent with these words is meant. None: whether one of them may be. What kinds of work it
    offers is another question (`offers`)."""
    if selector.agent and agent is not None and selector.agent != agent:
        return False
    if selector.pool and selector.pool != pool:
        return False
    if selector.zone is not None and selector.zone != zone:
        return False
    return not selector.labels or selector.labels <= parse_labels(labels)


def offers(selector: Selector, kinds: str) -> bool:
    """Whether an agent of these kinds of work runs such a task."""
    return selector.kind in parse_kinds(kinds)


def words(selector: Selector) -> str:
    """The agents that it means, for people."""
    parts = [f"pool {selector.pool}"] if selector.pool else []
    parts += [f"zone {selector.zone}"] if selector.zone else []
    parts += [f"label {key}={value}" for key, value in sorted(selector.labels)]
    return ", ".join(parts) or "any pool"
