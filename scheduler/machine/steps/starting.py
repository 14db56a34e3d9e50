"""The tasks of a run are made.

They are made with the run (`steps.firing`), of very many the later ones by a Continue."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gates, selectors
from scheduler.machine.rules.conditions import Condition
from scheduler.machine.rules.gates import READY, TaskView, Verdict, needs, when
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import beginning, clock, locking, placing, queue, repeating, walking
from scheduler.model.compiled import CompiledTask
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import FIRST, ONLY, Task
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import START, TASK, TaskEvent


def make(ctx: Context, run: Run, graph: Graph, places: range, *, agent: int = 0) -> None:
    """The tasks at these places of the graph; the single root goes to `agent` when that can take it."""
    if run.cause == Kind.RERUN:
        return repeating.make(ctx, run, graph, places)
    single = graph.single_root if agent and not run.waiting else None
    rank_ms = queue.rank(ctx.stamp_ms, run.priority, run.cause)
    moving = 0
    ended: list[Tell] = []
    for place in places:
        task, task_id = graph.job.tasks[place], run.first_task + place
        selector = graph.selectors[task.name]
        if run.bound and task.happens == "agent" and placing.is_for(ctx, run.bound, selector):
            selector = selectors.bound(selector, run.bound)
        if places.start:  # tasks that were made before may have been placed
            selector = locking.as_it_is(ctx, run.id, selector)
        wanted = len(task.needs) + len(task.asks)
        # Of very many tasks most need others: of those one gate is closed, whatever the rest say.
        verdict = needs.WAITS if wanted else _judge(ctx, run, task, kept=run.keeps(task_id))
        ready, never = verdict is READY, verdict == when.NEVER
        placed = ready and task is single and placing.may_take(ctx, run, agent, selector)
        event = TaskEvent.PLACED if placed else TaskEvent.READY if ready else TaskEvent.HELD_UP
        if never:
            event = TaskEvent.SKIPPED
        row = Task(
            id=task_id, run=run.id, name=task.name, member=ONLY, round=FIRST,
            state=TASK.after(START, event), attempts=1 if placed else 0, open_needs=wanted, met_needs=0,
            may_fail=int(task.allow_failure), queued_ms=ctx.stamp_ms if ready else None, wake_ms=None,
            selector=selector, rank_ms=rank_ms, started_ms=None,
            finished_ms=ctx.stamp_ms if never else None, exit_code=None,
            reason=when.NEVER.reason if never else "",
        )  # fmt: skip
        task_rows.insert(ctx.store, row)
        if never:
            ended.append(Tell(task_id, row.state, 0))
        if placed:
            placing.place(ctx, task=task_id, run=run.id, number=1, agent=agent, due_ms=run.due_ms)
        elif ready and task.happens == "state":
            beginning.begin_work(ctx, run, graph, row, task)
        elif ready:
            ctx.emit(e.TaskQueued(task_id, run.id, task.name, ONLY, FIRST))
        moving += ready and task.happens == "agent"
    clock.count(ctx, run, graph, moving)
    walking.leave(ctx, run, ended)


def _judge(ctx: Context, run: Run, task: CompiledTask, *, kept: bool) -> Verdict:
    """A task that needs no other."""
    condition = Condition(ctx.store, run, task.when) if task.when else None
    return gates.judge(gates.TASK, TaskView(run, task.rule, 0, 0, 0, 0, condition, kept=kept))
