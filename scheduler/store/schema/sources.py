"""What is known of sources: what of each is live, and what the last look at it came to."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE sources (
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        state TEXT NOT NULL,                -- store.tables.sources
        revision TEXT NOT NULL,             -- that is live: of what it is, a commit or a digest; empty: none
        live_idx INTEGER NOT NULL,          -- of the entry at which that went live
        live_ms INTEGER NOT NULL,
        documents INTEGER NOT NULL,         -- that it owned then
        created INTEGER NOT NULL, changed INTEGER NOT NULL, deleted INTEGER NOT NULL, -- by that
        seen TEXT NOT NULL,                 -- the revision that was looked at last
        looked_ms INTEGER NOT NULL,         -- since when it is as told
        of_revision INTEGER NOT NULL,       -- of the source, at that look
        detail TEXT NOT NULL, problems TEXT NOT NULL,      -- why it is not live: JSON
        drift TEXT NOT NULL, drifted INTEGER NOT NULL,     -- the first ones: JSON; and how many
        asked INTEGER NOT NULL, answered INTEGER NOT NULL, -- numbers of what people asked for
        dry_run INTEGER NOT NULL, prune_max INTEGER,       -- of the latest
        PRIMARY KEY (namespace, name)
    ) WITHOUT ROWID
    """,
)
