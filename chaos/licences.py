"""A licence pool that is smaller than what is asked of it, and a lock over a job: payloads tell by their own
lines who works at the same time.

    licensed   takes one of LICENCES for its only task
    exclusive  takes the lock for a whole run: its payload, and a sleep behind it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LICENSED, EXCLUSIVE = "licensed", "exclusive"
POOL, LOCK = "licences", "lock"
LICENCES = 2
LIMITS = {LICENSED: LICENCES, EXCLUSIVE: 1}
"""Runs that may work at once, by job."""
WORK_S = 0.8
RESOURCES: Mapping[str, Mapping[str, Any]] = {POOL: {"count": LICENCES}, LOCK: {}}


def jobs_of(bodies: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By what all jobs of the load have, and their payload."""
    licensed, exclusive = bodies[LICENSED], dict(bodies[EXCLUSIVE])
    work = exclusive.pop("run")
    policies = {**exclusive["policies"], "locks": [LOCK]}
    tasks = {"first": {"run": work}, "second": {"sleep": "200ms", "needs": ["first"]}}
    return {
        LICENSED: {**licensed, "locks": [POOL]},
        EXCLUSIVE: {**exclusive, "policies": policies, "tasks": tasks},
    }
