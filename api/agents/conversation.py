"""The talk with one agent, as `scheduler.protocol` has it, seen by the node: without a socket, clock or task.

How it is used (`api.agents.socket` does, and the tests): `begin` gives the first effects and a question; each
answer given to `answer` the next ones. What is done beside the reading comes back by `looked` and
`committed`; what the log says of this agent comes by `assigned`, `ended`, `connected`, `disconnected` and
`compared`. All return effects; nothing is sent, read or awaited here.

Rules:

* Nothing of a message is used before it was judged (`api.agents.bounds`, `api.agents.hello`).
* A node that has not applied what the agent has seen answers nothing about attempts until it has (rule 5 of
  docs/architecture.md).
* A claim or a report without an outcome (no leader) is not answered: the agent sends it again. A report with
  any outcome is acknowledged: refused, it can never matter again.
* What was pushed to the agent is pushed once, however often the state and the commits tell of it.
* When the state has the agent elsewhere or nowhere, the socket goes: the agent registers again, with all that
  its journal holds. Of commits only those count that came after its registration: commits are heard later
  than outcomes.

A generator holds the place in the talk, as in the parser of websockets' `protocol.py`: the steps of a
greeting stand in the order in which they happen. A table of states would have one for each wait and an edge
for each refusal, and say the same in pieces.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.access import Principal
from api.agents import commands, recount
from api.agents.assignment import NOTHING, Told
from api.agents.bounds import why_unsound
from api.agents.effects import (
    CatchUp,
    Close,
    Commit,
    Effect,
    Fit,
    Greeted,
    Leave,
    Look,
    NoFrame,
    NoOutcome,
    Propose,
    Push,
    Read,
    Register,
    Relevant,
    Report,
    Sight,
    Step,
    Tail,
    Talk,
    Work,
    ask,
    step,
)
from api.agents.hello import unsound_hello, why_not_its_token, why_refused
from scheduler import protocol as p
from scheduler.store.tables.restores import Restore
from scheduler.words.outcomes import Code, Outcome

log = logging.getLogger("cronclave.agents")

HELLO_S = 10.0

End = Leave | Close


@dataclass(frozen=True, slots=True)
class Now:
    """This node at this moment."""

    index: int
    wall_ms: int
    renews: bool  #: it may speak for the cluster, so leases are renewed


@dataclass(frozen=True, slots=True)
class Standing:
    """What this node's state has of its cluster, and of the sender of a Hello."""

    node: str  #: this one's name
    cluster: str
    restores: int
    lineage: str
    restore: Restore | None  #: the newest
    addresses: tuple[str, ...]  #: base URLs of all nodes, those of the agent's zone first
    belongs_to: str | None  #: the token that is bound to its name
    is_known: bool


class Node(Protocol):
    """What a conversation asks of its node: answered at once, without waiting."""

    def now(self) -> Now: ...

    def standing(self, hello: p.Hello) -> Standing: ...

    def told(self, attempts: Sequence[int]) -> Mapping[int, Told]:
        """Of these attempts, which were granted: what goes with the Grant."""
        ...

    def why_not_now(self, token: str) -> tuple[str, str] | None:
        """(reason of the Leave, detail), or None: one more agent that nobody knows may come by this token,
        and is counted."""
        ...

class Conversation:
    """One agent's. Its fields are what is known of the agent; only this class writes them."""

    def __init__(self, node: Node, principal: Principal, nonce: bytes) -> None:
        self.principal = principal
        self.hello: p.Hello | None = None  #: once it is sound
        self.agent = 0  #: id in the state, once it is connected
        self.since = 0  #: index of the state that it was registered with
        self.is_given_up = False  #: the state knows already that this connection is over
        self._node = node
        self._here = ""
        self._nonce = nonce
        self._seen = 0  #: the highest index that the agent has
        self._pushed: dict[int, str] = {}  #: attempt → its state, as the agent was told
        self._watches = False  #: it was told of folders
        self._talk = self._whole()

    @property
    def name(self) -> str:
        return self.hello.name if self.hello else ""

    @property
    def session(self) -> str:
        return self.hello.session if self.hello else ""

    # -- the reading side -----------------------------------------------------------------------

    def begin(self) -> Step:
        return step(self._talk, None)

    def answer(self, answer: object) -> Step:
        """`answer`: that of the last step's question."""
        return step(self._talk, answer)

    def _whole(self) -> Talk[None]:
        end = yield from self._until_end()
        yield end

    def _until_end(self) -> Talk[End]:
        yield Push(p.Challenge(self._nonce))
        heard = yield from _frame(HELLO_S)
        if isinstance(heard, End):
            return heard
        if not heard or not isinstance(heard[0], p.Hello):
            return Leave("refused", "the first message must be Hello")
        refusal = yield from self._greet(heard[0])
        if refusal is not None:
            return refusal
        messages = heard[1:]
        while True:
            end = yield from self._take(messages)
            if end is not None:
                return end
            heard = yield from _frame()
            if isinstance(heard, End):
                return heard
            messages = heard

    def _greet(self, hello: p.Hello) -> Talk[Leave | None]:
        """Everything up to its registration; or why it has to go."""
        unsound = unsound_hello(hello)
        if unsound is not None:
            return Leave("refused", unsound)
        self.hello = hello
        unfit = yield from ask(Fit())
        if unfit is not None:
            return Leave(unfit)
        standing = self._node.standing(hello)
        refusal = self._why_refused(hello, standing)
        if refusal is not None:
            return Leave(*refusal)
        yield Greeted()
        self._seen = hello.index
        behind = yield from self._catch_up()
        if behind is not None:
            return behind
        if standing.restore is not None and recount.needed(hello, standing.restore):
            untold = yield from recount.recount(hello, standing.cluster, standing.restore, _page)
            if untold is not None:
                return Leave("refused", untold)
        held = yield from ask(Relevant(hello))
        if isinstance(held, NoOutcome):
            return Leave("no_quorum", held.detail)
        outcome = yield from ask(Commit(commands.of_hello(hello, standing.node, held)))
        if isinstance(outcome, NoOutcome):
            return Leave("no_quorum", outcome.detail)
        if not outcome.ok:
            return Leave(
                "fenced" if outcome.code == Code.FENCED else "refused", outcome.detail or outcome.code
            )
        yield from self._welcome(hello, standing, _int(outcome, "agent"))
        return None

    def _why_refused(self, hello: p.Hello, standing: Standing) -> tuple[str, str] | None:
        refusal = why_refused(
            hello, self._nonce, cluster=standing.cluster, restores=standing.restores, lineage=standing.lineage
        )
        if refusal is None:
            refusal = why_not_its_token(hello, self.principal, standing.belongs_to)
        if refusal is None and not standing.is_known:
            refusal = self._node.why_not_now(self.principal.name)
        return refusal

    def _welcome(self, hello: p.Hello, standing: Standing, agent: int) -> Talk[None]:
        self.agent = agent
        self._here = standing.node
        if self.principal.role == "admin":
            log.warning(
                "agent %s has an administrator's token, which its jobs may read: give it one of its own "
                "(cronclave token create --role agent %s)", hello.name, hello.name,
            )  # fmt: skip
        yield Push(
            p.Welcome(
                agent=agent,
                cluster=standing.cluster,
                restores=standing.restores,
                index=self._node.now().index,
                node=standing.node,
                addresses=standing.addresses,
                lineage=standing.lineage,
            )
        )
        yield Register()

    def _take(self, messages: Sequence[p.Message]) -> Talk[End | None]:
        """Answer one frame. Its claims and reports go to the log together, beside the reading."""
        work: list[Work] = []
        sights: list[Sight] = []
        for message in messages:
            unsound = why_unsound(message)
            if unsound is not None:
                return Leave("refused", unsound)
            if isinstance(message, p.Claim | p.Running | p.Silent | p.Finished | p.GivenBack):
                work.append(message)
            elif isinstance(message, p.Seen | p.Gone | p.Moved | p.Blind):
                sights.append(message)
            elif isinstance(message, p.Ping):
                self._seen = max(self._seen, message.index)
                behind = yield from self._catch_up()
                if behind is not None:
                    return behind
                now = self._node.now()
                yield Push(p.Pong(message.sent_ms, now.wall_ms, now.index, now.renews))
            elif isinstance(message, p.TailChunk):
                yield Tail(message)
            else:
                return Close()  # Goodbye; Ran has its time before the Welcome
        if work or sights:
            behind = yield from self._catch_up()
            if behind is not None:
                return behind
        if work:
            yield self._work(tuple(work))
        if sights:
            told = [commands.of_sight(each, self.agent, self.session) for each in sights]
            yield Report(tuple(sights), tuple(told))
        return None

    def _catch_up(self) -> Talk[Leave | None]:
        index = self._node.now().index
        if index >= self._seen or (yield from ask(CatchUp(self._seen))):
            return None
        index = self._node.now().index
        return Leave("behind", f"this node is at {index}, the agent has seen {self._seen}")

    # -- beside the reading ---------------------------------------------------------------------

    def _work(self, work: tuple[Work, ...]) -> Look | Propose:
        # One by one: a difference of sets would walk through all that was ever pushed.
        unheard = frozenset(
            each.attempt
            for each in work
            if not isinstance(each, p.GivenBack) and each.attempt not in self._pushed
        )
        return Look(work, unheard) if unheard else self._propose(work)

    def _propose(self, work: tuple[Work, ...]) -> Propose:
        return Propose(work, tuple(commands.of_work(each, self.agent, self.session) for each in work))

    def looked(self, look: Look, others: frozenset[int]) -> list[Effect]:
        """`others`: attempts that are not this agent's. It gets the answer that the log would give; the rest
        is proposed."""
        effects: list[Effect] = []
        acked: list[int] = []
        for message in look.work:
            if isinstance(message, p.GivenBack) or message.attempt not in others:
                continue
            if isinstance(message, p.Claim):
                effects.append(Push(p.Refuse(message.attempt, message.claim, "superseded")))
            else:
                acked.append(message.event)
        effects += self._ack(acked)
        work = tuple(
            each for each in look.work if isinstance(each, p.GivenBack) or each.attempt not in others
        )
        if work:
            effects.append(self._propose(work))
        return effects

    def committed(self, propose: Propose, outcomes: Sequence[Outcome | NoOutcome]) -> list[Effect]:
        effects: list[Effect] = []
        acked: list[int] = []
        said = list(zip(propose.work, outcomes, strict=True))
        granted = [m.attempt for m, o in said if isinstance(m, p.Claim) and isinstance(o, Outcome) and o.ok]
        told = self._node.told(granted) if granted else {}
        for message, outcome in said:
            if isinstance(outcome, NoOutcome):
                continue
            if isinstance(message, p.Claim):
                effects.append(self._claimed(message, outcome, told))
            else:
                acked.append(message.event)
                if isinstance(message, p.Finished):
                    self._pushed.pop(message.attempt, None)
                elif isinstance(message, p.GivenBack):
                    for attempt in message.attempts:
                        self._pushed.pop(attempt, None)
        return effects + self._ack(acked)

    def _claimed(self, message: p.Claim, outcome: Outcome, told: Mapping[int, Told]) -> Effect:
        if outcome.ok:
            fence, index = _int(outcome, "fence"), self._node.now().index
            return Push(
                p.Grant(message.attempt, message.claim, fence, index, *told.get(message.attempt, NOTHING))
            )
        if outcome.code == Code.NOT_CONNECTED:
            return Leave("behind", "the cluster gave this connection up: register again")
        self._pushed.pop(message.attempt, None)
        reason = outcome.code if outcome.code in (Code.REVOKED, Code.SUPERSEDED) else "ended"
        return Push(p.Refuse(message.attempt, message.claim, reason))

    def _ack(self, events: list[int]) -> list[Effect]:
        return [Push(p.Ack(tuple(events), self._node.now().index))] if events else []

    def reported(self, report: Report, outcomes: Sequence[Outcome | NoOutcome]) -> list[Effect]:
        """What the agent need not tell again. What there was no room for it does."""
        effects: list[Effect] = []
        for message, outcome in zip(report.sights, outcomes, strict=True):
            if isinstance(outcome, NoOutcome):
                continue
            if outcome.code == Code.NOT_CONNECTED:
                return [*effects, Leave("behind", "the cluster gave this connection up: register again")]
            if isinstance(message, p.Seen):
                serials = (outcome.value or {}).get("serials", ())
                assert isinstance(serials, list | tuple)
                rows = zip(serials, message.files, strict=False)
                known = tuple((serial, path, identity) for serial, (path, identity, *_) in rows if serial)
                effects += [Push(p.Known(message.trigger, False, known))] if known else []
            else:
                effects.append(Push(p.Forget(message.trigger, _serials(message))))
        return effects

    @property
    def pool(self) -> str:
        return self.hello.pool if self.hello else ""

    @property
    def can_look(self) -> bool:
        """Whether it knows of folders and files."""
        return self.hello is not None and p.FILES in self.hello.kinds

    def folders(self, messages: Sequence[p.Message]) -> list[Effect]:
        """What it looks into; the last one is a Watch. It is told of none once it was told of some."""
        watch = messages[-1]
        assert isinstance(watch, p.Watch)
        if not (watch.folders or self._watches):
            return []
        self._watches = bool(watch.folders)
        return [Push(message) for message in messages]

    # -- what the log says of it ----------------------------------------------------------------

    @property
    def reserves(self) -> bool:
        """Whether it knows what a reserved tick is."""
        return self.hello is not None and p.RESERVES in self.hello.kinds

    def registered(self, index: int) -> None:
        """`index`: that of the state from which it is told what it holds."""
        self.since = index

    def assigned(self, attempt: int, state: str, message: p.Message) -> list[Effect]:
        """Tell it of an attempt in this state, once."""
        if self._pushed.get(attempt) == state:
            return []
        self._pushed[attempt] = state
        return [Push(message)]

    def ended(self, attempt: int, state: str) -> list[Effect]:
        """An attempt has ended. One without a grant was taken back: the agent may forget it."""
        known = self._pushed.pop(attempt, None)
        return [Push(p.Refuse(attempt, "", "revoked"))] if known is not None and state == "revoked" else []

    def disconnected(self, index: int, node: str, session: str) -> list[Effect]:
        """The log disconnected this agent from that node."""
        if index <= self.since or (node, session) != (self._here, self.session):
            return []
        return self._give_up("", session)

    def connected(self, index: int, node: str, session: str) -> list[Effect]:
        """The log connected this agent there."""
        return [] if index <= self.since else self.compared(node, session)

    def compared(self, node: str, session: str) -> list[Effect]:
        """Where the state has this agent ("": nowhere), and by which session."""
        if (node, session) == (self._here, self.session):
            return []
        return self._give_up(node, session)

    def _give_up(self, node: str, newest: str) -> list[Effect]:
        self.is_given_up = True
        if newest != self.session:
            return [Leave("fenced", "a newer session of this agent exists")]
        if node:
            return [Close()]
        return [Leave("behind", "the cluster gave this connection up: register again")]


def _serials(message: p.Gone | p.Moved | p.Blind) -> tuple[int, ...]:
    if isinstance(message, p.Gone):
        return message.serials
    return (message.serial,) if isinstance(message, p.Moved) else ()


def _frame(within_s: float | None = None) -> Talk[list[p.Message] | End]:
    """The messages of the next frame, or how the talk ends without."""
    frame = yield from ask(Read(within_s))
    if frame is NoFrame.ENDED:
        return Close()
    if frame is NoFrame.LATE:
        return Leave("refused", "no Hello came")
    if isinstance(frame, NoFrame):
        return Leave("refused", frame.value)
    try:
        return p.decode(frame, values_max=p.FRAME_VALUES_MAX)
    except p.ProtocolError as error:
        return Leave("refused", str(error)[:500])


def _page(question: p.Recount) -> Talk[p.Ran | None]:
    """Before the Welcome the agent answers this and says nothing else."""
    yield Push(question)
    heard = yield from _frame(HELLO_S)
    answer = heard[0] if isinstance(heard, list) and heard else None
    if not isinstance(answer, p.Ran) or why_unsound(answer) is not None or answer.page != question.page:
        return None
    return answer


def _int(outcome: Outcome, name: str) -> int:
    value = (outcome.value or {}).get(name)
    if not isinstance(value, int):
        raise TypeError(f"the outcome has no {name}: {outcome}")
    return value
