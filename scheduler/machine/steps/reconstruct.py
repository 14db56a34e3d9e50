"""Runs of the cluster before the restore, as their agents' journals tell of them.

The rows of such a run are a reconstruction: whenever something more is told of it they are made anew from its
attempts, ended or not. It has no graph, no retries, no dependents; it may be cancelled."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import verdicts
from scheduler.machine.steps import closing
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import overlap_keys, restores
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.words import events as e
from scheduler.words.lifecycle import RUN_ENDS

_GRAVEST_FIRST = ("failed", "timed_out", "lost", "cancelled", "succeeded")


def rebuild(ctx: Context, run_id: int) -> None:
    """Tasks and run of an orphan as its attempts say."""
    run = run_rows.get(ctx.store, run_id)
    assert run is not None
    rows = attempt_rows.of_run(ctx.store, run_id)
    worst: Attempt | None = None
    open_tasks = 0
    for task in task_rows.of_run(ctx.store, run_id):
        last = max((row for row in rows if row.task == task.id), key=lambda row: (row.number, row.id))
        if last.live:
            open_tasks += 1
            task_rows.rebuild(ctx.store, task.id, "active", attempts=last.number)
            continue
        task_rows.rebuild(
            ctx.store, task.id, last.state, finished_ms=last.finished_ms or ctx.stamp_ms,
            reason=last.reason, exit_code=last.exit_code, started_ms=last.started_ms, wake_ms=None,
        )  # fmt: skip
        if worst is None or _gravity(last) < _gravity(worst):
            worst = last
    if open_tasks or worst is None:
        run_rows.set_open_tasks(ctx.store, run_id, open_tasks)
        return
    run_rows.rebuild(
        ctx.store, run_id, worst.state, finished_ms=worst.finished_ms or ctx.stamp_ms,
        exit_code=worst.exit_code, waiting=0, open_tasks=0, unmade=0, walk="", unfinished=0,
        deadline_ms=None, stop_ms=None,
    )  # fmt: skip
    overlap_keys.drop(ctx.store, run_id)
    if run.state not in RUN_ENDS:
        tally = job_rows.count_run_ended(
            ctx.store, run.job, run=run.id, state=worst.state, failed=worst.state in verdicts.RUN_FAILURES
        )
        ctx.emit(e.RunEnded(run.id, run.job, run.namespace, run.name, worst.state, worst.exit_code))
        if tally is not None:
            closing.follow(ctx, run.job, tally.active_runs)


def _gravity(attempt: Attempt) -> int:
    return _GRAVEST_FIRST.index(attempt.state)


def prove(ctx: Context, job: int, trigger: int, tick_ms: int) -> int:
    """The adopted run of this tick, from now on its own; 0: there is none."""
    found = restores.proven(ctx.store, job, tick_ms, tick_ms, 1)
    if not found:
        return 0
    run_rows.set_decided(ctx.store, found[0].id, decided=1, trigger=trigger)
    return found[0].id
