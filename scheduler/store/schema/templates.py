"""Templates that were changed, of which jobs have yet to follow."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE template_changes (
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        idx INTEGER NOT NULL,               -- of the change
        after_namespace TEXT NOT NULL, after_name TEXT NOT NULL, -- jobs up to this one follow it
        PRIMARY KEY (namespace, name)
    ) WITHOUT ROWID
    """,
    # Jobs that could not follow, as they were then (store.left_behind).
    """
    CREATE TABLE left_behind (
        job INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL,
        template TEXT NOT NULL,             -- namespace/name
        why TEXT NOT NULL, at_ms INTEGER NOT NULL
    )
    """,
)
