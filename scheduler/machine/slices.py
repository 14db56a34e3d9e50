"""Work over many tasks of a run, in slices: making them, walking over them, telling those that need others.

Rules of this file (design, section 4: bounded work):

1. The commands of a frame share a room (`Context.room`), and each task that is made, changed or told takes
   from it. What finds no room is left in the state (`runs.unmade`, `runs.walk`, the table `tells`) and marked
   (`runs.unfinished`); the planner goes on with it by Continue, which has a room of its own. So one turn of
   the core has a limit, whatever the graphs are, and a small run is done at once.
2. In a run, tasks are made first, then a walk is done, then dependents are told: a task is told when all rows
   are there. Tells of one run may come in any order: they only count.
3. A run that stops tells nobody: its walk ends every task that has not ended.
4. Every step ends at least one task's part, or marks the run as finished: a Continue never spins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from scheduler.machine import attempts, needs, runs, tasks
from scheduler.machine.context import EDGE, OK, ROW, Context, refused
from scheduler.machine.graphs import Graph
from scheduler.machine.walks import ADMIT, GIVE_UP, LET_END, RESTORED, STOP
from scheduler.store import attempts as attempt_rows
from scheduler.store import runs as run_rows
from scheduler.store import tasks as task_rows
from scheduler.store import tells as tell_rows
from scheduler.store.runs import Run
from scheduler.store.tasks import Task
from scheduler.store.tells import Tell
from scheduler.words import events as e
from scheduler.words.commands import CONTINUE_RUNS_MAX, Continue
from scheduler.words.lifecycle import ATTEMPT, START, TASK, TASK_ENDS, step
from scheduler.words.outcomes import Code, Outcome

TELLS_MAX = 300  #: looked at in one step


def go_on(ctx: Context, command: Continue) -> Outcome:
    if len(command.runs) > CONTINUE_RUNS_MAX:
        return refused(Code.LIMIT, f"at most {CONTINUE_RUNS_MAX} runs at once")
    ctx.room = ctx.room_whole
    attempts.lose_doomed(ctx)
    for run_id in command.runs:
        while ctx.room > 0:
            run = run_rows.get(ctx.store, run_id)
            if run is None or not run.unfinished:
                break
            _step(ctx, run)
            ctx.room -= ROW  # for the step itself, whatever it came to
    return OK


def _step(ctx: Context, run: Run) -> None:
    if run.unmade:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        made = len(graph.job.tasks) - run.unmade
        count = ctx.take_rows(run.unmade, least=1)
        make(ctx, run, graph, range(made, made + count))
        _note(ctx, run._replace(unmade=run.unmade - count))
    elif run.walk:
        walk(ctx, run, run.walk, begun=True)
    elif run.stopping:
        tell_rows.drop(ctx.store, run.id)
        _note(ctx, run)
    else:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        stored = tell_rows.of_run(ctx.store, run.id, TELLS_MAX)
        skipped = tell(ctx, run, graph, stored, stored=True)
        _note(ctx, run)
        runs.close_if_done(ctx, run, run.open_tasks - skipped)


def _note(ctx: Context, run: Run) -> None:
    """Store how far the run's work has come."""
    unfinished = bool(run.unmade or run.walk or tell_rows.any_of(ctx.store, run.id))
    run_rows.set_progress(
        ctx.store, run.id, unmade=run.unmade, walk=run.walk, walked=run.walked, unfinished=int(unfinished)
    )


# -- making -------------------------------------------------------------------------------------


def make(ctx: Context, run: Run, graph: Graph, places: range, *, agent: int = 0) -> None:
    """The tasks at these places of the graph; the single root goes to `agent` when that can take it."""
    single = graph.single_root if agent and not run.waiting else None
    rank_ms = tasks.rank(ctx.stamp_ms, run.priority, run.cause)
    held_up = run.waiting or run.stopping
    for place in places:
        task, task_id = graph.job.tasks[place], run.first_task + place
        selector = graph.selectors[task.name]
        placed = task is single and attempts.can_take(ctx, agent, selector)
        ready = not task.needs and not held_up
        task_state = step(TASK, START, "queued" if ready else "blocked")
        if placed:
            task_state = step(TASK, task_state, "active")
        task_rows.insert(
            ctx.store,
            Task(
                id=task_id, run=run.id, name=task.name, state=task_state, attempts=1 if placed else 0,
                open_needs=len(task.needs), met_needs=0, may_fail=int(task.allow_failure),
                queued_ms=ctx.stamp_ms if ready else None, retry_ms=None, selector=selector,
                rank_ms=rank_ms, started_ms=None, finished_ms=None, exit_code=None, reason="",
            ),
        )  # fmt: skip
        if placed:
            attempts.place(ctx, task=task_id, run=run.id, number=1, agent=agent, due_ms=run.due_ms)
        elif ready:
            ctx.emit(e.TaskQueued(task_id, run.id, task.name))


# -- walking ------------------------------------------------------------------------------------


def begin_walk(ctx: Context, run: Run, act: str) -> None:
    """Do this to all tasks of the run: now, as far as there is room."""
    first = run.first_task - 1 if run.first_task else 0
    run = run._replace(walk=act, walked=first)
    if run.unmade or ctx.room < ROW:
        _note(ctx, run)
    else:
        walk(ctx, run, act, begun=False)


def walk(ctx: Context, run: Run, act: str, *, begun: bool) -> None:
    """Go on with a walk. `begun`: the run's row says that it is under way."""
    limit = max(1, ctx.room // ROW)
    found = task_rows.of_run_after(ctx.store, run.id, run.walked, run.last_task, limit)
    restored_ms = runs.restored_ms(ctx) if act == GIVE_UP else 0
    ended: list[Tell] = []
    for task in found:
        ctx.room -= ROW
        state = _act(ctx, run, act, task, restored_ms)
        if state:
            ended.append(Tell(task.id, state, 0))
    left = run.open_tasks - len(ended)
    if ended and act == GIVE_UP:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        left -= tell(ctx, run, graph, ended)
    if len(found) == limit:
        _note(ctx, run._replace(walked=found[-1].id))
    elif begun:
        _note(ctx, run._replace(walk=""))
    if act != ADMIT:
        runs.close_if_done(ctx, run, left)


def _act(ctx: Context, run: Run, act: str, task: Task, restored_ms: int) -> str:
    """What a walk does to one task; how that ended, empty: it did not."""
    if task.state in TASK_ENDS:
        return ""
    if act == ADMIT:
        if task.state == "blocked" and not task.open_needs:
            tasks.enqueue(ctx, run, task, attempts=0)
        return ""
    if act == GIVE_UP:
        if task.state not in ("queued", "retry_wait") or (task.queued_ms or 0) > restored_ms:
            return ""
        tasks.end_row(ctx, task, "expired", reason=RESTORED)
        return "expired"
    state, reason = ("cancelled", run.reason) if act in (STOP, LET_END) else ("expired", act)
    if task.state == "active":
        attempt = attempt_rows.live_of_task(ctx.store, task.id)
        if attempt is not None and attempt.state != "assigned":
            if attempt.state != "cancelling" and act != LET_END:
                attempt_rows.set_state(ctx.store, attempt.id, step(ATTEMPT, attempt.state, "cancelling"))
                ctx.emit(e.AttemptCancelling(attempt.id, run.id, attempt.agent))
            return ""
        if attempt is not None:
            attempts.revoke_row(ctx, attempt, state)
    tasks.end_row(ctx, task, state, reason=reason)
    return state


# -- telling ------------------------------------------------------------------------------------


def tell(ctx: Context, run: Run, graph: Graph, ended: Iterable[Tell], *, stored: bool = False) -> int:
    """Tell the dependents of tasks that ended; returns how many of them were skipped, and so ended too.
    `stored`: these tells are rows. What finds no room becomes one.
    """
    given = list(ended)
    waiting = deque(tell for tell in given if graph.dependents[tell.task - run.first_task])
    skipped = 0
    while waiting and ctx.room > 0 and not run.unmade:
        told = _gather(ctx, run, graph, waiting)
        rows = task_rows.of_ids(ctx.store, [run.first_task + place for place in sorted(told)])
        for row in rows:
            if row.state == "blocked" and _judge(ctx, run, graph, row, *told[row.id - run.first_task]):
                skipped += 1
                if graph.dependents[row.id - run.first_task]:
                    waiting.append(Tell(row.id, "skipped", 0))
    left = {tell.task: tell for tell in waiting}
    for tell in given if stored else ():
        if tell.task not in left:
            tell_rows.drop_one(ctx.store, run.id, tell.task)
        elif left[tell.task] == tell:
            del left[tell.task]
    for tell in left.values():
        tell_rows.put(ctx.store, run.id, tell)
    if left and not run.unfinished:
        run_rows.set_unfinished(ctx.store, run.id)
    return skipped


def _gather(ctx: Context, run: Run, graph: Graph, waiting: deque[Tell]) -> dict[int, tuple[int, int]]:
    """Of each dependent that there is room to tell: how many of its needs ended, and how many as it asks."""
    told: dict[int, tuple[int, int]] = {}
    while waiting and ctx.room > 0:
        tell = waiting.popleft()
        place = tell.task - run.first_task
        met = needs.met_by_rule(tell.state, may_fail=graph.job.tasks[place].allow_failure)
        dependents = graph.dependents[place]
        at = tell.told
        while at < len(dependents) and ctx.room > 0:
            dependent = dependents[at]
            at += 1
            ctx.room -= EDGE
            known = told.get(dependent)
            if known is None:
                ctx.room -= ROW
                known = (0, 0)
            told[dependent] = (known[0] + 1, known[1] + met[graph.job.tasks[dependent].rule])
        if at < len(dependents):
            waiting.appendleft(tell._replace(told=at))
    return told


def _judge(ctx: Context, run: Run, graph: Graph, task: Task, ended: int, met: int) -> bool:
    """Count the needs that ended, queue or skip the task when that decides; whether it was skipped."""
    open_needs, met_needs = task.open_needs - ended, task.met_needs + met
    compiled = graph.job.tasks[task.id - run.first_task]
    verdict = needs.verdict(compiled.rule, of=len(compiled.needs), open_needs=open_needs, met=met_needs)
    if verdict == needs.READY:
        tasks.enqueue(ctx, run, task, attempts=0)
    elif verdict == needs.NEVER:
        tasks.end_row(ctx, task, "skipped", reason="upstream")
    else:
        task_rows.set_needs(ctx.store, task.id, open_needs=open_needs, met_needs=met_needs)
    return verdict == needs.NEVER
