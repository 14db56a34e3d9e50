"""Every input that the log may hold, a file a noun.

Rules of this package:

1. Names are imperative. A command says what is asked for; whether it happens is decided by
   `scheduler.machine` when it is applied, the same way on every node.
2. A command carries every instant, id and random value that its effect needs (semantics are a
   function of the state and the command alone). The stamp of the log entry is given beside it.
3. Planner commands carry the `epoch` of the leadership that decided them and what the planner saw
   (`expected_due_ms`, an attempt's state); a stale one is refused, never half applied.
4. Fields may be appended with a default and never be reordered: the codec is positional.

Instants are UTC milliseconds since the Unix epoch (`*_ms`). Ids are the state's integer keys.
"""

from __future__ import annotations

from scheduler.words.commands.agents import ConnectAgent as ConnectAgent
from scheduler.words.commands.agents import DisconnectAgent as DisconnectAgent
from scheduler.words.commands.agents import DrainAgent as DrainAgent
from scheduler.words.commands.agents import EndDrain as EndDrain
from scheduler.words.commands.agents import LetMembersGo as LetMembersGo
from scheduler.words.commands.agents import LoseNode as LoseNode
from scheduler.words.commands.agents import ReleaseAgent as ReleaseAgent
from scheduler.words.commands.agents import ResumeAgent as ResumeAgent
from scheduler.words.commands.approvals import AnswerApproval as AnswerApproval
from scheduler.words.commands.attempts import Finish as Finish
from scheduler.words.commands.attempts import Grant as Grant
from scheduler.words.commands.attempts import Lose as Lose
from scheduler.words.commands.attempts import MarkUnreachable as MarkUnreachable
from scheduler.words.commands.attempts import ReportRunning as ReportRunning
from scheduler.words.commands.attempts import Revoke as Revoke
from scheduler.words.commands.backfills import AdvanceBackfill as AdvanceBackfill
from scheduler.words.commands.backfills import CancelBackfill as CancelBackfill
from scheduler.words.commands.backfills import StartBackfill as StartBackfill
from scheduler.words.commands.calendars import Redate as Redate
from scheduler.words.commands.calendars import Redated as Redated
from scheduler.words.commands.calendars import Reschedule as Reschedule
from scheduler.words.commands.calendars import Rescheduled as Rescheduled
from scheduler.words.commands.changed_ticks import ChangeTick as ChangeTick
from scheduler.words.commands.changed_ticks import FireChanged as FireChanged
from scheduler.words.commands.cluster import Activate as Activate
from scheduler.words.commands.cluster import Barrier as Barrier
from scheduler.words.commands.cluster import Compare as Compare
from scheduler.words.commands.cluster import Lead as Lead
from scheduler.words.commands.cluster import Migrate as Migrate
from scheduler.words.commands.cluster import Note as Note
from scheduler.words.commands.cluster import Sweep as Sweep
from scheduler.words.commands.completions import CompleteTask as CompleteTask
from scheduler.words.commands.completions import ReportProgress as ReportProgress
from scheduler.words.commands.effects import AcknowledgeEffect as AcknowledgeEffect
from scheduler.words.commands.effects import DropEffect as DropEffect
from scheduler.words.commands.effects import Escalate as Escalate
from scheduler.words.commands.effects import Mute as Mute
from scheduler.words.commands.effects import ReportSent as ReportSent
from scheduler.words.commands.effects import ReportUnsent as ReportUnsent
from scheduler.words.commands.effects import ResendEffect as ResendEffect
from scheduler.words.commands.effects import TellChannel as TellChannel
from scheduler.words.commands.effects import TellTogether as TellTogether
from scheduler.words.commands.effects import Unmute as Unmute
from scheduler.words.commands.expectations import Acknowledge as Acknowledge
from scheduler.words.commands.expectations import JudgePeriod as JudgePeriod
from scheduler.words.commands.expectations import JudgeWatch as JudgeWatch
from scheduler.words.commands.expectations import ReportSilence as ReportSilence
from scheduler.words.commands.files import ChooseEyes as ChooseEyes
from scheduler.words.commands.files import FileSeen as FileSeen
from scheduler.words.commands.files import FireFiles as FireFiles
from scheduler.words.commands.files import ReportBlind as ReportBlind
from scheduler.words.commands.files import ReportFiles as ReportFiles
from scheduler.words.commands.files import ReportGone as ReportGone
from scheduler.words.commands.files import ReportMoved as ReportMoved
from scheduler.words.commands.hands import HoldTask as HoldTask
from scheduler.words.commands.hands import OverrideRun as OverrideRun
from scheduler.words.commands.hands import ReleaseRun as ReleaseRun
from scheduler.words.commands.hands import ReleaseTask as ReleaseTask
from scheduler.words.commands.hands import ResumeRun as ResumeRun
from scheduler.words.commands.hands import RetryTask as RetryTask
from scheduler.words.commands.hands import SkipTask as SkipTask
from scheduler.words.commands.hands import StopTask as StopTask
from scheduler.words.commands.hands import SuspendRun as SuspendRun
from scheduler.words.commands.hands import TellHeld as TellHeld
from scheduler.words.commands.hooks import Deliver as Deliver
from scheduler.words.commands.hooks import HookFiring as HookFiring
from scheduler.words.commands.jobs import DeleteJob as DeleteJob
from scheduler.words.commands.jobs import EndJobPause as EndJobPause
from scheduler.words.commands.jobs import PauseJob as PauseJob
from scheduler.words.commands.jobs import PreparedJob as PreparedJob
from scheduler.words.commands.jobs import PreparedTrigger as PreparedTrigger
from scheduler.words.commands.jobs import PutJobs as PutJobs
from scheduler.words.commands.jobs import ResumeJob as ResumeJob
from scheduler.words.commands.namespaces import DeleteNamespace as DeleteNamespace
from scheduler.words.commands.namespaces import PutNamespace as PutNamespace
from scheduler.words.commands.namespaces import ReviseJobs as ReviseJobs
from scheduler.words.commands.notices import DeleteNotice as DeleteNotice
from scheduler.words.commands.notices import FireNotices as FireNotices
from scheduler.words.commands.notices import PostNotice as PostNotice
from scheduler.words.commands.objects import Apply as Apply
from scheduler.words.commands.objects import Deletion as Deletion
from scheduler.words.commands.objects import PreparedObject as PreparedObject
from scheduler.words.commands.pauses import EndPause as EndPause
from scheduler.words.commands.pauses import Pause as Pause
from scheduler.words.commands.pauses import Resume as Resume
from scheduler.words.commands.plans import CloseDates as CloseDates
from scheduler.words.commands.plans import ClosePlan as ClosePlan
from scheduler.words.commands.plans import OpenPlan as OpenPlan
from scheduler.words.commands.proofs import TellProof as TellProof
from scheduler.words.commands.reservations import AskBack as AskBack
from scheduler.words.commands.reservations import FireReserved as FireReserved
from scheduler.words.commands.reservations import GiveBack as GiveBack
from scheduler.words.commands.reservations import GiveUpReserved as GiveUpReserved
from scheduler.words.commands.reservations import Reserve as Reserve
from scheduler.words.commands.reservations import Unreserve as Unreserve
from scheduler.words.commands.restores import Adopt as Adopt
from scheduler.words.commands.restores import EndHold as EndHold
from scheduler.words.commands.restores import EndRestore as EndRestore
from scheduler.words.commands.restores import GiveUpRun as GiveUpRun
from scheduler.words.commands.restores import RanAttempt as RanAttempt
from scheduler.words.commands.runs import CONTINUE_RUNS_MAX as CONTINUE_RUNS_MAX
from scheduler.words.commands.runs import AdmitRuns as AdmitRuns
from scheduler.words.commands.runs import CancelRun as CancelRun
from scheduler.words.commands.runs import Continue as Continue
from scheduler.words.commands.runs import ExpireRun as ExpireRun
from scheduler.words.commands.runs import Purge as Purge
from scheduler.words.commands.runs import Rejudge as Rejudge
from scheduler.words.commands.runs import RejudgeGroup as RejudgeGroup
from scheduler.words.commands.runs import RejudgeRequired as RejudgeRequired
from scheduler.words.commands.runs import RerunRun as RerunRun
from scheduler.words.commands.runs import ResolveRun as ResolveRun
from scheduler.words.commands.runs import RunJob as RunJob
from scheduler.words.commands.runs import StopRun as StopRun
from scheduler.words.commands.secrets import DeleteSecret as DeleteSecret
from scheduler.words.commands.secrets import GrantSecret as GrantSecret
from scheduler.words.commands.secrets import PutSecret as PutSecret
from scheduler.words.commands.secrets import Resealed as Resealed
from scheduler.words.commands.secrets import ResealSecrets as ResealSecrets
from scheduler.words.commands.sources import ReportSource as ReportSource
from scheduler.words.commands.sources import SyncSource as SyncSource
from scheduler.words.commands.stages import AdvanceStage as AdvanceStage
from scheduler.words.commands.stages import CommitStage as CommitStage
from scheduler.words.commands.stages import DropStage as DropStage
from scheduler.words.commands.stages import StageSlice as StageSlice
from scheduler.words.commands.tasks import BreakDeadlock as BreakDeadlock
from scheduler.words.commands.tasks import Place as Place
from scheduler.words.commands.tasks import Wake as Wake
from scheduler.words.commands.templates import FollowTemplate as FollowTemplate
from scheduler.words.commands.templates import LeftJob as LeftJob
from scheduler.words.commands.ticks import Account as Account
from scheduler.words.commands.ticks import Fire as Fire
from scheduler.words.commands.ticks import FireDelayed as FireDelayed
from scheduler.words.commands.ticks import FireDependents as FireDependents
from scheduler.words.commands.ticks import FireGathered as FireGathered
from scheduler.words.commands.ticks import FirePostponed as FirePostponed
from scheduler.words.commands.ticks import FireStartups as FireStartups
from scheduler.words.commands.ticks import LimitTicks as LimitTicks
from scheduler.words.commands.ticks import SetAside as SetAside
from scheduler.words.commands.ticks import SplitGap as SplitGap
from scheduler.words.commands.ticks import TellOverload as TellOverload
from scheduler.words.commands.tokens import CloseSession as CloseSession
from scheduler.words.commands.tokens import DeleteToken as DeleteToken
from scheduler.words.commands.tokens import Granted as Granted
from scheduler.words.commands.tokens import OpenSession as OpenSession
from scheduler.words.commands.tokens import PutToken as PutToken
from scheduler.words.commands.tokens import RedeemToken as RedeemToken
from scheduler.words.commands.zones import KeepZones as KeepZones
from scheduler.words.commands.zones import Replanned as Replanned
from scheduler.words.commands.zones import Retime as Retime
from scheduler.words.record import COMMANDS
from scheduler.words.record import NOBODY as NOBODY
from scheduler.words.record import Actor as Actor
from scheduler.words.record import ByAgent as ByAgent
from scheduler.words.record import ByCore as ByCore
from scheduler.words.record import ByPerson as ByPerson
from scheduler.words.record import ByPlanner as ByPlanner
from scheduler.words.record import ByRunner as ByRunner
from scheduler.words.record import Command as Command
from scheduler.words.record import Keyed as Keyed

ALL = tuple(COMMANDS.values())
