"""Tokens, sessions and secrets."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE tokens (
        name TEXT PRIMARY KEY, sha256 BLOB NOT NULL,
        role TEXT NOT NULL,                 -- in all namespaces; empty: in those of token_roles alone
        created_ms INTEGER NOT NULL
    )
    """,
    "CREATE INDEX tokens_sha256 ON tokens (sha256)",
    # Of those tokens alone that are something in single namespaces.
    """
    CREATE TABLE token_roles (
        name TEXT NOT NULL, namespace TEXT NOT NULL, role TEXT NOT NULL,
        PRIMARY KEY (name, namespace)
    ) WITHOUT ROWID
    """,
    # Of those tokens alone that have limits.
    """
    CREATE TABLE token_limits (
        name TEXT PRIMARY KEY,
        expires_ms INTEGER NOT NULL,        -- 0: never
        uses INTEGER NOT NULL,              -- left; of join tokens
        holder TEXT NOT NULL,               -- the one agent or node that may use it; empty: any
        pool TEXT NOT NULL                  -- that its agents belong to; empty: any
    )
    """,
    "CREATE INDEX token_limits_expiry ON token_limits (expires_ms, name) WHERE expires_ms > 0",
    # Of browsers that came by a token; dropped with it.
    """
    CREATE TABLE sessions (
        sha256 BLOB PRIMARY KEY, token TEXT NOT NULL,
        created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX sessions_token ON sessions (token, created_ms, sha256)",
    "CREATE INDEX sessions_age ON sessions (created_ms, sha256)",
    "CREATE INDEX sessions_end ON sessions (expires_ms, sha256)",
    # Encrypted by the front that took them in: no node's state can read one (store/tables/secrets.py).
    """
    CREATE TABLE secrets (
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER NOT NULL,           -- grows with each new value
        key TEXT NOT NULL,                  -- id of the key that it is encrypted with
        grants TEXT NOT NULL,               -- patterns of the jobs that may use it: JSON, a sorted list
        created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, actor TEXT NOT NULL,
        sealed BLOB NOT NULL,               -- the last one: who lists does not read it
        PRIMARY KEY (namespace, name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX secrets_key ON secrets (key, namespace, name)",
    # One row, once there was a secret: the id of the key that new ones are encrypted with, on every node.
    "CREATE TABLE sealing (id INTEGER PRIMARY KEY CHECK (id = 1), key TEXT NOT NULL)",
)
