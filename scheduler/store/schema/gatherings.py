"""What has come of that for which triggers wait together (`machine.gatherings`)."""

from __future__ import annotations

STATEMENTS = (
    # A plan date of a trigger, from the first that comes. It stays: a date is gathered once.
    """
    CREATE TABLE gatherings (
        job INTEGER NOT NULL, key TEXT NOT NULL, plan_day INTEGER NOT NULL,
        trigger INTEGER NOT NULL,           -- the era that goes on with it, or ended it
        opened_ms INTEGER NOT NULL,
        floor_ms INTEGER NOT NULL,          -- not before; 0: at any time
        until_ms INTEGER NOT NULL,          -- missed where something lacks then
        due_ms INTEGER,                     -- when all of it had come; NULL: something lacks
        missed TEXT NOT NULL,               -- why it makes no run; empty: it may
        at_ms INTEGER,                      -- when the planner looks at it; NULL: it is over
        ended TEXT NOT NULL,                -- fired | missed | dropped; empty: it goes on
        lacked TEXT NOT NULL,               -- of a missed one, in words
        PRIMARY KEY (job, key, plan_day)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX gatherings_at ON gatherings (at_ms, trigger, plan_day) WHERE at_ms IS NOT NULL",
    "CREATE INDEX gatherings_open ON gatherings (trigger, until_ms, plan_day) WHERE at_ms IS NOT NULL",
    "CREATE INDEX gatherings_trigger ON gatherings (trigger, plan_day)",
    # Of each of its parts (model.all_of) the newest end, or notice, of that date.
    """
    CREATE TABLE gathered (
        job INTEGER NOT NULL, key TEXT NOT NULL, plan_day INTEGER NOT NULL,
        part TEXT NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (job, key, plan_day, part)
    ) WITHOUT ROWID
    """,
)
