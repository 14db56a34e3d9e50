"""The log of a node as it lies on disk, for whoever is no member: what took a state from place to place.

Rules:
1. The node may run meanwhile: nothing in its directory is written, cut, synced or removed. A segment that is
   trimmed while it is being read is no damage: the log is read anew.
2. Not all that a log holds was committed. Who reads it knows, by the state, how far that goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cluster import raft
from cluster.batcher import unpack_entry
from cluster.journal import Journal, JournalError
from cluster.machine import Applied, Entry, Position
from cluster.restore import pack_members, unpack_members

FOUNDED = Position(1, 0)
"""Where every log begins: nothing is applied there."""
TRIES = 3


class _Looking:
    """A disk that is only looked at."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def where(self, name: str) -> str:
        return str(self._directory / name)

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self._directory.iterdir())

    def read(self, name: str) -> bytes:
        return (self._directory / name).read_bytes()

    def write(self, name: str, offset: int, data: bytes) -> None: ...
    def sync(self, name: str) -> None: ...
    def truncate(self, name: str, size: int) -> None: ...
    def replace(self, name: str, data: bytes) -> None: ...
    def unlink(self, name: str) -> None: ...
    def sync_names(self) -> None: ...
    def close(self) -> None: ...


def looked_at(directory: Path) -> Journal:
    """The log in this directory, to be read. Raises JournalError."""
    if not (directory / "meta").is_file():
        raise JournalError(f"{directory}: there is no log")
    for left in reversed(range(TRIES)):
        try:
            journal = Journal(_Looking(directory))
        except JournalError:
            if not left:
                raise
        else:
            journal.abandon()
            return journal
    raise AssertionError("the last try returns or raises")


def continues(journal: Journal, position: Position) -> bool:
    """Whether the log leads on from this place, and has this very entry there."""
    return journal.term_at(position.index) == position.term


def founding(members: bytes) -> bytes:
    """In place of a record of members that a state has before its first entry: who they were no log says, so
    these are taken for them, and no stamp."""
    return pack_members(unpack_members(members)[0].encode(), 0)


def behind(journal: Journal, applied: Applied) -> Iterator[Entry]:
    """The entries behind a state for which the log `continues`, in their order."""
    position, (membership, stamp_ms) = applied.position, unpack_members(applied.members)
    encoded = membership.encode()
    for data, index, term in journal.entries[max(0, position.index + 1 - journal.first_index) :]:
        proposals: list[bytes] = []
        if data[0] == raft.REGULAR:
            stamp_ms, proposals = unpack_entry(data[1:])
        elif data[0] == raft.MEMBERSHIP:
            encoded = data[1:]
        here = Position(index, term)
        yield Entry(Applied(here, position, pack_members(encoded, stamp_ms)), stamp_ms, proposals)
        position = here
