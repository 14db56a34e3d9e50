"""What namespaces may have."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # What the machine judges by of those that were declared; the words are an object.
    """
    CREATE TABLE namespaces (
        name TEXT PRIMARY KEY,
        jobs_max INTEGER,                   -- NULL: any number
        pools TEXT NOT NULL,                -- JSON list of those that its tasks may name; of nothing: any
        active_max INTEGER,                 -- runs that may be active at once; NULL: any number
        starts_max INTEGER,                 -- and begin within a minute
        defaults TEXT NOT NULL, defaults_revision INTEGER NOT NULL, -- for its jobs, and with which revision
        revised TEXT,                       -- jobs up to this name follow these; NULL: all do
        late INTEGER NOT NULL,              -- how often one was put that was sent under others
        users TEXT NOT NULL,                -- JSON list of those that its tasks may run as; of nothing: any
        around TEXT NOT NULL,               -- JSON [before, after] of each attempt; empty: nothing
        plan_tz TEXT NOT NULL, plan_begin TEXT NOT NULL -- of what; empty: of UTC's dates
    ) WITHOUT ROWID
    """,
    "CREATE INDEX namespaces_zone ON namespaces (plan_tz, plan_begin, name) WHERE plan_tz <> ''",
    # How the plan dates begin of whatever is planned by this: JSON (ticks.plan_days). A Retime changes these.
    "CREATE TABLE plans (tz TEXT NOT NULL, begin TEXT NOT NULL, days TEXT NOT NULL, PRIMARY KEY (tz, begin))"
    " WITHOUT ROWID",
    "CREATE INDEX namespaces_unrevised ON namespaces (name) WHERE revised IS NOT NULL",
    "CREATE INDEX namespaces_around ON namespaces (name) WHERE around <> ''",
    # Its jobs; and, where it has a quota of runs, those that count for it and have not ended.
    "CREATE TABLE counts (namespace TEXT PRIMARY KEY, jobs INTEGER NOT NULL, active INTEGER NOT NULL,"
    " starts INTEGER NOT NULL) WITHOUT ROWID",
    # Runs that wait until their namespace may have one more: who is first has the lowest rank.
    "CREATE TABLE quota_waits (run INTEGER PRIMARY KEY, namespace TEXT NOT NULL, rank_ms INTEGER NOT NULL)",
    "CREATE INDEX quota_waits_turn ON quota_waits (namespace, rank_ms, run)",
    # Runs of a namespace with a quota of starts that may begin, or began lately (counts.starts: how many).
    "CREATE TABLE quota_starts (run INTEGER PRIMARY KEY, namespace TEXT NOT NULL, at_ms INTEGER NOT NULL)",
    "CREATE INDEX quota_starts_at ON quota_starts (namespace, at_ms, run)",
    # Instants a day that the live triggers of a namespace ask for; the empty name: of all of them.
    "CREATE TABLE asked (namespace TEXT PRIMARY KEY, per_day INTEGER NOT NULL) WITHOUT ROWID",
    # Ticks a second that one job, the jobs of a namespace and all jobs may ask for, where a person set it.
    "CREATE TABLE tick_limits (scope TEXT PRIMARY KEY, per_second INTEGER NOT NULL) WITHOUT ROWID",
)
