"""The SQLite schema of one node's state: the replicated tables and nothing else, a file a noun.

Rules: integer surrogate keys; instants are UTC milliseconds; every query of the machine has a total ORDER
BY; what the API filters and sorts on has an index; nothing is ever counted with `count(*)` over a whole
table.
"""

from __future__ import annotations

from scheduler.store.schema import (
    access,
    agents,
    backfills,
    cluster,
    dependents,
    expectations,
    files,
    gatherings,
    hooks,
    jobs,
    limits,
    locks,
    notices,
    objects,
    outside,
    requires,
    reservations,
    runs,
    sources,
    staging,
    templates,
    ticks,
)

SCHEMA_VERSION = 84
"""The layout of an empty state of the oldest format; a test holds the two together. Once released, it stays
as long as that format is supported. What later formats add is in `scheduler.formats`.
"""

_NOUNS = (
    cluster, jobs, objects, ticks, reservations, backfills, dependents, hooks, notices, files, gatherings,
    requires, runs, expectations, agents, limits, locks, access, staging, outside, templates, sources,
)  # fmt: skip

STATEMENTS: tuple[str, ...] = tuple(statement for noun in _NOUNS for statement in noun.STATEMENTS)
