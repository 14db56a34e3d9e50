"""The talk with an agent, without a socket: frames and answers go in, effects and questions come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from api.access import Principal
from api.agents import assignment
from api.agents.conversation import HELLO_S, Conversation, Now, Standing
from api.agents.effects import (
    CatchUp,
    Close,
    Commit,
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
    Step,
    Tail,
)
from scheduler import protocol as p
from scheduler.store.tables.restores import Restore
from scheduler.words.commands import Adopt, ConnectAgent, Finish, ReportRunning
from scheduler.words.outcomes import Code, Outcome
from tests.api.served import HandAgent, session
from tests.api.single_node import CLUSTER

NONCE = b"n" * p.NONCE_BYTES
AGENT = 7
OF_ALL = Principal("agents", "agent", "secret")
STANDING = Standing(
    node="node-1",
    cluster=CLUSTER,
    restores=0,
    lineage=CLUSTER,
    restore=None,
    addresses=("http://a", "http://b"),
    belongs_to=None,
    is_known=True,
)
RESTORE = Restore(1, "restore", "old", "old", 9, 5, 5, 1 << 40, 1 << 40, 400_000, 1, 0, "holding", 1, 2)


class Facts:
    """A node that knows what it is told."""

    def __init__(self) -> None:
        self.moment = Now(index=100, wall_ms=5_000, renews=True)
        self.found = STANDING
        self.too_many: tuple[str, str] | None = None
        self.counted: list[str] = []

    def now(self) -> Now:
        return self.moment

    def standing(self, hello: p.Hello) -> Standing:
        return self.found

    def told(self, attempts: Sequence[int]) -> dict[int, assignment.Told]:
        return {attempt: assignment.Told({"CRONCLAVE_RUN": str(attempt)}) for attempt in attempts}

    def why_not_now(self, token: str) -> tuple[str, str] | None:
        self.counted.append(token)
        return self.too_many


def frame(*messages: p.Message) -> bytes:
    return p.encode(list(messages))


def hello(**fields: Any) -> p.Hello:
    agent = HandAgent("http://nobody")
    return agent.signed(agent.unsigned(**fields), NONCE)


def pushes(*messages: p.Message) -> tuple[Push, ...]:
    return tuple(Push(message) for message in messages)


def begun(facts: Facts, principal: Principal = OF_ALL) -> Conversation:
    talk = Conversation(facts, principal, NONCE)
    assert talk.begin() == Step(pushes(p.Challenge(NONCE)), Read(HELLO_S))
    return talk


def welcomed(facts: Facts) -> Conversation:
    talk = begun(facts)
    talk.answer(frame(hello()))
    talk.answer(None)
    talk.answer(())
    talk.answer(Outcome(Code.OK, value={"agent": AGENT}))
    talk.registered(100)
    return talk


@pytest.fixture
def facts() -> Facts:
    return Facts()


# -- the greeting


def test_a_greeting_from_challenge_to_welcome(facts: Facts) -> None:
    talk = begun(facts)
    said = hello(held=((3, "running"),))

    assert talk.answer(frame(said)) == Step((), Fit())
    assert talk.answer(None) == Step((Greeted(),), Relevant(said))
    asked = talk.answer(said.held)
    assert asked.effects == ()
    assert isinstance(asked.then, Commit)
    assert isinstance(asked.then.command, ConnectAgent)
    assert (asked.then.command.node, asked.then.command.held) == ("node-1", said.held)
    welcome = p.Welcome(AGENT, CLUSTER, 0, 100, "node-1", ("http://a", "http://b"), CLUSTER)
    assert talk.answer(Outcome(Code.OK, value={"agent": AGENT})) == Step((Push(welcome), Register()), Read())
    assert (talk.agent, talk.name, talk.session) == (AGENT, "agent-1", session(1))


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (NoFrame.ENDED, Close()),
        (NoFrame.LATE, Leave("refused", "no Hello came")),
        (NoFrame.TEXT, Leave("refused", "text frames are not part of this protocol")),
        (frame(), Leave("refused", "the first message must be Hello")),
        (frame(p.Ping(1, 0)), Leave("refused", "the first message must be Hello")),
    ],
    ids=["ended", "late", "text", "empty", "another"],
)
def test_a_socket_without_a_hello_ends(facts: Facts, answer: object, end: Leave | Close) -> None:
    talk = begun(facts)
    assert talk.answer(answer) == Step((end,), None)
    assert talk.hello is None


def test_bytes_that_are_no_frame_end_it(facts: Facts) -> None:
    last = begun(facts).answer(b"\xc1garbage")
    assert last.then is None
    assert isinstance(last.effects[0], Leave)
    assert last.effects[0].reason == "refused"


def test_an_unsound_hello_names_nobody(facts: Facts) -> None:
    talk = begun(facts)
    assert talk.answer(frame(hello(slots=-1))).then is None
    assert talk.hello is None


def left(step: Step) -> str:
    (end,) = step.effects
    assert isinstance(end, Leave)
    assert step.then is None
    return end.reason


def after_fit(facts: Facts, said: p.Hello, principal: Principal = OF_ALL) -> Step:
    talk = begun(facts, principal)
    assert talk.answer(frame(said)) == Step((), Fit())
    return talk.answer(None)


def test_a_node_that_may_not_speak_says_so_and_asks_nothing_else(facts: Facts) -> None:
    talk = begun(facts)
    talk.answer(frame(hello()))
    assert left(talk.answer("no_quorum")) == "no_quorum"


def test_who_has_no_proof_another_cluster_or_anothers_name_is_refused_uncounted(facts: Facts) -> None:
    facts.found = dataclasses.replace(STANDING, is_known=False)
    assert left(after_fit(facts, dataclasses.replace(hello(), proof=b"x" * 64))) == "refused"
    assert left(after_fit(facts, hello(cluster="stranger"))) == "wrong_cluster"
    facts.found = dataclasses.replace(facts.found, belongs_to="web-1")
    assert left(after_fit(facts, hello())) == "refused"
    assert facts.counted == []


def test_only_an_agent_that_nobody_knows_is_counted(facts: Facts) -> None:
    facts.too_many = ("refused", "try again later")
    assert after_fit(facts, hello()).then is not None
    assert facts.counted == []
    facts.found = dataclasses.replace(STANDING, is_known=False)
    assert left(after_fit(facts, hello())) == "refused"
    assert facts.counted == ["agents"]


@pytest.mark.parametrize(("caught_up", "ends"), [(True, False), (False, True)])
def test_a_hello_from_ahead_waits_until_this_node_has_caught_up(
    facts: Facts, caught_up: bool, ends: bool
) -> None:
    talk = begun(facts)
    talk.answer(frame(hello(index=150)))
    assert talk.answer(None) == Step((Greeted(),), CatchUp(150))
    then = talk.answer(caught_up)
    assert (then.then is None) == ends
    if ends:
        assert then.effects == (Leave("behind", "this node is at 100, the agent has seen 150"),)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (NoOutcome("no leader"), "no_quorum"),
        (Outcome(Code.FENCED, "a newer session is connected"), "fenced"),
        (Outcome(Code.NAME_TAKEN), "refused"),
    ],
)
def test_who_the_log_does_not_connect_leaves(
    facts: Facts, outcome: Outcome | NoOutcome, reason: str
) -> None:
    talk = begun(facts)
    talk.answer(frame(hello()))
    talk.answer(None)
    talk.answer(())
    assert left(talk.answer(outcome)) == reason
    assert talk.agent == 0


def test_nothing_is_told_to_the_log_of_what_this_node_cannot_judge(facts: Facts) -> None:
    talk = begun(facts)
    talk.answer(frame(hello()))
    talk.answer(None)
    assert left(talk.answer(NoOutcome("no leader"))) == "no_quorum"


def test_what_came_in_one_frame_with_the_hello_is_answered_after_the_welcome(facts: Facts) -> None:
    talk = begun(facts)
    talk.answer(frame(hello(), p.Ping(1, 0)))
    talk.answer(None)
    talk.answer(())
    step = talk.answer(Outcome(Code.OK, value={"agent": AGENT}))
    kinds = [type(effect) for effect in step.effects]
    assert kinds == [Push, Register, Push]
    assert step.effects[2] == Push(p.Pong(1, 5_000, 100, True))


def test_after_a_restore_it_tells_what_it_ran_before_it_is_welcomed(facts: Facts) -> None:
    facts.found = dataclasses.replace(STANDING, cluster="new", restores=1, lineage="old", restore=RESTORE)
    talk = begun(facts)
    talk.answer(frame(hello(cluster="old")))
    question = p.Recount("new", 1, "old", 5, 100_000, 0)
    assert talk.answer(None) == Step((Greeted(), Push(question)), Read(HELLO_S))
    row = (1, 1, "default", "j", "main", "", 0, 1, None, 1, True, 1, 2, 0, "exit", None, "")
    adopts = talk.answer(frame(p.Ran(0, (row,) * 150, True)))
    assert isinstance(adopts.then, Commit)
    assert isinstance(adopts.then.command, Adopt)
    assert (len(adopts.then.command.attempts), adopts.then.command.last) == (100, False)
    again = talk.answer(Outcome(Code.OK, value={"again": True}))
    assert again.then == adopts.then, "tasks of what it told had to be made first"
    assert isinstance(talk.answer(Outcome(Code.OK)).then, Commit)
    next_page = dataclasses.replace(question, page=1)
    assert talk.answer(Outcome(Code.OK)) == Step((Push(next_page),), Read(HELLO_S))
    assert isinstance(talk.answer(frame(p.Ran(1, (), False, (9,)))).then, Commit)
    assert isinstance(talk.answer(Outcome(Code.OK)).then, Relevant)


@pytest.mark.parametrize("answer", [NoFrame.LATE, NoFrame.ENDED, frame(), frame(p.Ping(1, 0)), b"\xc1"])
def test_another_answer_than_what_it_ran_ends_it(facts: Facts, answer: object) -> None:
    facts.found = dataclasses.replace(STANDING, restores=1, lineage="old", restore=RESTORE)
    talk = begun(facts)
    talk.answer(frame(hello(cluster="old")))
    talk.answer(None)
    assert talk.answer(answer) == Step((Leave("refused", "no answer to Recount"),), None)


# -- work


def test_claims_and_reports_of_a_frame_are_proposed_together_and_answered_by_their_outcomes(
    facts: Facts,
) -> None:
    talk = welcomed(facts)
    for attempt in (1, 2, 3):
        talk.assigned(attempt, "assigned", p.Cancel(attempt))
    work = (
        p.Claim(1, "c"),
        p.Running(8, 2, 5),
        p.Finished(9, 3, 1, 2, 0, "exit", None, "", b""),
        p.Claim(2, "d"),
    )
    step = talk.answer(frame(*work))
    (propose,) = step.effects
    assert isinstance(propose, Propose)
    assert step.then == Read()
    assert propose.work == work
    assert [type(command) for command in propose.commands][1:3] == [ReportRunning, Finish]

    granted = Outcome(Code.OK, value={"fence": 44})
    outcomes = [granted, Outcome(Code.OK), Outcome(Code.SUPERSEDED), Outcome(Code.REVOKED)]
    facts.moment = Now(120, 6_000, True)
    assert talk.committed(propose, outcomes) == [
        *pushes(
            p.Grant(1, "c", 44, 120, {"CRONCLAVE_RUN": "1"}),
            p.Refuse(2, "d", "revoked"),
            p.Ack((8, 9), 120),
        )
    ]


def test_what_has_no_outcome_is_not_answered(facts: Facts) -> None:
    talk = welcomed(facts)
    talk.assigned(1, "assigned", p.Cancel(1))
    (propose,) = talk.answer(frame(p.Claim(1, "c"), p.Running(8, 1, 5))).effects
    assert isinstance(propose, Propose)
    assert talk.committed(propose, [NoOutcome("no leader")] * 2) == []


def test_a_claim_over_a_connection_that_the_log_gave_up_ends_it(facts: Facts) -> None:
    talk = welcomed(facts)
    talk.assigned(1, "assigned", p.Cancel(1))
    (propose,) = talk.answer(frame(p.Claim(1, "c"))).effects
    assert isinstance(propose, Propose)
    (end,) = talk.committed(propose, [Outcome(Code.NOT_CONNECTED)])
    assert isinstance(end, Leave)
    assert end.reason == "behind"


def test_what_was_not_pushed_here_is_looked_up_and_anothers_answered_without_the_log(facts: Facts) -> None:
    talk = welcomed(facts)
    talk.assigned(1, "assigned", p.Cancel(1))
    claims = (p.Claim(1, "a"), p.Claim(2, "b"), p.Running(8, 2, 5), p.Claim(3, "c"))
    (look,) = talk.answer(frame(*claims)).effects
    assert look == Look(claims, frozenset({2, 3}))
    assert isinstance(look, Look)
    *told, propose = talk.looked(look, frozenset({2}))
    assert told == [*pushes(p.Refuse(2, "b", "superseded"), p.Ack((8,), 100))]
    assert isinstance(propose, Propose)
    assert propose.work == (claims[0], claims[3])
    assert talk.looked(look, frozenset({1, 2, 3}))[-1] == Push(p.Ack((8,), 100)), "nothing to propose"


def test_who_has_seen_more_than_this_node_waits_with_all_it_says(facts: Facts) -> None:
    talk = welcomed(facts)
    talk.assigned(1, "assigned", p.Cancel(1))
    step = talk.answer(frame(p.Ping(1, 0), p.Ping(2, 130), p.Claim(1, "c")))
    assert step == Step(pushes(p.Pong(1, 5_000, 100, True)), CatchUp(130))
    facts.moment = Now(130, 5_001, False)
    step = talk.answer(True)
    assert step.effects[0] == Push(p.Pong(2, 5_001, 130, False))
    assert isinstance(step.effects[1], Propose)


@pytest.mark.parametrize("message", [p.Goodbye("stops"), p.Ran(0, (), False)])
def test_a_farewell_closes(facts: Facts, message: p.Message) -> None:
    assert welcomed(facts).answer(frame(message)) == Step((Close(),), None)


def test_words_out_of_bounds_end_it_after_what_came_before_them(facts: Facts) -> None:
    last = welcomed(facts).answer(frame(p.Ping(1, 0), p.Claim(-1, "c"), p.Ping(2, 0)))
    assert [type(effect) for effect in last.effects] == [Push, Leave]
    assert last.then is None


def test_output_goes_to_who_asked(facts: Facts) -> None:
    chunk = p.TailChunk(1, b"hi", True, 2)
    assert welcomed(facts).answer(frame(chunk)) == Step((Tail(chunk),), Read())


# -- what the log says


def test_an_attempt_is_told_once_in_each_state(facts: Facts) -> None:
    talk = welcomed(facts)
    assign = p.Assign(1, 1, "j", "d", "t", "", 0, 1, None, 0, {}, None, 0, False, 0)
    assert talk.assigned(1, "assigned", assign) == [Push(assign)]
    assert talk.assigned(1, "assigned", assign) == []
    assert talk.assigned(1, "cancelling", p.Cancel(1)) == [Push(p.Cancel(1))]


def test_only_an_attempt_that_was_told_and_is_taken_back_is_refused(facts: Facts) -> None:
    talk = welcomed(facts)
    for attempt in (1, 2):
        talk.assigned(attempt, "assigned", p.Cancel(attempt))
    assert talk.ended(1, "succeeded") == []
    assert talk.ended(2, "revoked") == [Push(p.Refuse(2, "", "revoked"))]
    assert talk.ended(2, "revoked") == []
    assert talk.ended(3, "revoked") == []


Told = Callable[[Conversation], list[Any]]
BEHIND, FENCED = "behind", "fenced"


@pytest.mark.parametrize(
    ("told", "end"),
    [
        (lambda talk: talk.disconnected(100, "node-1", session(1)), None),
        (lambda talk: talk.disconnected(101, "node-2", session(1)), None),
        (lambda talk: talk.disconnected(101, "node-1", session(0)), None),
        (lambda talk: talk.disconnected(101, "node-1", session(1)), BEHIND),
        (lambda talk: talk.connected(100, "node-2", session(1)), None),
        (lambda talk: talk.connected(101, "node-1", session(1)), None),
        (lambda talk: talk.connected(101, "node-2", session(1)), ""),
        (lambda talk: talk.connected(101, "node-1", session(2)), FENCED),
        (lambda talk: talk.compared("node-1", session(1)), None),
        (lambda talk: talk.compared("", session(1)), BEHIND),
        (lambda talk: talk.compared("node-2", session(1)), ""),
        (lambda talk: talk.compared("node-2", session(2)), FENCED),
    ],
)
def test_it_goes_when_the_state_has_its_agent_elsewhere(facts: Facts, told: Told, end: str | None) -> None:
    """None: it stays. "": it closes without a word, for the agent is elsewhere by the same session."""
    talk = welcomed(facts)
    effects = told(talk)
    assert [getattr(effect, "reason", "") for effect in effects] == ([] if end is None else [end])
    assert talk.is_given_up == (end is not None)
