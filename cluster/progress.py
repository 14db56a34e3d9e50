"""How far the state is in the log, and what consensus has it store with each entry."""

from __future__ import annotations

from cluster.batcher import unpack_entry
from cluster.journal import LogEntry
from cluster.library import MEMBERSHIP, NO_OP, REGULAR
from cluster.machine import Applied, Entry, Position
from cluster.restore import pack_members, unpack_members
from cluster.roster import Roster


class Progress:
    def __init__(self, applied: Applied, roster: Roster) -> None:
        self._roster = roster
        self.position = applied.position
        self.stamp_ms = 0  #: of the last entry that has one
        self.take_over(applied)

    def take_over(self, applied: Applied) -> None:
        """The state is what this says: at start, and after a copy was installed."""
        self.position = applied.position
        membership, self.stamp_ms = unpack_members(applied.members)
        self._roster.take_over(membership)

    def next(self, entry: LogEntry) -> Entry:
        """The committed entry after the last as the state gets it; its stamp or membership counts from
        here. Raises ValueError for a kind that this version does not know."""
        data, index, term = entry
        proposals: list[bytes] = []
        if data[0] == REGULAR:
            self.stamp_ms, proposals = unpack_entry(data[1:])
        elif data[0] == MEMBERSHIP:
            self._roster.apply(data[1:])
        elif data[0] != NO_OP:
            raise ValueError(f"a log entry of kind {data[0]}: written by a newer version?")
        members = pack_members(self._roster.committed_bytes, self.stamp_ms)
        return Entry(Applied(Position(index, term), self.position, members), self.stamp_ms, proposals)
