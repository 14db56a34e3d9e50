"""When a member holds an election: never without asking first, and soon when the leader's link breaks.

Rules:
1. PreVote (Ongaro's dissertation, 9.6): no term is raised before a majority says that it would vote. A late
   yes does not depose a leader that was heard meanwhile. A majority allows one term: once that has begun, by
   this member's election or with its vote for another, it has to ask again, however long the disk kept it.
2. A broken link to the leader, in either direction, is news: the survivors ask in the order of their names,
   so that one is alone at first. They may see it tens of milliseconds apart, so a question that came too
   early is answered anew when the link breaks here too; whoever has a longer log than the one who asks
   stands at once in its place; whoever said yes lets the other go first; and who gets no majority asks again.
   None of this changes what an answer needs: no leader heard for an election timeout or its link broken, and
   a log that is no shorter.
3. A leader that is silent, and whose link stands, is waited for as cluster.patience says. The patience of its
   followers ends in the order of their names, so that no two ask for the same votes at once.
4. A voter counts once, for a vote as for a PreVote.
5. Nobody stands without a vote or without its state (`may_campaign`), when it is about to end (`retires`), or
   while its owner does not trust its state (`is_held`).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from cluster.hardening import Hardening, Poll
from cluster.library import NEVER_S, Clock, Library, Role
from cluster.patience import Patience
from cluster.settings import Timings
from cluster.wire import Message

_FOREVER_S = 1e9
_AGAIN_STAGGERS = (1.5, 2.5)  #: until the next question of who knows that the leader's link broke


class Elections:
    def __init__(
        self,
        library: Library,
        *,
        name: str,
        timings: Timings,
        hardening: Hardening,
        clock: Clock,
        rng: random.Random,
        send: Callable[[str, Message], bool],
    ) -> None:
        self._library, self._me, self._send = library, name, send
        self._timings, self._hardening, self._now, self._rng = timings, hardening, clock, rng
        self._patience = Patience(timings, clock)
        self._jitter_s = 0.0  #: of one office: what two of one rank are apart, of two memberships say
        self.voters: tuple[str, ...] = (name,)
        self.may_campaign = True  #: False while the state is missing or the node has no vote
        self.retires = False  #: it ends soon: whoever is asked to lead, it is another
        self.is_held = False  #: the owner's doubt: no office until it is over
        self.contact = NEVER_S  #: when a leader was last heard, on the clock
        self.told = NEVER_S  #: when it was last told, or as a leader knew, what is committed
        self._allowed = 0  #: the term in which a majority would vote for this member
        self._lost = NEVER_S  #: when the link to the leader broke, unless a leader was heard since
        self._early: dict[str, tuple[float, Message]] = {}  #: questions refused for the leader's sake alone
        self._votes, self._prevotes = Poll(), Poll()
        self._asked, self._asked_term = NEVER_S, 0
        self._tick_s, self._tick_term = NEVER_S, 0

    @property
    def may_stand(self) -> bool:
        return self.may_campaign and not self.retires and not self.is_held and self._me in self.voters

    @property
    def is_asked_for(self) -> bool:
        """A majority would vote: the next tick holds the election."""
        return self._allowed > self._library.term()

    def allow(self) -> None:
        """A majority would vote in the next term."""
        self._allowed = self._library.term() + 1

    def timeout_s(self) -> float:
        """Where no leader is followed."""
        return self._rng.uniform(self._timings.election_min_s, self._timings.election_max_s)

    # ---- what happens to this member

    def leader_heard(self, leader: str, term: int) -> None:
        self.contact = self.told = self._now()
        self._lost = NEVER_S
        if self._patience.heard(leader, term):
            self._jitter_s = self._rng.uniform(0.0, self._timings.spread_s / 6)

    def follow(self, leader: str) -> None:
        """Its word was taken: wait for the next."""
        turn_s = self._rank(without=leader) * self._timings.spread_s + self._jitter_s
        self._library.election_deadline = self._now() + self._patience.seconds() + turn_s

    @property
    def silent_ms(self) -> int | None:
        """How long ago it was told; None: it never was."""
        return None if self.told <= NEVER_S else int(max(self._now() - self.told, 0.0) * 1000)

    def state_changed(self, old: Role, new: Role) -> None:
        if old is Role.LEADER:
            self.told = max(self.told, self._library.answered_since(self.voters))
            self.wait()

    def connected(self) -> None:
        """Without a leader the first majority that sees itself does not wait: at the start of a cluster, and
        when the leader died before a node that came back had all its links."""
        if self._library.leader() is not None or not self._hardening.elect_early:
            return
        connected = self._library.connected_peers()
        if 2 * (sum(1 for v in self.voters if v in connected) + 1) > len(self.voters):
            self._hurry(0.02 + self._rank() * self._timings.stagger_s)

    def link_lost(self, peer: str) -> None:
        """Either direction of the link to the peer broke. The leader's: hold an election soon, in order
        of rank."""
        if self._library.leader() != peer or peer == self._me or not self._hardening.elect_early:
            return
        self.contact = NEVER_S
        self._lost = now = self._now()
        self._library.forget_leader()
        self._hurry(self._rank(without=peer) * self._timings.stagger_s + self._rng.uniform(0.003, 0.02))
        early, self._early = self._early, {}
        for asker, (asked, question) in early.items():
            if asker != peer and now - asked < self._timings.election_min_s:
                self.answer(asker, question)

    def wait(self) -> None:
        """For a full timeout from now."""
        self._library.election_deadline = self._now() + self.timeout_s()

    def campaign_again(self) -> None:
        """The node may stand for election from now on."""
        self.may_campaign = True
        self.wait()

    def hold(self, on: bool) -> None:
        """Take no office, or take part again: at once where no leader is known."""
        if on == self.is_held:
            return
        self.is_held = on
        if on:
            return
        self.wait()
        self.connected()

    # ---- the tick

    def before_tick(self) -> None:
        """Ask before an election that is due: pysyncobj's tick holds it when nothing moved its deadline."""
        library, now = self._library, self._now()
        self._tick_s, self._tick_term = now, library.term()
        if library.role() is Role.LEADER or library.election_deadline >= now:
            return
        if not self.may_stand:
            library.election_deadline = now + _FOREVER_S
            return
        if self.is_asked_for or library.is_told_to_lead() or not self._hardening.ask_before_election:
            return
        if len(self.voters) == 1:
            self.allow()
            return
        library.election_deadline = now + self._again_s()
        self._prevotes.open(self._prevotes.round + 1)
        self._asked, self._asked_term = now, library.term() + 1
        index, term = library.last()
        question = {
            "type": "prevote",
            "term": self._asked_term,
            "last_log_index": index,
            "last_log_term": term,
            "round": self._prevotes.round,
        }
        for voter in self.voters:
            if voter != self._me:
                self._send(voter, question)

    def after_tick(self) -> None:
        library, now = self._library, self._now()
        if library.role() is Role.CANDIDATE and library.term() > self._tick_term:
            # Its questions left only once its own vote was on disk: from there on it waits for the answers.
            library.election_deadline += now - self._tick_s
        if library.election_deadline > now:
            self._allowed = 0

    # ---- messages

    def counts(self, peer: str, message: Message) -> bool:
        """Whether pysyncobj may count this vote."""
        if not self._hardening.count_voters_once:
            return True
        term = self._library.term()
        if self._votes.round != term:
            self._votes.open(term)
        return message["term"] == term and peer in self.voters and self._votes.grant(peer)

    def answer(self, peer: str, message: Message) -> None:
        """Would this member vote?"""
        library = self._library
        if message["term"] <= library.term():
            self._send(peer, {"type": "higher_term", "term": library.term()})
        now = self._now()
        index, term = library.last()
        is_timely = message["term"] > library.term() and library.role() is not Role.LEADER
        is_behind = (message["last_log_term"], message["last_log_index"]) < (term, index)
        has_leader = now - self.contact <= self._patience.seconds() * 0.9
        granted = is_timely and not is_behind and not has_leader
        self._send(peer, {"type": "prevoted", "round": message["round"], "granted": granted})
        if not is_timely or not self._hardening.elect_early:
            return
        if has_leader and not is_behind and peer in self.voters:
            self._early[peer] = (now, message)
        elif is_behind and not has_leader and self.may_campaign:
            self._hurry(0.0)  # it cannot win against this log, and this one can against its
        elif granted and library.role() is Role.FOLLOWER and not self.is_asked_for:
            library.election_deadline = max(library.election_deadline, now + self._timings.stagger_s)

    def answered(self, peer: str, message: Message) -> None:
        is_late = self.contact >= self._asked  # a leader was heard since: its election is not disturbed
        is_mine = message["granted"] and message["round"] == self._prevotes.round
        is_past = self._asked_term <= self._library.term()  # it voted in that term
        if is_mine and not is_late and not is_past and self._library.role() is not Role.LEADER:
            if peer in self.voters:
                self._prevotes.grant(peer)
            if self._prevotes.has_majority(len(self.voters)) and self.may_stand:
                self.allow()
                self._library.election_deadline = 0

    # ---- parts

    def _again_s(self) -> float:
        """From a question to the next."""
        if self._now() - self._lost > self._timings.election_max_s:
            return self.timeout_s()
        return self._rng.uniform(*_AGAIN_STAGGERS) * self._timings.stagger_s

    def _rank(self, without: str = "") -> int:
        """Place of this node among the voters: one after the other asks first."""
        names = [v for v in self.voters if v != without]
        return sum(1 for v in names if v < self._me) if self._me in names else len(names)

    def _hurry(self, delay_s: float) -> None:
        self._library.election_deadline = min(self._library.election_deadline, self._now() + delay_s)
