"""What became of sources."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(155)
class SourceAsked(Event):
    """The leader is to look at it now."""

    namespace: str
    name: str
    dry_run: bool


@event(156)
class SourceReported(Event):
    """What a look came to, where that is news. Of an apply with how much it changed."""

    namespace: str
    name: str
    state: str  #: store.tables.sources
    revision: str  #: that is live
    created: int
    changed: int
    deleted: int
    drifted: int
    rewritten: bool  #: history was: what was live before is none of what the new revision came from
    detail: str
