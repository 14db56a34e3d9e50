"""The messages between agent and node, with their bytes.

One WebSocket (`/v1/agent`, subprotocol `cronclave.agent.1`, `Authorization: Bearer TOKEN`), binary
frames. A frame is a msgpack array of messages, each `[tag, field, …]`; both sides batch what
is ready in one loop turn. This module is all that an agent knows of the scheduler.

The talk, in order (docs/architecture.md, "Rules without exception", 1 and 5):

1. node: Challenge, at once. agent: Hello, signed over it by the installation's key, with every attempt of its
   journal that was not acknowledged: running | exited | gone | unstarted (gone, and it surely never started).
   node: Welcome once ConnectAgent is committed, or Leave (no quorum, behind, fenced, wrong cluster).
   A cluster that was restored since the agent was told so asks first: Recount, answered by Ran, page by page.
2. node: Assign. agent: journals it, fsync, then Claim. node proposes a Grant and answers Grant or
   Refuse. Claims are sent again with the same claim id until answered; a repeated claim gets the same Grant.
   The agent starts the attempt at `due_ms` by the node's clock, not before, never without the Grant, and
   never later than GRANT_VALID_MS after its latest sending of the claim (then it reports `unstarted`).
3. agent: Running (only when it still runs RUNNING_AFTER_MS after its start), Silent, Finished: journaled with
   an event id, sent again on every connection until the node's Ack, which follows the commit.
4. node: Cancel; agent stops the process group (SIGTERM, grace, SIGKILL; the last alone, where it says
   `at_once`) and reports Finished(cancelled), or the real exit when that came first.
5. agent: Ping every second, and every PING_BUSY_MS while a claim or a report waits for its answer. node: Pong
   at once; `renews` only while it has a quorum and is not behind: it renews the agent's leases (LEASE_MS from
   the sending of the Ping). A Ping without any Pong for SILENCE_MS: the agent tries another node.
6. node: TailRequest, agent: TailChunk, for live output.
7. To agents that say FILES, node: Known, then Watch, at the registration and whenever they change. agent:
   Seen, Gone; both are sent again until the node's Known or Forget, which follow the commit. node: Move,
   also at each registration until the agent's Moved is committed.
8. To agents that say RESERVES, node: AllReserved at the registration, and Reserved: ticks to come, which they
   start by themselves where no node is reached. node: AskBack; agent: GivenBack, until its Ack.

Every agent message that concerns attempts carries through Hello and Ping the highest index the agent has
seen; a node that is behind it answers nothing about attempts until it has caught up. Unknown never means
kill.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import msgpack

from scheduler.protocol.folders import Blind as Blind
from scheduler.protocol.folders import Forget as Forget
from scheduler.protocol.folders import Gone as Gone
from scheduler.protocol.folders import Known as Known
from scheduler.protocol.folders import Move as Move
from scheduler.protocol.folders import Moved as Moved
from scheduler.protocol.folders import Seen as Seen
from scheduler.protocol.folders import Watch as Watch
from scheduler.protocol.identity import SESSION_MS_MAX as SESSION_MS_MAX
from scheduler.protocol.identity import installation_of as installation_of
from scheduler.protocol.identity import is_session as is_session
from scheduler.protocol.identity import session_name as session_name
from scheduler.protocol.reserved import AllReserved as AllReserved
from scheduler.protocol.reserved import AskBack as AskBack
from scheduler.protocol.reserved import GivenBack as GivenBack
from scheduler.protocol.reserved import Reserved as Reserved
from scheduler.shapes import check_of, first_wrong

VERSION = 1
SUBPROTOCOL = "cronclave.agent.1"
FRAME_BYTES_MAX = 4 << 20
HELLO_BYTES_MAX = 1 << 20  #: of an agent's first frame; a Hello that holds all it may has 960 KiB
FRAME_MESSAGES_MAX = 1_000
FRAME_LISTS_MAX = 45_000  #: and maps, in an agent's frame: each costs more than a number does
FRAME_VALUES_MAX = 200_000  #: of an agent's frame, nested ones too; a Hello that holds all it may has 160,000
RAN_ROWS_MAX = 1_000  #: in one page of Ran
GRANT_VALID_MS = 10_000
RUNNING_AFTER_MS = 250
LEASE_MS = 20_000
KILL_GRACE_MS = 5_000
LEASE_MARGIN_MS = 5_000
PING_MS = 1_000
PING_BUSY_MS = 250
SILENCE_MS = 1_000
CONTACT_MS = 3_000  #: after the sending of the last Ping whose Pong renewed leases: no node is reached
GIVEN_BACK_MAX = 100  #: attempts in one GivenBack
RESERVED_HELD_MAX = 10_000  #: that one agent has
AGENT_SILENCE_MS = 5_000  #: a node closes the socket of an agent that sends nothing for so long
NONCE_BYTES = 32
UNSTARTED = "unstarted"
"""Of Hello.held, and a reason of Finished: it never started, which the spooler's journal proves."""
OBJECT_STORE = "object_store"
"""In Hello.kinds: it looks into object stores. In `Assign.work`: what it is to look for there, no more."""
FILES = "files"  #: in Hello.kinds: it looks into folders for triggers that wait for files
FILES_AT_ONCE_MAX = 500  #: in one Seen or Gone
RESERVES = "reserves"
"""In Hello.kinds: it keeps ticks that it is given in advance, and starts them where no node is reached."""
AROUND = "around"  #: in Hello.kinds: it runs what a namespace wants before and after the work
TAIL_SUCCESS_BYTES = 2 << 10
TAIL_FAILURE_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Hello:
    version: int
    name: str
    installation: str  #: of this agent's data directory: `installation_of` its public key
    session: str  #: of this agent process, as `session_name` has it; a newer one fences an older
    boot_id: str  #: of the host
    zone: str
    pool: str
    labels: dict[str, str]
    slots: int
    software: str
    index: int  #: highest index seen, 0 at first
    cluster: str  #: cluster uid that the agent is pinned to, "" at first
    restores: int  #: restore number that the agent is pinned to
    held: tuple[tuple[int, str], ...]  #: (attempt, running | exited | gone | unstarted)
    cloud_id: str = ""
    lineage: str = ""  #: uid of the first cluster of all that its own was restored from; "" as `cluster`
    told: int = 0  #: the restore that it has told its history to
    key: bytes = b""  #: the installation's public key (Ed25519)
    proof: bytes = b""  #: its signature over `to_sign`
    kinds: tuple[str, ...] = ()
    """Of work, that its executors run, and what each knows of it that a task may ask for: `shell` and
    `shell.nice`. It is given no other."""


@dataclass(frozen=True, slots=True)
class Claim:
    attempt: int
    claim: str


@dataclass(frozen=True, slots=True)
class Running:
    event: int  #: number in the agent's journal
    attempt: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Of work that has to write something within `quiet_ms`: it did not, or does again."""

    event: int
    attempt: int
    since_ms: int  #: it wrote last, or started, by the agent's clock
    silent: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """`reason`, `output_bytes` and `wrote_stderr` as in scheduler.words.commands.Finish. `tail`: its last
    bytes."""

    event: int
    attempt: int
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    reason: str
    signal: int | None
    detail: str
    tail: bytes
    output_bytes: int | None = None
    wrote_stderr: bool | None = None
    outputs: bytes = b""  #: as there, and the next
    outputs_wrong: str = ""


@dataclass(frozen=True, slots=True)
class Ping:
    sent_ms: int  #: agent's monotonic clock; comes back in the Pong
    index: int


@dataclass(frozen=True, slots=True)
class TailChunk:
    request: int
    data: bytes  #: from the place on that was asked for
    ended: bool  #: nothing will follow this data
    size: int  #: bytes of output so far
    missing: bool = False  #: the agent has no output of that attempt


@dataclass(frozen=True, slots=True)
class Ran:
    """A page of what the agent ran. `attempts`: rows with the fields of scheduler.words.commands.RanAttempt;
    `running`, on the last page: every attempt that has not ended or whose end is not acknowledged."""

    page: int
    attempts: tuple[tuple[Any, ...], ...]
    more: bool
    running: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The agent stops in good order; running attempts stay with its spooler."""

    reason: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """The node's first word on every socket. What is signed over it is worth nothing on another."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    agent: int  #: the agent's id in the state
    cluster: str
    restores: int
    index: int
    node: str
    addresses: tuple[str, ...]  #: base URLs of all nodes, own zone first
    lineage: str = ""  #: as in Hello


@dataclass(frozen=True, slots=True)
class Recount:
    """The cluster was restored from a backup: say what you ran since, page by page, before the Welcome."""

    cluster: str
    restores: int
    lineage: str
    attempt_floor: int  #: last attempt of the backup
    since_ms: int  #: what ended later may be unknown here
    page: int


@dataclass(frozen=True, slots=True)
class Assign:
    """One attempt. `work`: its "kind", which names the executor, and what that one gets: the compiled form of
    the kinds in scheduler/model/work; beside it "run_as", and "outputs": [names, bytes], are optional.
    `tick_ms`: the instant of its run's tick. What its environment says comes with the Grant."""

    attempt: int
    run: int
    job: str
    namespace: str
    task: str
    member: str  #: of a task that is divided; empty: the whole
    round: int
    number: int
    tick_ms: int | None
    due_ms: int
    work: dict[str, Any]
    timeout_ms: int | None
    grace_ms: int
    kill_on_lease_end: bool  #: on_lost fail | retry: the spooler kills it when the lease ends
    output_bytes_max: int


@dataclass(frozen=True, slots=True)
class Grant:
    """`environment`: the CRONCLAVE_* values except _FENCE, _AGENT and _ZONE, which the agent adds. `secrets`:
    (variable, value, whether it comes as a file) of each that the task is given. Nothing of either is sent
    before the grant, nor written to the agent's disk. `unable`: why the attempt cannot start although it is
    granted, a secret that is gone, say: the agent reports it as start_failed. `before`, `after`: lines for a
    shell that its namespace runs around the work."""

    attempt: int
    claim: str
    fence: int
    index: int
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    secrets: tuple[tuple[str, str, bool], ...] = dataclasses.field(default=(), repr=False)
    unable: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The attempt shall never start here: forget it. reason: revoked | superseded | ended."""

    attempt: int
    claim: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ack:
    """These journal events are committed (or can never matter again): drop them."""

    events: tuple[int, ...]
    index: int


@dataclass(frozen=True, slots=True)
class Cancel:
    attempt: int
    at_once: bool = False  #: without its grace


@dataclass(frozen=True, slots=True)
class Pong:
    sent_ms: int
    node_ms: int  #: the node's wall clock (UTC), for the agent's estimate of the offset
    index: int
    renews: bool = True  #: leases are renewed; False: the node lives but may not speak for the cluster


@dataclass(frozen=True, slots=True)
class TailRequest:
    request: int
    attempt: int
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Go to another node. reason: no_quorum | behind | draining | fenced | wrong_cluster | refused.

    After `fenced` (a newer session of this installation exists) the agent stops itself."""

    reason: str
    detail: str = ""


Message = (
    Hello | Claim | Running | Silent | Finished | Ping | TailChunk | Goodbye | Ran | Seen | Gone
    | Moved | Blind
    | Challenge | Welcome | Recount | Assign | Grant | Refuse | Ack | Cancel | Pong | TailRequest | Leave
    | Watch | Known | Forget | Move | GivenBack | Reserved | AllReserved | AskBack
)  # fmt: skip

TAGS: dict[type[Any], int] = {
    Hello: 1,
    Claim: 2,
    Running: 3,
    Finished: 4,
    Ping: 5,
    TailChunk: 6,
    Goodbye: 7,
    Ran: 8,
    Silent: 9,
    Seen: 10,
    Gone: 11,
    Moved: 12,
    Blind: 13,
    GivenBack: 14,
    Welcome: 20,
    Assign: 21,
    Grant: 22,
    Refuse: 23,
    Ack: 24,
    Cancel: 25,
    Pong: 26,
    TailRequest: 27,
    Leave: 28,
    Recount: 29,
    Challenge: 30,
    Watch: 31,
    Known: 32,
    Move: 33,
    Forget: 34,
    Reserved: 35,
    AllReserved: 36,
    AskBack: 37,
}
_FIELDS = {cls: tuple(f.name for f in dataclasses.fields(cls)) for cls in TAGS}
_CLASSES = {tag: cls for cls, tag in TAGS.items()}
_LATER: dict[int, tuple[Any, ...]] = {
    TAGS[Finished]: ("", b"", None),
    TAGS[Grant]: ("", ""),
    TAGS[Cancel]: (False,),
}
"""Fields that older ones do not know, and refuse, the last one first: what says nothing is not sent."""
_TUPLES = {
    Hello: (13, 19), Welcome: (5,), Ack: (0,), Ran: (1, 3), Grant: (5,), Seen: (1,), Gone: (1,), Watch: (0,),
    Known: (2,), Forget: (1,), GivenBack: (1,), AllReserved: (0,), AskBack: (0,),
}  # fmt: skip

_SAID_BY_NODES = {cls: check_of(cls) for cls, tag in TAGS.items() if tag >= TAGS[Welcome]}


class ProtocolError(ValueError):
    """A frame that is no batch of known messages."""


def encode(messages: list[Message]) -> bytes:
    """One frame of these messages."""
    rows = [[TAGS[type(m)], *[getattr(m, name) for name in _FIELDS[type(m)]]] for m in messages]
    for row in rows:
        for default in _LATER.get(row[0], ()):
            if row[-1] != default:
                break
            row.pop()
    packed: bytes = msgpack.packb(rows, use_bin_type=True)
    return packed


def decode(frame: bytes, *, values_max: int | None = None) -> list[Message]:
    """The messages of a frame; raises ProtocolError. `values_max`: from whoever is not trusted. One byte is a
    value: four million lists in one frame keep a loop for more than a second."""
    if len(frame) > FRAME_BYTES_MAX:
        raise ProtocolError(f"frame of {len(frame)} bytes, limit {FRAME_BYTES_MAX}")
    try:
        if values_max is None:
            rows = msgpack.unpackb(frame, raw=False, strict_map_key=False)
        else:
            rows = _unpack_bounded(frame, values_max)
        if len(rows) > FRAME_MESSAGES_MAX:
            raise ProtocolError(f"{len(rows)} messages in a frame, {FRAME_MESSAGES_MAX} at most")
        messages: list[Message] = []
        for row in rows:
            cls = _CLASSES[row[0]]
            fields = row[1:]
            for position in _TUPLES.get(cls, ()):
                fields[position] = tuple(tuple(x) if isinstance(x, list) else x for x in fields[position])
            messages.append(cls(*fields))
        return messages
    except ProtocolError:
        raise
    except Exception as error:
        raise ProtocolError(f"not a frame of agent messages: {error!r}") from error


def of_a_node(frame: bytes) -> list[Message]:
    """As `decode`, of what a node says: messages of its own alone, each field of its type. An older or newer
    one may speak otherwise."""
    messages = decode(frame)
    for message in messages:
        check = _SAID_BY_NODES.get(type(message))
        if check is None:
            raise ProtocolError(f"{type(message).__name__} is no word of a node")
        if not check(message):
            raise ProtocolError(f"{type(message).__name__} with another {first_wrong(message)}")
    if not messages:
        raise ProtocolError("a frame without a message")
    return messages


def _unpack_bounded(frame: bytes, values_max: int) -> Any:
    """Refuses before it has made more values than so many, and extension types altogether."""
    values = lists = 0

    def count(made: Any) -> Any:
        nonlocal values, lists
        values += 1 + len(made)
        lists += 1
        if values > values_max or lists > FRAME_LISTS_MAX:
            raise ProtocolError(f"more than {values_max} values or {FRAME_LISTS_MAX} lists in a frame")
        return made

    return msgpack.unpackb(
        frame,
        raw=False,
        strict_map_key=True,
        list_hook=count,
        object_hook=count,
        ext_hook=_no_extension,
        max_array_len=values_max // 4,
        max_map_len=values_max // 4,
        max_ext_len=0,
    )


def _no_extension(code: int, data: bytes) -> Any:
    raise ProtocolError(f"extension type {code}")


def to_sign(hello: Hello, nonce: bytes) -> bytes:
    """What the proof of a Hello signs: all of it, and the Challenge of its socket."""
    return b"cronclave agent hello 1\0" + nonce + encode([dataclasses.replace(hello, proof=b"")])
