"""What a restore holds up, and how that ends.

Rules of this file (docs/decisions/0013-a-restore-is-a-new-cluster.md; phases in `store.restores`):

1. The hold counts from the first leader of the new cluster. What was due before it waits. With it ends the
   time of what agents told before its task was there: it is shown beside that.
2. After the hold nothing that may have run is started, unless the operator chose --catchup: ticks that
   nobody told of are missed(restored), runs that had not started expire, and so do tasks that waited in runs
   that had. Jobs of `on_lost: retry` said that running twice is no harm: their waiting tasks go on.
3. The restore is done when no tick from before it is undecided, and of no run anything is left to give up:
   until then nothing of those is placed.
"""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.machine.rules import walks
from scheduler.machine.steps import orphans, reserving, stopping
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import restores
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.restores import DONE, HOLDING, SETTLING, Restore
from scheduler.words.causes import Kind
from scheduler.words.commands import EndHold, EndRestore, GiveUpRun
from scheduler.words.lifecycle import KEPT_BACK, RUN_ENDS
from scheduler.words.outcomes import Code, Outcome

EARLY_MAX = 100  #: shown by one command


def _in_phase(ctx: Context, epoch: int, number: int, phase: str) -> Restore | Outcome:
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    if restore is None or (restore.number, restore.phase) != (number, phase):
        return refused(Code.SUPERSEDED, f"restore {number} is not {phase}")
    return restore


def end_hold(ctx: Context, command: EndHold) -> Outcome:
    restore = _in_phase(ctx, command.epoch, command.restore, HOLDING)
    if isinstance(restore, Outcome):
        return restore
    left = restores.early(ctx.store, EARLY_MAX)
    for early in left:
        restores.drop_early(ctx.store, early)
        agent = agent_rows.get(ctx.store, early.agent)
        if agent is not None:
            orphans.add_beside(ctx, agent, orphans.ran_attempt(early.ran))
    if len(left) < EARLY_MAX and reserving.all_back(ctx, None):  # else the planner proposes it again
        restores.set_phase(ctx.store, restore.number, SETTLING)
    return OK


def give_up_run(ctx: Context, command: GiveUpRun) -> Outcome:
    restore = _in_phase(ctx, command.epoch, command.restore, SETTLING)
    if isinstance(restore, Outcome):
        return restore
    run = run_rows.get(ctx.store, command.run)
    told = run is None or run.state in RUN_ENDS or run.cause == Kind.ORPHAN
    if run is None or told or run.id > restore.run_base or restore.catchup:
        return refused(Code.ENDED, f"run {command.run} waits for nothing of before the restore")
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    if graph.job.on_lost == "retry":
        return OK
    if run.state in KEPT_BACK:
        return OK  # whoever keeps it back decides
    if run.state == "pending":
        reason = "restored from a backup: whether it ran is not known"
        stopping.stop(ctx, run, stopping="expired", reason=reason, walk=walks.RESTORED)
    elif not run.stopping:
        stopping.begin(ctx, run, walks.GIVE_UP)
    return OK


def end_restore(ctx: Context, command: EndRestore) -> Outcome:
    restore = _in_phase(ctx, command.epoch, command.restore, SETTLING)
    if isinstance(restore, Outcome):
        return restore
    next_ms = trigger_rows.next_fire_ms(ctx.store)
    if next_ms is not None and restore.taken_ms is not None and next_ms <= restore.taken_ms:
        return refused(Code.STALE_DUE, "a tick from before the restore is undecided")
    if run_rows.any_walking(ctx.store, walks.GIVE_UP):
        return refused(Code.CONFLICT, "what waited is being given up: what is left of it would be placed")
    restores.set_phase(ctx.store, restore.number, DONE)
    return OK
