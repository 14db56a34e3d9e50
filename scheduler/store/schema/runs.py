"""Runs, their tasks and attempts."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
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
        kept_last INTEGER NOT NULL,         -- so many, the last, wait for the end of the rest; 0: no more
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
        reason TEXT NOT NULL, actor TEXT NOT NULL,
        warned INTEGER NOT NULL             -- 1: a task of it ended well with a warning
    )
    """,
    "CREATE INDEX runs_job ON runs (job, id)",
    "CREATE INDEX runs_active ON runs (job, id) WHERE finished_ms IS NULL",
    "CREATE INDEX runs_unfinished ON runs (id) WHERE unfinished = 1",
    "CREATE INDEX runs_waiting ON runs (job, id) WHERE waiting = 1",
    # Most runs succeeded: who looks for those finds them by their ids.
    "CREATE INDEX runs_state ON runs (state, id) WHERE state <> 'succeeded'",
    "CREATE INDEX runs_warned ON runs (id) WHERE warned = 1",
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
        attempts INTEGER NOT NULL,          -- made so far, revoked and unstarted ones not counted
        open_needs INTEGER NOT NULL,        -- of a blocked task: what it needs, or asks, and has not ended
        met_needs INTEGER NOT NULL,         -- of a blocked task: needs that ended as its rule asks
        may_fail INTEGER NOT NULL,          -- 1: its failure does not fail the run
        queued_ms INTEGER,
        wake_ms INTEGER,                    -- when its wait for a retry, or its work in the state, is over
        selector TEXT NOT NULL,             -- which agents may take it: JSON (machine.rules.selectors)
        rank_ms INTEGER NOT NULL,           -- place in the queue: queued_ms less what the priority is worth
        started_ms INTEGER, finished_ms INTEGER,
        exit_code INTEGER, reason TEXT NOT NULL,
        warned INTEGER NOT NULL,            -- 1: it ended well, with a warning
        of_group INTEGER NOT NULL           -- the task where alone its end counts: its group, of a member the
                                            -- whole; 0: none
    )
    """,
    # Groups of runs of which something has begun, or ended: of each its newest round.
    """
    CREATE TABLE rounds (
        task INTEGER PRIMARY KEY,           -- that is the group
        run INTEGER NOT NULL, round INTEGER NOT NULL,
        first_task INTEGER NOT NULL,        -- what is inside has these ids, in the graph's order
        unmade INTEGER NOT NULL,            -- of it the last ones have no row yet: so many
        open_tasks INTEGER NOT NULL,        -- of its tasks, those of whose end it has not heard
        open_catch INTEGER NOT NULL,        -- the same of those that catch a failure
        stopped INTEGER NOT NULL,           -- 1: a person stops it; 2: its admission window has ended
        catching INTEGER NOT NULL,          -- 1: its tasks have ended, and those go on that catch a failure
        retries INTEGER NOT NULL,           -- how often it was begun anew after a failure, since it went well
        repeats INTEGER NOT NULL,           -- how often because its condition did not hold
        agent INTEGER NOT NULL,             -- to which all of a sticky one goes in this round; 0: to any yet
        closed INTEGER NOT NULL,            -- 1: outside of its admission windows
        window_ms INTEGER                   -- until then, or until the open one ends; NULL: at any time
    )
    """,
    "CREATE INDEX rounds_run ON rounds (run, task)",
    "CREATE INDEX rounds_window ON rounds (window_ms) WHERE window_ms IS NOT NULL",
    # Tasks that were divided: how far they have come. Kept with their run.
    """
    CREATE TABLE fanouts (
        task INTEGER PRIMARY KEY,           -- the whole
        run INTEGER NOT NULL,
        first_task INTEGER NOT NULL,        -- its members have these ids, in their order
        members INTEGER NOT NULL,
        unmade INTEGER NOT NULL,            -- of them the last ones have no row yet: so many
        next INTEGER NOT NULL,              -- place of the first that may have its turn
        going INTEGER NOT NULL,             -- that had their turn, and have not ended
        ended INTEGER NOT NULL, succeeded INTEGER NOT NULL, skipped INTEGER NOT NULL,
        open_ms INTEGER NOT NULL,           -- when the next one may have its turn (stagger)
        look_ms INTEGER NOT NULL,           -- when those are given up whose agents are away; 0: never
        repeats INTEGER NOT NULL            -- the first of the members of a run that they repeat; 0: none
    )
    """,
    "CREATE INDEX fanouts_run ON fanouts (run, task)",
    # Of those with members to be made: all items, as a JSON list; then each by its member.
    "CREATE TABLE fanout_lists (task INTEGER PRIMARY KEY, items TEXT NOT NULL)",
    "CREATE TABLE member_items (task INTEGER PRIMARY KEY, item TEXT NOT NULL)",
    # What a task gave to those after it: an object of values, as JSON (model.outputs).
    "CREATE TABLE outputs (task INTEGER PRIMARY KEY, text BLOB NOT NULL)",
    # Tasks that have ended, and groups that have begun, of whose dependents only the first `told` have heard.
    """
    CREATE TABLE tells (
        run INTEGER NOT NULL, place INTEGER NOT NULL, state TEXT NOT NULL, told INTEGER NOT NULL,
        PRIMARY KEY (run, place)
    ) WITHOUT ROWID
    """,
    # How the rest of a run ended that does what it does finally.
    """
    CREATE TABLE rests (
        run INTEGER PRIMARY KEY, state TEXT NOT NULL, exit_code INTEGER, reason TEXT NOT NULL,
        ended_ms INTEGER NOT NULL
    )
    """,
    # Active runs of jobs with a key of overlap: by which they are in each other's way.
    "CREATE TABLE overlap_keys (run INTEGER PRIMARY KEY, job INTEGER NOT NULL, key TEXT NOT NULL)",
    "CREATE INDEX overlap_keys_job ON overlap_keys (job, key, run)",
    # Runs whose attempts are ended without any grace.
    "CREATE TABLE terminated (run INTEGER PRIMARY KEY)",
    # What tasks ask persons.
    """
    CREATE TABLE approvals (
        task INTEGER PRIMARY KEY, run INTEGER NOT NULL, namespace TEXT NOT NULL,
        open INTEGER NOT NULL,              -- 1: it waits for an answer
        asked_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
        approvers TEXT NOT NULL,            -- names of tokens: JSON; an empty list: whoever may approve
        barred TEXT NOT NULL,               -- who may not answer all the same (four eyes), names with ", "
        text TEXT NOT NULL,
        answer TEXT NOT NULL,               -- approved | rejected; empty: none
        actor TEXT NOT NULL, answered_ms INTEGER, reason TEXT NOT NULL
    )
    """,
    "CREATE INDEX approvals_run ON approvals (run, task)",
    "CREATE INDEX approvals_open ON approvals (task) WHERE open = 1",
    "CREATE INDEX approvals_namespace ON approvals (namespace, task) WHERE open = 1",
    # Attempts that somebody outside completes: what is known of that. A row is made when something is.
    """
    CREATE TABLE completions (
        attempt INTEGER PRIMARY KEY, run INTEGER NOT NULL,
        exited_ms INTEGER,                  -- when its process ended, well; NULL: it has not
        warned INTEGER NOT NULL,            -- 1: with a warning
        given BLOB NOT NULL,                -- what its process gave to the tasks after it, as JSON
        outcome TEXT NOT NULL,              -- succeeded | failed; empty: nobody has completed it
        message TEXT NOT NULL,
        outputs BLOB NOT NULL,              -- what came with that, as JSON
        actor TEXT NOT NULL,                -- whose word it is; empty: by its own token
        answered_ms INTEGER,
        percent INTEGER, doing TEXT NOT NULL,
        told_ms INTEGER                     -- when it last told how far it is; NULL: never
    )
    """,
    "CREATE INDEX completions_run ON completions (run, attempt)",
    # Runs that tasks of other runs began.
    """
    CREATE TABLE nested (
        run INTEGER PRIMARY KEY, parent INTEGER NOT NULL, task INTEGER NOT NULL,
        depth INTEGER NOT NULL,             -- how many began one another, this one counted
        waits INTEGER NOT NULL,             -- 1: the task waits for its end, and has not heard of it
        asked TEXT NOT NULL,                -- how the task ends, where that is not as the run does
        state TEXT NOT NULL, exit_code INTEGER, reason TEXT NOT NULL, warned INTEGER NOT NULL
    )
    """,
    "CREATE INDEX nested_parent ON nested (parent, run)",
    "CREATE UNIQUE INDEX nested_task ON nested (task)",
    # Of runs whose timeout may stand still: how many tasks keep it going, and what is left while none does.
    "CREATE TABLE clocks (run INTEGER PRIMARY KEY, moving INTEGER NOT NULL, left_ms INTEGER)",
    # What persons keep back: a run (task 0; the row stays until it has begun), or a task of one.
    """
    CREATE TABLE run_holds (
        run INTEGER NOT NULL, task INTEGER NOT NULL,
        since_ms INTEGER,                   -- NULL: it went on, and what it took is still counted
        actor TEXT NOT NULL, reason TEXT NOT NULL,
        deadline_ms INTEGER,                -- its start deadline, which stands still
        failed TEXT NOT NULL,               -- of a task that failed: how it ends when it is released
        kept_ms INTEGER NOT NULL,           -- how long earlier holds took, pauses beside them left out
        long_ms INTEGER,                    -- when that is told to last longer than the job's period
        PRIMARY KEY (run, task)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX run_holds_long ON run_holds (long_ms, run, task) WHERE long_ms IS NOT NULL",
    # Runs that wait for a time or for what they require, or go on in a window: when each is judged again.
    """
    CREATE TABLE run_waits (
        run INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,             -- its window opens, or ends
        since_ms INTEGER,                   -- since when it waits; NULL: it does not
        deadline_ms INTEGER,                -- its start deadline, which stands still
        kept_ms INTEGER NOT NULL,           -- how long it waited before
        any_time INTEGER NOT NULL           -- 1: no window concerns it
    )
    """,
    "CREATE INDEX run_waits_at ON run_waits (at_ms, run)",
    # Verdicts of persons over runs that have ended: the last one of each.
    """
    CREATE TABLE overrides (
        run INTEGER PRIMARY KEY, verdict TEXT NOT NULL, at_ms INTEGER NOT NULL,
        actor TEXT NOT NULL, reason TEXT NOT NULL
    )
    """,
    # Runs that repeat another, and the tasks that they took over from it.
    """
    CREATE TABLE reruns (
        run INTEGER PRIMARY KEY, source INTEGER NOT NULL,
        plan BLOB NOT NULL,                 -- of each task, by its place: a letter (machine.rules.reruns)
        heard INTEGER NOT NULL,             -- 1: jobs that wait for its end hear of it
        from_failed INTEGER NOT NULL, from_task TEXT NOT NULL, until_task TEXT NOT NULL
    )
    """,
    "CREATE INDEX reruns_source ON reruns (source, run)",
    """
    CREATE TABLE taken_tasks (
        task INTEGER PRIMARY KEY,
        run INTEGER NOT NULL, origin INTEGER NOT NULL  -- in which it came to its end, and as which task
    )
    """,
    "CREATE UNIQUE INDEX tasks_run ON tasks (run, name, member, round)",
    # A queue for each selector, so that tasks which no agent can take never stand before others.
    "CREATE INDEX tasks_queued ON tasks (selector, rank_ms, id) WHERE state = 'queued'",
    # Members that wait for their turn: of a task that is divided, and of an agent's name.
    "CREATE INDEX tasks_turn ON tasks (of_group, id)"
    " WHERE member <> '' AND state = 'blocked' AND queued_ms IS NULL",
    "CREATE INDEX tasks_turn_member ON tasks (member, id)"
    " WHERE member <> '' AND state = 'blocked' AND queued_ms IS NULL",
    "CREATE INDEX tasks_wake ON tasks (wake_ms, id) WHERE wake_ms IS NOT NULL",
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        task INTEGER NOT NULL, run INTEGER NOT NULL, number INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        state TEXT NOT NULL,
        live INTEGER NOT NULL,              -- 1 while it holds a slot: assigned, granted, running, cancelling
                                            -- (awaiting: no more)
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
    "CREATE INDEX attempts_unstarted ON attempts (task) WHERE state = 'unstarted'",
    "CREATE INDEX attempts_assigned ON attempts (assigned_ms, id) WHERE state = 'assigned'",
)
