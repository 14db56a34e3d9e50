"""Notices on boards, and how far each trigger has heard of them (`machine.notices`)."""

from __future__ import annotations

STATEMENTS = (
    # One serial for all boards. The newest row stays, so that no serial comes twice.
    """
    CREATE TABLE notices (
        serial INTEGER PRIMARY KEY,
        board TEXT NOT NULL,                -- as namespace/name
        key TEXT NOT NULL, poster TEXT NOT NULL,
        posted_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
        plan_day INTEGER NOT NULL,
        deleted INTEGER NOT NULL            -- 1: it was taken down
    )
    """,
    "CREATE INDEX notices_board ON notices (board, serial) WHERE deleted = 0",
    "CREATE INDEX notices_expiry ON notices (expires_ms, serial)",
    # Which trigger hears of the notices (from_serial, until_serial] of which board; of several where it
    # waits for several things together.
    """
    CREATE TABLE hearers (
        trigger INTEGER NOT NULL, board TEXT NOT NULL,
        job INTEGER NOT NULL,
        from_serial INTEGER NOT NULL, until_serial INTEGER,  -- NULL: it still hears
        through INTEGER NOT NULL,           -- the last notice that it has heard
        at_ms INTEGER,                      -- when it goes on; NULL: once something happens
        is_full INTEGER NOT NULL,           -- 1: it waits for room among the runs of its job
        PRIMARY KEY (trigger, board)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX hearers_at ON hearers (at_ms, trigger, board) WHERE at_ms IS NOT NULL",
    "CREATE INDEX hearers_board ON hearers (board, through, trigger) WHERE until_serial IS NULL",
    "CREATE INDEX hearers_job ON hearers (job, trigger) WHERE until_serial IS NULL",
)
