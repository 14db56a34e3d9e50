"""What a command meets while a staged apply goes live, from its commit to its last turn.

Rules of this file:

1. What edits is refused, and may be sent again: what was checked has to stay true.
2. All else goes on. What decides by a job that is staged and has not had its turn gives it that first.
3. Every command edits, or stands in one of the two lists here: a test holds that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from scheduler.machine.context import Context, refused
from scheduler.machine.rules.routing import CHANNEL, ROUTE
from scheduler.machine.steps import booting, staging
from scheduler.machine.steps.admitting import ADMITTED_MAX
from scheduler.machine.steps.requiring import LOOKED_MAX
from scheduler.store.tables import (
    attempts,
    backfills,
    boots,
    ends,
    listeners,
    outbox,
    quotas,
    required,
    reservations,
    runs,
    tasks,
    triggers,
)
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.refs import Named
from scheduler.words import commands as c
from scheduler.words.outcomes import Code, Outcome

GOES_LIVE = "a staged apply goes live: edits wait for it"
STARTUPS_MAX = 20  #: that one command fires at most (`machine.startups`)


def before(ctx: Context, command: c.Command) -> Outcome | None:
    """The refusal of a command that has to wait; else what it touches is live."""
    if command.edits and not isinstance(command, c.CommitStage):
        return refused(Code.SWITCHING, GOES_LIVE)
    touch = TOUCHES.get(type(command))
    if touch is not None:
        touch(ctx, command)
    return None


def _of_job(
    ctx: Context, command: c.FireChanged | c.EndJobPause | c.JudgePeriod | c.AskBack
) -> None:
    _job(ctx, command.job)


def _of_reserved(ctx: Context, command: c.FireReserved) -> None:
    row = reservations.get(ctx.store, command.attempt)
    if row is not None:
        _job(ctx, row.job)


def _of_given_back(ctx: Context, command: c.GiveBack) -> None:
    for attempt in command.attempts:
        row = reservations.get(ctx.store, attempt)
        if row is not None:
            _job(ctx, row.job)


def _named(
    ctx: Context,
    command: c.Unreserve
    | c.GiveUpReserved
    | c.RunJob
    | c.PauseJob
    | c.ResumeJob
    | c.ChangeTick
    | c.StartBackfill,
) -> None:
    staging.settle(ctx, command.namespace, command.name)


def _job(ctx: Context, job: int) -> None:
    row = job_rows.standing(ctx.store, job)
    if row is not None:
        staging.settle(ctx, row.namespace, row.name)


def _trigger(ctx: Context, command: c.Fire | c.Account | c.SetAside | c.SplitGap | c.FireDelayed) -> None:
    row = triggers.firing(ctx.store, command.trigger)
    if row is not None:
        _job(ctx, row.job)


def _triggers(ctx: Context, command: c.Redate) -> None:
    for each in command.triggers:
        row = triggers.firing(ctx.store, each.trigger)
        if row is not None:
            _job(ctx, row.job)


def _jobs(ctx: Context, command: c.Reschedule) -> None:
    for each in command.jobs:
        _job(ctx, each.job)


def _run(ctx: Context, run: int) -> None:
    row = runs.get(ctx.store, run)
    if row is not None:
        _job(ctx, row.job)


def _runs(ctx: Context, ids: Iterable[int]) -> None:
    """Each of their jobs once: a command names a hundred runs of it."""
    rows = [runs.get(ctx.store, run) for run in ids]
    for job in dict.fromkeys(row.job for row in rows if row is not None):
        _job(ctx, job)


def _postponed(ctx: Context, command: c.FirePostponed | c.FireNotices | c.FireGathered) -> None:
    row = triggers.firing(ctx.store, command.trigger)
    if row is not None:
        _job(ctx, row.job)


def _of_folder(
    ctx: Context, command: c.ReportFiles | c.ReportGone | c.ReportMoved | c.ReportBlind
) -> None:
    row = triggers.firing(ctx.store, command.trigger)
    if row is not None:
        _job(ctx, row.job)


def _backfill(ctx: Context, command: c.AdvanceBackfill | c.CancelBackfill) -> None:
    row = backfills.get(ctx.store, command.backfill)
    if row is not None:
        _job(ctx, row.job)


OfRun = (
    c.RerunRun | c.CancelRun | c.ResolveRun | c.SuspendRun | c.ResumeRun | c.ReleaseRun
    | c.OverrideRun | c.HoldTask | c.ReleaseTask | c.SkipTask | c.RetryTask | c.StopTask
    | c.AnswerApproval | c.CompleteTask
    | c.JudgeWatch | c.ExpireRun | c.StopRun | c.GiveUpRun | c.Rejudge
)  # fmt: skip


def _of_run(ctx: Context, command: OfRun) -> None:
    _run(ctx, command.run)


def _of_runs(ctx: Context, command: c.Continue) -> None:
    _runs(ctx, command.runs)


def _of_admitted(ctx: Context, command: c.AdmitRuns) -> None:
    _runs(ctx, quotas.next_ones(ctx.store, command.namespace, ADMITTED_MAX))


def _of_required(ctx: Context, command: c.RejudgeRequired) -> None:
    _runs(ctx, required.next_ones(ctx.store, command.parent, LOOKED_MAX))


def _of_task(ctx: Context, command: c.Place | c.Wake | c.RejudgeGroup | c.BreakDeadlock) -> None:
    row = tasks.get(ctx.store, command.task)
    if row is not None:
        _run(ctx, row.run)


def _of_attempt(ctx: Context, command: c.Grant | c.Finish | c.Lose | c.Revoke) -> None:
    row = attempts.get(ctx.store, command.attempt)
    if row is not None:
        _run(ctx, row.run)


def _of_effect(ctx: Context, command: c.TellTogether | c.Escalate) -> None:
    """The route says whom it is told, and after how long; of what is over the job."""
    row = outbox.get(ctx.store, command.effect)
    if row is None:
        return
    home, _, route = row.route.partition("/")
    if route:
        staging.settle_all(ctx, Named(ROUTE, home, route))
    if row.name:
        staging.settle(ctx, row.namespace, row.name)


def _channel(ctx: Context, command: c.TellChannel) -> None:
    staging.settle_all(ctx, Named(CHANNEL, command.namespace, command.channel))


def _startups(ctx: Context, command: c.FireStartups) -> None:
    """Those that the boot fires next, until what it would fire is live."""
    boot = boots.get(ctx.store, command.agent)
    seen: list[triggers.Listening] = []
    while boot is not None and (found := booting.listening(ctx, boot, STARTUPS_MAX)) != seen:
        seen = found
        for each in found:
            row = triggers.firing(ctx.store, each.id)
            assert row is not None
            _job(ctx, row.job)


def _dependents(ctx: Context, command: c.FireDependents) -> None:
    """Those that hear of it next, until what hears of it is live. One that is new with the stage hears of
    what ends from its turn on."""
    end = ends.first_open(ctx.store)
    seen: list[int] = []
    while end is not None:
        found = listeners.hearing(ctx.store, end.parent, end.id, end.looked, listeners.PAGE)
        if found == seen:
            return
        seen = found
        for trigger in found:
            row = triggers.firing(ctx.store, trigger)
            assert row is not None
            _job(ctx, row.job)


TOUCHES: dict[type[c.Command], Callable[[Context, Any], None]] = {
    c.RunJob: _named,
    c.ChangeTick: _named,
    c.StartBackfill: _named,
    c.AdvanceBackfill: _backfill,
    c.CancelBackfill: _backfill,
    c.FireChanged: _of_job,
    c.PauseJob: _named,
    c.ResumeJob: _named,
    c.EndJobPause: _of_job,
    c.JudgePeriod: _of_job,
    c.JudgeWatch: _of_run,
    c.Fire: _trigger,
    c.Account: _trigger,
    c.SetAside: _trigger,
    c.SplitGap: _trigger,
    c.Redate: _triggers,
    c.Reschedule: _jobs,
    c.Reserve: _trigger,
    c.FireReserved: _of_reserved,
    c.GiveBack: _of_given_back,
    c.Unreserve: _named,
    c.GiveUpReserved: _named,
    c.AskBack: _of_job,
    c.FireDelayed: _trigger,
    c.FireStartups: _startups,
    c.FireDependents: _dependents,
    c.FireFiles: _of_job,
    c.ReportFiles: _of_folder,
    c.ReportGone: _of_folder,
    c.ReportMoved: _of_folder,
    c.ReportBlind: _of_folder,
    c.ChooseEyes: _of_job,
    c.FirePostponed: _postponed,
    c.FireNotices: _postponed,
    c.FireGathered: _postponed,
    c.RerunRun: _of_run,
    c.CancelRun: _of_run,
    c.ResolveRun: _of_run,
    c.SuspendRun: _of_run,
    c.ResumeRun: _of_run,
    c.ReleaseRun: _of_run,
    c.OverrideRun: _of_run,
    c.HoldTask: _of_run,
    c.ReleaseTask: _of_run,
    c.SkipTask: _of_run,
    c.RetryTask: _of_run,
    c.StopTask: _of_run,
    c.AnswerApproval: _of_run,
    c.CompleteTask: _of_run,
    c.ExpireRun: _of_run,
    c.StopRun: _of_run,
    c.GiveUpRun: _of_run,
    c.Rejudge: _of_run,
    c.RejudgeGroup: _of_task,
    c.RejudgeRequired: _of_required,
    c.Continue: _of_runs,
    c.AdmitRuns: _of_admitted,
    c.Place: _of_task,
    c.Wake: _of_task,
    c.BreakDeadlock: _of_task,
    c.Grant: _of_attempt,
    c.Finish: _of_attempt,
    c.Lose: _of_attempt,
    c.Revoke: _of_attempt,
    c.TellTogether: _of_effect,
    c.Escalate: _of_effect,
    c.TellChannel: _channel,
}
"""What each of them decides by."""

UNTOUCHED: tuple[type[c.Command], ...] = (
    # Of no job at all.
    c.Pause, c.Resume, c.EndPause, c.ClosePlan, c.CloseDates, c.OpenPlan, c.PutToken, c.RedeemToken,
    c.DeleteToken, c.OpenSession, c.CloseSession, c.Note, c.LimitTicks, c.Activate, c.Migrate, c.Lead,
    c.Barrier, c.Compare, c.Sweep, c.TellOverload, c.TellProof, c.TellHeld,
    c.ReportSent, c.ReportUnsent, c.ResendEffect, c.DropEffect, c.StageSlice, c.DropStage, c.AdvanceStage,
    c.SyncSource, c.ReportSource,
    c.PutSecret, c.GrantSecret, c.ResealSecrets, c.DeleteNotice, c.KeepZones,
    c.Acknowledge, c.AcknowledgeEffect, c.Mute, c.Unmute,
    # Of agents and of what they tell: what may start, waits for a Grant or a Place.
    c.ConnectAgent, c.DisconnectAgent, c.ReleaseAgent, c.DrainAgent, c.ResumeAgent, c.EndDrain, c.LoseNode,
    c.LetMembersGo, c.ReportRunning, c.ReportProgress, c.ReportSilence, c.MarkUnreachable, c.Adopt,
    c.EndHold, c.EndRestore,
    # Of what has ended.
    c.Purge,
)  # fmt: skip
