"""A task begins a run of another job, waits for it, and ends as it does.

Rules of this file:

1. The run is made as one that a person asks for: whatever its job's other runs do, paused or not, enabled or
   not. One that is waited for runs on the place that its parent has in the namespace's quota: else parents
   could take all places and wait for each other's children for ever.
2. A task that waits holds nothing, and is active until it has heard of the end (`tasks.wake_ms`: its timeout,
   else NO_INSTANT). Who ends it otherwise (its run stops, a person, its timeout) has the run cancelled, and
   it ends when that has.
3. The end of the run is noted where the task finds it (`steps.closing`), and the planner wakes the task: so
   no end runs through all the runs above it in one command."""

from __future__ import annotations

from typing import Any

from scheduler.machine.context import OK, Context
from scheduler.machine.rules import verdicts
from scheduler.machine.rules.nesting import DEPTH_MAX
from scheduler.machine.steps import ends, firing, stopping
from scheduler.model.named import resolved
from scheduler.model.param_values import check_params, declared_params
from scheduler.model.problems import JobError
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import nested, rests, terminated
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.nested import Nested
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import NO_INSTANT, Task
from scheduler.words.causes import Cause, Kind
from scheduler.words.outcomes import Outcome


def begin(ctx: Context, run: Run, task: Task, work: dict[str, Any], timeout_ms: int | None) -> str:
    """Make the run. Why there is none; empty: there is, and the task waits where it is to."""
    namespace, name = resolved(work["job"], run.namespace)
    job = job_rows.standing_named(ctx.store, namespace, name)
    if job is None:  # the job of the task was edited since, and this one deleted
        return f"no job {namespace}/{name}"
    above = nested.get(ctx.store, run.id) if run.cause == Kind.NESTED else None
    depth = 1 if above is None else above.depth + 1
    if depth > DEPTH_MAX:
        return f"runs are nested {DEPTH_MAX} deep here, as deep as they may"
    spec = job_rows.spec_of(ctx.store, namespace, name, job.revision)
    assert spec is not None
    try:
        params = check_params(declared_params(spec), work["params"]).decode()
    except JobError as error:
        return f"params of {namespace}/{name}: {error.problems[0].detail}"
    key = f"{run.id}/{task.name}/{task.member}/{task.round}"
    outcome = firing.fire(
        ctx, Cause(Kind.NESTED, key), job, due_ms=ctx.stamp_ms, params=params, plan_day=run.plan_day,
        on_place=work["wait"] and namespace == run.namespace,
    )  # fmt: skip
    if not outcome.ok:
        return f"params of {namespace}/{name}: {outcome.detail}"
    assert outcome.value is not None
    child = int(str(outcome.value["run"]))
    nested.insert(ctx.store, Nested(child, run.id, task.id, depth, int(work["wait"]), "", "", None, "", 0))
    if work["wait"]:
        until_ms = NO_INSTANT if timeout_ms is None else ctx.stamp_ms + timeout_ms
        task_rows.set_wake(ctx.store, task.id, until_ms)
    return ""


def look(ctx: Context, run: Run, task: Task, child: Nested) -> Outcome:
    """The run has ended, or somebody ends the task, or its timeout has passed."""
    if child.state:
        nested.heard(ctx.store, child.run)
        state = child.state if child.state == "succeeded" else child.asked or child.state
        why = f": {child.reason}" if child.reason else ""
        ends.finish(
            ctx, run, task, state, started_ms=task.started_ms, exit_code=child.exit_code,
            reason="" if state == "succeeded" else f"run {child.run} {child.state}{why}",
            warned=state == "succeeded" and child.warned == 1,
        )  # fmt: skip
        return OK
    stop(ctx, run, task, child, child.asked or ("cancelled" if run.stopping else "timed_out"))
    return OK


def stop(ctx: Context, run: Run, task: Task, child: Nested, asked: str) -> None:
    """End the task so, once the run that it waits for has been cancelled."""
    nested.ask(ctx.store, child.run, asked)
    task_rows.set_wake(ctx.store, task.id, NO_INSTANT)
    row = run_rows.get(ctx.store, child.run)
    # What one that has ended does finally is not cut short by that.
    if row is not None and verdicts.goes_its_way(row.stopping) and rests.get(ctx.store, row.id) is None:
        reason = f"task {task.name} of run {run.id} {asked.replace('_', ' ')}"
        at_once = terminated.has(ctx.store, run.id)
        stopping.stop(ctx, row, stopping="cancelled", reason=reason, at_once=at_once)
