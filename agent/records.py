"""A file of checksummed records, appended and synced in groups.

1. A record is its length, its CRC-32 and its bytes. At opening, everything from the first record that does
   not check is cut off: it was being written when the host died and nobody was told of it.
2. A write that finds the disk full is undone (the file ends at the last whole record) and may be tried
   again. A failed sync is never tried again: the kernel may have dropped the pages.
3. Only the standard library: the spooler starts with this.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from durable.files import replace_file, sync_folder, write_all

_HEAD = struct.Struct("<II")
_RECORD_BYTES_MAX = 16 << 20
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DiskFull(Exception):
    """Nothing of the batch was kept; it may be tried again."""


class SyncFailed(Exception):
    """What is on disk is unknown: the process has to end and read it again."""


def frame(payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def parse(data: bytes) -> tuple[list[bytes], int]:
    """The records up to the first that does not check, and how many bytes they take."""
    records: list[bytes] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if length > _RECORD_BYTES_MAX or length == 0 or end > len(data):
            break
        payload = data[at + _HEAD.size : end]
        if zlib.crc32(payload) != checksum:
            break
        records.append(payload)
        at = end
    return records, at


class RecordFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        data = path.read_bytes() if path.exists() else b""
        self.records, self.size = parse(data)
        self.cut_bytes = len(data) - self.size
        self._handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        if self.cut_bytes:
            os.ftruncate(self._handle, self.size)
            os.fdatasync(self._handle)
        if not data:
            sync_folder(path.parent)
        os.lseek(self._handle, self.size, os.SEEK_SET)

    def write(self, frames: bytes) -> None:
        """Append whole frames to the page cache; raises DiskFull with the file unchanged."""
        try:
            write_all(self._handle, frames)
        except OSError as error:
            os.ftruncate(self._handle, self.size)
            os.lseek(self._handle, self.size, os.SEEK_SET)
            if error.errno in _NO_SPACE:
                raise DiskFull(str(error)) from error
            raise SyncFailed(str(error)) from error
        self.size += len(frames)

    def sync(self) -> None:
        try:
            os.fdatasync(self._handle)
        except OSError as error:
            raise SyncFailed(str(error)) from error

    def replace(self, payloads: Iterable[bytes]) -> None:
        """Compaction: the file holds these records and no others."""
        data = b"".join(frame(payload) for payload in payloads)
        try:
            replace_file(self.path, data)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise DiskFull(str(error)) from error
            raise SyncFailed(str(error)) from error
        handle = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        os.close(self._handle)
        self._handle = handle
        self.size = len(data)
        os.lseek(self._handle, self.size, os.SEEK_SET)

    def close(self) -> None:
        os.close(self._handle)
