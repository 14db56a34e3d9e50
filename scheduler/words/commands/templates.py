"""What a change of a template makes of the jobs that extend it."""

from __future__ import annotations

from scheduler.words.commands.jobs import PreparedJob
from scheduler.words.record import ByPlanner, Record, command, part


@part
class LeftJob(Record):
    """One that cannot be what its template says now."""

    namespace: str
    name: str
    revision: int
    why: str


@command(171, grows=True, edits=True)
class FollowTemplate(ByPlanner):
    """A template has changed: the next of its jobs become what they are under it."""

    namespace: str
    name: str
    change: int  #: the index of the change
    jobs: tuple[PreparedJob, ...]  #: that change, with the revision that they were read at
    through_namespace: str  #: and name of the last one that was looked at
    through_name: str
    done: bool  #: there are no more
    left: tuple[LeftJob, ...] = ()  #: stay as they are
