"""What leaves the cluster, and the audit: what people look back at."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # What leaves the cluster: written in the entry that is its cause, sent by the leader. The newest of what
    # was sent stays, for people to look at.
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,                 -- which effect of node/effects sends it
        target TEXT NOT NULL,               -- where to
        about TEXT NOT NULL,                -- what happened, in a word: failed, recovered
        namespace TEXT NOT NULL, name TEXT NOT NULL, run INTEGER NOT NULL,  -- whose it is
        payload BLOB NOT NULL,              -- what is said: canonical JSON, the same at each try
        state TEXT NOT NULL,                -- waiting | gathered | sent | given_up | muted | together
        created_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,          -- tries that failed
        next_ms INTEGER NOT NULL,           -- waiting: not before; gathered: told together then
        until_ms INTEGER NOT NULL,          -- waiting: no longer; else: kept until
        reason TEXT NOT NULL,               -- of the last failure, or why nobody was told
        channel TEXT NOT NULL, route TEXT NOT NULL,  -- by which it goes there; empty: its job says so
        escalate_ms INTEGER,                -- when others are told, unless somebody saw it; NULL: never
        acknowledged_ms INTEGER, actor TEXT NOT NULL  -- who saw it
    )
    """,
    "CREATE INDEX outbox_due ON outbox (next_ms, id) WHERE state = 'waiting'",
    "CREATE INDEX outbox_target ON outbox (target, id) WHERE state = 'waiting'",
    "CREATE INDEX outbox_given_up ON outbox (until_ms, id) WHERE state = 'given_up'",
    "CREATE INDEX outbox_told ON outbox (until_ms, id) WHERE state IN ('sent', 'muted', 'together')",
    "CREATE INDEX outbox_flow ON outbox (target, route, id) WHERE state IN ('waiting', 'sent', 'given_up')",
    "CREATE INDEX outbox_gathered ON outbox (target, route, id) WHERE state = 'gathered'",
    "CREATE INDEX outbox_gathered_due ON outbox (next_ms, id) WHERE state = 'gathered'",
    "CREATE INDEX outbox_escalate ON outbox (escalate_ms, id) WHERE escalate_ms IS NOT NULL",
    "CREATE INDEX outbox_run ON outbox (run, id) WHERE run > 0",
    "CREATE INDEX outbox_namespace ON outbox (namespace, id)",
    # Routes by the namespace of whose jobs they are; empty: of all.
    """
    CREATE TABLE routes (
        covers TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (covers, namespace, name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX routes_name ON routes (namespace, name)",
    # Of what a person wants nobody to be told; an empty field means all.
    """
    CREATE TABLE mutes (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL, job TEXT NOT NULL, about TEXT NOT NULL,
        since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
        actor TEXT NOT NULL, reason TEXT NOT NULL
    )
    """,
    "CREATE INDEX mutes_until ON mutes (until_ms, id)",
    # Receivers that take nothing at present.
    """
    CREATE TABLE receivers (
        target TEXT PRIMARY KEY,
        kind TEXT NOT NULL, channel TEXT NOT NULL,
        namespace TEXT NOT NULL, name TEXT NOT NULL,  -- of the notice that failed last
        failures INTEGER NOT NULL,          -- tries in a row
        since_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX receivers_last ON receivers (last_ms, target)",
    # What was decided by people and by whoever comes through the API, numbered without a gap.
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        idx INTEGER NOT NULL, stamp_ms INTEGER NOT NULL,
        actor TEXT NOT NULL,                -- name of a token; empty: a node, by itself
        address TEXT NOT NULL, by_session INTEGER NOT NULL,
        action TEXT NOT NULL, kind TEXT NOT NULL,  -- what was done, with what kind of object
        namespace TEXT NOT NULL,            -- empty: of the cluster
        name TEXT NOT NULL,
        run INTEGER NOT NULL,               -- that is concerned; 0: none
        before, after,                      -- a revision is a number, a small value a text; NULL: nothing
        reason TEXT NOT NULL
    )
    """,
    # Runs that people begin are most of it, and each has its actor: only what else there is can be looked up.
    "CREATE INDEX audit_object ON audit (namespace, name, id) WHERE action <> 'run'",
    "CREATE INDEX audit_actor ON audit (actor, id) WHERE action <> 'run'",
)
