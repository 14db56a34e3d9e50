"""What agents of the old cluster ran after the backup: adopted from their journals.

Rules of this file (docs/decisions/0013-a-restore-is-a-new-cluster.md, 0112-what-is-told-before-its-task.md):

1. An attempt that the state has ends by what its journal says, through the same code as any report. One that
   it does not have and whose run it has joins that run. All others are orphans (`steps.orphans`): runs of
   cause `orphan`, under the ids that the old cluster gave them (no new one is like it, see `store.restores`).
2. An orphan's tick, if its job has one at that instant that is still undecided, ends as ran with that run:
   `prove`, when its turn comes. No journal, no evidence: nothing is guessed.
3. Where its task is not there yet, as those of its run or its round are still being made, that goes on first.
   Where there is no room for all of it the agent is to tell the same once more (`again`), and nothing is
   concluded from what it did not tell.
4. Where its task comes after what another agent has not told yet, it is kept until that is there
   (`told_early`), or to the end of the hold: then it is an orphan too (`machine.restores`).
5. Telling twice changes nothing.
6. A tick that it had in advance, and that it tells to have started, ran; the others that it had go their
   usual way once it has told all, or with the end of the hold.
"""

from __future__ import annotations

from scheduler.machine.context import ROW, Context, done, refused
from scheduler.machine.rules import selectors
from scheduler.machine.steps import (
    admitting,
    beginning,
    checks,
    clock,
    continuing,
    ends,
    locking,
    orphans,
    registry,
    reserving,
    spreading,
    sticking,
    trying,
)
from scheduler.model.checks import is_check
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import fanouts, required, restores, run_waits
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.restores import HOLDING, Early, Restore
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import ONLY, Task
from scheduler.words import codec
from scheduler.words.causes import Kind
from scheduler.words.commands import Adopt, RanAttempt
from scheduler.words.lifecycle import (
    ATTEMPT_ENDS,
    RUN_ENDS,
    TASK_ENDS,
    TaskEvent,
)
from scheduler.words.outcomes import Code, Outcome

ATTEMPTS_MAX = 100


def adopt(ctx: Context, command: Adopt) -> Outcome:
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    if restore is None or restore.number != command.restore:
        return refused(Code.SUPERSEDED, f"this cluster is at restore {ctx.state.restores}")
    if len(command.attempts) > ATTEMPTS_MAX:
        return refused(Code.LIMIT, f"at most {ATTEMPTS_MAX} attempts at once")
    if not command.name or registry.FORMER in command.name or not command.installation:
        return refused(Code.INVALID, "an agent has a name without # and an installation")
    agent = registry.row_of(ctx, command)
    if agent is None:
        return registry.no_room()
    told = [
        ran
        for ran in command.attempts
        if 0 < ran.attempt <= restore.attempt_base and 0 < ran.run <= restore.run_base
    ]
    again = [ran for ran in told if not _adopt(ctx, restore, agent, ran)]
    late = [run for run in dict.fromkeys(ran.run for ran in told) if not _look_again(ctx, restore, run)]
    if again or late:
        return done(agent=agent.id, again=True)
    if command.last and not reserving.all_back(ctx, agent.id):
        return done(agent=agent.id, again=True)
    if command.last:
        _lose_untold(ctx, restore, agent, command)
        restores.reported(ctx.store, agent.id)
    return done(agent=agent.id)


def _adopt(ctx: Context, restore: Restore, agent: Agent, ran: RanAttempt) -> bool:
    """Whether it is judged; else its task may be among those that are still to be made."""
    reserving.begun(ctx, ran.attempt, agent.id)
    known = attempt_rows.get(ctx.store, ran.attempt)
    if known is not None:
        if known.agent == agent.id and known.live:
            orphans.report(ctx, known, ran)
        return True
    if is_check(ran.task):
        return True  # no proof that its run began, and it is asked again
    run = run_rows.get(ctx.store, ran.run)
    if _was_purged(restore, run, ran):
        return True
    if run is None:
        run = orphans.new_run(ctx, ran, ran.run)
    elif (run.namespace, run.name) != (ran.namespace, ran.job):
        return True
    if run.cause == Kind.ORPHAN:
        orphans.add(ctx, agent, run, ran)
        return True
    task = _find(ctx, ran)
    while task is None and ctx.room > 0 and _goes_on(ctx, run, ran):
        ctx.room -= ROW
        run, task = _run(ctx, ran), _find(ctx, ran)
    if task is None and run.unfinished:
        return False
    if task is None and _may_come(ctx, restore, run, ran):
        told = Early(run.id, ran.task, ran.round, ran.attempt, agent.id, codec.encode(ran))
        restores.keep_early(ctx.store, told)
        return True
    if task is None or run.state in RUN_ENDS or task.state in TASK_ENDS or task.state == "active":
        orphans.add_beside(ctx, agent, ran)  # it was decided here without this evidence
        return True
    _join(ctx, agent, run, task, ran)
    return True


def _goes_on(ctx: Context, run: Run, ran: RanAttempt) -> bool:
    """With what has to be there before this attempt's task is: what is being made, and the round of its
    group, for which nobody waits any more as it had begun."""
    if run.unfinished:
        continuing.go_on(ctx, run)
        return True
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    place = graph.box_of.get(graph.places.get(ran.task, -1))
    group = None if place is None else task_rows.get(ctx.store, run.first_task + place)
    if group is None or group.state != "retry_wait" or group.attempts > ran.round or run.stopping:
        return False
    trying.again(ctx, run, group)
    return True


def _may_come(ctx: Context, restore: Restore, run: Run, ran: RanAttempt) -> bool:
    """Whether the task may be there once others have told. What still runs is seen at once, as an orphan."""
    if restore.phase != HOLDING or not ran.ended or run.stopping or run.state in RUN_ENDS:
        return False
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    return ran.task in graph.places and not _is_there(ctx, ran)


def _is_there(ctx: Context, ran: RanAttempt) -> bool:
    """Whether its task is made in that round, with its members where it has some."""
    whole = task_rows.find(ctx.store, ran.run, ran.task, ONLY, ran.round)
    spread = fanouts.get(ctx.store, whole.id) if whole is not None and ran.member else None
    return whole is not None and (not ran.member or (spread is not None and not spread.unmade))


def _look_again(ctx: Context, restore: Restore, run: int) -> bool:
    """What was told of before its task was there is judged once it is. Whether all of that is done."""
    place = ("", 0)
    while (first := restores.next_early(ctx.store, run, *place)) is not None:
        place = after = first.task, first.round
        for early in restores.early_of(ctx.store, run, *place, ATTEMPTS_MAX):
            ran, agent = orphans.ran_attempt(early.ran), agent_rows.get(ctx.store, early.agent)
            while not _is_there(ctx, ran) and ctx.room > 0 and _goes_on(ctx, _run(ctx, ran), ran):
                ctx.room -= ROW
            if ctx.room <= 0:
                return False
            if not _is_there(ctx, ran):
                break
            if agent is not None and not _adopt(ctx, restore, agent, ran):
                return False
            ctx.room -= ROW
            restores.drop_early(ctx.store, early)
            after = ("", 0)  # others may have come with it
        place = after
    return True


def _run(ctx: Context, ran: RanAttempt) -> Run:
    run = run_rows.get(ctx.store, ran.run)
    assert run is not None, "none is dropped as it goes on"
    return run


def _find(ctx: Context, ran: RanAttempt) -> Task | None:
    return task_rows.find(ctx.store, ran.run, ran.task, ran.member, ran.round)


def _was_purged(restore: Restore, run: Run | None, ran: RanAttempt) -> bool:
    """Whether it had ended before the backup, and is no more: its run is not, or is about to go."""
    if ran.attempt > restore.attempt_floor:
        return False
    return run is None or (run.finished_ms is not None and run.finished_ms <= restore.stamp_ms)


def _join(ctx: Context, agent: Agent, run: Run, task: Task, ran: RanAttempt) -> None:
    """The state has the run and its task waits: the old cluster started it."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    clock.count(ctx, run, graph, int(task.state in ("blocked", "held")))
    if task.member and task.queued_ms is None:
        spreading.adopt(ctx, run, graph, task)
    task_rows.move(ctx.store, task, TaskEvent.ADOPTED, attempts=ran.number)
    attempt = orphans.insert(ctx, agent, run, task.id, ran)
    if selectors.has_locks(task.selector):
        locking.take_over(ctx, run.id, task.id, task.selector, agent.id, alone=False)
        sticking.stick(ctx, task.selector, agent.id)
    waited = bool(run.waiting)
    if waited:
        run_waits.drop(ctx.store, run.id)
        required.drop(ctx.store, run.id)
        run = checks.end_all(ctx, run)
        run = run._replace(waiting=0, counts=admitting.count_in(ctx, run))
    if run.started_ms is None:
        beginning.begin_run(ctx, run, graph, ran.due_ms)
    orphans.report(ctx, attempt, ran)
    now = run_rows.get(ctx.store, run.id)
    if waited and now is not None and now.finished_ms is None and not now.stopping:
        admitting.let_begin(ctx, now)  # what else of it began with this one


def _lose_untold(ctx: Context, restore: Restore, agent: Agent, command: Adopt) -> None:
    """The journal was told to its end: what it did not name as running runs no more. Its last page names all
    that does."""
    running = frozenset(command.running)
    for attempt in attempt_rows.live_of_agent(ctx.store, agent.id):
        if attempt.id <= restore.attempt_base and attempt.fence is not None and attempt.id not in running:
            assert attempt.state not in ATTEMPT_ENDS
            ends.lose_soon(ctx, attempt, "gone: unknown to its agent after the restore")
