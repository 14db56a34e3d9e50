"""Triggers and the ledger: what is due, and what came of it."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # One row per era of a trigger: (from_ms, until_ms]. A closed era stays, so that verify can recompute it.
    # next_due_ms is the watermark: every instant of the era before it is decided. NULL: nothing more is due.
    # An era that was closed while ticks were due (next_due_ms <= until_ms) keeps its watermark until the
    # planner has decided them, as `closed` says.
    """
    CREATE TABLE triggers (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL,
        key TEXT NOT NULL,
        spec BLOB NOT NULL,
        jitter_ms INTEGER NOT NULL,
        from_ms INTEGER NOT NULL,
        until_ms INTEGER,                   -- NULL: live
        next_due_ms INTEGER,                -- unjittered
        fire_ms INTEGER,                    -- next_due_ms + jitter_ms; NULL: nothing is to be done now
        namespace TEXT NOT NULL,            -- its job's, also once that is deleted
        per_day INTEGER NOT NULL,           -- instants of a day on which it is due
        share INTEGER NOT NULL,             -- whose turn it is: by priority, then by what its job asks for
        closed TEXT NOT NULL,               -- why it ended (store.triggers); empty: live
        event TEXT NOT NULL                 -- what it waits for (words.causes); empty: for its instants
    )
    """,
    "CREATE INDEX triggers_fire ON triggers (fire_ms, id) WHERE fire_ms IS NOT NULL",
    "CREATE INDEX triggers_job ON triggers (job, id)",
    "CREATE INDEX triggers_left ON triggers (job, next_due_ms, id)"
    " WHERE until_ms IS NOT NULL AND next_due_ms IS NOT NULL",
    # Instants that came before their trigger did, each of an era of its own.
    "CREATE INDEX triggers_ahead ON triggers (job, key, until_ms) WHERE closed = 'ahead'",
    "CREATE INDEX triggers_event ON triggers (event, jitter_ms, id) WHERE event <> '' AND until_ms IS NULL",
    # Who asks for little comes first within each namespace, when more is due than a plan holds.
    "CREATE INDEX triggers_share ON triggers (namespace, share, fire_ms, id) WHERE fire_ms IS NOT NULL",
    # Whose dates a live trigger holds, and which (scheduler.ticks.dates).
    "CREATE TABLE pins (trigger INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
    " pin TEXT NOT NULL, PRIMARY KEY (trigger, namespace, name)) WITHOUT ROWID",
    "CREATE INDEX pins_of ON pins (namespace, name, pin, trigger)",
    # Which schedules a job has triggers of, and what it holds of each (scheduler.model.known_schedules); the
    # job's namespace, and the instants of a day for which it asks by all of its triggers.
    "CREATE TABLE job_schedules (job INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
    " pin TEXT NOT NULL, whose TEXT NOT NULL, per_day INTEGER NOT NULL,"
    " PRIMARY KEY (job, namespace, name)) WITHOUT ROWID",
    "CREATE INDEX job_schedules_whose ON job_schedules (namespace, name, whose)",
    "CREATE INDEX job_schedules_asking ON job_schedules (namespace, name, per_day, job)",
    "CREATE INDEX job_schedules_of ON job_schedules (namespace, name, pin, job)",
    # Calendars and schedules that say something else since an instant, until no live trigger holds the old.
    """
    CREATE TABLE redates (
        id INTEGER PRIMARY KEY,             -- they are gone through in this order
        kind TEXT NOT NULL,
        namespace TEXT NOT NULL, name TEXT NOT NULL, pin TEXT NOT NULL,
        at_ms INTEGER NOT NULL              -- the stamp of the edit
    )
    """,
    """
    CREATE TABLE ledger (
        seq INTEGER PRIMARY KEY,
        job INTEGER NOT NULL, trigger INTEGER NOT NULL,
        kind TEXT NOT NULL,                 -- of the cause (words.causes)
        key TEXT NOT NULL,                  -- of the cause; empty: of a tick, which trigger and instants tell
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL,
        outcome TEXT NOT NULL,              -- ran | skipped | coalesced | missed
        reason TEXT NOT NULL,
        run INTEGER NOT NULL,               -- ran: the run; skipped(overlap): the run in the way; else 0
        into_ms INTEGER,
        decided_ms INTEGER NOT NULL, epoch INTEGER NOT NULL, idx INTEGER NOT NULL, tzdata TEXT NOT NULL,
        hash BLOB NOT NULL                  -- sha256(hash before || canonical bytes of this entry)
    )
    """,
    "CREATE INDEX ledger_trigger ON ledger (trigger, first_ms)",
    "CREATE INDEX ledger_job ON ledger (job, first_ms, seq)",
    # Most entries ran: these alone are looked for.
    "CREATE INDEX ledger_unran ON ledger (outcome, seq) WHERE outcome <> 'ran'",
    "CREATE UNIQUE INDEX ledger_cause ON ledger (job, kind, key) WHERE key <> ''",
    # Hosts that have booted, with triggers that wait for that and have not fired (store.boots).
    """
    CREATE TABLE boots (
        agent INTEGER PRIMARY KEY,
        boot_id TEXT NOT NULL, pool TEXT NOT NULL,
        seen_ms INTEGER NOT NULL,           -- when the agent told of it
        missed TEXT NOT NULL,               -- why none of them may run; empty: they may
        offset_ms INTEGER NOT NULL, trigger INTEGER NOT NULL,  -- the last that was looked at, -1 and 0: none
        at_ms INTEGER NOT NULL              -- when the next one fires
    )
    """,
    "CREATE INDEX boots_at ON boots (at_ms, agent)",
    # Single ticks that a person holds, skips, moves or gives parameters (store.changed_ticks).
    """
    CREATE TABLE changed_ticks (
        job INTEGER NOT NULL,
        key TEXT NOT NULL,                  -- of the trigger
        at_ms INTEGER NOT NULL,             -- nominal: which tick
        act TEXT NOT NULL, move_ms INTEGER, params TEXT NOT NULL,
        passed INTEGER NOT NULL,            -- 1: its trigger has left it behind, undecided
        plan_day INTEGER,
        fire_ms INTEGER,                    -- then: when it is looked at
        since_ms INTEGER NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL,
        given_by TEXT NOT NULL,             -- who gave it parameters; empty: it has those of its trigger
        PRIMARY KEY (job, key, at_ms)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX changed_ticks_fire ON changed_ticks (fire_ms, job, key, at_ms) WHERE fire_ms IS NOT NULL",
    # Plan dates for which nothing more fires (store.closed_dates).
    "CREATE TABLE closed_dates (namespace TEXT NOT NULL, day INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " reason TEXT NOT NULL, actor TEXT NOT NULL, PRIMARY KEY (namespace, day)) WITHOUT ROWID",
    # Namespaces whose plan dates close by themselves (store.closed_dates).
    """
    CREATE TABLE closings (
        namespace TEXT PRIMARY KEY,
        after_ms INTEGER NOT NULL,          -- so long after the end of a date
        before_day INTEGER NOT NULL,        -- all before this date are closed
        at_ms INTEGER                       -- when this one closes; NULL: no more closes by itself
    ) WITHOUT ROWID
    """,
    "CREATE INDEX closings_at ON closings (at_ms, namespace) WHERE at_ms IS NOT NULL",
    # Of those the ones that a person opened again.
    "CREATE TABLE reopened_dates (namespace TEXT NOT NULL, day INTEGER NOT NULL,"
    " PRIMARY KEY (namespace, day)) WITHOUT ROWID",
    # Triggers that count from the end of their job's last run (store.delays).
    """
    CREATE TABLE delays (
        trigger INTEGER PRIMARY KEY, job INTEGER NOT NULL,
        delay_ms INTEGER NOT NULL,
        due_ms INTEGER,                     -- NULL: a run of the job goes on
        run INTEGER NOT NULL, anchor_ms INTEGER NOT NULL -- whose end it counts from (0: no run's), and when
    )
    """,
    "CREATE INDEX delays_job ON delays (job, trigger)",
    "CREATE INDEX delays_due ON delays (due_ms, trigger) WHERE due_ms IS NOT NULL",
)
