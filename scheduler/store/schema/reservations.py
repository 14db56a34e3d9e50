"""Ticks that agents have in advance."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # Jobs whose ticks may be reserved (policies.autonomy), and until when none is, for a person's edit.
    "CREATE TABLE autonomies (job INTEGER PRIMARY KEY, window_ms INTEGER NOT NULL, held_ms INTEGER NOT NULL)",
    # Ticks that an agent may start by itself, each as this attempt. Their triggers have passed them.
    """
    CREATE TABLE reservations (
        attempt INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,               -- that it is of then: ids that nothing else gets
        job INTEGER NOT NULL, trigger INTEGER NOT NULL, revision INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,             -- unjittered: which tick
        due_ms INTEGER NOT NULL,
        plan_day INTEGER NOT NULL,
        agent INTEGER NOT NULL, installation TEXT NOT NULL,
        fence INTEGER NOT NULL,             -- index of the Reserve
        asked_back INTEGER NOT NULL         -- 1: its agent is to say whether it has started it
    )
    """,
    "CREATE UNIQUE INDEX reservations_tick ON reservations (trigger, at_ms)",
    "CREATE INDEX reservations_job ON reservations (job, at_ms, attempt)",
    "CREATE INDEX reservations_agent ON reservations (agent, due_ms, attempt)",
    "CREATE INDEX reservations_due ON reservations (due_ms, attempt) WHERE asked_back = 0",
)
