"""The tasks of a group end one after the other; with the last one its round does, and the group or not
(`rules.groups`)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from scheduler.machine.context import CONDITION, ROW, Context
from scheduler.machine.rules import groups, verdicts
from scheduler.machine.rules.conditions import Condition
from scheduler.machine.rules.graphs import Box, Graph
from scheduler.machine.rules.groups import Again, Catch, Over
from scheduler.machine.rules.verdicts import RunEnds
from scheduler.machine.steps import breaking, clock, closing, grouping, holding, joining
from scheduler.machine.steps.grouping import AMONG, CATCHING, STOPPED
from scheduler.store.tables import fanouts, rounds
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.rounds import Round
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.lifecycle import TASK_END, TASK_ENDS, TaskEvent

FORGIVEN = tuple(sorted(verdicts.RUN_FAILURES))
UNBEGUN = ("blocked", "held")
SEEN_A_ROW = 10  #: rows that are looked at for what one that is written costs
UNCAUGHT = "catch"  #: why a task that catches was skipped: nothing failed, or all was begun anew


class Ended(NamedTuple):
    """What a group that heard of ends inside came to."""

    tell: Tell | None  #: what its dependents are to be told
    fewer: int  #: tasks that ended with that, beside the group


def count(ctx: Context, run: Run, graph: Graph, place: int, ended: int, caught: int) -> Ended:
    """So many more of the tasks of the group at this place have ended, and of those that catch. That counts
    before their turn too: a person may skip them, and an agent tell of them after a restore."""
    task = task_rows.get(ctx.store, run.first_task + place)
    if task is None or task.state in TASK_ENDS:
        return Ended(None, 0)
    now = grouping.first_round(ctx, run, graph.boxes[place])
    if ended or caught:
        now = rounds.change(
            ctx.store, now, open_tasks=now.open_tasks - ended, open_catch=now.open_catch - caught
        )
    is_over = task.state == "active" and not (now.open_catch if now.catching else now.open_tasks)
    return _over(ctx, run, graph, place, task, now) if is_over else Ended(None, 0)


def _over(ctx: Context, run: Run, graph: Graph, place: int, task: Task, now: Round) -> Ended:
    box, compiled = graph.boxes[place], graph.job.tasks[place]
    ctx.room -= CONDITION + ROW * (box.end - box.first) // SEEN_A_ROW
    tried = range(now.first_task, now.first_task + box.group.tasks)
    catch = range(tried.stop, tried.stop + box.group.catch)
    worst = closing.worst_of(ctx, tried, FORGIVEN)
    over = Over(
        worst, _caught(ctx, catch) if now.catching else None, now.retries, now.repeats, now.stopped,
        is_final=lambda: _is_final(ctx, graph, tried),
        holds=lambda: Condition(ctx.store, run, box.group.until, graph.job.times).holds(),
    )  # fmt: skip
    verdict = groups.judge(compiled, box.group, over)
    if isinstance(verdict, Catch):
        assert worst is not None
        now = rounds.change(ctx.store, now, catching=1)
        _tell(ctx, task, now, worst.state, groups.CATCH)
        if not now.open_catch:
            return _over(ctx, run, graph, place, task, now)
        return Ended(Tell(place, CATCHING if now.open_catch == box.group.catch else AMONG, 0), 0)
    skipped = 0 if now.catching else _skip(ctx, catch)
    if isinstance(verdict, Again):
        _again(ctx, run, graph, task, now, worst, verdict)
        return Ended(None, skipped)
    is_failure = verdict.state in verdicts.RUN_FAILURES
    by_itself = worst is None or groups.handles_failures(compiled, box.group)
    if is_failure and by_itself and graph.job.holds_failures and job_rows.exists(ctx.store, run.job):
        holding.hold_task(
            ctx, run, task, actor="", reason=verdict.reason, failed=verdict.state, attempts=task.attempts,
            exit_code=verdict.exit_code,
        )  # fmt: skip
        _tell(ctx, task, now, verdict.state, groups.HELD)
        return Ended(None, skipped)
    if task_rows.any_of(ctx.store, range(tried.start, catch.stop), "warned", 1):
        task_rows.set_warned(ctx.store, task.id)
    state = closing.end_task(
        ctx, task, TASK_END[verdict.state], reason=verdict.reason, exit_code=verdict.exit_code,
        started_ms=task.started_ms,
    )  # fmt: skip
    _tell(ctx, task, now, state, "")
    return Ended(Tell(place, state, box.end - box.first), skipped)


def _again(
    ctx: Context, run: Run, graph: Graph, task: Task, now: Round, worst: RunEnds | None, again: Again
) -> None:
    wake_ms = ctx.stamp_ms + again.after_ms
    if again.why == groups.RETRY:
        rounds.change(ctx.store, now, retries=now.retries + 1)
    else:
        rounds.change(ctx.store, now, retries=0, repeats=now.repeats + 1)
    task_rows.move(
        ctx.store, task, TaskEvent.RETRY_LEFT, wake_ms=wake_ms, exit_code=worst.exit_code if worst else None,
        reason=worst.reason if worst else "",
    )  # fmt: skip
    clock.count(ctx, run, graph, 1)
    _tell(ctx, task, now, worst.state if worst else "succeeded", again.why, wake_ms)


def _tell(ctx: Context, task: Task, now: Round, state: str, then: str, again_ms: int | None = None) -> None:
    ctx.emit(e.RoundEnded(task.id, task.run, task.name, now.round, state, then, again_ms))


def _caught(ctx: Context, catch: range) -> RunEnds:
    """How those that catch ended. Where all of them were skipped, nothing is caught."""
    worst = closing.worst_of(ctx, catch, FORGIVEN)
    if worst is not None:
        return worst
    return groups.WELL if task_rows.any_of(ctx.store, catch, "state", "succeeded") else groups.SKIPPED


def _is_final(ctx: Context, graph: Graph, tried: range) -> bool:
    final = groups.NEVER_AGAIN if graph.job.on_lost == "retry" else (*groups.NEVER_AGAIN, "lost")
    return any(task_rows.any_of(ctx.store, tried, "state", state) for state in final)


def _skip(ctx: Context, catch: range) -> int:
    """Nothing of this round is to be caught. How many ended by that."""
    found = [task for task in task_rows.of_ids(ctx.store, list(catch)) if task.state in UNBEGUN]
    for task in found:
        holding.drop(ctx, task)
        closing.end_task(ctx, task, TaskEvent.SKIPPED, reason=UNCAUGHT)
    return len(found)


def has_begun(ctx: Context, graph: Graph, box: Box, now: Round) -> bool:
    """Whether anything of the round has started: of what is divided, a member."""
    inside = range(now.first_task, now.first_task + box.end - box.first)
    if now.open_tasks < box.group.tasks or not task_rows.any_of(ctx.store, inside, "state", "active"):
        return now.open_tasks < box.group.tasks
    if not box.is_divided:
        return True
    ids = [row.id for row in task_rows.of_ids(ctx.store, list(inside)) if row.state == "active"]
    spread = [each for each in map(partial(fanouts.get, ctx.store), ids) if each is not None]
    return len(spread) < len(ids) or any(
        each.ended or task_rows.any_of(ctx.store, each.ids, "state", "active") for each in spread
    )


def note_stop(ctx: Context, run: Run, graph: Graph, place: int, *, by: int = groups.BY_PERSON) -> Tell:
    """The group at this place, which goes on, is stopped. What is to be done to what is inside."""
    now = rounds.get(ctx.store, run.first_task + place)
    assert now is not None, "it has begun"
    unmade = max(0, now.unmade - graph.boxes[place].group.catch)
    rounds.change(ctx.store, now, stopped=by, unmade=0, open_tasks=now.open_tasks - unmade)
    return Tell(place, STOPPED, 0)


def stop_more(ctx: Context, run: Run, graph: Graph, tell: Tell) -> tuple[list[Tell], int]:
    """Stop what of the group goes on, as far as there is room: what is left to do, and how many ended."""
    left: list[Tell] = []
    now, box = rounds.get(ctx.store, run.first_task + tell.place), graph.boxes[tell.place]
    if now is None or not now.stopped:
        return left, 0
    begin, end = (box.catch, box.end) if now.catching else (box.first, box.catch)
    reason = groups.OUTSIDE.reason if now.stopped == groups.BY_WINDOW else groups.STOPPED.reason
    at, ended = max(tell.told, begin), 0
    while at < end and ctx.room > 0:
        ctx.room -= ROW
        task = task_rows.get(ctx.store, now.first_task + at - box.first)
        at += 1
        if task is not None and task.state == "active" and graph.is_box(run, task):
            heard = joining.stop(ctx, run, graph, task, reason)
            left += [each for each in heard.tells if each.place < 0]  # nothing else is told inside
            ended += heard.fewer
        elif task is not None and task.state not in TASK_ENDS:
            moved = clock.moves(graph, run, task)
            holding.drop(ctx, task)
            if breaking.break_off(ctx, task, TaskEvent.CANCELLED, reason=reason):
                clock.count(ctx, run, graph, -int(moved))
                ended += 1
    if at < end:
        left.append(tell._replace(told=at))
    return left, ended
