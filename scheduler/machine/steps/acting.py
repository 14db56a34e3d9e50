"""Work in the state whose time is over: what it does then, and how it ends.

What it does happens here, in a command of its own, and never where it begins: there a run may be made, told
or admitted, of which each step reads rows that this would change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduler.machine.context import OK, Context, refused
from scheduler.machine.rules import boards
from scheduler.machine.steps import closing, ends, nesting, posting, stopping
from scheduler.model.named import resolved
from scheduler.model.work.kind import ASKS, ENDS_RUN, POSTS, RUNS
from scheduler.store.tables import nested
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.lifecycle import TaskEvent
from scheduler.words.outcomes import Code, Outcome

Work = dict[str, Any]
"""Its compiled form."""


def act(ctx: Context, run: Run, task: Task) -> Outcome:
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    compiled = graph.of(run, task)
    if compiled.fanout is not None:
        ends.wake_divided(ctx, run, task)
        return OK
    child = nested.of_task(ctx.store, task.id) if compiled.waits_for_run else None
    if child is not None:
        return nesting.look(ctx, run, task, child)
    if ends.never_starts(ctx, run, task):
        return OK
    work = compiled.work
    if work.get("does") == RUNS:
        return _run(ctx, run, task, work, compiled.timeout_ms)
    return _ACTS[work.get("does", "")](ctx, run, task, work)


def _end(ctx: Context, run: Run, task: Task, work: Work) -> Outcome:
    ends.finish(ctx, run, task, "succeeded", started_ms=task.started_ms)
    return OK


def _end_run(ctx: Context, run: Run, task: Task, work: Work) -> Outcome:
    """Those that need it hear nothing: they never start."""
    closing.end_task(ctx, task, TaskEvent.SUCCEEDED, reason="")
    left = run.open_tasks - 1
    run_rows.set_open_tasks(ctx.store, run.id, left)
    stopping.stop(ctx, run._replace(open_tasks=left), stopping=work["as"], reason=f"finished by {task.name}")
    return OK


def _post(ctx: Context, run: Run, task: Task, work: Work) -> Outcome:
    """The notice belongs to the plan date of the run. What is in its way fails the task."""
    if ctx.state.stage:  # as each posting does: which triggers there are has to stand
        return refused(Code.SWITCHING, "a staged apply goes live: notices wait for it")
    namespace, name = resolved(work["board"], run.namespace)
    lasts_ms = boards.lasts_ms(ctx.store, namespace, name)
    if lasts_ms is None:  # the job was edited since, and the board deleted
        return _fail(ctx, run, task, f"no board {namespace}/{name}")
    posted = posting.post(
        ctx, namespace, name, work["key"], lasts_ms=work["lasts_ms"] or lasts_ms, plan_day=run.plan_day,
        poster=f"{run.namespace}/{run.name} run {run.id}",
    )  # fmt: skip
    return _end(ctx, run, task, work) if posted.ok else _fail(ctx, run, task, posted.detail)


def _run(ctx: Context, run: Run, task: Task, work: Work, timeout_ms: int | None) -> Outcome:
    if ctx.state.stage:
        return refused(Code.SWITCHING, "a staged apply goes live: what tasks run waits for it")
    if wrong := nesting.begin(ctx, run, task, work, timeout_ms):
        return _fail(ctx, run, task, wrong)
    return OK if work["wait"] else _end(ctx, run, task, work)


def _expire(ctx: Context, run: Run, task: Task, work: Work) -> Outcome:
    """Nobody answered in time."""
    ends.finish(ctx, run, task, "expired", started_ms=task.started_ms, reason="nobody answered in time")
    return OK


def _fail(ctx: Context, run: Run, task: Task, reason: str) -> Outcome:
    ends.finish(ctx, run, task, "failed", started_ms=task.started_ms, reason=reason)
    return OK


_ACTS: dict[str, Callable[[Context, Run, Task, Work], Outcome]] = {
    "": _end,
    ASKS: _expire,
    ENDS_RUN: _end_run,
    POSTS: _post,
}
