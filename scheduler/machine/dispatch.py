"""Which function applies which command; before it idempotency keys and a stage that goes live, behind it the
audit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from scheduler.machine import (
    activation,
    adopted,
    agents,
    approvals,
    attempts,
    backfills,
    changed_ticks,
    completions,
    delays,
    deliveries,
    dependents,
    effects,
    expectations,
    files,
    gatherings,
    hands,
    jobs,
    leadership,
    namespaces,
    notes,
    notices,
    objects,
    pauses,
    plans,
    proofs,
    redates,
    reruns,
    reschedules,
    reservations,
    restores,
    runs,
    secrets,
    sessions,
    sources,
    stages,
    startups,
    switching,
    task_hands,
    tasks,
    templates,
    ticks,
    tokens,
    upkeep,
    waits,
    zones,
)
from scheduler.machine.context import Context, refused
from scheduler.store.tables import idempotency
from scheduler.words import codec
from scheduler.words import commands as c
from scheduler.words.outcomes import Code, Outcome
from scheduler.words.record import newer_fields

APPLY: dict[type[Any], Callable[[Context, Any], Outcome]] = {
    c.PutJobs: jobs.put_jobs,
    c.DeleteJob: jobs.delete_job,
    c.Apply: objects.apply,
    c.SyncSource: sources.sync_source,
    c.ReportSource: sources.report_source,
    c.PauseJob: jobs.pause_job,
    c.ResumeJob: jobs.resume_job,
    c.EndJobPause: jobs.end_job_pause,
    c.PutNamespace: namespaces.put_namespace,
    c.DeleteNamespace: namespaces.delete_namespace,
    c.ReviseJobs: namespaces.revise_jobs,
    c.FollowTemplate: templates.follow_template,
    c.Pause: pauses.pause,
    c.Resume: pauses.resume,
    c.ChangeTick: changed_ticks.change_tick,
    c.StartBackfill: backfills.start_backfill,
    c.AdvanceBackfill: backfills.advance_backfill,
    c.CancelBackfill: backfills.cancel_backfill,
    c.CloseDates: plans.close_dates,
    c.ClosePlan: plans.close_plan,
    c.OpenPlan: plans.open_plan,
    c.RunJob: runs.run_job,
    c.Deliver: deliveries.deliver,
    c.PostNotice: notices.post_notice,
    c.DeleteNotice: notices.delete_notice,
    c.FireNotices: notices.fire_notices,
    c.RerunRun: reruns.rerun_run,
    c.AdmitRuns: runs.admit_runs,
    c.Rejudge: waits.rejudge,
    c.RejudgeGroup: waits.rejudge_group,
    c.RejudgeRequired: waits.rejudge_required,
    c.CancelRun: runs.cancel_run,
    c.ResolveRun: runs.resolve_run,
    c.SuspendRun: hands.suspend_run,
    c.TellHeld: hands.tell_held,
    c.ResumeRun: hands.resume_run,
    c.ReleaseRun: hands.release_run,
    c.OverrideRun: hands.override_run,
    c.HoldTask: task_hands.hold_task,
    c.ReleaseTask: task_hands.release_task,
    c.SkipTask: task_hands.skip_task,
    c.RetryTask: task_hands.retry_task,
    c.StopTask: task_hands.stop_task,
    c.AnswerApproval: approvals.answer_approval,
    c.Acknowledge: expectations.acknowledge,
    c.JudgeWatch: expectations.judge_watch,
    c.JudgePeriod: expectations.judge_period,
    c.ReportSilence: expectations.report_silence,
    c.CompleteTask: completions.complete_task,
    c.ReportProgress: completions.report_progress,
    c.PutToken: tokens.put_token,
    c.RedeemToken: tokens.redeem_token,
    c.DeleteToken: tokens.delete_token,
    c.OpenSession: sessions.open_session,
    c.CloseSession: sessions.close_session,
    c.PutSecret: secrets.put_secret,
    c.DeleteSecret: secrets.delete_secret,
    c.GrantSecret: secrets.grant_secret,
    c.ResealSecrets: secrets.reseal_secrets,
    c.LimitTicks: ticks.limit_ticks,
    c.Activate: activation.activate,
    c.ConnectAgent: agents.connect,
    c.DisconnectAgent: agents.disconnect,
    c.ReleaseAgent: agents.release,
    c.DrainAgent: agents.drain,
    c.ResumeAgent: agents.resume,
    c.EndDrain: agents.end_drain,
    c.LetMembersGo: agents.let_members_go,
    c.Grant: attempts.grant,
    c.ReportRunning: attempts.report_running,
    c.Finish: attempts.finish,
    c.Adopt: adopted.adopt,
    c.Fire: ticks.fire,
    c.Account: ticks.account,
    c.SetAside: ticks.set_aside,
    c.SplitGap: ticks.split_gap,
    c.TellOverload: ticks.tell_overload,
    c.TellProof: proofs.tell_proof,
    c.Redate: redates.redate,
    c.Reschedule: reschedules.reschedule,
    c.FireChanged: changed_ticks.fire_changed,
    c.Reserve: reservations.reserve,
    c.FireReserved: reservations.fire_reserved,
    c.AskBack: reservations.ask_back,
    c.GiveBack: reservations.give_back,
    c.Unreserve: reservations.unreserve,
    c.GiveUpReserved: reservations.give_up_reserved,
    c.FireDelayed: delays.fire_delayed,
    c.FireStartups: startups.fire_startups,
    c.ReportFiles: files.report_files,
    c.ReportGone: files.report_gone,
    c.ReportMoved: files.report_moved,
    c.ReportBlind: files.report_blind,
    c.FireFiles: files.fire_files,
    c.ChooseEyes: files.choose_eyes,
    c.FireDependents: dependents.fire_dependents,
    c.FireGathered: gatherings.fire_gathered,
    c.FirePostponed: dependents.fire_postponed,
    c.Place: attempts.place,
    c.Revoke: attempts.revoke,
    c.Wake: tasks.wake,
    c.BreakDeadlock: tasks.break_deadlock,
    c.MarkUnreachable: attempts.mark_unreachable,
    c.Lose: attempts.lose,
    c.ExpireRun: runs.expire_run,
    c.Continue: runs.go_on,
    c.StopRun: runs.stop_run,
    c.LoseNode: agents.lose_node,
    c.Purge: upkeep.purge,
    c.Sweep: upkeep.sweep,
    c.Migrate: activation.migrate,
    c.ReportSent: effects.report_sent,
    c.ReportUnsent: effects.report_unsent,
    c.ResendEffect: effects.resend,
    c.DropEffect: effects.drop,
    c.AcknowledgeEffect: effects.acknowledge,
    c.Mute: effects.mute,
    c.Unmute: effects.unmute,
    c.TellTogether: effects.tell_together,
    c.Escalate: effects.escalate,
    c.TellChannel: effects.tell_channel,
    c.EndPause: pauses.end_pause,
    c.EndHold: restores.end_hold,
    c.GiveUpRun: restores.give_up_run,
    c.EndRestore: restores.end_restore,
    c.Lead: leadership.lead,
    c.Barrier: leadership.barrier,
    c.Note: notes.note,
    c.Compare: upkeep.compare,
    c.StageSlice: stages.stage_slice,
    c.CommitStage: stages.commit_stage,
    c.DropStage: stages.drop_stage,
    c.AdvanceStage: stages.advance_stage,
    c.KeepZones: zones.keep_zones,
    c.Retime: zones.retime,
}


@functools.cache
def _newest_needed(kind: type[c.Command]) -> int:
    """The format that suffices for every command of this type."""
    return max([kind.since_format, *(newer.format for newer in newer_fields(kind))])


def apply(ctx: Context, command: c.Command) -> Outcome:
    """Change the state by one command; its events are in `ctx.events`. The index was raised already."""
    if _newest_needed(type(command)) > ctx.state.format and codec.needs(command) > ctx.state.format:
        return refused(Code.FORMAT, f"{type(command).__name__} needs format {codec.needs(command)}")
    if isinstance(command, c.ByPlanner) and command.epoch != ctx.state.epoch:
        return refused(Code.STALE_EPOCH, f"epoch {command.epoch}, now {ctx.state.epoch}")
    if ctx.state.stage and (refusal := switching.before(ctx, command)):
        return refusal
    if isinstance(command, c.Keyed) and command.key:
        return _apply_once(ctx, command)
    outcome = APPLY[type(command)](ctx, command)
    if ctx.changes:
        _audit(ctx, command, outcome)
    return outcome


def _audit(ctx: Context, command: c.Command, outcome: Outcome) -> None:
    if outcome.ok and isinstance(command, c.ByPerson):
        ctx.note(command.actor, command.verb)
    ctx.changes.clear()


def _apply_once(ctx: Context, command: c.Keyed) -> Outcome:
    """The outcome of the first accepted use of the key. A refusal changed nothing, so it is judged anew."""
    known = idempotency.find(ctx.store, command.key)
    if known is not None:
        if known[0] != command.body:
            return refused(Code.KEY_REUSED, "the Idempotency-Key was used for another request")
        return codec.decode_outcomes(known[1])[0]
    outcome = APPLY[type(command)](ctx, command)
    if ctx.changes:
        _audit(ctx, command, outcome)
    if outcome.ok:
        idempotency.remember(
            ctx.store, command.key, body=command.body, outcome=codec.encode_outcomes([outcome]),
            stamp_ms=ctx.stamp_ms,
        )  # fmt: skip
    return outcome
