"""What the agent must not forget: its claims and the ends that no node has acknowledged yet.

1. A claim is synced before it is sent, an end before it is reported: `claim` and `finish` call back after
   the sync. One sync covers all that came in one turn of the loop, or while the last one ran (group commit).
   On a disk that is quick it is made in the loop: a hand-over to a thread and back costs as much as the sync
   does. One sync that takes SLOW_S, and the next ones are a thread's again, until QUICK_AFTER in a row were
   quick: a disk that grows slow does not keep the loop from pinging the node. A compaction is always a
   thread's.
2. Every record sets the whole state of the attempts that it names, so replaying any prefix twice changes
   nothing: the last record of an attempt stands.
3. Full disk: nothing is called back, so no new claim goes out and no end is reported; everything stays in
   memory and is tried again. `full` says so. A failed sync ends the process: what is on disk is unknown.
4. A tick that is reserved counts once it is on disk, and is given back before that is told.
5. Acknowledgements and dropped claims are written along with the next batch: losing one costs a report sent
   again, which the cluster knows already.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgpack

from agent.history import History, RanRow, Work
from agent.records import DiskFull, RecordFile, SyncFailed, frame
from scheduler.protocol import Finished, GivenBack, Reserved

log = logging.getLogger("agent.journal")
COMPACT_BYTES = 4 << 20
RETRY_S = 0.5
SLOW_S = 0.02  #: of a sync: from there on it is not the loop's
QUICK_AFTER = 8  #: quick syncs in a row, after a slow one or at the start
_CLAIM, _FINISHED, _DROP, _NEXT, _INDEX, _WORK, _RESERVED, _UNRESERVED, _GIVEN, _TOLD = range(1, 11)
Release = Callable[[], None]


@dataclass(slots=True)
class Book:
    """The state that the records fold to."""

    claims: dict[int, str] = field(default_factory=dict)  #: attempt → claim id, not ended here
    finished: dict[int, Finished] = field(default_factory=dict)  #: attempt → its unacknowledged end
    next_event: int = 1
    works: dict[int, Work] = field(default_factory=dict)  #: attempt → what it is
    spoolers: dict[int, str] = field(default_factory=dict)
    """Claim → the name of the spooler's journal that would know of its start."""
    index: int = 0  #: highest index of the cluster's state that was seen
    reserved: dict[int, Reserved] = field(default_factory=dict)  #: attempt → a tick to come, not claimed
    given_back: dict[int, GivenBack] = field(default_factory=dict)  #: event → what was not acknowledged
    unreserved: set[int] = field(default_factory=set)  #: attempts of those
    clock: tuple[str, float] | None = None  #: boot id, and what its boot time lacked to the node's clock

    def fold(self, row: list[Any]) -> None:
        kind = row[0]
        if kind == _CLAIM:
            self.finished.pop(row[1], None)
            self.reserved.pop(row[1], None)
            self.claims[row[1]] = row[2]
            if len(row) > 3:
                self.works[row[1]] = Work(*row[3])
            if len(row) > 4:
                self.spoolers[row[1]] = row[4]
        elif kind == _FINISHED:
            end = Finished(*row[1:])
            self.claims.pop(end.attempt, None)
            self.spoolers.pop(end.attempt, None)
            self.finished[end.attempt] = end
            self.next_event = max(self.next_event, end.event + 1)
        elif kind == _DROP:
            for attempt in row[1]:
                self.claims.pop(attempt, None)
                self.finished.pop(attempt, None)
                self.works.pop(attempt, None)
                self.spoolers.pop(attempt, None)
        elif kind == _RESERVED:
            if row[2] is not None:
                self.clock = (row[1], row[2])
            message = Reserved(*row[3:])
            self.reserved[message.attempt] = message
        elif kind == _UNRESERVED:
            for attempt in row[1]:
                self.reserved.pop(attempt, None)
        elif kind == _GIVEN:
            self._give_back(GivenBack(row[1], tuple(row[2]), row[3], row[4]))
        elif kind == _TOLD:
            for event in row[1]:
                told = self.given_back.pop(event, None)
                self.unreserved.difference_update(() if told is None else told.attempts)
        elif kind == _WORK:
            self.works[row[1]] = Work(*row[2])
        elif kind == _NEXT:
            self.next_event = max(self.next_event, row[1])
        elif kind == _INDEX:
            self.index = max(self.index, row[1])

    def _give_back(self, message: GivenBack) -> None:
        self.given_back[message.event] = message
        self.unreserved.update(message.attempts)
        self.next_event = max(self.next_event, message.event + 1)
        for attempt in message.attempts:
            self.reserved.pop(attempt, None)

    def rows(self) -> list[list[Any]]:
        """The shortest journal that folds to this."""
        rows: list[list[Any]] = [[_NEXT, self.next_event], [_INDEX, self.index]]
        rows += [
            _claim_row(attempt, claim, self.works.get(attempt), self.spoolers.get(attempt, ""))
            for attempt, claim in self.claims.items()
        ]
        rows += [[_WORK, attempt, work] for attempt, work in self.works.items() if attempt not in self.claims]
        rows += [_finished_row(end) for end in self.finished.values()]
        boot_id, offset = self.clock or ("", None)
        rows += [_reserved_row(each, boot_id, offset) for each in self.reserved.values()]
        rows += [_given_row(each) for each in self.given_back.values()]
        return rows


def _claim_row(attempt: int, claim: str, work: Work | None, spooler: str) -> list[Any]:
    said = [] if work is None else [work, spooler] if spooler else [work]
    return [_CLAIM, attempt, claim, *said]


_finished_fields = attrgetter(*(each.name for each in fields(Finished)))


def _finished_row(end: Finished) -> list[Any]:
    return [_FINISHED, *_finished_fields(end)]


_reserved_fields = attrgetter(*(each.name for each in fields(Reserved)))


def _reserved_row(message: Reserved, boot_id: str, offset_ms: float | None) -> list[Any]:
    return [_RESERVED, boot_id, offset_ms, *_reserved_fields(message)]


def _given_row(message: GivenBack) -> list[Any]:
    return [_GIVEN, message.event, message.attempts, message.reason, message.behind]


def pack(row: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(row, use_bin_type=True, unicode_errors="surrogateescape")
    return packed


def fold(payloads: Iterable[bytes]) -> Book:
    book = Book()
    for payload in payloads:
        book.fold(msgpack.unpackb(payload, raw=False, unicode_errors="surrogateescape"))
    return book


def _nothing() -> None:
    """It only has to be on disk soon."""


class Journal:
    def __init__(self, path: Path, failed: Callable[[BaseException], None]) -> None:
        """`failed` is called, once, in the loop, when nothing can be promised any more."""
        self.history = History(path.parent)
        self._file = RecordFile(path)
        if self._file.cut_bytes:
            log.warning("%s: cut %d bytes of an unfinished record", path, self._file.cut_bytes)
        self.book = fold(self._file.records)
        # Numbers of reports that were never on disk are not given out again.
        self.book.next_event += 1_000
        self._file.records = []
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._frames: list[bytes] = []
        self._releases: list[Release] = []
        self._urgent = False
        self._busy = False
        self._quick = 0  #: syncs in a row that took less than SLOW_S
        self._closing = False
        self._index_written = self.book.index
        self.full = False

    # -- what is recorded

    def claim(
        self, attempt: int, claim: str, release: Release, work: Work | None = None, spooler: str = ""
    ) -> None:
        """`work`: what the attempt is, for a restored cluster that does not know it. `spooler`: the name of
        the spooler's journal that would know of its start."""
        self._record(_claim_row(attempt, claim, work, spooler), release)

    def finish(self, end: Finished, release: Release) -> None:
        self._record(_finished_row(end), release)

    def drop(self, attempts: list[int]) -> None:
        """Acknowledged or refused: of no more interest."""
        if attempts:
            self._record([_DROP, attempts], None)

    def reserve(self, message: Reserved, boot_id: str, offset_ms: float | None, release: Release) -> None:
        """`offset_ms`: what this boot's time lacks to the node's clock, for a process that finds no node."""
        self._record(_reserved_row(message, boot_id, offset_ms), release)

    def forget_reserved(self, attempts: list[int]) -> None:
        """Of no more interest, and nobody asks for them."""
        if attempts:
            self._record([_UNRESERVED, attempts], _nothing)

    def give_back(self, message: GivenBack, release: Release) -> None:
        self._record(_given_row(message), release)

    def told_back(self, events: list[int]) -> None:
        if events:
            self._record([_TOLD, events], None)

    async def ran(self) -> list[RanRow]:
        """The history, with what was added just now."""
        pending = self.history.take()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self.history.write, pending)
        return await loop.run_in_executor(self._thread, self.history.read)

    def event(self) -> int:
        number = self.book.next_event
        self.book.next_event += 1
        return number

    def seen(self, index: int) -> None:
        self.book.index = max(self.book.index, index)

    def _record(self, row: list[Any], release: Release | None) -> None:
        self.book.fold(row)
        self._frames.append(frame(pack(row)))
        if release is not None:
            self._releases.append(release)
            if not self._urgent:
                self._urgent = True
                asyncio.get_running_loop().call_soon(self._flush)

    # -- group commit

    def _flush(self) -> None:
        if self._closing or self._busy or not (self._urgent or self._frames):
            return
        if self.book.index != self._index_written:
            self._index_written = self.book.index
            self._frames.append(frame(pack([_INDEX, self.book.index])))
        frames, self._frames = self._frames, []
        releases, self._releases = self._releases, []
        self._urgent = False
        self._busy = True
        compacted = None
        if self._file.size > COMPACT_BYTES:
            compacted = [pack(row) for row in self.book.rows()]
        if self._quick >= QUICK_AFTER and compacted is None:
            self._committed(self._try(b"".join(frames), None, self.history.take()), frames, releases)
            return
        future = asyncio.get_running_loop().run_in_executor(
            self._thread, self._try, b"".join(frames), compacted, self.history.take()
        )
        future.add_done_callback(lambda done: self._came_back(done.result(), frames, releases))

    def _came_back(self, error: Exception | None, frames: list[bytes], releases: list[Release]) -> None:
        """From the thread."""
        self._committed(error, frames, releases)
        if self._urgent and not self.full:
            self._flush()

    def _try(self, frames: bytes, compacted: list[bytes] | None, ran: bytes) -> Exception | None:
        """As `_commit`, and how long it took is noted; what came of it."""
        began_s = time.monotonic()
        try:
            self._commit(frames, compacted, ran)
        except Exception as error:
            self._quick = 0
            return error
        if compacted is None:
            self._quick = self._quick + 1 if time.monotonic() - began_s < SLOW_S else 0
        return None

    def _commit(self, frames: bytes, compacted: list[bytes] | None, ran: bytes = b"") -> None:
        self.history.write(ran)  # before the acknowledgement of an end can be noted here
        if compacted is not None:
            try:
                self._file.replace(compacted)
                return
            except DiskFull:
                pass  # a copy finds no room, the records themselves may
        self._file.write(frames)
        self._file.sync()

    def _committed(self, error: Exception | None, frames: list[bytes], releases: list[Release]) -> None:
        self._busy = False
        if isinstance(error, DiskFull):
            if not self.full:
                log.error("disk full: no new work is taken, ends are kept in memory (%s)", error)
            self.full = True
            self._frames[:0] = frames
            self._releases[:0] = releases
            self._urgent = True
            asyncio.get_running_loop().call_later(RETRY_S, self._flush)
            return
        if error is not None:
            self._failed(error)
            return
        if self.full:
            log.warning("the disk has room again")
            self.full = False
        for release in releases:
            release()

    async def close(self) -> None:
        """Write what is left, as far as the disk takes it; nobody is called back any more."""
        self._closing = True
        while self._busy:
            await asyncio.sleep(0.001)
        self._thread.shutdown()
        if self._frames:
            try:
                self._commit(b"".join(self._frames), None)
            except (DiskFull, SyncFailed) as error:
                log.error("%d records were not written: %s", len(self._frames), error)
        self.history.write(self.history.take())
        self.history.close()
        self._file.close()
