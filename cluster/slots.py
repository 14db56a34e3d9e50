"""A small record that is written in place: two slots of one file in turns, and one sync.

Rules:
1. A store goes to the slot that does not hold the newest record. Torn by a loss of power it leaves the record
   before it, which is right: nobody has heard of the new one yet.
2. The slots lie 4 KiB apart: a disk that writes whole sectors or pages tears one of them at most.
3. The file has its full size from the beginning, so that a store changes no metadata of the file system.
4. Opening syncs what it found: a killed process may have written it without syncing it.
5. A slot that is damaged later cannot be told from a torn one here. Whoever cannot do with the record before
   it keeps a second file to compare (cluster.seen), which is written after this one.

    file = two slots, 4096 bytes each
    slot = checksum 8, sequence u64, length u16, data
"""

from __future__ import annotations

import struct
from hashlib import blake2b

from cluster.disk import Disk

SLOT_BYTES = 4096
DATA_BYTES_MAX = 480  #: with its head within one sector
_HEAD = struct.Struct("<QH")
_CHECKSUM_BYTES = 8


class SlotsError(Exception):
    """Neither slot holds a whole record."""


class Slots:
    """Raises OSError as the disk does."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk, self.name = disk, name
        self._sequence = 0
        self.damaged_at: int | None = None  #: offset of a slot that is neither empty nor whole

    def create(self, data: bytes) -> None:
        """The file with its first record, in one step."""
        self._sequence = 2  # in the first slot
        self._disk.replace(self.name, _slot(2, data).ljust(2 * SLOT_BYTES, b"\0"))

    def load(self) -> bytes:
        """The newest record. Raises SlotsError."""
        raw = self._disk.read(self.name)
        self._disk.sync(self.name)
        newest: tuple[int, bytes] | None = None
        for offset in (0, SLOT_BYTES):
            slot = raw[offset : offset + SLOT_BYTES]
            found = _read(slot)
            if found is None:
                self.damaged_at = offset if any(slot) else self.damaged_at
            elif newest is None or found[0] > newest[0]:
                newest = found
        if newest is None:
            raise SlotsError("neither of its slots holds a whole record")
        self._sequence = newest[0]
        return newest[1]

    def store(self, data: bytes) -> None:
        """Durable on return."""
        self._sequence += 1
        self._disk.write(self.name, self._sequence % 2 * SLOT_BYTES, _slot(self._sequence, data))
        self._disk.sync(self.name)


def _slot(sequence: int, data: bytes) -> bytes:
    if len(data) > DATA_BYTES_MAX:
        raise ValueError(f"a record of {len(data)} bytes; {DATA_BYTES_MAX} at most")
    body = _HEAD.pack(sequence, len(data)) + data
    return _checksum(body) + body


def _read(slot: bytes) -> tuple[int, bytes] | None:
    body = slot[_CHECKSUM_BYTES:]
    if len(body) < _HEAD.size:
        return None
    sequence, length = _HEAD.unpack_from(body)
    body = body[: _HEAD.size + length]
    if length > DATA_BYTES_MAX or _checksum(body) != slot[:_CHECKSUM_BYTES]:
        return None
    return sequence, body[_HEAD.size :]


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECKSUM_BYTES).digest()
