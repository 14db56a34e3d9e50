"""What the end of an attempt comes to: read, judged (`rules.verdicts`), written.

Rules of this file:

1. Taking back an attempt without a grant is free (revoked). One with a grant ends by its agent's report, by
   proof of death, by `on_lost` at the end of the lease, or by a person.
2. What its agent proves to have never started goes back to its queue, with its fence burned and no retry
   used, UNSTARTED_MAX times.
3. Terminal states never change. A report that comes after the end is kept beside it, once.
4. Of very many attempts that are lost at once, those that find no room are noted and lost by a Continue."""

from __future__ import annotations

import json

from scheduler.machine.context import ROW, Context, done, refused
from scheduler.machine.rules import completing, gates, groups, verdicts
from scheduler.machine.rules.gates import Never, TaskView, Waits
from scheduler.machine.rules.gates.views import Outside
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.rules.verdicts import Hold, Means, Retry, RunEnds, TaskEnds, Tried
from scheduler.machine.steps import (
    awaiting,
    checks,
    clock,
    closing,
    expecting,
    grouping,
    holding,
    joining,
    placing,
    queue,
    reconstruct,
    restoring,
    spreading,
    stopping,
    telling,
    windows,
)
from scheduler.model.checks import is_check
from scheduler.model.outputs import member_bytes_max
from scheduler.model.outputs import read as read_outputs
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import completions, doomed, fanouts
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import outputs as output_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.runs import FOR_REQUIRES, Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import Finish
from scheduler.words.lifecycle import ATTEMPT_ENDS, AWAITING, TASK_END, AttemptEvent, TaskEvent
from scheduler.words.outcomes import Code, Outcome

LOSS = 3 * ROW  #: what the loss of one attempt takes of the room, beside what follows from it
TAIL_BYTES_MAX = 16 << 10
GOOD_TAIL_BYTES_MAX = 2 << 10  #: of an end that is neither a failure nor a warning
DETAIL_LETTERS_MAX = 500
UNSTARTED = AttemptEvent.UNSTARTED.value  #: as agents say it too
UNSTARTED_MAX = 5  #: attempts of a task; those behind them are lost, as what may have started is
WRONG = "what it wrote to $CRONCLAVE_OUTPUT"


def report(ctx: Context, command: Finish) -> Outcome:
    """Idempotent. The sender may discard the report once it has any outcome."""
    attempt = attempt_rows.get(ctx.store, command.attempt)
    if attempt is None:
        return refused(Code.NOT_FOUND, f"no attempt {command.attempt}")
    if attempt.agent != command.agent:
        return refused(Code.SUPERSEDED, "the attempt belongs to another agent")
    if attempt.state in ATTEMPT_ENDS:
        return _late(ctx, attempt, command)
    if attempt.state == AWAITING:  # the same once more: a process ends once
        return done(state=AWAITING)
    if attempt.fence is None:
        # Without a grant nothing can have run: the agent gives the place back.
        take_back(ctx, attempt, command.detail[:DETAIL_LETTERS_MAX] or command.reason)
        return done(revoked=True)
    if command.reason == UNSTARTED and command.started_ms is None:
        return done(state=unstarted(ctx, attempt, command.detail[:DETAIL_LETTERS_MAX]))
    task, run = _of(ctx, attempt)
    event, means, why = _judged(ctx, run, task, command)
    outputs, wrong, finished_ms = b"", command.outputs_wrong, command.finished_ms
    if command.outputs and run.first_task:
        outputs, wrong = _outputs(ctx, run, task, command)
    if wrong and event is AttemptEvent.SUCCEEDED and means is not Means.SKIPPED:
        event, means, why = AttemptEvent.FAILED, Means.NOTHING, f"{WRONG}: {wrong[:DETAIL_LETTERS_MAX]}"
    good = event is AttemptEvent.SUCCEEDED and means is not Means.WARNED
    tail = command.tail[-(GOOD_TAIL_BYTES_MAX if good else TAIL_BYTES_MAX) :]
    hands_on = event is AttemptEvent.SUCCEEDED and means is not Means.SKIPPED and command.reason != "exists"
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision) if hands_on and run.first_task else None
    async_ms = graph.of(run, task).async_ms if graph is not None and graph.hands_on else None
    if async_ms is not None:
        known = awaiting.note(ctx, attempt, command, outputs, warned=means is Means.WARNED)
        until_ms = completing.until_ms(attempt, async_ms, restoring.restored_ms(ctx))
        ended = awaiting.judge(ctx, attempt, known, until_ms, names_and_most(ctx, run, task))
        if ended is None:
            told = "; ".join(filter(None, (why, _reason(command))))
            state = awaiting.begin(ctx, attempt, task, command, until_ms, _output_bytes(command), tail, told)
            return done(state=state)
        event, outputs = ended.event, ended.outputs
        if event is AttemptEvent.TIMED_OUT:  # its process had ended well, and it went on since
            finished_ms = ctx.stamp_ms
        why = "; ".join(filter(None, (ended.reason, why)))
    state = end(
        ctx,
        attempt,
        event,
        started_ms=command.started_ms if command.started_ms is not None else attempt.started_ms,
        finished_ms=finished_ms,
        exit_code=command.exit_code,
        signal=command.signal,
        reason="; ".join(filter(None, (why, _reason(command)))),
        tail=tail,
        output_bytes=_output_bytes(command),
        means=means,
        outputs=outputs,
        of=(task, run),
    )
    return done(state=state)


def _outputs(ctx: Context, run: Run, task: Task, command: Finish) -> tuple[bytes, str]:
    """What the tasks after it get, or what is wrong with it."""
    return read_outputs(command.outputs, *names_and_most(ctx, run, task))


def names_and_most(ctx: Context, run: Run, task: Task) -> tuple[tuple[str, ...], int]:
    """Of its outputs: what they may be, and of how many bytes."""
    job = ctx.graph(run.job, run.namespace, run.name, run.revision).job
    most, spread = job.outputs_bytes_max, fanouts.get(ctx.store, task.of_group) if task.member else None
    if spread is not None:
        most = member_bytes_max(most, spread.members)
    return job.outputs.get(task.name, ()), most


def _output_bytes(command: Finish) -> int | None:
    """No less than the tail; of one that tells a tail alone, the tail is all."""
    if command.output_bytes is None:
        return len(command.tail) or None
    return max(command.output_bytes, len(command.tail))


def _judged(ctx: Context, run: Run, task: Task, command: Finish) -> verdicts.ExitEnds:
    match command.reason:
        case "exists":  # what it is there for: the agent ran nothing
            return verdicts.GOOD
        case "exit" | "unmet":
            exits = None
            if run.first_task:
                graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
                exits = graph.by_name[task.name].exits
            ends = verdicts.of_exit(exits, command.exit_code, command.signal, command.wrote_stderr)
            # What it did not make is its failure, unless it says that there was nothing to do.
            unmet = command.reason == "unmet" and ends.means is not Means.SKIPPED
            return verdicts.BAD if unmet and ends.event is AttemptEvent.SUCCEEDED else ends
        case "timeout":
            return verdicts.ExitEnds(AttemptEvent.TIMED_OUT)
        case "cancelled":
            return verdicts.ExitEnds(AttemptEvent.STOPPED)
        case "gone" | AttemptEvent.UNSTARTED:  # of which it says when it started
            return verdicts.ExitEnds(AttemptEvent.LOST)
        case _:
            return verdicts.BAD


def _reason(command: Finish) -> str:
    if command.reason == "exit":
        return command.detail[:DETAIL_LETTERS_MAX]
    detail = command.detail[:DETAIL_LETTERS_MAX]
    return f"{command.reason}: {detail}" if detail else command.reason


def _late(ctx: Context, attempt: Attempt, command: Finish) -> Outcome:
    same = (
        attempt.finished_ms == command.finished_ms
        and attempt.exit_code == command.exit_code
        and attempt.reason.endswith(_reason(command))  # behind why it was judged so
    )
    if not same:  # of one that somebody completed later
        same = completions.get(ctx.store, attempt.id, attempt.run).exited_ms == command.finished_ms
    if same or attempt.state == "revoked" or attempt.late:
        return done(state=attempt.state, late=not same)
    late = {
        "started_ms": command.started_ms,
        "finished_ms": command.finished_ms,
        "exit_code": command.exit_code,
        "signal": command.signal,
        "reason": _reason(command),
        "received_ms": ctx.stamp_ms,
    }
    attempt_rows.set_late(ctx.store, attempt.id, json.dumps(late, sort_keys=True, separators=(",", ":")))
    return done(state=attempt.state, late=True)


def end(
    ctx: Context,
    attempt: Attempt,
    event: AttemptEvent,
    *,
    started_ms: int | None,
    finished_ms: int,
    exit_code: int | None = None,
    signal: int | None = None,
    reason: str = "",
    tail: bytes = b"",
    output_bytes: int | None = None,
    means: Means = Means.NOTHING,
    outputs: bytes = b"",
    of: tuple[Task, Run] | None = None,
) -> str:
    """A granted attempt ended, and with it its task, unless that is tried again. Returns the attempt's
    state. `of`: its task and run, where these are at hand."""
    state = attempt_rows.move(
        ctx.store, attempt, event, started_ms=started_ms, finished_ms=finished_ms,
        exit_code=exit_code, signal=signal, reason=reason, tail=tail, output_bytes=output_bytes,
    )  # fmt: skip
    placing.free(ctx, attempt)
    ctx.emit(e.AttemptEnded(attempt.id, attempt.task, attempt.run, attempt.agent, state, exit_code))
    task, run = of or _of(ctx, attempt)
    expecting.speak(ctx, run, attempt.id)
    if run.cause == Kind.ORPHAN:
        reconstruct.rebuild(ctx, run.id)
        return state
    verdict = _verdict(ctx, run, task, state, reason, exit_code, means, stopped=attempt.state == "cancelling")
    if isinstance(verdict, Hold):
        holding.hold_task(
            ctx, run, task, actor="", reason=verdict.reason, failed=state, attempts=task.attempts,
            exit_code=exit_code,
        )  # fmt: skip
        return state
    if isinstance(verdict, Retry):
        task_rows.move(
            ctx.store, task, TaskEvent.RETRY_LEFT, wake_ms=ctx.stamp_ms + verdict.after_ms,
            exit_code=exit_code, reason=reason,
        )  # fmt: skip
        return state
    if outputs and means is not Means.SKIPPED:
        output_rows.put(ctx.store, task.id, outputs)
    ended = "skipped" if means is Means.SKIPPED else state
    if state == "cancelled" and is_check(task.name) and not run.stopping:
        ended = "skipped"  # its run went on without
    finish(
        ctx, run, task, ended, reason=verdict.reason,
        exit_code=exit_code, started_ms=started_ms, warned=means is Means.WARNED,
    )  # fmt: skip
    if verdict.let_end:
        left = run_rows.get(ctx.store, run.id)
        if left is not None and left.finished_ms is None:
            stopping.let_end(ctx, left)
    return state


def _of(ctx: Context, attempt: Attempt) -> tuple[Task, Run]:
    task = task_rows.get(ctx.store, attempt.task)
    run = run_rows.get(ctx.store, attempt.run)
    assert task is not None
    assert run is not None
    return task, run


def _verdict(
    ctx: Context,
    run: Run,
    task: Task,
    state: str,
    reason: str,
    exit_code: int | None,
    means: Means,
    *,
    stopped: bool,
) -> Retry | Hold | TaskEnds:
    if state in ("succeeded", "cancelled"):
        return TaskEnds(reason)
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    return verdicts.of_attempt(
        Tried(
            state=state, reason=reason, task=graph.by_name[task.name], attempts=task.attempts,
            on_lost=graph.job.on_lost_of(task.name), stopping=run.stopping,
            job_exists=job_rows.exists(ctx.store, run.job), exit_code=exit_code, means=means,
            stopped=stopped, holds=graph.job.holds_failures and not _is_handled(ctx, graph, run, task),
        )
    )  # fmt: skip


def _is_handled(ctx: Context, graph: Graph, run: Run, task: Task) -> bool:
    """Its group deals with its failure first."""
    of = task.of_group
    if task.member:
        whole = task_rows.get(ctx.store, of)
        of = 0 if whole is None else whole.of_group
    if not of:
        return False
    place = of - run.first_task
    return groups.handles_failures(graph.job.tasks[place], graph.boxes[place].group)


def finish(
    ctx: Context,
    run: Run,
    task: Task,
    state: str,
    *,
    started_ms: int | None,
    reason: str = "",
    exit_code: int | None = None,
    warned: bool = False,
    told: str = "",
) -> None:
    """A task ended: its dependents become ready or are skipped, and the run ends with its last task. `told`:
    how it ended for them, where that is not how it did."""
    closing.end_task(ctx, task, TASK_END[state], reason=reason, exit_code=exit_code, started_ms=started_ms)
    if warned:
        task_rows.set_warned(ctx.store, task.id)
        run_rows.set_warned(ctx.store, run.id)
    left = run.open_tasks - 1
    if task.member:
        left -= _count_member(ctx, run, task, state, told)
    elif not run.stopping:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        if graph.stands_still:
            clock.count(ctx, run, graph, -int(clock.moves(graph, run, task)))
        place = graph.place(run, task)
        # One that an agent told of after a restore may go on while its group is further on.
        is_heard = graph.dependents[place]
        if is_heard and (not task.of_group or task.id == grouping.newest(ctx, run, graph, place)):
            left -= telling.tell(ctx, run, graph, [Tell(place, told or state, 0)])
    closing.close_if_done(ctx, run, left, None if task.member else RunEnds(state, exit_code, reason))
    if run.waiting == FOR_REQUIRES and is_check(task.name):
        checks.note_end(ctx, run)


def _count_member(ctx: Context, run: Run, task: Task, state: str, told: str) -> int:
    """A member ended; how many fewer other tasks are open with that."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    if not run.stopping:
        clock.count(ctx, run, graph, -int(clock.moves(graph, run, task)))
    heard = joining.count(ctx, run, graph, task, told or state)
    if run.stopping or not heard.tells:
        return heard.fewer
    return heard.fewer + telling.tell(ctx, run, graph, heard.tells)


def wake_divided(ctx: Context, run: Run, task: Task) -> None:
    """The whole of a divided task: the next member has its turn, or those are given up that are away."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    spreading.wake(ctx, run, graph, task)
    tell = None if run.stopping else spreading.look(ctx, task)
    if tell is not None:
        left = run.open_tasks - telling.tell(ctx, run, graph, [tell])
        whole, now = task_rows.get(ctx.store, task.id), fanouts.get(ctx.store, task.id)
        assert whole is not None
        assert now is not None
        spreading.let_go(ctx, run, graph, whole, now)  # which notes when to look again
        closing.close_if_done(ctx, run, left)


def stop_divided(ctx: Context, run: Run, task: Task, reason: str) -> None:
    """The whole of a divided task that goes on ends as cancelled, and its members with it."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    heard = joining.stop(ctx, run, graph, task, reason)
    closing.close_if_done(
        ctx, run, run.open_tasks - heard.fewer - telling.tell(ctx, run, graph, heard.tells)
    )


def never_starts(ctx: Context, run: Run, task: Task) -> bool:
    """End a task that was queued before and never will be again: its run stops, and its turn in that has not
    come yet. Whether it was ended."""
    verdict = gates.judge(gates.TASK, _needs_nothing(ctx, run, task))
    if isinstance(verdict, Never):
        state = closing.end_task(ctx, task, TASK_END[verdict.outcome], reason=verdict.reason)
        others = _count_member(ctx, run, task, state, "") if task.member else 0
        closing.close_if_done(ctx, run, run.open_tasks - 1 - others)
    return isinstance(verdict, Never)


def waits_with_run(ctx: Context, run: Run, task: Task, *, attempts: int) -> bool:
    """Keep a task that was queued before from its queue while its run is kept back, in which its turn has not
    come yet, or its group outside of its windows. Whether it is. `attempts`: made so far."""
    is_kept = isinstance(gates.judge(gates.TASK, _needs_nothing(ctx, run, task)), Waits)
    if is_kept:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        holding.put_back(ctx, run, graph, task, attempts=attempts)
    return is_kept


def _needs_nothing(ctx: Context, run: Run, task: Task) -> TaskView:
    """Of a task that was queued before: what it needed has ended."""
    outside = Outside("", None) if windows.is_outside(ctx, run, task) else None
    return TaskView(
        run, rule="", needs=0, wanted=0, open_needs=0, met_needs=0, outside=outside,
        is_check=is_check(task.name),
    )  # fmt: skip


def take_back(ctx: Context, attempt: Attempt, reason: str) -> None:
    """Revoke and queue the task again; in a run that stops it ends, in one that is kept back it waits."""
    placing.revoke(ctx, attempt, reason)
    _queue_again(ctx, attempt)


def unstarted(ctx: Context, attempt: Attempt, detail: str) -> str:
    """A granted attempt never started, by its agent's proof: as `take_back`. What was to stop has stopped;
    what was told to run, belongs to a run of another cluster or comes too often is lost. Returns its
    state."""
    reason = f"{UNSTARTED}: {detail}" if detail else UNSTARTED
    _, run = _of(ctx, attempt)
    event = AttemptEvent.UNSTARTED
    if attempt.state == "cancelling":
        event = AttemptEvent.STOPPED
    elif attempt.state != "granted" or run.cause == Kind.ORPHAN or _is_worn(ctx, attempt):
        event = AttemptEvent.LOST
    if event is not AttemptEvent.UNSTARTED:
        return end(ctx, attempt, event, started_ms=None, finished_ms=ctx.stamp_ms, reason=reason)
    state = attempt_rows.move(
        ctx.store, attempt, event, finished_ms=ctx.stamp_ms, reason=reason, output_bytes=0
    )
    placing.free(ctx, attempt)
    ctx.emit(e.AttemptEnded(attempt.id, attempt.task, attempt.run, attempt.agent, state, None))
    _queue_again(ctx, attempt)
    return state


def _is_worn(ctx: Context, attempt: Attempt) -> bool:
    return attempt_rows.unstarted(ctx.store, attempt.task, UNSTARTED_MAX) >= UNSTARTED_MAX


def _queue_again(ctx: Context, attempt: Attempt) -> None:
    """Its task, as if it had never had this attempt."""
    task, run = _of(ctx, attempt)
    attempts = task.attempts - 1
    if not never_starts(ctx, run, task) and not waits_with_run(ctx, run, task, attempts=attempts):
        queue.enqueue(ctx, run, task, TaskEvent.TAKEN_BACK, attempts=attempts)


def lose(ctx: Context, attempt: Attempt, reason: str) -> None:
    """A granted attempt is lost: by proof of death, by its policy, or by a person."""
    end(
        ctx, attempt, AttemptEvent.LOST, started_ms=attempt.started_ms, finished_ms=ctx.stamp_ms,
        reason=reason,
    )  # fmt: skip


def lose_soon(ctx: Context, attempt: Attempt, reason: str) -> None:
    """As `lose`, or `unstarted` for that reason, for one of many: what finds no room is noted, and lost by
    a Continue."""
    if ctx.room >= LOSS:
        ctx.room -= LOSS
        _lose(ctx, attempt, reason)
    else:
        doomed.put(ctx.store, attempt.id, reason)


def lose_doomed(ctx: Context) -> None:
    """Go on with what `lose_soon` noted. One that has ended meanwhile stays as it is."""
    while ctx.room > 0 and (noted := doomed.first(ctx.store)) is not None:
        ctx.room -= LOSS
        doomed.drop(ctx.store, noted.attempt)
        attempt = attempt_rows.get(ctx.store, noted.attempt)
        if attempt is not None and attempt.live and attempt.fence is not None:
            _lose(ctx, attempt, noted.reason)


def _lose(ctx: Context, attempt: Attempt, reason: str) -> None:
    if reason == UNSTARTED:
        unstarted(ctx, attempt, "")
    else:
        lose(ctx, attempt, reason)


def reached_again(ctx: Context, attempt: Attempt) -> None:
    """Its agent is back and still runs it, or holds its end."""
    if attempt.unreachable:
        attempt_rows.set_unreachable(ctx.store, attempt.id, 0)
        ctx.emit(
            e.AttemptRunning(attempt.id, attempt.run, attempt.agent, attempt.started_ms or attempt.due_ms)
        )
