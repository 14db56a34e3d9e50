"""What leaves the cluster, and the audit: what people look back at."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # What leaves the cluster: written in the entry that is its cause, sent by the leader, gone once sent.
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,                 -- which effect of node/effects sends it
        target TEXT NOT NULL,               -- where to
        about TEXT NOT NULL,                -- what happened, in a word: failed, recovered
        namespace TEXT NOT NULL, name TEXT NOT NULL, run INTEGER NOT NULL,  -- whose it is
        payload BLOB NOT NULL,              -- what is said: canonical JSON, the same at each try
        state TEXT NOT NULL,                -- waiting | given_up
        created_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,          -- tries that failed
        next_ms INTEGER NOT NULL,           -- waiting: not before
        until_ms INTEGER NOT NULL,          -- waiting: no longer; given up: kept until
        reason TEXT NOT NULL                -- of the last failure
    )
    """,
    "CREATE INDEX outbox_due ON outbox (next_ms, id) WHERE state = 'waiting'",
    "CREATE INDEX outbox_target ON outbox (target, id) WHERE state = 'waiting'",
    "CREATE INDEX outbox_given_up ON outbox (until_ms, id) WHERE state = 'given_up'",
    "CREATE INDEX outbox_namespace ON outbox (namespace, id)",
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
