"""What a spooler must not forget: what it was about to start, what it started, and how that ended.

1. `about` is written before a process is made and `start` behind it, in the page cache: that outlives the
   spooler, and after a reboot nothing runs. An exit is synced before anybody is told.
2. What is not among these was never started by a spooler of this name, and by that an agent proves it. So a
   name is good for one boot, and is made anew where the journal was lost; where `about` cannot be written,
   nothing is started.
3. Full disk: what waits is kept in memory and tried again, in its order.
4. Standard library and msgpack only: the spooler starts with this.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from agent.exits import Exit
from agent.records import DiskFull, RecordFile, frame

COMPACT_BYTES = 4 << 20
Row = list[Any]


class Start(NamedTuple):
    pid: int
    started_ms: int
    begun_boot_ms: float
    boot_id: str


class Left:
    """What the last spooler left: the records, folded."""

    def __init__(self, records: Iterable[bytes], boot_id: str) -> None:
        self.name = ""  #: of the journal; empty: it has none that is good for this boot
        self.starts: dict[int, Start] = {}  #: without an exit
        self.fences: dict[int, str] = {}  #: of what was about to start, and has no exit
        self.known: dict[int, Exit] = {}  #: of the work, where something was to follow it
        self.exits: dict[int, Exit] = {}
        for payload in records:
            row = msgpack.unpackb(payload, raw=False, unicode_errors="surrogateescape")
            if row[0] == "name":
                self.name = row[1] if row[2] == boot_id else ""
            elif row[0] == "start":
                self.starts[row[1]] = Start(*row[2:])
            elif row[0] == "about":
                self.fences[row[1]] = row[2]
            elif row[0] == "known":
                self.known[row[1]] = Exit(*row[1:])
            elif row[0] == "exit":
                self._ended([row[1]])
                self.exits[row[1]] = Exit(*row[1:])
            else:
                self._ended(row[1])

    def _ended(self, attempts: Iterable[int]) -> None:
        for attempt in attempts:
            for known in (self.starts, self.fences, self.exits):
                known.pop(attempt, None)


class SpoolJournal:
    def __init__(self, path: Path, boot_id: str) -> None:
        self._file = RecordFile(path)
        self._boot_id = boot_id
        self.left = Left(self._file.records, boot_id)
        self._file.records = []
        if self._file.cut_bytes:
            self.left.name = ""  # nobody knows what stood there
        self._name = self.left.name or os.urandom(8).hex()
        self._is_named = bool(self.left.name)
        self._waiting: list[bytes] = []
        self._dirty = False  #: exits are written or waiting that no sync has covered

    @property
    def name(self) -> str:
        """Empty: it proves nothing."""
        return self._name if self._is_named else ""

    @property
    def waits(self) -> bool:
        """Something was not written: the disk is full."""
        return bool(self._waiting)

    @property
    def is_long(self) -> bool:
        return self._file.size > COMPACT_BYTES

    def note(self, *rows: Row) -> None:
        self._waiting += map(_packed, rows)

    def note_exit(self, end: Exit) -> None:
        self.note(exit_row(end))
        self._dirty = True

    def write(self) -> bool:
        """What waits, to the page cache; whether nothing waits any more."""
        if self._waiting:
            try:
                self._file.write(b"".join(map(frame, self._waiting)))
            except DiskFull:
                return False
            self._waiting.clear()
        return True

    def commit(self) -> bool:
        """The same, and one sync for all exits."""
        written = self.write()
        if written and self._dirty:
            self._file.sync()
            self._dirty = False
        return written

    def compact(self, rows: Iterable[Row]) -> None:
        """It holds these alone. On a full disk the old one still says the same."""
        named = ["name", self._name, self._boot_id]
        try:
            self._file.replace(map(_packed, [named, *rows]))
        except DiskFull:
            return
        self._is_named = True


def exit_row(end: Exit) -> Row:
    return ["exit", *end.row()]


def _packed(row: Row) -> bytes:
    packed: bytes = msgpack.packb(row, use_bin_type=True, unicode_errors="surrogateescape")
    return packed
