"""How a member learns without a commit that it has applied all that was acknowledged before it asked.

This is the ReadIndex of Ongaro's dissertation, 6.4. Rules:
1. A leader vouches for its commit index only after its first entry has committed, and only once a majority
   has said, after the question came, that it still is of the leader's term: nobody else can have been
   elected before that.
2. The member that asked hears of success once it has applied that index.
3. Every question is answered within `ANSWER_S`. What waits is bounded.

The leader's lease would save a round trip and is not sound here: a voter whose link to the leader broke may
vote at once (cluster.elections).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from cluster.questions import Denial, Told
from cluster.raft import Raft, Role
from cluster.roster import Roster
from cluster.wire import Message, Verdict

ANSWER_S = 1.5
WAITING_MAX = 64
_UNVOUCHED = Denial("no leader vouched for what is committed", Verdict.NO_LEADER)
_TOO_MANY = Denial("no leader is asked: too many questions wait for its answer", Verdict.NO_LEADER)


@dataclass(slots=True)
class _Check:
    """At the leader: a question that waits for a majority."""

    vouch: Callable[[int], object]
    term: int
    until: float
    index: int = 0  #: that is vouched for; 0: this office has not committed its first entry yet
    yes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Question:
    """At the member that asked."""

    told: Told
    until: float
    asked: tuple[str, int] | None = None  #: the leader and its term
    index: int = 0  #: that must be applied; 0: not known yet


class ReadIndex:
    def __init__(
        self,
        name: str,
        raft: Raft,
        roster: Roster,
        clock: Callable[[], float],
        send: Callable[[str, Message], bool],
    ) -> None:
        self._me, self._raft, self._roster = name, raft, roster
        self._clock, self._send = clock, send
        self._numbers = count(1)
        self._questions: dict[int, _Question] = {}
        self._checks: dict[int, _Check] = {}

    def ask(self, told: Told) -> None:
        """`told` hears None once this member has caught up, else why that cannot be known."""
        if len(self._questions) >= WAITING_MAX:
            told(_TOO_MANY)
            return
        number = next(self._numbers)
        question = self._questions[number] = _Question(told, self._clock() + ANSWER_S)
        self._pass_on(number, question)

    def received(self, peer: str, message: Message) -> None:
        kind, number = message["type"], message["number"]
        told = {"type": "index_told", "number": number}
        if kind == "index_ask":
            self._check(lambda index: self._send(peer, {**told, "index": index}))
        elif kind == "index_told":
            question = self._questions.get(number)
            if question is not None and question.asked == (peer, self._raft.term()):
                self._vouched(number, message["index"])
        elif kind == "index_check":
            self._send(peer, {"type": "index_checked", "number": number, "term": self._raft.term()})
        elif kind == "index_checked":
            check = self._checks.get(number)
            if check is not None and message["term"] == check.term:
                check.yes.add(peer)
                self._settle(number, check)

    def poll(self, now: float) -> None:
        """Each turn, after what is committed was applied."""
        for number, check in list(self._checks.items()):
            if now >= check.until or check.term != self._raft.term():
                del self._checks[number]
                check.vouch(0)
            elif not check.index:
                self._begin(number, check)
        applied = self._raft.applied()
        for number, question in list(self._questions.items()):
            if 0 < question.index <= applied:
                self._questions.pop(number).told(None)
            elif now >= question.until:
                self._questions.pop(number).told(_UNVOUCHED)
            elif not question.index:
                self._pass_on(number, question)

    # ---- the leader's side

    def _check(self, vouch: Callable[[int], object]) -> None:
        if self._raft.role() is not Role.LEADER or len(self._checks) >= WAITING_MAX:
            vouch(0)
            return
        number = next(self._numbers)
        check = self._checks[number] = _Check(vouch, self._raft.term(), self._clock() + ANSWER_S)
        self._begin(number, check)

    def _begin(self, number: int, check: _Check) -> None:
        if not self._raft.settled():
            return
        check.index = self._raft.commit()
        check.yes.add(self._me)
        for voter in self._voters():
            if voter != self._me:
                self._send(voter, {"type": "index_check", "number": number, "term": check.term})
        self._settle(number, check)

    def _settle(self, number: int, check: _Check) -> None:
        voters = self._voters()
        if 2 * sum(1 for voter in voters if voter in check.yes) <= len(voters):
            return
        del self._checks[number]
        still = self._raft.role() is Role.LEADER and self._raft.term() == check.term
        check.vouch(check.index if still else 0)

    def _voters(self) -> Sequence[str]:
        return self._roster.current.voters

    # ---- the asker's

    def _pass_on(self, number: int, question: _Question) -> None:
        """To the leader, once for each that comes to office meanwhile."""
        leader, term = self._raft.leader(), self._raft.term()
        if leader is None or question.asked == (leader, term):
            return
        question.asked = (leader, term)
        if leader == self._me:
            self._check(lambda index: self._vouched(number, index))
        else:
            self._send(leader, {"type": "index_ask", "number": number})

    def _vouched(self, number: int, index: int) -> None:
        """The leader's word; 0: it has none, and another may come to office in time."""
        question = self._questions.get(number)
        if question is not None and index:
            question.index = index
