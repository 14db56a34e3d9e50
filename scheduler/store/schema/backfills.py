"""Backfills: runs that are made for instants that are past (`machine.backfills`)."""

from __future__ import annotations

STATEMENTS = (
    """
    CREATE TABLE backfills (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        key TEXT NOT NULL,                  -- of the trigger
        from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
        first_day INTEGER, last_day INTEGER, -- of the instants there those of these plan dates; NULL: all
        at_ms INTEGER NOT NULL,             -- every instant up to this one was looked at
        instants INTEGER NOT NULL,
        active_max INTEGER NOT NULL,
        missing_only INTEGER NOT NULL, again INTEGER NOT NULL, closed INTEGER NOT NULL,
        params TEXT NOT NULL,               -- canonical JSON, all of them; empty: those of the trigger
        reason TEXT NOT NULL, actor TEXT NOT NULL,
        began_ms INTEGER NOT NULL, ended_ms INTEGER,
        state TEXT NOT NULL,                -- going | done | cancelled
        why TEXT NOT NULL,                  -- it was cancelled
        left_out INTEGER NOT NULL,          -- instants that needed no run, or were not to have one
        made INTEGER NOT NULL,              -- runs
        active INTEGER NOT NULL, succeeded INTEGER NOT NULL, -- of these
        wake_ms INTEGER                     -- when the planner goes on with it; NULL: after the end of a run
    )
    """,
    "CREATE INDEX backfills_job ON backfills (job, id)",
    "CREATE INDEX backfills_wake ON backfills (wake_ms, id) WHERE wake_ms IS NOT NULL",
)
