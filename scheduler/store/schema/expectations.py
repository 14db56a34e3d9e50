"""What jobs are expected to do, and where it does not hold."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # Runs of which something may be told when its time comes. Instants; NULL: nothing, or not any more.
    """
    CREATE TABLE watches (
        run INTEGER PRIMARY KEY, job INTEGER NOT NULL,
        start_ms INTEGER,                   -- by when it is to start
        risk_ms INTEGER,                    -- not started by then, it is not likely to end in time
        end_ms INTEGER,                     -- by when it, or a later run of the job, is to succeed
        long_ms INTEGER,                    -- by when it is to end, as long as runs take
        usual_ms INTEGER,                   -- that runs of the job took when it was made; NULL: nobody knew
        ended INTEGER NOT NULL,             -- 1: it has, and did not succeed
        next_ms INTEGER                     -- the first of these; NULL: none
    )
    """,
    "CREATE INDEX watches_next ON watches (next_ms, run) WHERE next_ms IS NOT NULL",
    "CREATE INDEX watches_ended ON watches (job, run) WHERE ended = 1",
    # Jobs of which so many runs are to succeed in each period: the one that is under way, or the next.
    """
    CREATE TABLE periods (
        job INTEGER PRIMARY KEY,
        wanted INTEGER NOT NULL, per_ms INTEGER NOT NULL,
        from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
        met INTEGER NOT NULL                -- that succeeded in it
    )
    """,
    "CREATE INDEX periods_until ON periods (until_ms, job)",
    # What did not hold, told once each.
    """
    CREATE TABLE unmet (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        run INTEGER NOT NULL,               -- 0: it is of the job
        what TEXT NOT NULL,                 -- model.expected.WORDS
        part INTEGER NOT NULL,              -- stalled: the attempt; too_few: when its period began; else 0
        limit_ms INTEGER NOT NULL,          -- the instant that was to hold; short: what it was to take
        at_ms INTEGER NOT NULL,             -- when it was told
        over_ms INTEGER,                    -- since when it holds again; NULL: it does not
        found INTEGER NOT NULL, wanted INTEGER NOT NULL,  -- too_few: runs; at_risk, short, long: ms
        actor TEXT NOT NULL,                -- who acknowledged it; empty: nobody
        acknowledged_ms INTEGER, acknowledged_until_ms INTEGER,
        reason TEXT NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX unmet_key ON unmet (job, what, run, part)",
    "CREATE INDEX unmet_run ON unmet (run, id) WHERE run > 0",
    "CREATE INDEX unmet_job ON unmet (job, id)",
    "CREATE INDEX unmet_namespace ON unmet (namespace, id)",
    "CREATE INDEX unmet_open ON unmet (namespace, id) WHERE over_ms IS NULL",
    "CREATE INDEX unmet_newest ON unmet (id) WHERE over_ms IS NULL",
)
