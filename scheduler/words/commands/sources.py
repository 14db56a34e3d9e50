"""Sources: what the leader found there, and what a person asks for."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByRunner, command


@command(210)
class SyncSource(ByPerson):
    """Look at a source now, though its time has not come."""

    namespace: str
    name: str
    dry_run: bool = False  #: say what would change, and change nothing
    prune_max: int | None = None  #: how many of what it owns may go, this once; None: as the source says
    actor: Actor = NOBODY


@command(211)
class ReportSource(ByRunner):
    """What a look at a source came to."""

    namespace: str
    name: str
    of_revision: int  #: of the source, as it was when it was looked at
    state: str  #: store.tables.sources
    revision: str  #: what is live of it; empty: nothing
    live_idx: int  #: of the entry at which that went live
    documents: int  #: that it owned then
    seen: str  #: the revision that was looked at
    detail: str = ""  #: why it is not live
    problems: tuple[str, ...] = ()  #: with their places in its files
    drift: tuple[tuple[str, str, str, str], ...] = ()  #: kind, namespace, name, word: the first
    drifted: int = 0  #: how many are
    created: int = 0
    changed: int = 0
    deleted: int = 0
    rewritten: bool = False  #: what was live is none of what the new revision came from
    answers: int = 0  #: the number of the person's word that it answers
