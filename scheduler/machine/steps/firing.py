"""Every run is made here, of a cause.

Rules of this file:

1. A cause makes one run. Of a tick its compare-and-set sees to that; any other with a key is looked for
   first, and the answer is what came of it then.
2. A run is pinned to the revision that its job has now, and to those of the vars that it is given. What was
   due or came by itself has the parameters that its trigger gives in that revision, else the defaults; what
   is asked for, or comes with its event, brings the whole of them along. Its plan date is that of its tick's
   nominal instant, of what has no tick that of now, or what its event brings.
   Dates among the parameters are counted once, here (`rules.dated`).
3. What was due or came by itself goes through the gates of a run (`rules.gates`). What a person or another
   run asks for is always made, and is in the way of those. Whatever it was made of, it may have to wait for
   what it requires (`steps.requiring`), for a time at which its job lets it (`steps.windows`), then until its
   namespace may have one more (`steps.quotas`).
4. Of an event for which the queue of its job has no room nothing is decided yet (`full`): whoever has it
   keeps it, and fires it again when there is room.
5. What ends without a run has its ledger entry at once. Of a run the entry is written at its first start, or
   at its end without one (`steps.starting`, `steps.closing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import dated, gates
from scheduler.machine.rules.gates import READY, FireView, Never, RunView, Verdict, overlap
from scheduler.machine.steps import (
    decisions,
    delaying,
    expecting,
    holding,
    keying,
    notifying,
    plan_dates,
    quotas,
    requiring,
    starting,
    stopping,
    windows,
)
from scheduler.model.compiled import CompiledJob
from scheduler.model.openings import Openings
from scheduler.model.overlap_key import rendered
from scheduler.store.tables import closed_dates, ledger, reruns, reservations, rests, run_vars
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.reruns import Rerun
from scheduler.store.tables.run_vars import RunVars
from scheduler.store.tables.runs import BEHIND, FOR_NAMESPACE, FOR_REQUIRES, FOR_TIME, Run
from scheduler.store.tables.triggers import FiringTrigger
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.causes import KEPT, LEDGERED, STAYS, TICKS, Cause, Kind
from scheduler.words.lifecycle import RUN, START, RunEvent
from scheduler.words.outcomes import Code, Outcome

CANCELLED_AT_ONCE_MAX = 200
_NEVER_STAYS = (reasons.PLAN_CLOSED, reasons.PARAMS)
"""Waiting would not open these for an event: it ends."""


class Pinned(Protocol):
    """The job as it is at the moment of firing: its own row, or that of the trigger that fires."""

    @property
    def job(self) -> int: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def active_runs(self) -> int: ...


def fire(
    ctx: Context,
    cause: Cause,
    pinned: Pinned,
    *,
    due_ms: int,
    params: str | None = None,
    actor: str = "",
    agent: int = 0,
    bound: int = 0,
    plan_day: int | None = None,
    held: str | None = None,
    any_time: bool = False,
    rerun: Rerun | None = None,
    vars_of: int = 0,
    on_place: bool = False,
    begun: int = 0,
) -> Outcome:
    """Make the run of this cause, or end the cause without one; the single root goes to `agent` when that can
    take it. `params`: all of them, as canonical JSON, where they came with it. `actor`: the person who asked
    for it, of a tick who gave it those. `bound`: all tasks that this
    agent may take go to it and to no other. `plan_day`: its plan date, where somebody said it. `held`: it
    waits until it is released, for this reason. `any_time`: no admission window concerns it. `rerun`: what it
    repeats, as its row is to be. `vars_of`: it has the vars that this run began with; 0: those of now.
    `on_place`: it has the place of another run among those that its namespace may have. `begun`: the id
    by which its agent knows it, which may have begun it: no gate is asked; 0: it has a new one.
    """
    job, namespace = pinned.job, pinned.namespace
    assert namespace is not None, "a job that is no more fires nothing"
    if cause.key and (known := _known(ctx, cause, job)):
        return known
    if plan_day is None:
        plan_day = plan_dates.of(ctx, namespace, cause.tick_ms)
    verdict: Verdict = READY
    outline = ctx.graphs.outline(job, namespace, pinned.name, pinned.revision)
    key, same = _key(ctx, cause, outline), None
    said = dated.Dated("")
    if outline.times:
        said = _dated(ctx, cause, pinned, key, params, plan_day)
        params = said.params
    if ctx.state.reserves and not bound:
        bound = _reserved_for(ctx, job)
    if cause.kind in LEDGERED and not begun:
        closed_day = plan_day if ctx.state.closed_dates and _is_closed(ctx, namespace, plan_day) else None
        if outline.openings is not None or closed_day is not None or said.undated:
            view = _fire_view(ctx, cause, outline.openings, due_ms, closed_day)
            verdict = gates.judge(gates.FIRE, view._replace(undated=said.undated))
            if isinstance(verdict, Never):  # before its policy stops others for it
                if cause.kind in STAYS and verdict.reason not in _NEVER_STAYS:
                    return done(paused=True)
                return _decide(ctx, cause, pinned, namespace, due_ms, verdict)
        if outline.overlap_key:
            graph = ctx.graph(job, namespace, pinned.name, pinned.revision)
            same = rendered(outline.overlap_key, graph.job.params_of(key) if params is None else params)
        beside = (
            _view(ctx, cause, pinned, outline, key, same)
            # Hosts that boot do not stand in each other's way.
            if pinned.active_runs and cause.kind is not Kind.STARTUP
            else RunView(ctx.store, job)
        )
        verdict = gates.judge(gates.RUN, beside)
        if isinstance(verdict, Never) and cause.kind in KEPT and beside.overlap in overlap.QUEUES:
            return done(full=True)
        if isinstance(verdict, Never):
            return _decide(ctx, cause, pinned, namespace, due_ms, verdict)
    elif said.undated and not begun:
        return refused(Code.INVALID, said.undated)
    graph = ctx.graph(job, namespace, pinned.name, pinned.revision)
    compiled, state = graph.job, ctx.state
    if params is None:
        params = compiled.params_of(key)
    total = len(compiled.tasks)
    made = ctx.take_rows(total, least=1)  # of very many tasks a Continue makes the later ones
    deadline_ms = compiled.start_deadline_ms
    if deadline_ms is not None:  # of a live tick it counts from its instant, however late that is fired
        deadline_ms += due_ms if cause.kind is Kind.TICK else max(due_ms, ctx.stamp_ms)
    waiting = 0 if verdict is READY else BEHIND
    opening = None
    if not waiting and compiled.requires is not None:
        waiting = FOR_REQUIRES
    if not waiting and not any_time and (compiled.openings is not None or compiled.failure_delays):
        opening = windows.standing(ctx, job, compiled, cause.kind, due_ms)
        waiting = FOR_TIME if opening is not None and not opening.is_open else 0
    counts = 0
    if not waiting and not on_place and quotas.limits(ctx, namespace):
        if quotas.keeps_back(ctx, namespace):
            waiting = FOR_NAMESPACE
        else:
            counts = quotas.count(ctx, state.last_run + 1, namespace)
    made_by = RunEvent.MADE if held is None else RunEvent.HELD
    if not begun:
        state.last_run += 1
    run = Run(
        id=begun or state.last_run, job=job, namespace=namespace, name=pinned.name, revision=pinned.revision,
        trigger=cause.trigger, tick_ms=cause.tick_ms, due_ms=due_ms,
        cause=str(cause.kind), cause_key=cause.key, state=RUN.after(START, made_by),
        decided=int(cause.kind not in LEDGERED), waiting=waiting, counts=counts,
        plan_day=plan_day, open_tasks=total,
        first_task=state.last_task + 1, last_task=state.last_task + total,
        kept_last=compiled.kept_last, unmade=total - made, walk="", walked=0, unfinished=int(made < total),
        stopping="", created_ms=state.stamp_ms, started_ms=None, finished_ms=None,
        deadline_ms=deadline_ms, stop_ms=None, exit_code=None, priority=compiled.priority,
        bound=bound, params=params, reason="", actor=actor,
    )  # fmt: skip
    state.last_task += total
    if held is not None:
        holding.note(ctx, run, actor=actor, reason=held, deadline_ms=deadline_ms)
        run = run._replace(deadline_ms=None)
    _insert(ctx, run)
    if compiled.overlap_key:
        keying.note(ctx, run.id, job, compiled.overlap_key, params)
    if held is not None:
        ctx.emit(e.RunHeld(run.id, job, namespace, run.name, run.state, held, actor))
        notifying.tell_held(ctx, run, task="", actor=actor, reason=held)
    if waiting == FOR_NAMESPACE:
        quotas.wait(ctx, run)
    if opening is not None:
        run = windows.note(ctx, run, opening)
    elif waiting == FOR_REQUIRES and compiled.requires is not None:
        run = requiring.begin(ctx, run, compiled.requires, any_time=any_time)
    if rerun is not None:
        reruns.insert(ctx.store, rerun)
    if vars_of:
        run_vars.copy(ctx.store, vars_of, run.id)
    elif compiled.vars:
        _pin(ctx, run.id, compiled.vars)
    if compiled.expected is not None:
        expecting.watch(ctx, run, compiled)
    if waiting:
        notifying.tell_waiting(ctx, run)
    starting.make(ctx, run, graph, range(made), agent=agent)
    return done(run=run.id)


def would(ctx: Context, cause: Cause, pinned: Pinned, *, due_ms: int, plan_day: int) -> Verdict:
    """What `fire` would say of a tick of a job that may have reserved ones; nothing is written. Such a job
    has no windows, no key of overlap, and ends no run for another."""
    assert pinned.namespace is not None
    outline = ctx.graphs.outline(pinned.job, pinned.namespace, pinned.name, pinned.revision)
    closed_day = plan_day if ctx.state.closed_dates and _is_closed(ctx, pinned.namespace, plan_day) else None
    if closed_day is not None:
        verdict = gates.judge(gates.FIRE, _fire_view(ctx, cause, None, due_ms, closed_day))
        if verdict is not READY:
            return verdict
    policy = outline.overlap_of(_key(ctx, cause, outline))
    return gates.judge(gates.RUN, _beside(ctx, pinned, outline, policy, None))


def _reserved_for(ctx: Context, job: int) -> int:
    """The agent that has ticks of the job, to which all its runs go meanwhile; 0: none has."""
    first = reservations.of_job(ctx.store, job, 1)
    return first[0].agent if first else 0


def _key(ctx: Context, cause: Cause, outline: CompiledJob) -> str:
    """Of the trigger whose words count; empty: none has words of its own."""
    if not outline.of_triggers:
        return ""
    if cause.kind is Kind.BACKFILL:
        return cause.key.partition("/")[0]
    if cause.kind is Kind.AFTER:
        return cause.key.rpartition("/")[0]
    return trigger_rows.key_of(ctx.store, cause.trigger) if cause.kind in LEDGERED else ""


def _dated(
    ctx: Context, cause: Cause, pinned: Pinned, key: str, params: str | None, plan_day: int
) -> dated.Dated:
    """What the run is given, with its dates counted."""
    assert pinned.namespace is not None
    job = ctx.graph(pinned.job, pinned.namespace, pinned.name, pinned.revision).job
    at_ms = ctx.stamp_ms if cause.tick_ms is None else cause.tick_ms
    return dated.of_run(
        ctx.store, job, job.params_of(key) if params is None else params, plan_day=plan_day, at_ms=at_ms,
        zone_data=ctx.state.zones,
    )  # fmt: skip


def without_room(ctx: Context, triggers: Iterable[tuple[FiringTrigger, str]]) -> FiringTrigger | None:
    """Of triggers that fire together, each with the parameters of its run, the first for whose run the queue
    of its job has no room: asked before anything is decided, so that whoever has the event can be told to
    keep it."""
    made: dict[tuple[int, str | None], int] = {}  # by job, and key: runs of the triggers before
    for trigger, params in triggers:
        assert trigger.namespace is not None
        outline = ctx.graphs.outline(trigger.job, trigger.namespace, trigger.name, trigger.revision)
        if outline.overlap_key and outline.times:
            plan_day = plan_dates.of(ctx, trigger.namespace, None)
            params = _dated(ctx, Cause(Kind.WEBHOOK), trigger, "", params, plan_day).params
        same = rendered(outline.overlap_key, params) if outline.overlap_key else None
        before = made.get((trigger.job, same), 0)
        made[trigger.job, same] = before + 1
        if not trigger.active_runs and not before:
            continue
        policy = outline.overlap_of(trigger_rows.key_of(ctx.store, trigger.id) if outline.of_triggers else "")
        view = _beside(ctx, trigger, outline, policy, same)
        view = view._replace(others=view.others + before)
        if policy in overlap.QUEUES and not overlap.has_room(view, before):
            return trigger
    return None


def end(ctx: Context, cause: Cause, pinned: Pinned, due_ms: int, verdict: Never) -> Outcome:
    """What has a key ends without a run, unless something came of it before."""
    assert pinned.namespace is not None
    known = _known(ctx, cause, pinned.job)
    return known or _decide(ctx, cause, pinned, pinned.namespace, due_ms, verdict)


def _decide(
    ctx: Context, cause: Cause, pinned: Pinned, namespace: str, due_ms: int, verdict: Never
) -> Outcome:
    decisions.decide(
        ctx, cause, job=pinned.job, namespace=namespace, name=pinned.name,
        first_ms=due_ms if cause.tick_ms is None else cause.tick_ms,
        outcome=verdict.outcome, reason=verdict.reason, run=verdict.run,
    )  # fmt: skip
    return done(outcome=verdict.outcome, reason=verdict.reason, run=verdict.run)


def _known(ctx: Context, cause: Cause, job: int) -> Outcome | None:
    """What came of the same cause before; None: it is new. Runs are purged, the ledger stays."""
    run = run_rows.of_cause(ctx.store, job, cause.kind, cause.key)
    if run is not None:
        return done(run=run, repeated=True)
    entry = ledger.of_cause(ctx.store, job, cause.kind, cause.key)
    if entry is None:
        return None
    return done(outcome=entry.outcome, reason=entry.reason, run=entry.run, repeated=True)


def _is_closed(ctx: Context, namespace: str, plan_day: int) -> bool:
    return closed_dates.get(ctx.store, namespace, plan_day) is not None


def _fire_view(
    ctx: Context, cause: Cause, openings: Openings | None, due_ms: int, closed_day: int | None
) -> FireView:
    if cause.kind not in TICKS:  # it has no instant but the one at which it is decided
        due_ms = ctx.stamp_ms
    return FireView(openings, windows.zone_of(ctx, openings), due_ms, ctx.stamp_ms, closed_day)


def _beside(ctx: Context, pinned: Pinned, outline: CompiledJob, policy: str, same: str | None) -> RunView:
    """A run of the job, of this key, beside others."""
    most, others = outline.overlap_max, pinned.active_runs
    if same is not None:
        others = run_rows.count_active(ctx.store, pinned.job, most, same)
    return RunView(ctx.store, pinned.job, 0, policy, others, most=most, key=same)


def _view(
    ctx: Context, cause: Cause, pinned: Pinned, outline: CompiledJob, trigger: str, same: str | None
) -> RunView:
    """The run that the cause would make beside others; what its policy ends was asked to stop."""
    policy = outline.overlap_of(trigger)
    view = _beside(ctx, pinned, outline, policy, same)
    if policy in overlap.CANCELS and view.others >= view.most:
        _make_room(ctx, view, at_once=policy == overlap.TERMINATES)
    return view._replace(catching_up=cause.kind is Kind.CATCHUP)


def _make_room(ctx: Context, view: RunView, *, at_once: bool) -> None:
    """The oldest are asked to stop, as many as there are beyond what may be active with the one to come."""
    # What one that has ended does finally is not cut short by that.
    left = [
        run
        for run in run_rows.active(ctx.store, view.job, view.key, limit=CANCELLED_AT_ONCE_MAX)
        if not run.stopping and run.cause != Kind.BACKFILL and rests.get(ctx.store, run.id) is None
    ]
    for run in stopping.in_turn(left[: max(0, len(left) - view.most + 1)]):
        stopping.stop(ctx, run, stopping="cancelled", reason="a newer tick", at_once=at_once)


def adopt(ctx: Context, run: Run) -> Run:
    """A run of before a restore, or the one that was made of the same cause before. It has no tasks but those
    that agents tell of (`steps.reconstruct`). Id 0: it gets a new one.
    """
    known = run_rows.of_cause(ctx.store, run.job, run.cause, run.cause_key)
    found = None if known is None else run_rows.get(ctx.store, known)
    if found is not None:
        return found
    if not run.id:
        ctx.state.last_run += 1
        run = run._replace(id=ctx.state.last_run)
    _insert(ctx, run)
    keying.adopt(ctx, run)
    return run


def _pin(ctx: Context, run: int, names: tuple[tuple[str, str], ...]) -> None:
    """What it refers to cannot be deleted, so all of them are there."""
    for place, (namespace, name) in enumerate(names):
        revision = object_rows.revision_of(ctx.store, "vars", namespace, name)
        if revision is not None:
            run_vars.insert(ctx.store, RunVars(run, place, namespace, name, revision))


def _insert(ctx: Context, run: Run) -> None:
    run_rows.insert(ctx.store, run)
    if run.cause != Kind.BACKFILL:  # it counts in its backfill alone
        job_rows.count_run_begun(ctx.store, run.job)
        if ctx.state.delays:
            delaying.hold(ctx, run.job)
    ctx.emit(
        e.RunCreated(
            run.id, run.job, run.namespace, run.name, run.cause, run.cause_key, run.trigger, run.tick_ms,
            run.due_ms,
        )
    )  # fmt: skip
