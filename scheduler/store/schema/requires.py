"""What waiting runs require of other jobs and of boards (`store.tables.required`)."""

from __future__ import annotations

STATEMENTS = (
    # Jobs and boards that any run ever waited for.
    """
    CREATE TABLE required (
        parent TEXT PRIMARY KEY,            -- job/namespace/name or board/namespace/name
        changed INTEGER NOT NULL,           -- 1: since then not all that wait have been looked at
        looked INTEGER NOT NULL             -- the run up to which they have been
    ) WITHOUT ROWID
    """,
    "CREATE INDEX required_changed ON required (parent) WHERE changed = 1",
    # Ends of those jobs, of the last 35 days. They outlive the runs.
    """
    CREATE TABLE required_ends (
        run INTEGER PRIMARY KEY,
        parent TEXT NOT NULL, state TEXT NOT NULL, plan_day INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
        of_run INTEGER NOT NULL             -- the run that it repeats, the first of them; else itself
    )
    """,
    "CREATE INDEX required_ends_day ON required_ends (parent, plan_day, run)",
    "CREATE INDEX required_ends_at ON required_ends (parent, ended_ms, run)",
    # Which run waits for which.
    "CREATE TABLE run_requires (parent TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (parent, run))"
    " WITHOUT ROWID",
    "CREATE INDEX run_requires_run ON run_requires (run)",
    # Notices that a run has used up.
    "CREATE TABLE consumed (serial INTEGER PRIMARY KEY, run INTEGER NOT NULL)",
)
