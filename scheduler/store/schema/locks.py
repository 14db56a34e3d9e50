"""Who holds how much of which resource."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE lock_holds (
        holder TEXT NOT NULL, id INTEGER NOT NULL, -- a run, or a task (scheduler.model.locks)
        resource TEXT NOT NULL,             -- NAMESPACE/NAME
        run INTEGER NOT NULL,               -- of the task
        amount INTEGER NOT NULL,            -- 0: of a rate, spent
        since_ms INTEGER NOT NULL,
        PRIMARY KEY (holder, id, resource)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX lock_holds_resource ON lock_holds (resource, since_ms, holder, id)",
    # Of resources of which anything is held, or was spent.
    """
    CREATE TABLE resource_uses (
        resource TEXT PRIMARY KEY,
        held INTEGER NOT NULL,              -- the sum of its rows in lock_holds
        spent INTEGER NOT NULL, at_ms INTEGER NOT NULL -- of a rate: (machine.rules.amounts)
    ) WITHOUT ROWID
    """,
)
