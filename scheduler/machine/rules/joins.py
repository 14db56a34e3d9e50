"""What the ends of members mean for the task that was divided (`join`). Pure: by counts alone.

Rules of this file:

1. It is judged with each end, and ends as soon as it can be said: well when as many as it wants have
   succeeded, else when these can come together no more, or more failed than `max_failures` bears.
2. Who is skipped is left out. Where all were, the task is skipped.
3. Whatever is no success and was not skipped is a failure, however it came."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.model.members import CompiledFanout, wanted
from scheduler.store.tables.fanouts import Fanout

SKIPPED = "each of its members was skipped"
EMPTY = "it is divided over an empty list"


class Joined(NamedTuple):
    """How the whole ends."""

    state: str  #: succeeded | failed | skipped
    reason: str = ""


def judge(fanout: CompiledFanout, now: Fanout) -> Joined | None:
    """None: members that have not ended decide."""
    counted = now.members - now.skipped
    if not counted:
        return Joined("skipped", SKIPPED if now.members else EMPTY)
    most, asked = fanout.failures_max, wanted(fanout.join, counted)
    if now.succeeded >= asked:
        return Joined("succeeded")
    if most is not None and now.failed > most:
        return Joined("failed", f"{now.failed} of {counted} members failed, {most} may")
    if now.failed > counted - asked:
        return Joined("failed", _said(now, counted, asked))
    return None


def _said(now: Fanout, counted: int, asked: int) -> str:
    if asked > counted:
        return f"{asked} members were to succeed, and there are {counted}"
    failed = f"{now.failed} of {counted} members failed"
    return failed if asked == counted else f"{failed}, {asked} were to succeed"
