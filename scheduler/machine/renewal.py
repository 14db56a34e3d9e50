"""A backup becomes the first state of a new cluster. Offline: no node has the file open.

Rules of this file (docs/decisions/0013-a-restore-is-a-new-cluster.md):

1. The index and every last id are raised by SPAN for each restore, so fences never go back and nothing that
   the old cluster gave out after the backup is given out again.
2. Nobody is connected any more: agents have to come to the new cluster and tell what they ran since. Those
   that were connected or had work are waited for.
3. An attempt without a grant is taken out altogether: its agent may have been granted it since, and tells so
   under its id. Its task waits again, and is held like all that waited; what it took is given back, as nobody
   takes anything while agents may tell.
4. The ledger goes on: its next entry is chained to the backup's last.
5. What waits in the outbox may have been sent since the backup: it is given up, with that reason, and a
   person may have it sent. A survivor's is sent, and so is a backup's under --catchup. Its id stays that of
   the first cluster, so a receiver that heard it knows it again.
6. A staged apply that had not gone live is dropped: nobody knows any more what it was checked against. One
   that was going live goes on.
7. A backfill goes no further: nobody knows of which instants the old cluster made runs since the backup.
8. One transaction: the file is the old state or the new one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from scheduler.machine.context import Context
from scheduler.machine.rules import sending
from scheduler.machine.steps import locking, placing
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.state import State
from scheduler.store.tables import attempts, backfills, outbox, restores, tasks
from scheduler.store.tables.restores import SPAN, Restore
from scheduler.store.tables.triggers import BEHIND
from scheduler.words.lifecycle import STAGE, StageEvent, TaskEvent

_NOUNS = ("job", "trigger", "run", "task", "attempt", "agent", "effect")
MAY_BE_SENT = "restored from a backup: it may have been sent since"


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the new cluster is."""

    kind: str  #: restore | recover
    cluster: str
    number: int
    hold_ms: int
    catchup: bool
    members: bytes  #: consensus' record of the one member


def renew(store: Store, renewal: Renewal) -> Restore:
    """Change the state; returns what it now says of this restore. Raises ValueError for a number that is not
    higher than the state's."""
    state = state_rows.load(store)
    steps = renewal.number - state.restores
    if steps < 1:
        raise ValueError(
            f"restore number {renewal.number}: this state has seen {state.restores}, take a higher one"
        )
    if renewal.cluster == state.cluster:
        raise ValueError(f"the new cluster needs another uid than {state.cluster}")
    raised = SPAN * steps
    row = Restore(
        number=renewal.number, kind=renewal.kind, lineage=restores.lineage(store), former=state.cluster,
        idx=state.idx, run_floor=state.last_run, attempt_floor=state.last_attempt,
        run_base=state.last_run + raised, attempt_base=state.last_attempt + raised,
        stamp_ms=state.stamp_ms, hold_ms=renewal.hold_ms, catchup=int(renewal.catchup),
        phase=restores.HOLDING, taken_ms=None, until_ms=None,
    )  # fmt: skip
    store.begin()
    restores.create_tables(store)
    restores.insert(store, row)
    _wait_for_agents(store, state.stamp_ms)
    _take_out_ungranted(store, state)
    # What waits to be caught up is of before the restore, and decided with that.
    store.execute(
        "UPDATE triggers SET fire_ms = next_due_ms WHERE closed = ? AND next_due_ms IS NOT NULL", (BEHIND,)
    )
    if renewal.kind == "restore" and not renewal.catchup:
        _give_up_effects(store, state)
    _drop_stages(store, state)
    backfills.cancel_all(store, "the state was restored: start it again with missing_only", state.stamp_ms)
    for table in ("fronts", "frames"):
        store.execute(f"DELETE FROM {table}")
    store.execute("DROP TABLE IF EXISTS backup")
    state.idx += raised
    for noun in _NOUNS:
        setattr(state, f"last_{noun}", getattr(state, f"last_{noun}") + raised)
    state.hash = hashlib.sha256(state.hash + f"{renewal.cluster} {renewal.number}".encode()).digest()
    state.cluster, state.restores, state.members = renewal.cluster, renewal.number, renewal.members
    state.leader = ""
    state_rows.save(store, state)
    store.commit()
    return row


def _wait_for_agents(store: Store, stamp_ms: int) -> None:
    store.execute("DELETE FROM awaited")
    store.execute(
        "INSERT INTO awaited (agent) SELECT id FROM agents WHERE node <> '' OR busy > 0 ORDER BY id"
    )
    store.execute("UPDATE agents SET node = '', disconnected_ms = ? WHERE node <> ''", (stamp_ms,))


def _take_out_ungranted(store: Store, state: State) -> None:
    ctx = Context(store, state, lambda members: ())
    taken_out = attempts.without_grant(store)
    for attempt in taken_out:
        attempts.drop(store, attempt.id)
        task = placing.free(ctx, attempt)
        if task is not None and task.state == "active":
            tasks.move(store, task, TaskEvent.TAKEN_BACK, attempts=task.attempts - 1)
    for attempt in taken_out if state.locks else ():
        task = tasks.get(store, attempt.task)
        if task is not None:
            locking.give_back_unless_begun(ctx, attempt.run, task.selector)


def _give_up_effects(store: Store, state: State) -> None:
    store.execute(
        "UPDATE outbox SET state = 'given_up', until_ms = ?, reason = ?, escalate_ms = NULL"
        " WHERE state IN ('waiting', 'gathered')",
        (state.stamp_ms + sending.KEPT_MS, MAY_BE_SENT),
    )
    store.execute("UPDATE outbox SET escalate_ms = NULL WHERE escalate_ms IS NOT NULL")
    state.outbox_waiting = 0
    outbox.drop_given_up(store, max(0, outbox.given_up(store) - sending.GIVEN_UP_MAX))


def _drop_stages(store: Store, state: State) -> None:
    for before in ("open", "checking"):
        store.execute(
            "UPDATE stages SET state = ?, reason = 'restored', left_items = items WHERE state = ?",
            (STAGE.after(before, StageEvent.DROPPED), before),
        )
    store.execute("DELETE FROM staged_asks")
    if store.value("SELECT 1 FROM stages WHERE state = 'switching'") is None:
        state.stage = 0
