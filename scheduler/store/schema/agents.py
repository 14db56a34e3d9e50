"""The agents."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE agents (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        installation TEXT NOT NULL, session TEXT NOT NULL, boot_id TEXT NOT NULL, cloud_id TEXT NOT NULL,
        zone TEXT NOT NULL, pool TEXT NOT NULL, labels TEXT NOT NULL, slots INTEGER NOT NULL,
        kinds TEXT NOT NULL,                -- of work, that its executors run: JSON, a sorted list
        version TEXT NOT NULL,
        node TEXT NOT NULL,                 -- the node that holds its socket; empty: disconnected
        busy INTEGER NOT NULL,              -- live attempts
        draining INTEGER NOT NULL,          -- 1: a person lets it start nothing more
        drain_reason TEXT NOT NULL,
        drain_until_ms INTEGER,             -- when it takes work again by itself; NULL: by a person alone
        connected_ms INTEGER, disconnected_ms INTEGER,
        load REAL AS (busy * 1.0 / slots)   -- the share of its slots that is taken
    )
    """,
    # Agents that came back, for which more members wait for their turn than one command lets go.
    "CREATE TABLE returns (agent INTEGER PRIMARY KEY, after INTEGER NOT NULL)",
    "CREATE INDEX agents_installation ON agents (installation, name)",
    # Where there is a place for one task more, the least loaded first.
    "CREATE INDEX agents_load ON agents (pool, load, id)"
    " WHERE node <> '' AND draining = 0 AND busy < slots",
    "CREATE INDEX agents_draining ON agents (id) WHERE draining = 1",
    "CREATE INDEX agents_drain_end ON agents (drain_until_ms, id) WHERE drain_until_ms IS NOT NULL",
)
