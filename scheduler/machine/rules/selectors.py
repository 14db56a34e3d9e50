"""Which agents may take a task: pool, labels and zone, as one canonical string that the queue is indexed
by.
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
    agent: int = 0  #: the only one that may take it; 0: any


def of_task(task: CompiledTask) -> str:
    """Canonical JSON: [pool, {labels}, zone or null]."""
    return json.dumps([task.pool, dict(task.labels), task.zone], sort_keys=True, separators=(",", ":"))


def bound(selector: str, agent: int) -> str:
    """The same, for this agent alone: [pool, {labels}, zone or null, agent]."""
    return json.dumps([*json.loads(selector), agent], sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=4_096)
def parse(selector: str) -> Selector:
    pool, labels, zone, *agent = json.loads(selector)
    return Selector(pool, frozenset(labels.items()), zone, *agent)


@lru_cache(maxsize=4_096)
def parse_labels(labels: str) -> frozenset[tuple[str, str]]:
    return frozenset((str(key), str(value)) for key, value in json.loads(labels).items())


def matches(selector: Selector, *, agent: int | None, pool: str, labels: str, zone: str) -> bool:
    """Whether the agent with these words may take such a task. None: whether one of them may."""
    if selector.agent and agent is not None and selector.agent != agent:
        return False
    if selector.pool and selector.pool != pool:
        return False
    if selector.zone is not None and selector.zone != zone:
        return False
    return not selector.labels or selector.labels <= parse_labels(labels)
