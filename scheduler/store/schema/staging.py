"""Staged applies."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # Staged applies: those that are open, the one that goes live, and for a while those that have ended.
    """
    CREATE TABLE stages (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,          -- that its client gave it
        actor TEXT NOT NULL, address TEXT NOT NULL, by_session INTEGER NOT NULL, -- who opened it
        source TEXT NOT NULL,
        state TEXT NOT NULL,                -- words.lifecycle
        reason TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,          -- open: it expires; ended: it is forgotten
        after_ms INTEGER NOT NULL,          -- the latest clock of a proposer of its slices
        slices INTEGER NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL,
        left_items INTEGER NOT NULL,        -- that this state has yet to go through; ended: to clear away
        turn INTEGER NOT NULL, place INTEGER NOT NULL,  -- checking: the last one that was looked at
        soonest_ms INTEGER,                 -- when the first new trigger is over, of those with one instant
        at_ms INTEGER, at_idx INTEGER,      -- stamp and index of the entry at which it went live
        dry_run INTEGER NOT NULL,           -- it is checked and then over
        walked TEXT,                        -- the last that was looked at of what its source owns; null: all
        prune_max INTEGER, prune_in TEXT,   -- as CommitStage: JSON
        owned INTEGER NOT NULL, pruned INTEGER NOT NULL, -- of the source, and what of that is deleted
        referrer TEXT,                      -- the last that was looked at of who refers to the next item
        diff TEXT NOT NULL,                 -- how much of a kind it changes: JSON
        names TEXT NOT NULL,                -- the first ones: JSON
        problems TEXT NOT NULL              -- what was in the way: JSON (machine.steps.staging)
    )
    """,
    "CREATE TABLE slices (stage INTEGER, number INTEGER, body BLOB NOT NULL, PRIMARY KEY (stage, number))"
    " WITHOUT ROWID",
    # An item is there until it has had its turn: what is due soonest comes first.
    """
    CREATE TABLE staged (
        stage INTEGER NOT NULL, turn INTEGER NOT NULL, place INTEGER NOT NULL,
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        is_deletion INTEGER NOT NULL,
        size INTEGER NOT NULL,
        body BLOB NOT NULL,                 -- as it was prepared (words.commands)
        PRIMARY KEY (stage, turn, place)
    ) WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX staged_name ON staged (stage, kind, namespace, name)",
    # Of a stage that is checked: how many ticks a day, jobs and routes more than before it asks for, of what
    # was looked at; of the namespace without a name all together, and the routes of all.
    "CREATE TABLE staged_asks (stage INTEGER NOT NULL, namespace TEXT NOT NULL, per_day INTEGER NOT NULL,"
    " jobs INTEGER NOT NULL, routes INTEGER NOT NULL, PRIMARY KEY (stage, namespace)) WITHOUT ROWID",
)
