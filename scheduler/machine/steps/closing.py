"""A task ends, and a run with its last one.

Rules of this file:

1. Every end of a run goes through `end_run`, which also writes the one ledger entry of its tick when no
   start has, counts for its job, tells whom the job tells, and lets go on who waited for that.
2. How a run ends is `rules.verdicts`: read here, judged there, written here."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.machine.context import Context
from scheduler.machine.rules import selectors, verdicts, walks
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.rules.verdicts import RunEnds
from scheduler.machine.steps import (
    admitting,
    awaiting,
    backfilling,
    concluding,
    decisions,
    delaying,
    eras,
    expecting,
    grouping,
    locking,
    notifying,
    restoring,
    watching,
)
from scheduler.machine.steps import quotas as quota_steps
from scheduler.model import required as required_names
from scheduler.store.tables import (
    approvals,
    clocks,
    ends,
    fanouts,
    folders,
    hearers,
    listeners,
    nested,
    overlap_keys,
    postponed,
    quotas,
    required,
    reruns,
    rounds,
    run_waits,
    terminated,
)
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import tells as tell_rows
from scheduler.store.tables.runs import FOR_NAMESPACE, Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.causes import TICKS, Kind
from scheduler.words.lifecycle import KEPT_BACK, RUN_END, TASK_END, TASK_ENDS, TaskEvent

TOLD_OF_ENDS = frozenset({"listeners", "required"})
"""Tables of those who are told of a run's end."""
WAIT_FOR_ENDS = frozenset({"postponed", "hearers", "folders"})
"""Tables of what waits for an end to have room among the runs of its job."""
EXPECTED = frozenset({"watches", "periods", "unmet"})
"""Tables of what was expected of runs and jobs."""


def end_task(
    ctx: Context,
    task: Task,
    event: TaskEvent,
    *,
    reason: str,
    exit_code: int | None = None,
    started_ms: int | None = None,
) -> str:
    """End the task itself; what follows from it is the caller's. Returns its state."""
    if task.wake_ms is not None and task.is_awaited:
        awaiting.drop(ctx, task, reason)
    is_in_state = task.state == "active" and task.wake_ms is not None and not task.attempts
    state = task_rows.move(
        ctx.store, task, event, started_ms=task.started_ms if is_in_state else started_ms,
        finished_ms=ctx.stamp_ms, exit_code=exit_code, reason=reason, wake_ms=None,
    )  # fmt: skip
    if task.selector == selectors.OF_BOX:
        locking.give_back_group(ctx, task.run, task.id)
    if is_in_state and fanouts.get(ctx.store, task.id) is None:
        approvals.close(ctx.store, task.id)
        ctx.emit(e.TaskEnded(task.id, task.run, task.name, task.member, task.round, state))
    return state


def close_if_done(ctx: Context, run: Run, open_tasks: int, last: RunEnds | None = None) -> None:
    """Count the tasks still open; with none left the run ends. `last`: how the task of a one-task run
    ended.
    """
    if open_tasks > 0 and run.stopping and run.first_task:
        open_tasks -= _end_groups(ctx, run, open_tasks)
    if run.kept_last and open_tasks <= run.kept_last and _concludes(ctx, run, open_tasks):
        return
    if open_tasks > 0:
        if open_tasks != run.open_tasks:
            run_rows.set_open_tasks(ctx.store, run.id, open_tasks)
        return
    alone = False
    if run.first_task:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        alone = last is not None and len(graph.job.tasks) == 1
        if graph.stands_still or run.state in KEPT_BACK:
            clocks.drop(ctx.store, run.id)
        if graph.job.openings is not None or graph.job.failure_delays or graph.job.requires is not None:
            run_waits.drop(ctx.store, run.id)
            required.drop(ctx.store, run.id)
    ends = _result(ctx, run, last if alone else None, rest=False)
    if run.first_task and graph.boxes:
        rounds.drop_of_run(ctx.store, run.id)
    tell_rows.drop(ctx.store, run.id)
    missed = run.walk if run.walk == walks.RESTORED else walks.DEADLINE
    end_run(ctx, run, state=ends.state, exit_code=ends.exit_code, reason=ends.reason, missed=missed)


def _end_groups(ctx: Context, run: Run, open_tasks: int) -> int:
    """Nobody is told of ends in a run that stops: what consists of others ends once nothing else is open. How
    many did."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    if open_tasks > len(graph.boxes) + len(graph.divided) + run.kept_last:
        return 0
    left = [
        row
        for row in _open_of(ctx, sorted(grouping.newest(ctx, run, graph, place) for place in graph.divided))
        if row.state == "active"
    ]
    left += _open_of(ctx, [run.first_task + place for place in graph.boxes])
    kept = range(run.last_task - run.kept_last + 1, run.last_task + 1)
    if not left or len(left) + len(_open_of(ctx, kept)) < open_tasks:
        return 0
    for row in left:
        ends = RunEnds("cancelled", None, run.reason)
        if graph.of(run, row).fanout is not None:
            spread = fanouts.get(ctx.store, row.id)
            if spread is not None and spread.unmade:
                fanouts.drop_items(ctx.store, row.id)
            elif spread is not None:
                ends = worst_of(ctx, spread.ids, ()) or RunEnds("succeeded", None, "")
        now = rounds.get(ctx.store, row.id)
        if row.state == "active" and now is not None:
            box = graph.boxes[graph.place(run, row)]
            tasks = range(now.first_task, now.first_task + box.group.tasks)
            well = ends if now.unmade or box.group.until else RunEnds("succeeded", None, "")
            ends = worst_of(ctx, tasks, _forgiven(run)) or well
        end_task(
            ctx, row, TASK_END[ends.state], reason=ends.reason, exit_code=ends.exit_code,
            started_ms=row.started_ms,
        )  # fmt: skip
    return len(left)


def _open_of(ctx: Context, tasks: Iterable[int]) -> list[Task]:
    return [row for row in task_rows.of_ids(ctx.store, list(tasks)) if row.state not in TASK_ENDS]


def worst_of(ctx: Context, tasks: range, forgiven: tuple[str, ...]) -> RunEnds | None:
    """As the gravest of the tasks with these ids ended; None: they all ended well."""
    row = task_rows.gravest_of(ctx.store, tasks, verdicts.GRAVEST_FIRST, forgiven)
    return None if row is None else RunEnds(row.state, row.exit_code, row.reason)


def _forgiven(run: Run) -> tuple[str, ...]:
    """Ends that are left out where a task may fail."""
    return tuple(sorted(verdicts.RUN_FAILURES)) if verdicts.goes_its_way(run.stopping) else ()


def _concludes(ctx: Context, run: Run, open_tasks: int) -> bool:
    """Whether all has ended but what the run does finally, and that begins."""
    if not open_tasks or not verdicts.concludes(run.stopping, has_begun=run.started_ms is not None):
        return False
    if task_rows.any_open(ctx.store, run.first_task, run.last_task - run.kept_last):
        return False
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    if graph.divided and any(each.ended < each.made for each in fanouts.of_run(ctx.store, run.id)):
        return False
    run_rows.set_open_tasks(ctx.store, run.id, open_tasks)
    concluding.begin(ctx, run, graph, _result(ctx, run, None, rest=True))
    return True


def _result(ctx: Context, run: Run, alone: RunEnds | None, *, rest: bool) -> RunEnds:
    """How a run ended, by its tasks. `alone`: how the only task ended. `rest`: but for what it does finally,
    which is to come."""
    if alone is not None and alone.state == "succeeded":
        return verdicts.of_tasks(
            None, last_exit_code=alone.exit_code, stopping=run.stopping, reason=run.reason
        )
    if not run.first_task:
        row = task_rows.gravest_of_orphan(ctx.store, run.id, verdicts.GRAVEST_FIRST, _forgiven(run))
        last = task_rows.last_code_of_orphan(ctx.store, run.id)
        return _verdict(run, row, None if last is None else last.exit_code)
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    before = concluding.end(ctx, run) if graph.job.kept_last and not rest else None
    first = run.first_task if before is None else run.last_task - graph.job.kept_last + 1
    outer = range(first, run.last_task + 1)  # of what is in a group, however many rounds, its group tells
    row = task_rows.gravest(ctx.store, outer, verdicts.GRAVEST_FIRST, _forgiven(run))
    ends = _verdict(run, row, _last_exit_code(ctx, run, graph) if row is None else None)
    return ends if before is None else verdicts.of_finally(before, ends)


def _verdict(run: Run, row: task_rows.Gravest | None, code: int | None) -> RunEnds:
    worst = None if row is None else RunEnds(row.state, row.exit_code, row.reason)
    return verdicts.of_tasks(worst, last_exit_code=code, stopping=run.stopping, reason=run.reason)


def _last_exit_code(ctx: Context, run: Run, graph: Graph) -> int | None:
    """Of the last task that succeeded and has one, in the graph's order, in which the newest round of a group
    stands where the group does."""
    last = task_rows.last_code(ctx.store, range(run.first_task, run.last_task + 1))
    later = [now for now in rounds.of_run(ctx.store, run.id) if now.round] if graph.boxes else []
    for now in reversed(later):
        if last is not None and now.task < (last.of_group or last.id):
            break
        box = graph.boxes[now.task - run.first_task]
        inside = range(now.first_task, now.first_task + box.end - box.first)
        if (found := task_rows.last_code(ctx.store, inside)) is not None:
            return found.exit_code
    return None if last is None else last.exit_code


def end_run(
    ctx: Context, run: Run, *, state: str, exit_code: int | None, reason: str, missed: str = reasons.DEADLINE
) -> None:
    """`missed`: why its tick is, when the run is `expired` before any start."""
    if state != "succeeded":
        reason = reason or run.reason
    now = run_rows.get(ctx.store, run.id)  # the caller's row may be older than its admission
    if now is not None and now.counts:
        quota_steps.count_out(ctx, now)
    elif now is not None and now.waiting == FOR_NAMESPACE:
        quotas.drop(ctx.store, run.id)
    if ctx.state.locks:
        locking.give_back_run(ctx, run.id)
    same = overlap_keys.of(ctx.store, run.id)
    if same is not None:
        overlap_keys.drop(ctx.store, run.id)
    terminated.drop(ctx.store, run.id)
    run_rows.move(
        ctx.store, run, RUN_END[state], finished_ms=ctx.stamp_ms, exit_code=exit_code,
        reason=reason,
    )  # fmt: skip
    if not run.decided and not (now and now.decided):
        if state == "cancelled":
            decisions.decide_cause_of(ctx, run, "skipped", "cancelled")
        elif state == "expired":
            decisions.decide_cause_of(ctx, run, "missed", missed)
        elif state == "succeeded":  # nothing of it was to run
            decisions.decide_cause_of(ctx, run, "ran", "")
        else:
            decisions.decide_cause_of(ctx, run, "missed", reasons.LOST)
    failed = state in verdicts.RUN_FAILURES
    warned = 0 if now is None else now.warned
    if not ctx.store.kept.are_empty(TOLD_OF_ENDS):
        _tell_of_end(ctx, run, state, exit_code, warned)
    if run.cause == Kind.NESTED:
        _tell_parent(ctx, run, state, exit_code, reason, warned)
    told = notifying.of_end(ctx, run, state, warned=bool(warned))
    counts = run.cause != Kind.BACKFILL
    tally = job_rows.count_run_ended(
        ctx.store, run.job, run=run.id, state=state, failed=failed, counts=counts
    )
    ctx.emit(e.RunEnded(run.id, run.job, run.namespace, run.name, state, exit_code, bool(warned)))
    if run.cause == Kind.FILE:
        watching.run_ended(ctx, run, state)
    if told:
        notifying.tell(ctx, run, told, state=state, exit_code=exit_code, reason=reason)
    expected = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision).expected
    if expected is not None or not ctx.store.kept.are_empty(EXPECTED):
        expecting.end(ctx, run if now is None else now, state, expected)
    if run.tick_ms is not None and (state != "succeeded" or run.cause not in TICKS):
        backfilling.note_end(ctx, run, state)
    if tally is None or not counts:
        return
    if failed and tally.state == "active":
        limit = ctx.graph(run.job, run.namespace, run.name, run.revision).job.pause_after_failures
        if limit is not None and tally.failures >= limit:
            job_rows.set_state(ctx.store, run.job, state="paused", reason=reasons.FAILURES)
            ctx.emit(e.JobPaused(run.job, run.namespace, run.name, reasons.FAILURES))
    if ctx.state.delays and not tally.active_runs:
        delaying.count(ctx, run.job, run.id)
    follow(ctx, run.job, tally.active_runs, same)


def _tell_parent(
    ctx: Context, run: Run, state: str, exit_code: int | None, reason: str, warned: int
) -> None:
    """A task of another run began it, and may wait for it (`steps.nesting`)."""
    child = nested.get(ctx.store, run.id)
    if child is None or not child.waits:
        return
    nested.end(ctx.store, run.id, state=state, exit_code=exit_code, reason=reason, warned=warned)
    task = task_rows.get(ctx.store, child.task)
    if task is not None and task.state == "active":
        task_rows.set_wake(ctx.store, task.id, ctx.stamp_ms)
        ctx.emit(e.TaskDue(task.id, task.run, task.name, task.member, task.round))


def _tell_of_end(ctx: Context, run: Run, state: str, exit_code: int | None, warned: int) -> None:
    """Note the end where triggers, or runs that require it, may wait for it. What the cluster before a
    restore may have seen fires nothing."""
    parent = f"{run.namespace}/{run.name}"
    if listeners.is_heard(ctx.store, parent) and reruns.is_heard(ctx.store, run.id, run.cause):
        ctx.has_end = True
        ends.note(
            ctx.store, parent=parent, run=run.id, state=state, exit_code=exit_code, warned=warned,
            at_ms=ctx.stamp_ms, plan_day=run.plan_day,
            missed=reasons.RESTORED if restoring.is_doubtful(ctx, run.id) else "",
        )  # fmt: skip
    if ctx.store.kept.are_empty(decisions.REQUIRED):
        return
    of_job = required_names.of_job(run.namespace, run.name)
    if required.is_required(ctx.store, of_job):
        first = required.first_of(ctx.store, run.id, run.cause, run.cause_key)
        end = required.End(run.id, of_job, state, run.plan_day, ctx.stamp_ms, first)
        required.note_end(ctx.store, end)


def follow(ctx: Context, job: int, active_runs: int, same: str | None = None) -> None:
    """A run of the job ended: who waited for that goes on. `same`: the key that it had."""
    if not ctx.store.kept.are_empty(WAIT_FOR_ENDS):
        postponed.wake(ctx.store, job, ctx.stamp_ms)
        hearers.wake(ctx.store, job, ctx.stamp_ms)
        folders.wake(ctx.store, job, ctx.stamp_ms)
    if active_runs > 0:
        admitting.admit_next(ctx, job, same)
    else:
        eras.wake(ctx, job)
