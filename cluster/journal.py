"""The Raft log on disk: checksummed append-only segments and one small file of metadata.

Rules:
1. Nothing is durable before `sync` returns, except the vote: `store_vote` returns with it on disk. Whoever
   sends an acknowledgement or a vote has to call them first. A new term without a vote promises nobody
   anything yet: it is on disk with the next `sync`, before the first entry that may be of it. The commit
   index that the metadata hold never speaks of entries that are not durable: they may be stored while a
   truncation still waits for its sync, and after a kill -9 the old index would commit what was to be cut.
2. One fdatasync per batch. An error of the disk is never retried (the kernel may have dropped the pages):
   it raises `JournalError`, and so does every call after it. The node must stop.
3. On opening, a torn tail of the LAST segment is cut: bytes that were written but never synced.
   Everything else that is not as it was written is refused by name: file, offset, what to do. Each
   record says how far its file was synced when it was written; so damage before that point is known to
   be no torn tail.
   What a killed process wrote and did not sync is found again by the next one. Opening syncs it before
   anything of it counts: it may be acknowledged without being written once more.
4. Segments are numbered without gaps and each says behind which position it starts; the metadata say which
   are the oldest and the newest: a segment that is missing is noticed before anything is written after it.
5. The log is trimmed by whole segments. The entry before the first one that is kept stays as a placeholder
   that is compared, never sent.
6. An older journal, put back, is refused by what seen.py notes outside of it.

Rejected: one file with offsets that are rewritten (pysyncobj's own; torn by a crash, cleared and filled again
by a compaction), and a database (two fsyncs per batch).

    segments: see segments.py
    votes    = slots (slots.py) of msgpack [term, vote]: written in place, one fdatasync each
    metadata = crc u32, msgpack [version, commit index, oldest segment, newest segment, life,
               index and term of a copy that is being installed (0, 0: none)]
"""

from __future__ import annotations

import random
import struct
import zlib

import msgpack

from cluster.disk import Disk
from cluster.seen import FILE, Seen, SeenError
from cluster.segments import (
    ENTRY,
    HEADER_BYTES,
    MAGIC,
    RESET,
    SEED_BYTES,
    TRUNCATE,
    Record,
    Segment,
    read_header,
)
from cluster.slots import Slots, SlotsError

LogEntry = tuple[bytes, int, int]  #: data, index, term
PLACEHOLDER = b"\x01"  #: data of the entry before the log's first: a no-op to whoever looks

META = "meta"
VOTES = "votes"
_CRC = struct.Struct("<I")
_META_VERSION = 3


class JournalError(Exception):
    """The journal cannot be trusted or written. The node has to stop; the text says what to do."""


class Journal:
    """`entries` is the log in memory: (data, index, term) without gaps. Read it; change it by the
    methods only."""

    def __init__(
        self,
        disk: Disk,
        *,
        segment_bytes: int = 4 << 20,
        rng: random.Random | None = None,
        seen: Disk | None = None,
        refuse_older: bool = True,
    ) -> None:
        """`rng` draws the seeds of the segments: nobody who writes payloads may foresee it. `seen`: where is
        noted what this journal has come to; None: a tool reads it, which is no life of its node. Both are
        closed with the journal, also where it is refused."""
        self._disk, self._rng = disk, rng or random.SystemRandom()
        self._disks = [disk] if seen is None else [disk, seen]
        self._votes = Slots(disk, VOTES)
        self._vote_due = False  #: a term without a vote waits for the next `sync`
        self._segment_bytes = segment_bytes
        self._segments: list[Segment] = []
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._synced = 0
        self._durable_commit = 1  #: the commit index of the last sync: what the metadata may say
        self._broken: str | None = None
        self._reset_in = 0  #: number of the segment with the last reset, while opening
        self._cut_below = False  #: whether the last segment was cut below its start, while opening
        self.entries: list[LogEntry] = []
        self.term = 0
        self.vote: str | None = None
        self.synced_index = 0  #: entries up to here are on disk as they are in `entries`
        self.life = 0  #: how often a node was started with it
        self.installs = (0, 0)  #: index and term of the copy that is being installed
        self.seen: Seen | None = None
        self.spark = ""  #: this process among those of one life
        self.commit_index = 1  #: as last stored; clamped to the log's end. A hint, not a promise
        try:
            self._load()
            if seen is not None:
                self._look_at(seen, refuse_older=refuse_older)
        except BaseException as error:
            self.abandon()
            if isinstance(error, OSError):
                raise self._fail("open", error) from error
            raise

    # ---- what is in it

    @property
    def first_index(self) -> int:
        return self.entries[0][1] if self.entries else 0

    @property
    def last_index(self) -> int:
        return self.entries[-1][1] if self.entries else 0

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self._segments) + self._pending_bytes

    @property
    def is_dirty(self) -> bool:
        return bool(self._pending) or self._vote_due

    def term_at(self, index: int) -> int | None:
        """Term of the entry at `index`, None outside the log."""
        offset = index - self.first_index
        return self.entries[offset][2] if self.entries and 0 <= offset < len(self.entries) else None

    # ---- changes, durable with the next `sync`

    def append(self, data: bytes, index: int, term: int) -> None:
        if self.entries and index != self.last_index + 1:
            raise ValueError(f"entry {index} behind {self.last_index}")
        self.entries.append((data, index, term))
        self._write(ENTRY, index, term, data)

    def truncate(self, index: int) -> None:
        """Forget every entry from `index` on."""
        offset = index - self.first_index
        if offset <= 0:
            raise ValueError(f"truncate at {index}, the log starts at {self.first_index}")
        del self.entries[offset:]
        self.synced_index = min(self.synced_index, index - 1)
        self._write(TRUNCATE, index, 0)
        if index <= self._segments[-1].prior_index:
            # A segment has to be readable without those before it, and this one starts behind what is cut.
            self.sync()
            self._guard(self._roll)

    def reset(self, index: int, term: int) -> None:
        """Forget all entries: the log continues behind (index, term), which a copy of the state contains.
        Term and vote stay. Durable on return."""
        self._write(RESET, index, term)
        self.entries = [(PLACEHOLDER, index, term)]
        if term > self.term:
            self.term, self.vote, self._vote_due = term, None, True  # it never voted in that one
        self.commit_index = index
        self.installs = (0, 0)
        self.sync()
        self._guard(self._roll)
        self._guard(lambda: self._drop(len(self._segments) - 1))

    def sync(self) -> None:
        """Everything appended and truncated so far is on disk afterwards."""
        if self._broken:
            raise JournalError(self._broken)
        if self._vote_due:
            self._store_vote()
        if self._pending:
            self._guard(self._flush)
        self.synced_index, self._durable_commit = self.last_index, self.commit_index

    def store_vote(self, term: int, vote: str | None) -> None:
        """A vote is on disk afterwards, and nothing that tells of it may leave earlier. A term without one is
        with the next `sync`: in an election the vote comes right behind it."""
        if self._broken:
            raise JournalError(self._broken)
        if (term, vote) != (self.term, self.vote):
            self.term, self.vote, self._vote_due = term, vote, True
            if vote is not None:
                self._store_vote()

    def begin_life(self) -> None:
        """State and journal fit: the node goes on with them. Not before, or a journal that is refused would
        make the right one an older one."""
        if self.seen is not None:
            self.life = max(self.life, self.seen.life) + 1
            self.spark = f"{self._rng.getrandbits(64):016x}"
            self._guard(self._store)
            self._note()

    def store_install(self, index: int, term: int) -> None:
        """A copy of the state as it is there takes the state's place next, and then `reset` follows. Durable
        on return: after a crash in between a state beyond the log's end is known to be right."""
        if self.term_at(index) != term:  # else nothing will be reset
            self.installs = (index, term)
            self._guard(self._store)

    def meet(self, uid: str, life: int, spark: str) -> None:
        """Note a peer that is connected."""
        if self.seen is not None:
            seen = self.seen
            self._guard(lambda: seen.met(uid, life, spark))

    def trimmable(self, index: int, tail_bytes: int) -> int:
        """How many segments `trim` would drop. A segment can become the first only if nothing behind it
        reaches below it: after a truncation a later one may start earlier, with other entries."""
        best, size = 0, self.size_bytes
        priors = [segment.prior_index for segment in self._segments]
        for count in range(1, len(self._segments)):
            size -= self._segments[count - 1].size
            if size < tail_bytes:
                break
            if self.first_index <= priors[count] <= min(index, *priors[count:]):
                best = count
        return best

    def trim(self, index: int, tail_bytes: int) -> bool:
        """Drop old segments whose entries are all at or below `index` (which the state holds durably),
        keeping at least `tail_bytes` of log. True when something was dropped."""
        count = self.trimmable(index, tail_bytes)
        if not count:
            return False
        self.sync()
        self._guard(lambda: self._drop(count))
        first = self._segments[0]
        self.entries = [
            (PLACEHOLDER, first.prior_index, first.prior_term),
            *self.entries[first.prior_index - self.first_index + 1 :],
        ]
        return True

    def close(self) -> None:
        """Store what is pending and close the files."""
        if not self._broken:
            self.sync()
            self._guard(self._store)
        self._close_files()

    def abandon(self) -> None:
        """Close the files and store nothing."""
        self._broken = self._broken or "journal: it was closed"
        self._close_files()

    def _close_files(self) -> None:
        for disk in self._disks:
            disk.close()

    # ---- disk

    def _fail(self, doing: str, error: Exception) -> JournalError:
        self._broken = (
            f"journal: {doing}: {error}. The node stops; nothing was acknowledged that is not on disk."
        )
        return JournalError(self._broken)

    def _guard(self, act: object) -> None:
        if self._broken:
            raise JournalError(self._broken)
        try:
            act()  # type: ignore[operator]  # a bound method or lambda without arguments
        except OSError as e:
            raise self._fail("write", e) from e

    def _write(self, kind: int, index: int, term: int, data: bytes = b"") -> None:
        record = self._segments[-1].record(kind, index, term, self._synced, data)
        self._pending.append(record)
        self._pending_bytes += len(record)

    def _flush(self) -> None:
        segment = self._segments[-1]
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        self._disk.write(segment.name, segment.size, data)
        self._disk.sync(segment.name)
        segment.size += len(data)
        self._synced = segment.size
        if segment.size >= self._segment_bytes:
            self._roll()

    def _roll(self) -> None:
        number = self._segments[-1].number + 1 if self._segments else 1
        index, term = (self.entries[-1][1], self.entries[-1][2]) if self.entries else (0, 0)
        segment = Segment(number, index, term, self._rng.randbytes(SEED_BYTES))
        self._disk.write(segment.name, 0, segment.header())
        self._disk.sync(segment.name)
        self._disk.sync_names()
        self._segments.append(segment)
        self._synced = segment.size
        self._store()  # from here on a missing file is noticed, and what it held was acknowledged

    def _store_vote(self) -> None:
        self._guard(lambda: self._votes.store(self._packed_vote()))
        self._vote_due = False
        self._note()

    def _packed_vote(self) -> bytes:
        packed: bytes = msgpack.packb([self.term, self.vote])
        return packed

    def _drop(self, count: int) -> None:
        """The metadata first: files below `oldest` are leftovers, a missing one above it is damage."""
        dropped, self._segments = self._segments[:count], self._segments[count:]
        self._store()
        for segment in dropped:
            self._disk.unlink(segment.name)

    def _store(self) -> None:
        oldest, newest = (self._segments[0].number, self._segments[-1].number) if self._segments else (1, 0)
        fields = [self._durable_commit, oldest, newest, self.life, *self.installs]
        body: bytes = msgpack.packb([_META_VERSION, *fields])
        self._disk.replace(META, _CRC.pack(zlib.crc32(body)) + body)

    # ---- opening

    def _look_at(self, disk: Disk, *, refuse_older: bool) -> None:
        """What was noted of this journal."""
        try:
            self.seen = Seen(disk)
        except (SeenError, ValueError) as error:
            raise JournalError(
                f"{disk.where(FILE)}: {error}. It tells whether an older journal was put back. Remove it if"
                " you know that none was; else remove this node from the cluster and let it join again under"
                " a new name with an empty data directory."
            ) from error
        older = self.seen.older(self.life, self.term, self.vote)
        if older is not None and refuse_older:
            if not self.life and not self.entries:
                raise JournalError(
                    f"{disk.where(FILE)} tells of lives of this node, but there is no journal: this node"
                    " forgot its votes. Remove it from the cluster and let it join again under a new name"
                    " with an empty data directory."
                )
            if self._votes.damaged_at is not None:
                raise self._refuse(VOTES, self._votes.damaged_at, f"the newest vote is damaged: {older}")
            raise self._refuse(META, 0, f"this is an older journal of this node, put back: {older}")

    def _note(self) -> None:
        if self.seen is not None:
            seen = self.seen
            self._guard(lambda: seen.note(self.life, self.term, self.vote))

    def _load(self) -> None:
        names = self._disk.names()
        segments = sorted(name for name in names if name.endswith(".seg"))
        if META not in names:
            if segments:
                raise self._refuse(META, 0, "it is missing, so the votes of this node are forgotten")
            self._votes.create(self._packed_vote())
            self._store()
            self._roll()
            return
        oldest, newest = self._load_meta()
        self._load_vote()
        for name in [n for n in segments if self._number(n) < oldest]:
            segments.remove(name)
            self._disk.unlink(name)
        last = segments[-1] if segments else ""
        for expected, name in enumerate(segments, oldest):
            if self._number(name) != expected:
                raise self._refuse(f"{expected:016d}.seg", 0, "it is missing")
            self._load_segment(name, expected, is_last=name == last, required=expected <= newest)
        if newest >= oldest and (not self._segments or self._segments[-1].number < newest):
            raise self._refuse(f"{newest:016d}.seg", 0, "it is missing")
        if self._segments:
            self._disk.sync(self._segments[-1].name)  # older ones were synced before this one began
            self._disk.sync_names()
        else:
            self._roll()
        self._finish()
        self._synced = self._segments[-1].size
        self.commit_index = max(1, min(self.commit_index, self.last_index))
        self.synced_index, self._durable_commit = self.last_index, self.commit_index

    def _finish(self) -> None:
        """What a crash interrupted: a reset, or a truncation below the last segment, rolls before anything is
        written after it; and a reset drops what lies before."""
        if self._reset_in == self._segments[-1].number or self._cut_below:
            self._roll()
        if self._reset_in:
            self._drop(sum(1 for segment in self._segments if segment.number <= self._reset_in))

    @staticmethod
    def _number(name: str) -> int:
        stem = name.removesuffix(".seg")
        return int(stem) if stem.isascii() and stem.isdigit() else -1

    def _load_meta(self) -> tuple[int, int]:
        raw = self._disk.read(META)
        if len(raw) < 4 or _CRC.pack(zlib.crc32(raw[4:])) != raw[:4]:
            raise self._refuse(META, 0, "its checksum is wrong")
        version, *rest = msgpack.unpackb(raw[4:])
        if version != _META_VERSION:
            raise self._refuse(META, 4, f"version {version} is not known to this release")
        self.commit_index, oldest, newest, self.life, *installs = rest
        self.installs = (installs[0], installs[1])
        self._durable_commit = self.commit_index
        return oldest, newest

    def _load_vote(self) -> None:
        if VOTES not in self._disk.names():
            raise self._refuse(VOTES, 0, "it is missing, so the votes of this node are forgotten")
        try:
            self.term, self.vote = msgpack.unpackb(self._votes.load())
        except SlotsError as error:
            raise self._refuse(VOTES, 0, f"{error}, so the votes of this node are forgotten") from error

    def _load_segment(self, name: str, number: int, *, is_last: bool, required: bool) -> None:
        raw = self._disk.read(name)
        segment = read_header(raw)
        if segment is None:
            if not is_last or required:
                raise self._refuse(name, 0, "its magic or header is wrong")
            self._disk.unlink(name)  # the crash came while it was created; nothing can be in it
            return
        if segment.number != number:
            raise self._refuse(name, len(MAGIC), f"it says that it is segment {segment.number}")
        if not self.entries and segment.prior_index:
            self.entries = [(PLACEHOLDER, segment.prior_index, segment.prior_term)]
        if self.entries and self.entries[-1][1:] != (segment.prior_index, segment.prior_term):
            raise self._refuse(name, len(MAGIC), f"it does not follow entry {self.last_index}")
        offset = HEADER_BYTES
        self._cut_below = False
        while offset < len(raw):
            record = segment.read(raw, offset)
            if record is None:
                if not is_last:
                    raise self._refuse(name, offset, "a record is damaged")
                self._check_torn(segment, raw, offset)
                self._disk.truncate(name, offset)
                break
            if not self._replay(record, segment):
                raise self._refuse(name, offset, f"entry {record.index} does not follow {self.last_index}")
            offset = record.end
        segment.size = offset
        self._segments.append(segment)

    def _check_torn(self, segment: Segment, raw: bytes, offset: int) -> None:
        """A tail may be cut only if no later record tells that this place had been synced."""
        if any(synced > offset for synced in segment.synced_by(raw, offset)):
            raise self._refuse(segment.name, offset, "a record is damaged that had been synced")

    def _replay(self, record: Record, segment: Segment) -> bool:
        if record.kind == RESET:
            self._reset_in = segment.number
            self.entries = [(PLACEHOLDER, record.index, record.term)]
        elif record.kind == TRUNCATE:
            keep = record.index - self.first_index if self.entries else 0
            del self.entries[max(keep, 0) :]
            self._cut_below = self._cut_below or record.index <= segment.prior_index
        else:
            if record.index != self.last_index + 1 and self.entries:
                return False
            self.entries.append((record.data, record.index, record.term))
        return True

    def _refuse(self, name: str, offset: int, what: str) -> JournalError:
        self._broken = (
            f"journal file {self._disk.where(name)}, offset {offset}: {what}. This node cannot vouch for "
            "its log. Remove it from the cluster and let it join again under a new name with an empty data "
            "directory."
        )
        return JournalError(self._broken)
