"""Notices on boards: posted, taken down, heard."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, Keyed, command


@command(110, grows=True, edits=True)
class PostNotice(ByPerson, Keyed):
    """A notice for all triggers that wait for its board. While a staged apply goes live it waits, as edits
    do: which triggers there are has to stand."""

    namespace: str
    board: str
    notice: str  #: its key; `plan_date`: its plan date, as text
    lasts_ms: int  #: how long it stays
    plan_day: int | None = None  #: None: the one that goes on
    actor: Actor = NOBODY
    key: str = ""
    body: bytes = b""


@command(111)
class DeleteNotice(ByPerson):
    """Take it down: who has not heard of it never does."""

    namespace: str
    board: str
    serial: int
    actor: Actor = NOBODY


@command(112)
class FireNotices(ByPlanner):
    """A trigger goes on with the next notices of its board: compare-and-set of the last that it has heard."""

    trigger: int
    board: str  #: namespace/name
    through: int
