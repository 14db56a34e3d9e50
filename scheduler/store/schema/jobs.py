"""Jobs and their revisions."""

from __future__ import annotations

TOO_MANY_RUNS = "runs_stored > retention_runs + min(20, retention_runs / 5)"
"""Which jobs have runs to purge; the index and the query must say it in the same words."""

STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        labels TEXT NOT NULL,               -- JSON object
        state TEXT NOT NULL,                -- active | paused
        pause_reason TEXT NOT NULL,
        source TEXT NOT NULL,
        created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, actor TEXT NOT NULL,
        active_runs INTEGER NOT NULL,       -- pending or running ones
        failures INTEGER NOT NULL,          -- failed runs in a row
        last_run INTEGER NOT NULL,          -- 0: none yet
        last_state TEXT NOT NULL,           -- how the last finished run ended; empty: none yet
        runs_stored INTEGER NOT NULL,         -- finished runs still stored
        retention_runs INTEGER NOT NULL,         -- retention.runs of the current revision
        criticality TEXT NOT NULL,          -- of it: minor | normal | major | critical
        -- Canonical JSON of the current revision. The last one: who looks at the others does not read it.
        spec BLOB NOT NULL
    )
    """,
    # Slack, where a job keeps many: it does not enter and leave this index with every run.
    f"CREATE INDEX jobs_purge ON jobs (id) WHERE {TOO_MANY_RUNS}",
    "CREATE UNIQUE INDEX jobs_name ON jobs (namespace, name)",
    "CREATE INDEX jobs_failing ON jobs (last_run, id) WHERE failures > 0",
    # Every revision of every job that ever was; `deleted` rows end a job.
    """
    CREATE TABLE revisions (
        job INTEGER NOT NULL, revision INTEGER NOT NULL,
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        spec BLOB NOT NULL, stamp_ms INTEGER NOT NULL, idx INTEGER NOT NULL, actor TEXT NOT NULL,
        deleted INTEGER NOT NULL,
        PRIMARY KEY (namespace, name, revision)
    ) WITHOUT ROWID
    """,
    # Paused jobs that go on by themselves.
    "CREATE TABLE job_pauses (job INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL)",
    "CREATE INDEX job_pauses_until ON job_pauses (until_ms, job)",
    "CREATE INDEX revisions_job ON revisions (job, revision)",
    # What came from a source: asked for when it is to be pruned.
    "CREATE INDEX jobs_source ON jobs (source, namespace, name) WHERE source <> ''",
)
