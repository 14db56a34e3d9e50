"""The log of a node that begins a new cluster with an old state, while no process runs on it.

Rules:
1. `replay` gives the state all that the log holds behind it, whether it is known to be committed or not: when
   the majority is gone for good, what it had acknowledged cannot be told from what it had not. A command that
   nobody was promised may so be done; none that this log knows is lost.
2. `begin` makes the empty log of a one-member cluster behind the place where the state ends, in a later term.
3. Both write to the directories that they are given and no others: the caller works on copies.
"""

from __future__ import annotations

from pathlib import Path

from cluster.disk import FileDisk
from cluster.history import behind
from cluster.journal import Journal, JournalError
from cluster.machine import Position, StateMachine
from cluster.membership import Member, Membership
from cluster.restore import pack_members, unpack_members


def replay(journal_dir: Path, machine: StateMachine) -> int:
    """Apply every entry of the log that lies behind the state; returns how many. Raises JournalError."""
    applied = machine.stored()
    if applied is None:
        raise JournalError("the state is empty: there is nothing to recover here")
    journal = Journal(FileDisk(journal_dir))
    try:
        position = applied.position
        if journal.entries and journal.first_index > position.index:
            raise JournalError(
                f"the log begins at {journal.first_index}, the state ends at {position.index}: this node was"
                " waiting for a peer's copy. Recover from another survivor, or restore a backup"
            )
        term = journal.term_at(position.index)
        if journal.last_index >= position.index and term != position.term:
            raise JournalError(
                f"state and log disagree about log index {position.index} (terms {position.term} and {term}):"
                " one of them is of another node or time"
            )
        count = 0
        for entry in behind(journal, applied):
            machine.apply(entry)
            count += 1
        return count
    finally:
        journal.abandon()


def begin(journal_dir: Path, position: Position) -> None:
    """Make the log that continues behind `position`, in a term after its own."""
    journal = Journal(FileDisk(journal_dir))
    try:
        journal.reset(position.index, position.term)
        journal.store_vote(position.term + 1, None)
    finally:
        journal.close()


def sole_member(member: Member, *, stamp_ms: int) -> bytes:
    """The record of a membership of this voter alone. Names that the old cluster removed are free again:
    its nodes are told apart by the cluster's uid."""
    return pack_members(Membership((member,)).encode(), stamp_ms)


def member_names(members: bytes) -> list[str]:
    """Who belonged to the cluster that this record is of."""
    return [member.name for member in unpack_members(members)[0].members]
