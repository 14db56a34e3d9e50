"""The SQLite schema of one node's state: the replicated tables and nothing else.

Rules: integer surrogate keys; instants are UTC milliseconds; every query of the machine has a total ORDER
BY; what the API filters and sorts on has an index; nothing is ever counted with `count(*)` over a whole
table.
"""

from __future__ import annotations

from scheduler.store import dependents_schema, limits

SCHEMA_VERSION = 34
"""The layout of an empty state of the oldest format; a test holds the two together. Once released, it stays
as long as that format is supported. What later formats add is in `scheduler.formats`.
"""

TOO_MANY_RUNS = "runs_stored > retention_runs + min(20, retention_runs / 5)"
"""Which jobs have runs to purge; the index and the query must say it in the same words."""

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
        tzdata TEXT NOT NULL,
        cluster TEXT NOT NULL,
        overload_ms INTEGER,                -- since when more is due than can be started; NULL: it is not so
        overload_late_ms INTEGER NOT NULL, overload_due INTEGER NOT NULL, -- what showed it
        paused_through_ms INTEGER NOT NULL, -- no pause is in the way of what is due from here on
        restores INTEGER NOT NULL,
        -- The last id given of each noun. Kept here since the highest row of a table may be purged, and an id
        -- (an attempt's above all) must never come twice.
        last_job INTEGER NOT NULL, last_trigger INTEGER NOT NULL, last_run INTEGER NOT NULL,
        last_task INTEGER NOT NULL, last_attempt INTEGER NOT NULL, last_agent INTEGER NOT NULL,
        last_effect INTEGER NOT NULL, last_audit INTEGER NOT NULL,
        outbox_waiting INTEGER NOT NULL,    -- rows of the outbox that are to be sent
        stage INTEGER NOT NULL,             -- that is checked or goes live; 0: none
        redates INTEGER NOT NULL,           -- rows of redates
        refused INTEGER NOT NULL,           -- frames that were no frames at all
        raft_index INTEGER NOT NULL, raft_term INTEGER NOT NULL,
        previous_index INTEGER NOT NULL, previous_term INTEGER NOT NULL,
        members BLOB NOT NULL
    )
    """,
    # The newest leaderships, for people (machine/leadership.py says how many).
    """
    CREATE TABLE leaderships (
        epoch INTEGER PRIMARY KEY,
        node TEXT NOT NULL, zone TEXT NOT NULL, term INTEGER NOT NULL,
        began_ms INTEGER NOT NULL,
        before_ms INTEGER NOT NULL          -- the latest stamp before it: nobody decided anything since
    )
    """,
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        labels TEXT NOT NULL,               -- JSON object
        state TEXT NOT NULL,                -- active | paused
        pause_reason TEXT NOT NULL,
        source TEXT NOT NULL,
        created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, actor TEXT NOT NULL,
        active_runs INTEGER NOT NULL,       -- pending or running ones
        failures INTEGER NOT NULL,          -- failed runs in a row
        last_run INTEGER NOT NULL,          -- 0: none yet
        last_state TEXT NOT NULL,           -- how the last finished run ended; empty: none yet
        runs_stored INTEGER NOT NULL,         -- finished runs still stored
        retention_runs INTEGER NOT NULL,         -- retention.runs of the current revision
        -- Canonical JSON of the current revision. The last one: who looks at the others does not read it.
        spec BLOB NOT NULL
    )
    """,
    # Slack, where a job keeps many: it does not enter and leave this index with every run.
    f"CREATE INDEX jobs_purge ON jobs (id) WHERE {TOO_MANY_RUNS}",
    "CREATE UNIQUE INDEX jobs_name ON jobs (namespace, name)",
    "CREATE INDEX jobs_failing ON jobs (last_run, id) WHERE failures > 0",
    # Every revision of every job that ever was; `deleted` rows end a job.
    """
    CREATE TABLE revisions (
        job INTEGER NOT NULL, revision INTEGER NOT NULL,
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        spec BLOB NOT NULL, stamp_ms INTEGER NOT NULL, idx INTEGER NOT NULL, actor TEXT NOT NULL,
        deleted INTEGER NOT NULL,
        PRIMARY KEY (namespace, name, revision)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX revisions_job ON revisions (job, revision)",
    # What came from a source: asked for when it is to be pruned.
    "CREATE INDEX jobs_source ON jobs (source, namespace, name) WHERE source <> ''",
    # What jobs refer to, of all kinds (scheduler.model.objects), known by kind, namespace and name.
    """
    CREATE TABLE objects (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        labels TEXT NOT NULL,               -- JSON object
        source TEXT NOT NULL,
        created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, actor TEXT NOT NULL,
        spec BLOB NOT NULL,                 -- canonical JSON of the current revision
        pin TEXT NOT NULL,                  -- of what triggers hold of it; empty: nothing
        PRIMARY KEY (kind, namespace, name)
    )
    """,
    "CREATE INDEX objects_source ON objects (source, kind, namespace, name) WHERE source <> ''",
    # Every revision of every object that ever was; `deleted` rows end one, and its numbers go on after it.
    """
    CREATE TABLE object_revisions (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,
        spec BLOB NOT NULL, stamp_ms INTEGER NOT NULL, idx INTEGER NOT NULL, actor TEXT NOT NULL,
        deleted INTEGER NOT NULL,
        PRIMARY KEY (kind, namespace, name, revision)
    ) WITHOUT ROWID
    """,
    # Which job or object refers to which object.
    """
    CREATE TABLE refs (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        to_kind TEXT NOT NULL, to_namespace TEXT NOT NULL, to_name TEXT NOT NULL,
        PRIMARY KEY (kind, namespace, name, to_kind, to_namespace, to_name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX refs_to ON refs (to_kind, to_namespace, to_name, kind, namespace, name)",
    # The vars that a run began with, in the order of its job: of equal names in two the later one counts.
    """
    CREATE TABLE run_vars (
        run INTEGER NOT NULL, place INTEGER NOT NULL,
        namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,
        PRIMARY KEY (run, place)
    ) WITHOUT ROWID
    """,
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
    "CREATE INDEX triggers_event ON triggers (event, jitter_ms, id) WHERE event <> '' AND until_ms IS NULL",
    # Who asks for little comes first within each namespace, when more is due than a plan holds.
    "CREATE INDEX triggers_share ON triggers (namespace, share, fire_ms, id) WHERE fire_ms IS NOT NULL",
    # Whose dates a live trigger holds, and which (scheduler.ticks.dates).
    "CREATE TABLE pins (trigger INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
    " pin TEXT NOT NULL, PRIMARY KEY (trigger, namespace, name)) WITHOUT ROWID",
    "CREATE INDEX pins_of ON pins (namespace, name, pin, trigger)",
    # Calendars that have other dates since an instant, until no live trigger holds the old ones.
    """
    CREATE TABLE redates (
        id INTEGER PRIMARY KEY,             -- they are gone through in this order
        namespace TEXT NOT NULL, name TEXT NOT NULL, pin TEXT NOT NULL,
        at_ms INTEGER NOT NULL              -- the stamp of the edit
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
    *limits.STATEMENTS,
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
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,
        trigger INTEGER NOT NULL,           -- 0: none
        tick_ms INTEGER,                    -- unjittered instant; NULL: no tick
        due_ms INTEGER NOT NULL,
        cause TEXT NOT NULL,                -- its kind (words.causes)
        cause_key TEXT NOT NULL,            -- empty: of a person; of a tick, which trigger and tick_ms tell
        state TEXT NOT NULL,
        decided INTEGER NOT NULL,           -- 1: its cause has its ledger entry (or takes none)
        waiting INTEGER NOT NULL,           -- 1: behind the job's other runs (overlap); 2: for its namespace
        counts INTEGER NOT NULL,            -- 1: it is one of its namespace's active runs
        plan_day INTEGER NOT NULL,          -- its plan date (ticks.plan_days)
        open_tasks INTEGER NOT NULL,        -- tasks that have not ended
        first_task INTEGER NOT NULL,        -- its tasks have these ids, in the graph's order; 0: an orphan's
        last_task INTEGER NOT NULL,
        unmade INTEGER NOT NULL,            -- tasks that have no row yet: the last ones
        walk TEXT NOT NULL,                 -- what is being done to its tasks (machine.walks); empty: nothing
        walked INTEGER NOT NULL,            -- the task that it has come to
        unfinished INTEGER NOT NULL,        -- 1: tasks unmade, a walk under way, or rows in `tells`
        stopping TEXT NOT NULL,             -- how it will end (runs.stop, runs.let_end); empty: by itself
        created_ms INTEGER NOT NULL, started_ms INTEGER, finished_ms INTEGER,
        deadline_ms INTEGER,                -- start deadline; NULL once started or without one
        stop_ms INTEGER,                    -- when its timeout passes; NULL without one or before the start
        exit_code INTEGER,
        priority INTEGER NOT NULL,
        bound INTEGER NOT NULL,             -- the agent that all its tasks go to which that may take; 0: any
        params TEXT NOT NULL,
        reason TEXT NOT NULL, actor TEXT NOT NULL
    )
    """,
    "CREATE INDEX runs_job ON runs (job, id)",
    "CREATE INDEX runs_active ON runs (job, id) WHERE finished_ms IS NULL",
    "CREATE INDEX runs_unfinished ON runs (id) WHERE unfinished = 1",
    "CREATE INDEX runs_waiting ON runs (job, id) WHERE waiting = 1",
    # Most runs succeeded: who looks for those finds them by their ids.
    "CREATE INDEX runs_state ON runs (state, id) WHERE state <> 'succeeded'",
    "CREATE INDEX runs_namespace ON runs (namespace, id)",
    "CREATE INDEX runs_tick ON runs (trigger, tick_ms) WHERE tick_ms IS NOT NULL",
    "CREATE UNIQUE INDEX runs_cause ON runs (job, cause, cause_key) WHERE cause_key <> ''",
    "CREATE INDEX runs_deadline ON runs (deadline_ms, id) WHERE deadline_ms IS NOT NULL",
    "CREATE INDEX runs_stop ON runs (stop_ms, id) WHERE stop_ms IS NOT NULL AND finished_ms IS NULL",
    """
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL, name TEXT NOT NULL,
        member TEXT NOT NULL,               -- of a task that is divided: which part; empty: the whole
        round INTEGER NOT NULL,             -- how often the task had been begun anew; 0: the first time
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,          -- made so far, revoked ones not counted
        open_needs INTEGER NOT NULL,        -- of a blocked task: needs that have not ended
        met_needs INTEGER NOT NULL,         -- of a blocked task: needs that ended as its rule asks
        may_fail INTEGER NOT NULL,          -- 1: its failure does not fail the run
        queued_ms INTEGER,
        wake_ms INTEGER,                    -- when its wait for a retry, or its work in the state, is over
        selector TEXT NOT NULL,             -- which agents may take it: JSON (machine.rules.selectors)
        rank_ms INTEGER NOT NULL,           -- place in the queue: queued_ms less what the priority is worth
        started_ms INTEGER, finished_ms INTEGER,
        exit_code INTEGER, reason TEXT NOT NULL
    )
    """,
    # Tasks that have ended and of whose dependents only the first `told` have heard of it.
    """
    CREATE TABLE tells (
        run INTEGER NOT NULL, task INTEGER NOT NULL, state TEXT NOT NULL, told INTEGER NOT NULL,
        PRIMARY KEY (run, task)
    ) WITHOUT ROWID
    """,
    # Of runs whose timeout may stand still: how many tasks keep it going, and what is left while none does.
    "CREATE TABLE clocks (run INTEGER PRIMARY KEY, moving INTEGER NOT NULL, left_ms INTEGER)",
    "CREATE UNIQUE INDEX tasks_run ON tasks (run, name, member, round)",
    # A queue for each selector, so that tasks which no agent can take never stand before others.
    "CREATE INDEX tasks_queued ON tasks (selector, rank_ms, id) WHERE state = 'queued'",
    "CREATE INDEX tasks_wake ON tasks (wake_ms, id) WHERE wake_ms IS NOT NULL",
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        task INTEGER NOT NULL, run INTEGER NOT NULL, number INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        state TEXT NOT NULL,
        live INTEGER NOT NULL,              -- 1 while it holds a slot: assigned, granted, running, cancelling
        unreachable INTEGER NOT NULL,
        assigned_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,
        claim TEXT NOT NULL, session TEXT NOT NULL,
        fence INTEGER,                      -- index of the grant; NULL: none
        granted_ms INTEGER, started_ms INTEGER, finished_ms INTEGER,
        exit_code INTEGER, signal INTEGER, reason TEXT NOT NULL,
        tail BLOB NOT NULL,
        output_bytes INTEGER,               -- where its output ends, as its tail does; NULL: not known
        late TEXT NOT NULL                  -- JSON of a report that came after the end; empty: none
    )
    """,
    "CREATE TABLE doomed (attempt INTEGER PRIMARY KEY, reason TEXT NOT NULL)",
    "CREATE INDEX attempts_task ON attempts (task, id)",
    "CREATE INDEX attempts_run ON attempts (run, id)",
    "CREATE INDEX attempts_live ON attempts (agent, id) WHERE live = 1",
    "CREATE INDEX attempts_agent ON attempts (agent, id)",
    "CREATE INDEX attempts_unreachable ON attempts (id) WHERE unreachable = 1",
    "CREATE INDEX attempts_assigned ON attempts (assigned_ms, id) WHERE state = 'assigned'",
    """
    CREATE TABLE agents (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        installation TEXT NOT NULL, session TEXT NOT NULL, boot_id TEXT NOT NULL, cloud_id TEXT NOT NULL,
        zone TEXT NOT NULL, pool TEXT NOT NULL, labels TEXT NOT NULL, slots INTEGER NOT NULL,
        kinds TEXT NOT NULL,                -- of work, that its executors run: JSON, a sorted list
        version TEXT NOT NULL,
        node TEXT NOT NULL,                 -- the node that holds its socket; empty: disconnected
        busy INTEGER NOT NULL,              -- live attempts
        draining INTEGER NOT NULL,          -- 1: a person lets it start nothing more
        drain_reason TEXT NOT NULL,
        drain_until_ms INTEGER,             -- when it takes work again by itself; NULL: by a person alone
        connected_ms INTEGER, disconnected_ms INTEGER
    )
    """,
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
    "CREATE INDEX agents_installation ON agents (installation, name)",
    "CREATE INDEX agents_draining ON agents (id) WHERE draining = 1",
    "CREATE INDEX agents_drain_end ON agents (drain_until_ms, id) WHERE drain_until_ms IS NOT NULL",
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
    # Of a stage that is checked: how many ticks a day more than before it asks for, of what was looked at.
    "CREATE TABLE staged_asks (stage INTEGER NOT NULL, namespace TEXT NOT NULL, per_day INTEGER NOT NULL,"
    " jobs INTEGER NOT NULL, PRIMARY KEY (stage, namespace)) WITHOUT ROWID",
    """
    CREATE TABLE idempotency (
        key TEXT PRIMARY KEY, body BLOB NOT NULL, outcome BLOB NOT NULL, stamp_ms INTEGER NOT NULL
    )
    """,
    "CREATE INDEX idempotency_age ON idempotency (stamp_ms, key)",
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
    # Numbered proposals of fronts: each (front, seq) is applied once.
    "CREATE TABLE fronts (uid TEXT PRIMARY KEY, lowest INTEGER NOT NULL, seen_ms INTEGER NOT NULL)",
    """
    CREATE TABLE frames (
        front TEXT NOT NULL, seq INTEGER NOT NULL, outcomes BLOB NOT NULL,
        PRIMARY KEY (front, seq)
    ) WITHOUT ROWID
    """,
    *dependents_schema.STATEMENTS,
)
