"""Runs and groups that wait for time, or for what they require: judged again, they go on, go on waiting, or
end.

Rules of this file:

1. What is judged is how it stands at the stamp, by the run's own revision: the planner says when to look.
2. A group whose window opens tells its tasks, as at its beginning; with members among them its run goes on as
   a whole, since these are of any round, and some had their turn before. As it ends, what waits in a queue is
   kept back when it is to be placed, what an agent has goes on, and where the group says so it is stopped.
3. Who waits for one job or board is judged in the order of ids, so of two that would use a notice up the
   older has it.
"""

from __future__ import annotations

from scheduler.machine.context import OK, ROW, Context, done, refused
from scheduler.machine.rules import groups, joins, requirements
from scheduler.machine.steps import (
    admitting,
    checks,
    decisions,
    holding,
    joining,
    quotas,
    regrouping,
    requiring,
    stopping,
    walking,
    windows,
)
from scheduler.machine.steps.grouping import AMONG
from scheduler.machine.steps.windows import NEVER_MS
from scheduler.model.compiled import CompiledJob
from scheduler.store.tables import quotas as quota_rows
from scheduler.store.tables import required, rounds, run_waits
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import tells as tell_rows
from scheduler.store.tables.run_waits import RunWait
from scheduler.store.tables.runs import FOR_NAMESPACE, FOR_REQUIRES, FOR_TIME, Run
from scheduler.store.tables.tells import Tell
from scheduler.ticks.windows import Opening
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.commands import Rejudge, RejudgeGroup, RejudgeRequired
from scheduler.words.lifecycle import KEPT_BACK, RUN_ENDS
from scheduler.words.outcomes import Code, Outcome

JUDGED = 4 * ROW
"""What one that requires something takes of the room."""


def rejudge(ctx: Context, command: Rejudge) -> Outcome:
    wait = run_waits.get(ctx.store, command.run)
    if wait is None or wait.at_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"the instant of run {command.run} has not come")
    run = run_rows.get(ctx.store, command.run)
    if run is None or run.state in RUN_ENDS or run.stopping:
        run_waits.drop(ctx.store, command.run)
        return OK
    compiled = ctx.graph(run.job, run.namespace, run.name, run.revision).job
    if run.waiting == FOR_REQUIRES:
        _judge_required(ctx, run, wait, compiled)
    elif run.waiting == FOR_TIME:
        _judge_waiting(ctx, run, wait, compiled)
    else:
        _judge_window(ctx, run, wait, compiled)
    return OK


def rejudge_group(ctx: Context, command: RejudgeGroup) -> Outcome:
    now, task = rounds.get(ctx.store, command.task), task_rows.get(ctx.store, command.task)
    if now is None or task is None or now.window_ms is None or now.window_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"no window of group {command.task} opens or ends now")
    run = run_rows.get(ctx.store, task.run)
    assert run is not None, "its rounds go with it"
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    place = graph.place(run, task)
    box, goes_on = graph.boxes[place], task.state == "active" and not now.stopped
    # Members may go on behind the end of their round.
    members = joins.going_on(ctx.store, run.id, task.id) if box.is_divided else []
    if run.stopping or not (goes_on or members):
        rounds.change(ctx.store, now, closed=0, window_ms=None)  # its next round looks itself
        return OK
    if tell_rows.has(ctx.store, run.id, place):
        return refused(Code.CONFLICT, f"group {task.id} is being told of what came before")
    admission = box.group.admission
    assert admission is not None, "its revision says when it is open"
    was_open = not now.closed
    now = windows.look_at_group(ctx, now, admission)
    if now.closed and was_open:
        ctx.emit(e.WindowEnded(task.id, run.id, task.name, now.round, now.window_ms or 0))
        if admission.terminates:
            left = [joining.note_cut(each) for each in members if each.state == "succeeded"]
            if goes_on and regrouping.has_begun(ctx, graph, box, now):
                left.append(regrouping.note_stop(ctx, run, graph, place, by=groups.BY_WINDOW))
            walking.leave(ctx, run, left)
    elif not now.closed:  # or the one before ended, which nobody saw but those that were to be placed
        if not was_open:
            ctx.emit(e.WindowOpened(task.id, run.id, task.name, now.round))
        if not box.is_divided:
            walking.leave(ctx, run, [Tell(place, AMONG, 0)])
        elif not (run.waiting or run.state in KEPT_BACK):  # else they go on with it
            admitting.let_begin(ctx, run)
    return OK


def rejudge_required(ctx: Context, command: RejudgeRequired) -> Outcome:
    ctx.room = ctx.room_whole
    found = required.next_ones(ctx.store, command.parent, requiring.LOOKED_MAX)
    last = judged = 0
    seen: requirements.Seen = {}
    for last in found:
        required.look(ctx.store, command.parent, last)
        run, wait = run_rows.get(ctx.store, last), run_waits.get(ctx.store, last)
        judged += 1
        if run is not None and wait is not None and run.waiting == FOR_REQUIRES and not run.stopping:
            compiled = ctx.graph(run.job, run.namespace, run.name, run.revision).job
            _judge_required(ctx, run, wait, compiled, seen)
        ctx.room -= JUDGED
        if ctx.room <= 0:
            break
    if judged == len(found) < requiring.LOOKED_MAX:
        required.all_looked(ctx.store, command.parent, last)
    return done(judged=judged)


def _judge_required(
    ctx: Context, run: Run, wait: RunWait, compiled: CompiledJob, seen: requirements.Seen | None = None
) -> None:
    requires = compiled.requires
    assert requires is not None, "its revision says what it requires"
    judged = requirements.judge(ctx.store, run, requires, ctx.stamp_ms, seen)
    ends_ms = requirements.gives_up_ms(requires, wait)
    is_over = judged.is_hopeless or (ends_ms is not None and ends_ms <= ctx.stamp_ms)
    if judged.is_met or (is_over and requires.on_timeout == "go"):
        requiring.end(ctx, run, judged.uses)
        run = checks.end_all(ctx, run)
        run = windows.let_pass(ctx, run, None)
        admitting.go_on_in_time(ctx, run, compiled, any_time=bool(wait.any_time))
    elif judged.is_skipped or is_over:
        skipped = judged.is_skipped or requires.on_timeout == "skip"
        requiring.end(ctx, run, ())
        _end(ctx, run, skipped=skipped)
    else:
        at_ms = NEVER_MS if ends_ms is None else ends_ms
        if requires.looks_again:
            at_ms = min(at_ms, ctx.stamp_ms + requiring.LOOK_AGAIN_MS)
        run_waits.put(ctx.store, wait._replace(at_ms=at_ms))


def _end(ctx: Context, run: Run, *, skipped: bool) -> None:
    run_waits.drop(ctx.store, run.id)
    if not run.decided:
        decisions.decide_cause_of(ctx, run, "skipped" if skipped else "missed", reasons.REQUIRES)
        run_rows.set_decided(ctx.store, run.id, decided=1, trigger=run.trigger)
    stopping.stop(
        ctx, run._replace(decided=1), stopping="cancelled" if skipped else "expired", reason=reasons.REQUIRES
    )


def _judge_waiting(ctx: Context, run: Run, wait: RunWait, compiled: CompiledJob) -> None:
    """It waits for a window, or for the end of a delay."""
    opening = windows.standing(ctx, run.job, compiled, run.cause, run.due_ms)
    if opening is None or opening.is_open:
        until_ms = None if opening is None else opening.until_ms
        admitting.let_pass(ctx, windows.let_pass(ctx, run, until_ms))
    else:
        run_waits.put(ctx.store, wait._replace(at_ms=opening.until_ms))


def _judge_window(ctx: Context, run: Run, wait: RunWait, compiled: CompiledJob) -> None:
    """The window in which it went on ends. If it has not started, it waits for the next, and what of it runs
    goes on or is stopped."""
    assert compiled.openings is not None
    assert compiled.openings.admission is not None
    admission = compiled.openings.admission
    opening = windows.opening(ctx, admission, run.due_ms)
    if opening.is_open:
        run_waits.put(ctx.store, wait._replace(at_ms=opening.until_ms))
    elif run.started_ms is None:
        _keep_back_again(ctx, run, opening)
    else:
        run_waits.drop(ctx.store, run.id)
        if admission.terminates:
            stopping.stop(ctx, run, stopping="timed_out", reason=reasons.ADMISSION)


def _keep_back_again(ctx: Context, run: Run, opening: Opening) -> None:
    if run.waiting == FOR_NAMESPACE:
        quota_rows.drop(ctx.store, run.id)
    elif run.counts:
        quotas.count_out(ctx, run)
    holding.take_back(ctx, windows.note(ctx, run, opening)._replace(counts=0))
