"""The bytes of one segment of the journal: its header and its records. Knows no files.

Rules:
1. Strangers write what the records carry, so nothing that a payload holds may pass for a record. Each segment
   draws a random seed at its birth; its first half begins every record, and all of it keys every checksum. It
   stands in the segment alone: whoever writes payloads cannot know it.
2. Checksums are keyed hashes. A CRC tells chance damage, but a payload can be made whose CRC stays right when
   a certain page of it is lost, whatever number the CRC begins with.
3. A head has a checksum of its own. So whether records lie behind a damaged one is seen from heads alone, and
   costs what the bytes cost to read once: a length that is damaged, or a liar's, is never followed.

    segment  = magic 8, header (number u64, prior index u64, prior term u64, seed 16, crc u32), records
    record   = head (marker 8, length u32, synced u32, kind u8, index u64, term u64, checksum of the data 8,
               checksum of the head 8), data
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

MAGIC = b"CRNJRNL2"
SEED_BYTES = 16
ENTRY, TRUNCATE, RESET = 0, 1, 2
_HEADER = struct.Struct("<QQQ16s")
_CRC = struct.Struct("<I")
_HEAD = struct.Struct("<8sIIBQQ8s")
_MARKER_BYTES = 8
_CHECKSUM_BYTES = 8
HEADER_BYTES = len(MAGIC) + _HEADER.size + _CRC.size
HEAD_BYTES = _HEAD.size + _CHECKSUM_BYTES


@dataclass(slots=True)
class Segment:
    number: int
    prior_index: int  #: the place that the log had reached when this segment began
    prior_term: int
    seed: bytes
    size: int = HEADER_BYTES

    @property
    def name(self) -> str:
        return f"{self.number:016d}.seg"

    def header(self) -> bytes:
        fields = _HEADER.pack(self.number, self.prior_index, self.prior_term, self.seed)
        return MAGIC + fields + _CRC.pack(zlib.crc32(fields))

    def record(self, kind: int, index: int, term: int, synced: int, data: bytes = b"") -> bytes:
        """`synced`: up to where this segment is on disk at this time."""
        marker, checksum = self.seed[:_MARKER_BYTES], self._checksum(data)
        head = _HEAD.pack(marker, len(data), synced, kind, index, term, checksum)
        return head + self._checksum(head) + data

    def read(self, raw: bytes, offset: int) -> Record | None:
        """The record at `offset`, or None when there is no whole and correct one."""
        head = self._head(raw, offset)
        if head is None or head.kind > RESET:
            return None
        start = offset + HEAD_BYTES
        data = raw[start : start + head.length]
        if len(data) < head.length or self._checksum(data) != head.checksum:
            return None
        return Record(head.kind, head.index, head.term, data, start + head.length)

    def synced_by(self, raw: bytes, offset: int) -> Iterator[int]:
        """Up to where the segment was synced, as each record behind `offset` says; its data may be lost."""
        marker = self.seed[:_MARKER_BYTES]
        at = raw.find(marker, offset + 1)
        while at >= 0:
            head = self._head(raw, at)
            if head is not None:
                yield head.synced
            at = raw.find(marker, at + 1)

    def _head(self, raw: bytes, offset: int) -> _Head | None:
        end = offset + _HEAD.size
        packed = raw[offset:end]
        if not packed.startswith(self.seed[:_MARKER_BYTES]):
            return None
        if self._checksum(packed) != raw[end : end + _CHECKSUM_BYTES]:
            return None
        return _Head(*_HEAD.unpack(packed)[1:])

    def _checksum(self, data: bytes) -> bytes:
        return blake2b(data, digest_size=_CHECKSUM_BYTES, key=self.seed).digest()


@dataclass(frozen=True, slots=True)
class Record:
    kind: int
    index: int
    term: int
    data: bytes
    end: int  #: offset of what follows it


@dataclass(frozen=True, slots=True)
class _Head:
    length: int
    synced: int
    kind: int
    index: int
    term: int
    checksum: bytes


def read_header(raw: bytes) -> Segment | None:
    """The segment that begins with these bytes, or None when its magic or header is wrong."""
    fields = raw[len(MAGIC) : len(MAGIC) + _HEADER.size]
    crc = raw[len(MAGIC) + _HEADER.size : HEADER_BYTES]
    if not raw.startswith(MAGIC) or _CRC.pack(zlib.crc32(fields)) != crc:
        return None
    number, prior_index, prior_term, seed = _HEADER.unpack(fields)
    return Segment(number, prior_index, prior_term, seed, len(raw))
