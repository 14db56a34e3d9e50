"""What the log drives: the one interface between consensus and the state it replicates.

The contract, in order: deliver → sync journal → apply → acknowledge.

* `apply` gets each committed entry once per process life, in order, with nothing left out after what
  `stored()` reported at start. It makes one transaction that also stores the entry's `Applied` record, so a
  restart continues exactly after it. It must be total: an exception stops the node.
* `checkpoint` makes everything applied so far durable on disk; only then may the log be trimmed up to it.
* copies are whole states of another node, installed by `install`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the Raft log; never shown to users."""

    index: int
    term: int


@dataclass(frozen=True, slots=True)
class Applied:
    """Stored with every transaction: what the state contains, and what consensus needs to continue."""

    position: Position
    previous: Position  #: the entry before it, which the log needs as its first
    members: bytes  #: consensus' own record of the membership, opaque to the state


@dataclass(frozen=True, slots=True)
class Entry:
    """One committed log entry. `proposals` is empty for no-ops and membership changes."""

    applied: Applied
    stamp_ms: int  #: wall clock of the leader that appended it, never below the stamp before
    proposals: Sequence[bytes]


class StateMachine(Protocol):
    def stored(self) -> Applied | None:
        """What the state contains; None for an empty one."""

    def apply(self, entry: Entry) -> None:
        """Apply one committed entry in one transaction."""

    @property
    def format(self) -> int:
        """What a node has to support to follow this state; others are refused. 0: nothing of that kind."""

    @property
    def restores(self) -> int:
        """How often the state was restored or recovered: states of one cluster agree about it."""

    def checkpoint(self) -> None:
        """Bring everything that was applied before the call to disk (checkpoint, fsync). Called on a helper
        thread while entries are applied."""

    def copy_to(self, path: Path) -> Applied:
        """Write a consistent copy of the state to a new file. Called on a helper thread: must use its
        own read connection, and be throttled so that the loop's commits do not wait."""

    def install(self, path: Path, applied: Applied) -> None:
        """Replace the whole state by the copy at `path`; readers see the old or the new file, never a mix."""
