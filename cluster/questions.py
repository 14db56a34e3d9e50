"""A person's wishes that a follower passes on to the leader, and the leader's verdict on each.

Rules:
1. Whoever asks hears one answer: None where the change is under way, or nobody said otherwise in time; else
   a denial, in the leader's words. What the words mean for the asker is its verdict: no words are read.
2. A verdict counts only from the member that was asked.
3. Silence is no refusal: the change may have been made, so the asker looks at the membership.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from cluster.wire import TEXT_CHARS_MAX, Message, Verdict

ANSWER_S = 1.0  #: a leader that says nothing for so long may be gone
QUESTIONS_MAX = 64


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a wish is not under way."""

    reason: str  #: for a person
    verdict: Verdict = Verdict.REFUSED

    @property
    def is_passing(self) -> bool:
        return self.verdict is not Verdict.REFUSED


Told = Callable[[Denial | None], None]

NO_LEADER = Denial("no leader is known", Verdict.NO_LEADER)
TOO_MANY = Denial("too many changes wait for the leader's answer; try again", Verdict.NOT_NOW)


def unheard(denial: Denial | None) -> None:
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

    def ask(self, leader: str | None, message: Message, told: Told) -> Denial | None:
        """Pass it on; None when it is on its way."""
        if leader is None or len(self._open) >= QUESTIONS_MAX:
            return refuse(told, NO_LEADER if leader is None else TOO_MANY)
        number = next(self._numbers)
        if not self._send(leader, {**message, "number": number}):
            return refuse(told, NO_LEADER)
        self._open[number] = _Question(leader, told, self._clock() + ANSWER_S)
        return None

    def verdict(self, peer: str, message: Message) -> None:
        question = self._open.get(message["number"])
        if question is not None and question.leader == peer:
            del self._open[message["number"]]
            verdict = Verdict(message["verdict"])
            is_denied = verdict is not Verdict.UNDER_WAY
            question.told(Denial(message["reason"], verdict) if is_denied else None)

    def expire(self, now: float) -> None:
        for number in [n for n, question in self._open.items() if now >= question.until]:
            self._open.pop(number).told(None)

    def answering(self, peer: str, number: int) -> Told:
        """The leader's side: what sends a verdict back."""

        def send(denial: Denial | None) -> None:
            verdict, reason = Verdict.UNDER_WAY, ""
            if denial is not None:
                verdict, reason = denial.verdict, denial.reason[:TEXT_CHARS_MAX]
            self._send(
                peer, {"type": "verdict", "number": number, "verdict": verdict.value, "reason": reason}
            )

        return send


def refuse(told: Told, denial: Denial) -> Denial:
    told(denial)
    return denial
