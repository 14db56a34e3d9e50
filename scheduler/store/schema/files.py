"""Files that agents saw, and how far each trigger has come with those of its folder (`machine.files`)."""

from __future__ import annotations

STATEMENTS = (
    # One row a trigger that waits for files, whatever era; it stays, so that no serial comes twice.
    """
    CREATE TABLE folders (
        job INTEGER NOT NULL, key TEXT NOT NULL,    -- of the trigger
        trigger INTEGER NOT NULL,           -- its live era; 0: none
        pool TEXT NOT NULL,
        shared INTEGER NOT NULL,            -- 1: the eyes of one agent count
        agent INTEGER NOT NULL,             -- of that one; 0: none was chosen yet
        last INTEGER NOT NULL,              -- serial of the newest file
        recent TEXT NOT NULL,               -- when it fired last, where it may not do so more often: JSON
        at_ms INTEGER,                      -- when it goes on with what waits; NULL: once something happens
        is_full INTEGER NOT NULL,           -- 1: it waits for room among the runs of its job
        PRIMARY KEY (job, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX folders_at ON folders (at_ms, job, key) WHERE at_ms IS NOT NULL",
    "CREATE INDEX folders_trigger ON folders (trigger, job, key) WHERE trigger <> 0",
    "CREATE INDEX folders_shared ON folders (agent, job, key) WHERE shared = 1 AND trigger <> 0",
    "CREATE INDEX folders_over ON folders (job, key) WHERE trigger = 0",
    # Until an agent says that it is gone.
    """
    CREATE TABLE files (
        job INTEGER NOT NULL, key TEXT NOT NULL, serial INTEGER NOT NULL,
        agent INTEGER NOT NULL,             -- in whose folder it is; 0: in one that all see
        path TEXT NOT NULL,
        identity TEXT NOT NULL,             -- inode, birth, mtime, size: another text is another file
        size INTEGER NOT NULL, modified_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,        -- by its host's clock
        seen_ms INTEGER NOT NULL,           -- the stamp at which an agent told of it
        state TEXT NOT NULL,                -- waiting | fired | done | left (store.tables.files)
        run INTEGER NOT NULL,               -- that was made of it; 0: none
        why TEXT NOT NULL,                  -- left: what went wrong
        PRIMARY KEY (job, key, serial)
    ) WITHOUT ROWID
    """,
    # Agents that cannot look into a folder.
    "CREATE TABLE blind (job INTEGER NOT NULL, key TEXT NOT NULL, agent INTEGER NOT NULL,"
    " trouble TEXT NOT NULL, since_ms INTEGER NOT NULL, PRIMARY KEY (job, key, agent)) WITHOUT ROWID",
    "CREATE UNIQUE INDEX files_identity ON files (job, key, agent, path, identity)",
    "CREATE INDEX files_waiting ON files (job, key, serial) WHERE state = 'waiting'",
    "CREATE INDEX files_run ON files (run, job, key, serial) WHERE run <> 0",
    "CREATE INDEX files_done ON files (job, key, serial) WHERE state = 'done'",
)
