"""Every fact that applying a command reports, past tense, a file a noun.

Events leave `scheduler.machine.apply` in a fixed order and are the same on every node; the fronts
push assignments, stream SSE and keep counters from them. They are reports, not state: whoever
misses one reads the store. Instants are UTC milliseconds, ids the state's integer keys.
"""

from __future__ import annotations

from scheduler.words.events.agents import AgentConnected as AgentConnected
from scheduler.words.events.agents import AgentDisconnected as AgentDisconnected
from scheduler.words.events.agents import AgentDrained as AgentDrained
from scheduler.words.events.agents import AgentReleased as AgentReleased
from scheduler.words.events.agents import AgentResumed as AgentResumed
from scheduler.words.events.agents import NodeLost as NodeLost
from scheduler.words.events.approvals import ApprovalAnswered as ApprovalAnswered
from scheduler.words.events.approvals import ApprovalAsked as ApprovalAsked
from scheduler.words.events.attempts import AttemptAssigned as AttemptAssigned
from scheduler.words.events.attempts import AttemptCancelling as AttemptCancelling
from scheduler.words.events.attempts import AttemptEnded as AttemptEnded
from scheduler.words.events.attempts import AttemptGranted as AttemptGranted
from scheduler.words.events.attempts import AttemptRunning as AttemptRunning
from scheduler.words.events.attempts import AttemptUnreachable as AttemptUnreachable
from scheduler.words.events.backfills import BackfillBegan as BackfillBegan
from scheduler.words.events.backfills import BackfillEnded as BackfillEnded
from scheduler.words.events.backfills import BackfillMoved as BackfillMoved
from scheduler.words.events.calendars import CalendarMoved as CalendarMoved
from scheduler.words.events.calendars import ScheduleMoved as ScheduleMoved
from scheduler.words.events.changed_ticks import TickChanged as TickChanged
from scheduler.words.events.changed_ticks import TickChangeDropped as TickChangeDropped
from scheduler.words.events.cluster import FormatActivated as FormatActivated
from scheduler.words.events.cluster import FormatRaised as FormatRaised
from scheduler.words.events.cluster import Led as Led
from scheduler.words.events.completions import AttemptAwaiting as AttemptAwaiting
from scheduler.words.events.completions import AttemptCompleted as AttemptCompleted
from scheduler.words.events.completions import AttemptProgressed as AttemptProgressed
from scheduler.words.events.effects import EffectAcknowledged as EffectAcknowledged
from scheduler.words.events.effects import EffectDropped as EffectDropped
from scheduler.words.events.effects import EffectEscalated as EffectEscalated
from scheduler.words.events.effects import EffectGivenUp as EffectGivenUp
from scheduler.words.events.effects import EffectMuted as EffectMuted
from scheduler.words.events.effects import EffectQueued as EffectQueued
from scheduler.words.events.effects import EffectSent as EffectSent
from scheduler.words.events.effects import Muted as Muted
from scheduler.words.events.effects import ReceiverFailing as ReceiverFailing
from scheduler.words.events.effects import ReceiverRecovered as ReceiverRecovered
from scheduler.words.events.effects import Unmuted as Unmuted
from scheduler.words.events.expectations import ExpectationAcknowledged as ExpectationAcknowledged
from scheduler.words.events.expectations import ExpectationMet as ExpectationMet
from scheduler.words.events.expectations import ExpectationUnmet as ExpectationUnmet
from scheduler.words.events.files import FileArrived as FileArrived
from scheduler.words.events.files import FileMoved as FileMoved
from scheduler.words.events.files import FileToMove as FileToMove
from scheduler.words.events.files import FoldersChanged as FoldersChanged
from scheduler.words.events.files import FolderTroubled as FolderTroubled
from scheduler.words.events.hands import RunHeld as RunHeld
from scheduler.words.events.hands import RunHeldLong as RunHeldLong
from scheduler.words.events.hands import RunOverridden as RunOverridden
from scheduler.words.events.hands import RunReleased as RunReleased
from scheduler.words.events.hands import TaskHeld as TaskHeld
from scheduler.words.events.hands import TaskReleased as TaskReleased
from scheduler.words.events.hooks import Delivered as Delivered
from scheduler.words.events.jobs import JobDeleted as JobDeleted
from scheduler.words.events.jobs import JobLeftBehind as JobLeftBehind
from scheduler.words.events.jobs import JobPaused as JobPaused
from scheduler.words.events.jobs import JobPut as JobPut
from scheduler.words.events.jobs import JobResumed as JobResumed
from scheduler.words.events.locks import LocksGivenBack as LocksGivenBack
from scheduler.words.events.locks import LocksTaken as LocksTaken
from scheduler.words.events.notices import NoticeDeleted as NoticeDeleted
from scheduler.words.events.notices import NoticePosted as NoticePosted
from scheduler.words.events.objects import ObjectDeleted as ObjectDeleted
from scheduler.words.events.objects import ObjectPut as ObjectPut
from scheduler.words.events.pauses import Paused as Paused
from scheduler.words.events.pauses import Resumed as Resumed
from scheduler.words.events.plans import PlanClosed as PlanClosed
from scheduler.words.events.plans import PlanDatesClosed as PlanDatesClosed
from scheduler.words.events.plans import PlanOpened as PlanOpened
from scheduler.words.events.proofs import DifferenceFound as DifferenceFound
from scheduler.words.events.proofs import DifferenceGone as DifferenceGone
from scheduler.words.events.reservations import ReservedAskedBack as ReservedAskedBack
from scheduler.words.events.reservations import ReservedGivenBack as ReservedGivenBack
from scheduler.words.events.reservations import TickReserved as TickReserved
from scheduler.words.events.runs import FinallyBegun as FinallyBegun
from scheduler.words.events.runs import RunCreated as RunCreated
from scheduler.words.events.runs import RunEnded as RunEnded
from scheduler.words.events.runs import RunStarted as RunStarted
from scheduler.words.events.runs import RunWaits as RunWaits
from scheduler.words.events.secrets import SecretChanged as SecretChanged
from scheduler.words.events.secrets import SecretDeleted as SecretDeleted
from scheduler.words.events.sources import SourceAsked as SourceAsked
from scheduler.words.events.sources import SourceReported as SourceReported
from scheduler.words.events.stages import StageMoved as StageMoved
from scheduler.words.events.tasks import MembersFixed as MembersFixed
from scheduler.words.events.tasks import MembersJoined as MembersJoined
from scheduler.words.events.tasks import RoundBegun as RoundBegun
from scheduler.words.events.tasks import RoundEnded as RoundEnded
from scheduler.words.events.tasks import TaskBegun as TaskBegun
from scheduler.words.events.tasks import TaskDue as TaskDue
from scheduler.words.events.tasks import TaskEnded as TaskEnded
from scheduler.words.events.tasks import TaskQueued as TaskQueued
from scheduler.words.events.tasks import WindowEnded as WindowEnded
from scheduler.words.events.tasks import WindowOpened as WindowOpened
from scheduler.words.events.ticks import GatheringMissed as GatheringMissed
from scheduler.words.events.ticks import OverloadBegan as OverloadBegan
from scheduler.words.events.ticks import OverloadEnded as OverloadEnded
from scheduler.words.events.ticks import TickDecided as TickDecided
from scheduler.words.events.tokens import SessionClosed as SessionClosed
from scheduler.words.events.tokens import TokenWithdrawn as TokenWithdrawn
from scheduler.words.events.zones import Retimed as Retimed
from scheduler.words.events.zones import ZoneMoved as ZoneMoved
from scheduler.words.events.zones import ZonesKept as ZonesKept
from scheduler.words.record import EVENTS
from scheduler.words.record import Event as Event
from scheduler.words.record import Wakes as Wakes

ALL = tuple(EVENTS.values())
