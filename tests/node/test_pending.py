"""What is sent again, and when, under a clock that the test turns."""

from __future__ import annotations

import pytest

from cluster.batcher import pack_entry
from cluster.journal import LogEntry
from cluster.library import REGULAR
from cluster.machine import Position
from node.pending import RESEND_COMMITS, RESEND_S, Pending

TERM = 7


class Member:
    """A member's log, and what was proposed to it."""

    def __init__(self) -> None:
        self.leader: str | None = "a"
        self.term = TERM
        self.log: list[LogEntry] = []
        self.applied = Position(0, 0)
        self.sent: list[bytes] = []
        self.takes = True

    def propose(self, proposal: bytes, *, can_wait: bool = False) -> bool:
        if self.takes:
            self.sent.append(proposal)
        return self.takes

    def append(self, proposal: bytes, term: int) -> None:
        self.log.append((bytes([REGULAR]) + pack_entry(0, [b"other", proposal]), len(self.log) + 1, term))


class Story:
    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.member = Member()
        self.pending = Pending(self.member, lambda: self.now_s)
        self.pending.resend(self.now_s)

    def propose(self, frame: bytes, number: int = 1) -> None:
        assert self.pending.propose("front", number, frame, can_wait=False) is None

    def later(self, seconds: float) -> None:
        """Turns, for so long."""
        for _ in range(10):
            self.now_s += seconds / 10
            self.pending.resend(self.now_s)


@pytest.fixture
def story() -> Story:
    return Story()


def test_what_nobody_answers_is_sent_again_after_a_while(story: Story) -> None:
    story.propose(b"frame")
    story.later(RESEND_S * 0.9)
    assert story.member.sent == [b"frame"]
    story.later(RESEND_S * 0.2)
    assert story.member.sent == [b"frame", b"frame"]
    story.pending.applied("front", 1)
    story.later(RESEND_S * 3)
    assert len(story.member.sent) == 2


def test_what_the_own_log_holds_in_the_present_term_is_never_sent_again(story: Story) -> None:
    story.propose(b"frame")
    story.member.append(b"frame", TERM)
    story.later(RESEND_S * 30)
    assert story.member.sent == [b"frame"]


def test_what_the_log_holds_of_an_earlier_term_may_be_lost(story: Story) -> None:
    story.propose(b"frame")
    story.member.append(b"frame", TERM - 1)
    story.later(RESEND_S * 1.1)
    assert story.member.sent == [b"frame", b"frame"]


def test_another_leader_gets_all_at_once_and_who_took_nothing_is_asked_again(story: Story) -> None:
    story.propose(b"frame")
    story.member.append(b"frame", TERM)
    story.member.term += 1
    story.member.takes = False
    story.pending.resend(story.now_s)
    assert story.member.sent == [b"frame"]
    story.member.takes = True
    story.pending.resend(story.now_s)
    assert story.member.sent == [b"frame", b"frame"]


def test_the_while_grows_with_the_time_of_commits(story: Story) -> None:
    for number in range(100):
        story.propose(b"slow", number)
        story.now_s += 0.5
        story.pending.applied("front", number)
    assert RESEND_COMMITS * 0.4 < story.pending.resend_s <= RESEND_COMMITS * 0.5
    for number in range(100):
        story.propose(b"fast", number)
        story.pending.applied("front", number)
    assert story.pending.resend_s == RESEND_S
