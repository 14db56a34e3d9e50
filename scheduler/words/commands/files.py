"""Files: what agents see in the folders that triggers wait for, and what becomes of it."""

from __future__ import annotations

from scheduler.words.record import ByAgent, ByPlanner, Record, command, part


@part
class FileSeen(Record):
    """One that stood still for as long as its trigger asks, as its agent saw it."""

    path: str
    identity: str  #: inode, birth time or else ctime, mtime, size
    size: int
    modified_ms: int
    changed_ms: int


@command(200, grows=True)
class ReportFiles(ByAgent):
    """Complete files in the folder of a trigger. What the state knows is known again; what there is no room
    for is left with the agent."""

    trigger: int
    agent: int
    session: str
    files: tuple[FileSeen, ...]


@command(201)
class ReportGone(ByAgent):
    """These files of a trigger's folder are no more, or are other files by now."""

    trigger: int
    agent: int
    session: str
    serials: tuple[int, ...]


@command(202)
class ReportMoved(ByAgent):
    """A file whose run succeeded was moved or deleted, as its trigger says; or why it was not."""

    trigger: int
    agent: int
    session: str
    serial: int
    error: str = ""


@command(205)
class ReportBlind(ByAgent):
    """An agent cannot look into the folder of a trigger, or can again (no trouble)."""

    trigger: int
    agent: int
    session: str
    trouble: str


@command(203)
class FireFiles(ByPlanner):
    """A trigger goes on with the files that wait: compare-and-set of the instant at which it does."""

    job: int
    key: str
    at_ms: int


@command(204)
class ChooseEyes(ByPlanner):
    """From now on the eyes of this agent count, of a folder that all see: compare-and-set of the one before
    (0: none)."""

    job: int
    key: str
    before: int
    agent: int
