"""What waits for ends of runs (`machine.dependents`)."""

from __future__ import annotations

STATEMENTS = (
    # Ends of runs that triggers wait for, in order; they stay (store.ends).
    """
    CREATE TABLE ends (
        id INTEGER PRIMARY KEY,
        parent TEXT NOT NULL,               -- the job, as namespace/name
        run INTEGER NOT NULL, state TEXT NOT NULL, exit_code INTEGER, warned INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, plan_day INTEGER NOT NULL,
        missed TEXT NOT NULL,               -- why it fires nothing; empty: it may
        verdict INTEGER NOT NULL,           -- 1: a person's, over a run that had ended before
        looked INTEGER NOT NULL,            -- the last trigger that was looked at
        open INTEGER NOT NULL               -- 1: triggers are left to look at
    )
    """,
    "CREATE INDEX ends_open ON ends (id) WHERE open = 1",
    "CREATE INDEX ends_parent ON ends (parent, id)",
    "CREATE INDEX ends_run ON ends (run)",
    # Which trigger hears of the ends (from_end, until_end] of which job.
    """
    CREATE TABLE listeners (
        trigger INTEGER NOT NULL, parent TEXT NOT NULL,
        child TEXT NOT NULL,                -- the trigger's job
        loose INTEGER NOT NULL,             -- 1: it may close a cycle
        from_end INTEGER NOT NULL, until_end INTEGER,  -- NULL: it still hears
        PRIMARY KEY (trigger, parent)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX listeners_live ON listeners (parent, trigger) WHERE until_end IS NULL",
    "CREATE INDEX listeners_child ON listeners (child, parent) WHERE until_end IS NULL AND loose = 0",
    # The newest end of each of its jobs that a trigger has not consumed.
    """
    CREATE TABLE results (
        trigger INTEGER NOT NULL, parent TEXT NOT NULL,
        run INTEGER NOT NULL, state TEXT NOT NULL, exit_code INTEGER, warned INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, plan_day INTEGER NOT NULL,
        ends INTEGER NOT NULL,              -- it is the newest of so many
        PRIMARY KEY (trigger, parent)
    ) WITHOUT ROWID
    """,
    # Firings that wait for room among the runs of their job.
    """
    CREATE TABLE postponed (
        trigger INTEGER NOT NULL, cause_key TEXT NOT NULL,
        kind TEXT NOT NULL,                 -- of the cause
        job INTEGER NOT NULL, due_ms INTEGER NOT NULL,
        at_ms INTEGER,                      -- when it is tried again; NULL: after the end of a run of the job
        PRIMARY KEY (trigger, cause_key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX postponed_at ON postponed (at_ms, trigger, cause_key) WHERE at_ms IS NOT NULL",
    "CREATE INDEX postponed_job ON postponed (job, trigger, cause_key)",
)
