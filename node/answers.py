"""What the front asks the core of the cluster and of the office, and the core's answers over the bridge."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cluster.consensus import Consensus
from cluster.questions import Denial
from cluster.wire import Verdict
from node.bridge import Answer
from node.office import Office


class Answers:
    def __init__(self, consensus: Consensus, office: Office, tell: Callable[[list[Any]], None]) -> None:
        self._consensus, self._office, self._tell = consensus, office, tell

    def give(self, number: int, what: str, arguments: list[Any]) -> None:
        """The answer says that it began (`catch_up`: it is done), or why not; the status tells the end.
        Nobody waits for the answer to number 0."""

        def answer(kind: Answer, text: str) -> None:
            if number:
                self._tell(["answer", number, kind.value, text])

        def told(denial: Denial | None) -> None:
            if denial is None:
                answer(Answer.DONE, "under way")
            elif denial.verdict is Verdict.NO_LEADER:
                answer(Answer.NO_LEADER, denial.reason)
            else:
                answer(Answer.REFUSED, denial.reason)

        if what == "transfer":
            self._office.transferred_s = time.monotonic()
            if not number:
                self._office.gives_up(time.monotonic())
            self._consensus.transfer(arguments[0], told)
        elif what == "add_member":
            name, address, zone, url, uid = arguments
            self._consensus.add_member(name, address, zone, url, uid or None, told=told)
        elif what == "ask_member":
            name, address = arguments
            self._consensus.ask(
                name, address, lambda uid, why: answer(Answer.REFUSED if why else Answer.DONE, uid or why)
            )
        elif what == "check_member":
            reason = self._consensus.why_not(arguments[0])
            told(None if reason is None else Denial(reason))
        elif what == "catch_up":
            self._consensus.reads.ask(told)
        elif what == "remove_member":
            self._consensus.remove_member(arguments[0], told)
        else:
            raise ValueError(f"unknown question {what!r}")
