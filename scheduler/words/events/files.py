"""What became of files that triggers wait for."""

from __future__ import annotations

from scheduler.words.record import NOW, SOON, Event, event


@event(145, wakes=NOW)
class FileArrived(Event):
    """An agent told of a complete file; it waits for its run."""

    namespace: str
    name: str  #: of the job
    trigger: str  #: its key
    serial: int
    agent: int
    path: str


@event(146)
class FileToMove(Event):
    """Its run has succeeded: an agent is to move or delete it."""

    namespace: str
    name: str
    trigger: str
    serial: int
    agent: int  #: that sees it


@event(147)
class FileMoved(Event):
    """It was moved or deleted, or why it was not."""

    namespace: str
    name: str
    trigger: str
    serial: int
    path: str
    error: str


@event(149)
class FolderTroubled(Event):
    """An agent cannot look into a trigger's folder, or can again (no trouble)."""

    namespace: str
    name: str
    trigger: str
    agent: int
    trouble: str


@event(148, wakes=SOON)
class FoldersChanged(Event):
    """Triggers look into other folders than before, or other agents do, of this pool."""

    pool: str
