"""What a conversation with an agent asks of whoever holds the socket.

Rules: an *effect* is done at once, without waiting, in the order in which it came. A *question* is what the
conversation needs before it goes on: one at a time, asked last, and its answer is what comes in next. Neither
holds a socket, a clock or the state, so that a test says what comes in and reads what goes out.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scheduler import protocol as p
from scheduler.words.commands import Command
from scheduler.words.outcomes import Outcome

Work = p.Claim | p.Running | p.Silent | p.Finished | p.GivenBack  #: what is proposed to the log

Sight = p.Seen | p.Gone | p.Moved | p.Blind  #: of files, which is proposed too

# -- effects -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Push:
    """Send it, with the next frame."""

    message: p.Message


@dataclass(frozen=True, slots=True)
class Leave:
    """Tell the agent to go, then close. The reasons are those of `scheduler.protocol.Leave`."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """Close after what is to be sent."""


@dataclass(frozen=True, slots=True)
class Greeted:
    """Its Hello is proven: frames may be as large as they ever are."""


@dataclass(frozen=True, slots=True)
class Register:
    """The agent is this conversation's now. Must be done before anything else is waited for: what is
    committed later comes as a commit, and what came before is in the state."""


@dataclass(frozen=True, slots=True)
class Look:
    """Find out which of `attempts` are surely not this agent's, and tell `Conversation.looked`; reading goes
    on beside it."""

    work: tuple[Work, ...]
    attempts: frozenset[int]


@dataclass(frozen=True, slots=True)
class Propose:
    """Propose the commands, one for each of `work`, at once and together, and tell `Conversation.committed`;
    reading goes on beside it."""

    work: tuple[Work, ...]
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Propose the commands, one for each of `sights`, as with Propose, and tell `Conversation.reported`."""

    sights: tuple[Sight, ...]
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Tail:
    """Output, for whoever asked for it."""

    chunk: p.TailChunk


Effect = Push | Leave | Close | Greeted | Register | Look | Propose | Report | Tail

# -- questions, and their answers ----------------------------------------------------------------

A = TypeVar("A")


class NoFrame(enum.Enum):
    """Why there is none."""

    ENDED = "the socket has ended"
    LATE = "none came in time"
    TEXT = "text frames are not part of this protocol"


@dataclass(frozen=True, slots=True)
class NoOutcome:
    """Nothing came of it: no leader, or no room. The command may still be committed later."""

    detail: str


class Question(Generic[A]):
    """Something whose answer, an A, has to be waited for."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Read(Question[bytes | NoFrame]):
    """The next frame."""

    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fit(Question[str | None]):
    """Whether this node may speak for the cluster, once an election at work is over: None, or the reason to
    leave it (no_quorum | behind)."""


@dataclass(frozen=True, slots=True)
class CatchUp(Question[bool]):
    """Whether this node has applied that index, within the time that an agent waits for it."""

    index: int


@dataclass(frozen=True, slots=True)
class Relevant(Question[tuple[tuple[int, str], ...] | NoOutcome]):
    """What the log has to know of the attempts that this Hello holds."""

    hello: p.Hello


@dataclass(frozen=True, slots=True)
class Commit(Question[Outcome | NoOutcome]):
    """The outcome of a command on which the rest depends."""

    command: Command


R = TypeVar("R")
Talk = Generator[Effect | Question[Any], Any, R]  #: effects and questions as they arise; in the end an R


def ask(question: Question[A]) -> Talk[A]:
    """`answer = yield from ask(question)`: the question's own kind of answer."""
    answer: A = yield question
    return answer


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from an answer. `then` None: the talk is over, nothing more is read."""

    effects: tuple[Effect, ...]
    then: Question[Any] | None


def step(talk: Talk[None], answer: object) -> Step:
    """Give the talk its answer (None at first): the effects, up to its next question."""
    effects: list[Effect] = []
    try:
        said = talk.send(answer)
        while not isinstance(said, Question):
            effects.append(said)
            said = talk.send(None)
    except StopIteration:
        return Step(tuple(effects), None)
    return Step(tuple(effects), said)
