"""How the state file and the journal go together at start.

The live state file is the snapshot. It says up to which entry it is; the journal holds what lies beyond.
"""

from __future__ import annotations

import random

import msgpack

from cluster.disk import Disk, FileDisk
from cluster.hardening import Hardening
from cluster.journal import Journal, JournalError
from cluster.machine import Applied, Position
from cluster.membership import Membership
from cluster.settings import ClusterSettings


def open_journal(
    settings: ClusterSettings,
    stored: Applied | None,
    hardening: Hardening,
    rng: random.Random,
    disk: Disk | None,
    seen: Disk | None,
) -> tuple[Journal, Applied, bool]:
    """The journal of a node that starts, with what was noted of it beside it; and of it and the state that is
    `stored` what `fit` finds. Raises JournalError."""
    journal_dir = settings.journal_dir
    journal = Journal(
        disk or FileDisk(journal_dir),
        segment_bytes=settings.segment_bytes,
        rng=rng,
        seen=seen or FileDisk(journal_dir.with_name(f"{journal_dir.name}-seen")),
        refuse_older=hardening.refuse_older_journal,
    )
    try:
        return journal, *fit(journal, stored, settings, hardening)
    except BaseException:
        journal.abandon()
        raise


def fit(
    journal: Journal, stored: Applied | None, settings: ClusterSettings, hardening: Hardening
) -> tuple[Applied, bool]:
    """What is applied, and whether a copy of a peer's state is needed before anything else can be. A life
    of the node begins.

    Raises JournalError when one of the two is of another node or time."""
    fitting = _fit(journal, stored, settings, checked=hardening.check_restored_state)
    journal.begin_life()
    return fitting


def _fit(
    journal: Journal, stored: Applied | None, settings: ClusterSettings, *, checked: bool
) -> tuple[Applied, bool]:
    if stored is None:
        membership = Membership() if settings.joining else Membership.founded(settings.members)
        start = Position(1, 0)
        return (
            Applied(start, start, pack_members(membership.encode(), 0)),
            settings.joining or journal.first_index > 1,
        )
    if not checked:
        return stored, False
    index, term = stored.position.index, stored.position.term
    if not journal.entries and journal.term == 0:
        raise JournalError(
            f"the state is at log index {index}, but there is no journal: this node forgot its votes. "
            "Remove it from the cluster and let it join again under a new name with an empty data directory."
        )
    if index > journal.last_index:
        # Nothing is applied that is not durable in the journal: only an installed copy is beyond its end.
        if journal.installs != (index, term):
            raise JournalError(
                f"the state is at log index {index}, and the journal ends at {journal.last_index}: it is an"
                " older one that was put back, or its end is lost. Entries and votes that others count on are"
                " not in it. Put the journal back that belongs to this state, or remove the node from the"
                " cluster and let it join again under a new name with an empty data directory. If this is the"
                " only node, cronclave cluster recover makes a new cluster of its state."
            )
        journal.reset(index, term)
    elif index < journal.first_index:
        return stored, True
    elif journal.term_at(index) != term:
        raise JournalError(
            f"state and journal of this node disagree about log index {index} (terms {term} and "
            f"{journal.term_at(index)}): one of them is of another node or time. Remove the node from the "
            "cluster and let it join again under a new name with an empty data directory."
        )
    return stored, False


def pack_members(membership: bytes, stamp_ms: int) -> bytes:
    """What consensus has the state store with each entry: the membership and the last stamp."""
    packed: bytes = msgpack.packb([membership, stamp_ms])
    return packed


def unpack_members(data: bytes) -> tuple[Membership, int]:
    """Raises ValueError."""
    encoded, stamp_ms = msgpack.unpackb(data)
    return Membership.decode(encoded), stamp_ms
