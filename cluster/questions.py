"""A person's wishes that a follower passes on to the leader, and the leader's verdict on each.

Rules:
1. Whoever asks hears one answer: None where the change is under way, or nobody said otherwise in time; else
   why it cannot be, in the leader's words.
2. A verdict counts only from the member that was asked.
3. Silence is no refusal: the change may have been made, so the asker looks at the membership.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from cluster.wire import TEXT_CHARS_MAX, Message

Told = Callable[[str | None], None]

ANSWER_S = 1.0  #: a leader that says nothing for so long may be gone
QUESTIONS_MAX = 64
NO_LEADER = "no leader is known"


def unheard(reason: str | None) -> None:
    """For whoever looks at the membership only."""


@dataclass(frozen=True, slots=True)
class _Question:
    leader: str
    told: Told
    until: float


class Questions:
    def __init__(self, clock: Callable[[], float], send: Callable[[str, Message], bool]) -> None:
        self._clock, self._send = clock, send
        self._numbers = count(1)
        self._open: dict[int, _Question] = {}

    def ask(self, leader: str | None, message: Message, told: Told) -> str | None:
        """Pass it on; None when it is on its way."""
        if leader is None or len(self._open) >= QUESTIONS_MAX:
            return refuse(
                told, NO_LEADER if leader is None else "too many changes wait for the leader's answer"
            )
        number = next(self._numbers)
        if not self._send(leader, {**message, "number": number}):
            return refuse(told, NO_LEADER)
        self._open[number] = _Question(leader, told, self._clock() + ANSWER_S)
        return None

    def verdict(self, peer: str, message: Message) -> None:
        question = self._open.get(message["number"])
        if question is not None and question.leader == peer:
            del self._open[message["number"]]
            question.told(message["reason"] or None)

    def expire(self, now: float) -> None:
        for number in [n for n, question in self._open.items() if now >= question.until]:
            self._open.pop(number).told(None)

    def answering(self, peer: str, number: int) -> Told:
        """The leader's side: what sends a verdict back."""

        def send(reason: str | None) -> None:
            self._send(peer, {"type": "verdict", "number": number, "reason": (reason or "")[:TEXT_CHARS_MAX]})

        return send


def refuse(told: Told, reason: str) -> str:
    told(reason)
    return reason
