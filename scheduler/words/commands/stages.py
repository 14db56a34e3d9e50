"""Staged applies: what is too much for one command, laid down in slices and switched live by one."""

from __future__ import annotations

from scheduler.words.commands.jobs import PreparedJob
from scheduler.words.commands.objects import Deletion, PreparedObject
from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, command


@command(90, grows=True)
class StageSlice(ByPerson):
    """Lay down the next slice of a stage, the first of which opens it. Nothing goes live by it."""

    stage: str  #: the name that its client gave it
    number: int  #: of the slice, from 0 on
    objects: tuple[PreparedObject, ...]
    jobs: tuple[PreparedJob, ...]
    deletions: tuple[Deletion, ...]
    after_ms: int  #: as PutJobs.after_ms
    actor: Actor = NOBODY
    body: bytes = b""  #: hash of the request: a slice that is sent again counts once
    source: str = ""  #: as PutJobs.source; that of the first slice counts


@command(91, edits=True)
class CommitStage(ByPerson):
    """Check all of it and, if nothing is in the way, switch it live, as one act."""

    stage: str
    slices: int  #: that its client has sent
    actor: Actor = NOBODY
    dry_run: bool = False  #: say what it would change, and end there
    prune: bool = False  #: what the stage's source owns and did not name goes with it
    prune_max: int | None = None  #: how many that may be
    prune_in: tuple[str, ...] | None = None  #: the namespaces where the actor may; None: all


@command(92)
class DropStage(ByPerson):
    """Forget a stage that is not live yet."""

    stage: str
    actor: Actor = NOBODY


@command(93)
class AdvanceStage(ByPlanner):
    """The next step of a stage: checked, switched live, cleared away or over, whichever it is at."""

    stage: int
    state: str  #: as the planner saw it
