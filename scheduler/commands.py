"""Every input that the log may hold.

Rules of this file:

1. Names are imperative. A command says what is asked for; whether it happens is decided by
   `scheduler.machine` when it is applied, the same way on every node.
2. A command carries every instant, id and random value that its effect needs (semantics are a
   function of the state and the command alone). The stamp of the log entry is given beside it.
3. Planner commands carry the `epoch` of the leadership that decided them and what the planner saw
   (`expected_due_ms`, an attempt's state); a stale one is refused, never half applied.
4. Fields may be appended with a default and never be reordered: the codec is positional. A new field, like a
   new command, belongs to a `format` (see `scheduler.codec`): an older node stops at what it does not know.

Instants are UTC milliseconds since the Unix epoch (`*_ms`). Ids are the state's integer keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.outcome import Outcome as Outcome
from scheduler.seeds import JobSeed as JobSeed
from scheduler.seeds import TriggerSeed as TriggerSeed


@dataclass(frozen=True, slots=True)
class PutJobs:
    """Create or change jobs, all or none. At most 1,000 of them."""

    jobs: tuple[JobSeed, ...]
    after_ms: int  #: new triggers count ticks after this instant (the proposer's clock)
    actor: str = ""
    key: str = ""  #: Idempotency-Key; empty: none
    body: bytes = b""  #: hash of the request that used the key
    source: str = ""  #: where the jobs came from; empty: the API


@dataclass(frozen=True, slots=True)
class DeleteJob:
    namespace: str
    name: str
    if_revision: int | None = None
    actor: str = ""
    key: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class PauseJob:
    namespace: str
    name: str
    actor: str = ""


@dataclass(frozen=True, slots=True)
class ResumeJob:
    namespace: str
    name: str
    actor: str = ""


@dataclass(frozen=True, slots=True)
class RunJob:
    """Run now. `due_ms` is the proposer's clock."""

    namespace: str
    name: str
    params: bytes  #: canonical JSON object of the parameters, defaults filled in
    due_ms: int
    actor: str = ""
    key: str = ""
    body: bytes = b""
    agent: int = 0  #: suggested for the first task; taken if it can take it; 0: queue it


@dataclass(frozen=True, slots=True)
class CancelRun:
    run: int
    actor: str = ""


@dataclass(frozen=True, slots=True)
class ResolveRun:
    """A person declares the unreachable attempts of a run lost."""

    run: int
    actor: str = ""


@dataclass(frozen=True, slots=True)
class PutToken:
    """Store the hash of a bearer token. `bootstrap` only while there is no token at all."""

    name: str
    sha256: bytes
    role: str
    expires_ms: int = 0  #: 0: never
    uses: int = 0  #: of a join token: how many may join by it
    holder: str = ""  #: the one agent or node that may use it; empty: any
    pool: str = ""  #: the pool that its agents belong to; empty: any


@dataclass(frozen=True, slots=True)
class RedeemToken:
    """Join by a token: what the newcomer is known by from now on takes one of its uses. The same newcomer
    with the same credential may repeat it, and takes no other use."""

    token: str  #: name of the join token
    holder: str  #: name of the agent or node that joins
    credential: bytes  #: SHA-256 of an agent's own secret, or of what identifies a node's key
    pool: str = ""  #: of an agent


@dataclass(frozen=True, slots=True)
class DeleteToken:
    """Withdraw a token. The last administrator's stays."""

    name: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser comes by a token: from now on it is known by a secret of its own, until its end."""

    token: str  #: its name
    token_sha256: bytes  #: as it was when its secret was shown: names are used again
    sha256: bytes  #: of the session's own secret


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Nobody is anybody by this session any more, on any node."""

    sha256: bytes


@dataclass(frozen=True, slots=True)
class LimitTicks:
    """How many ticks a second may be asked for from now on; what is asked for already stays."""

    job: int  #: by the triggers of one job
    namespace: int  #: by all jobs of one namespace
    cluster: int  #: by all jobs
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Activate:
    """Raise the state's format for good. Refused unless `members` are the members when it is applied."""

    format: int
    members: tuple[tuple[str, int, int], ...]  #: by name: each member, its oldest and its newest format
    actor: str = ""


# -- what agents say, proposed by the front that holds their socket ---------------------------


@dataclass(frozen=True, slots=True)
class ConnectAgent:
    """An agent registered. `held`: every attempt that its journal knows, with running | exited | gone."""

    name: str
    installation: str
    session: str
    boot_id: str
    zone: str
    pool: str
    labels: bytes  #: canonical JSON object
    slots: int
    version: str
    node: str
    held: tuple[tuple[int, str], ...] = ()
    cloud_id: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseAgent:
    """A person takes the name from the installation that has it: another may come under it."""

    name: str
    installation: str  #: that is meant; refused when another has the name by now
    actor: str = ""


@dataclass(frozen=True, slots=True)
class DisconnectAgent:
    agent: int
    session: str
    node: str


@dataclass(frozen=True, slots=True)
class Start:
    """An agent claims an attempt. Committed and accepted, it is the grant."""

    attempt: int
    agent: int
    session: str
    claim: str


@dataclass(frozen=True, slots=True)
class ReportRunning:
    attempt: int
    agent: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class Finish:
    """What became of a granted attempt, from the agent's journal (of any session).

    `reason`: exit | timeout | cancelled | start_failed | output_limit | gone. `gone`: it never
    started or nothing is known of its end, and it surely runs no more.
    """

    attempt: int
    agent: int
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    reason: str
    signal: int | None = None
    detail: str = ""
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class RanAttempt:
    """An attempt of the time before a restore, from its agent's journal. What ran on is `ended` False."""

    attempt: int
    run: int
    namespace: str
    job: str
    task: str
    number: int
    tick_ms: int | None
    due_ms: int
    ended: bool
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    reason: str  #: as Finish.reason
    signal: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Adopt:
    """An agent of the cluster that was restored tells what it ran, before it registers. At most 100 at once;
    `last`: that was all, and what is not told to run on does not."""

    restore: int
    installation: str
    name: str
    zone: str
    pool: str
    attempts: tuple[RanAttempt, ...]
    last: bool
    running: tuple[int, ...] = ()  #: with `last`: every attempt that may still run there


# -- what the planner of the leader decides ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fire:
    """Fire one tick: compare-and-set of the trigger's next_due. The machine judges pause and overlap."""

    epoch: int
    trigger: int
    expected_due_ms: int
    next_due_ms: int | None
    agent: int = 0  #: planned placement of the run's first task; 0: queue it
    catchup: bool = False  #: fired by the catch-up policy: a start deadline counts from the stamp


@dataclass(frozen=True, slots=True)
class Account:
    """End `count` undecided ticks from `expected_due_ms` to `last_ms`, all with one outcome, no run."""

    epoch: int
    trigger: int
    expected_due_ms: int
    last_ms: int
    count: int
    next_due_ms: int | None
    outcome: str  #: skipped | coalesced | missed
    reason: str
    into_ms: int | None = None  #: coalesced: the tick that runs for them


@dataclass(frozen=True, slots=True)
class SetAside:
    """What was missed from `expected_due_ms` up to `until_ms` is run later, one at a time (`catchup: all`);
    the trigger goes on with `next_due_ms`."""

    epoch: int
    trigger: int
    expected_due_ms: int
    until_ms: int
    next_due_ms: int | None


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a queued task to an agent: a new attempt."""

    epoch: int
    task: int
    agent: int


@dataclass(frozen=True, slots=True)
class Revoke:
    """Take back an attempt that has no grant; its task is queued again."""

    epoch: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Requeue:
    """A retry's wait is over."""

    epoch: int
    task: int


@dataclass(frozen=True, slots=True)
class MarkUnreachable:
    """The lease ended under `on_lost: wait`."""

    epoch: int
    attempt: int
    since_ms: int = 0  #: as Lose.since_ms


@dataclass(frozen=True, slots=True)
class Lose:
    """The lease ended under `on_lost: fail | retry`, or an unreachable attempt met its timeout."""

    epoch: int
    attempt: int
    reason: str
    since_ms: int = 0  #: the disconnection of its agent that the lease was counted from


@dataclass(frozen=True, slots=True)
class ExpireRun:
    """The start deadline passed before any start."""

    epoch: int
    run: int


@dataclass(frozen=True, slots=True)
class StopRun:
    """The run's own timeout passed: cancel what is left, the run ends timed_out."""

    epoch: int
    run: int


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with what earlier commands left to do (`machine.slices`): attempts that are lost, then what these
    runs, 100 at most, need."""

    epoch: int
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoseNode:
    """A node was silent for 2 s: its agents are disconnected in the state."""

    epoch: int
    node: str


@dataclass(frozen=True, slots=True)
class Purge:
    """Drop at most `limit` finished runs of a job with ids up to `through`. The ledger stays."""

    epoch: int
    job: int
    through: int
    limit: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """Drop at most `limit` each of idempotency keys, fronts and agents that were last seen before
    `before_ms`, and of browser sessions that had ended by then."""

    epoch: int
    before_ms: int
    limit: int


@dataclass(frozen=True, slots=True)
class Migrate:
    """Bring the next rows into the shape of the format that was activated: compare-and-set of the cursor."""

    epoch: int
    cursor: str
    rows: int


@dataclass(frozen=True, slots=True)
class EndHold:
    """The agents had their time to tell: decide what nobody told of."""

    epoch: int
    restore: int


@dataclass(frozen=True, slots=True)
class GiveUpRun:
    """What of a run from before the restore was about to start may have run already: it does not start."""

    epoch: int
    restore: int
    run: int


@dataclass(frozen=True, slots=True)
class EndRestore:
    """All that the restore had held up is decided."""

    epoch: int
    restore: int


# -- what the core itself says ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lead:
    """The first command of every leadership: raises the epoch. `raft_term` orders rivals."""

    node: str
    zone: str
    raft_term: int
    tzdata: str = ""  #: version of the leader's zone data; taken only while the state names none


@dataclass(frozen=True, slots=True)
class Barrier:
    """No effect: its commit proves that whoever waits for it reads no stale state."""


@dataclass(frozen=True, slots=True)
class Compare:
    """No effect: every node reads the rows from this place on at exactly this entry, so that they can be
    compared."""

    place: bytes  #: see scheduler.store.row_digests; empty: from the beginning


Command = (
    PutJobs
    | DeleteJob
    | PauseJob
    | ResumeJob
    | RunJob
    | CancelRun
    | ResolveRun
    | PutToken
    | RedeemToken
    | DeleteToken
    | OpenSession
    | CloseSession
    | LimitTicks
    | Activate
    | ConnectAgent
    | DisconnectAgent
    | ReleaseAgent
    | Start
    | ReportRunning
    | Finish
    | Adopt
    | Fire
    | Account
    | SetAside
    | Assign
    | Revoke
    | Requeue
    | MarkUnreachable
    | Lose
    | ExpireRun
    | StopRun
    | Continue
    | LoseNode
    | Purge
    | Sweep
    | Migrate
    | EndHold
    | GiveUpRun
    | EndRestore
    | Lead
    | Barrier
    | Compare
)
