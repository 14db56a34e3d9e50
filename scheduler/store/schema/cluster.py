"""Where the state is and who decides; pauses; what clients and fronts sent, so that nothing is done twice."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # One row. What every transaction writes: where the state is, and who decides.
    """
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        format INTEGER NOT NULL,
        target_format INTEGER NOT NULL,     -- activated; above `format` while a migration leads there
        migration_cursor TEXT NOT NULL,     -- how far that migration is
        idx INTEGER NOT NULL,               -- commands applied so far: the public index
        stamp_ms INTEGER NOT NULL,          -- latest stamp; never goes back
        before_ms INTEGER NOT NULL,         -- the one before it, however many entries had either
        epoch INTEGER NOT NULL,
        leader TEXT NOT NULL,               -- node of the latest Lead
        leader_term INTEGER NOT NULL,
        ledger_seq INTEGER NOT NULL,
        ledger_head BLOB NOT NULL,          -- hash of the last ledger entry
        hash BLOB NOT NULL,                 -- running hash over entries, outcomes and events
        tzdata TEXT NOT NULL,               -- version of the zone data that is in force
        zones TEXT NOT NULL,                -- digest of its files (zone_data); empty: none are kept yet
        retimed_ms INTEGER NOT NULL,        -- since when it is in force
        cluster TEXT NOT NULL,
        overload_ms INTEGER,                -- since when more is due than can be started; NULL: it is not so
        overload_late_ms INTEGER NOT NULL, overload_due INTEGER NOT NULL, -- what showed it
        changed_ticks INTEGER NOT NULL,     -- 1: of some tick a person has said something
        reserves INTEGER NOT NULL,          -- 1: some job has, or had, policies.autonomy
        closed_dates INTEGER NOT NULL,      -- 1: some plan date is closed
        paused_through_ms INTEGER NOT NULL, -- no pause is in the way of what is due from here on
        restores INTEGER NOT NULL,
        -- The last id given of each noun. Kept here since the highest row of a table may be purged, and an id
        -- (an attempt's above all) must never come twice.
        last_job INTEGER NOT NULL, last_trigger INTEGER NOT NULL, last_run INTEGER NOT NULL,
        last_task INTEGER NOT NULL, last_attempt INTEGER NOT NULL, last_agent INTEGER NOT NULL,
        last_effect INTEGER NOT NULL, last_audit INTEGER NOT NULL, last_unmet INTEGER NOT NULL,
        outbox_waiting INTEGER NOT NULL,    -- rows of the outbox that are to be sent
        stage INTEGER NOT NULL,             -- that is checked or goes live; 0: none
        redates INTEGER NOT NULL,           -- rows of redates
        delays INTEGER NOT NULL,            -- rows of delays
        locks INTEGER NOT NULL,             -- runs that hold locks (not their tasks)
        refused INTEGER NOT NULL,           -- frames that were no frames at all
        raft_index INTEGER NOT NULL, raft_term INTEGER NOT NULL,
        previous_index INTEGER NOT NULL, previous_term INTEGER NOT NULL,
        members BLOB NOT NULL
    )
    """,
    # One row, once a zone was named: all zone files of that version (ticks/zone_files.py).
    "CREATE TABLE zone_data (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL)",
    # Of this and of earlier versions the files that eras of triggers name, each once, by content.
    """
    CREATE TABLE zone_files (
        pin TEXT PRIMARY KEY,
        version TEXT NOT NULL,              -- the last one in force that had it
        body BLOB NOT NULL
    ) WITHOUT ROWID
    """,
    # The newest leaderships, for people (machine/leadership.py says how many).
    """
    CREATE TABLE leaderships (
        epoch INTEGER PRIMARY KEY,
        node TEXT NOT NULL, zone TEXT NOT NULL, term INTEGER NOT NULL,
        began_ms INTEGER NOT NULL,
        before_ms INTEGER NOT NULL,         -- the latest stamp before it: nobody decided anything since
        vacant_ms INTEGER NOT NULL          -- the last sign of the leader before it: nobody could since
    )
    """,
    # One row while the ledger differs from what was due, as the leader's look has found: the first place.
    """
    CREATE TABLE difference (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        since_ms INTEGER NOT NULL,
        problems INTEGER NOT NULL,          -- in all
        kind TEXT NOT NULL, job INTEGER NOT NULL, at_ms INTEGER NOT NULL, detail TEXT NOT NULL
    )
    """,
    # Of everything (the empty namespace) and of namespaces: in [since_ms, lifted_ms) nothing new starts.
    """
    CREATE TABLE pauses (
        namespace TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        until_ms INTEGER,                   -- when it ends by itself; NULL: by a person alone
        lifted_ms INTEGER,                  -- NULL: it stands
        reason TEXT NOT NULL, actor TEXT NOT NULL,
        PRIMARY KEY (namespace, since_ms)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX pauses_standing ON pauses (namespace) WHERE lifted_ms IS NULL",
    """
    CREATE TABLE idempotency (
        key TEXT PRIMARY KEY, body BLOB NOT NULL, outcome BLOB NOT NULL, stamp_ms INTEGER NOT NULL
    )
    """,
    "CREATE INDEX idempotency_age ON idempotency (stamp_ms, key)",
    # Numbered proposals of fronts: each (front, seq) is applied once.
    "CREATE TABLE fronts (uid TEXT PRIMARY KEY, lowest INTEGER NOT NULL, seen_ms INTEGER NOT NULL)",
    """
    CREATE TABLE frames (
        front TEXT NOT NULL, seq INTEGER NOT NULL, outcomes BLOB NOT NULL,
        PRIMARY KEY (front, seq)
    ) WITHOUT ROWID
    """,
)
