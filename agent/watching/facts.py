"""What a file is: its name, and the facts by which it is told from others that have that name.

Birth time tells a file that was delivered anew from the one before it where inode, mtime and size are the
same (`cp -p`, rsync, tar); Python's `os.stat` does not show it on Linux, so `statx(2)` is asked. Where the
file system has none, the time of the last change of the inode stands in its place.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from scheduler.patterns import fits

_AT_FDCWD, _NOFOLLOW, _BASIC, _BTIME = -100, 0x100, 0x7FF, 0x800
_FIELDS = struct.Struct("=I24xH2xQQ32xqI4xqI4xqI4x")
"""mask, mode, inode, size, then seconds and nanoseconds of birth, change and modification."""
_BUFFER_BYTES = 256
_HEX = frozenset("0123456789abcdefABCDEF")
UNFINISHED = (".part", ".tmp", "~", ".filepart")
"""What programs that copy call a file that is not complete."""


@dataclass(frozen=True, slots=True)
class Facts:
    path: str
    inode: int
    birth_ns: int | None  #: None: its file system does not know
    changed_ns: int
    modified_ns: int
    size: int

    @property
    def identity(self) -> str:
        born = f"c{self.changed_ns}" if self.birth_ns is None else f"b{self.birth_ns}"
        return f"{self.inode}.{born}.{self.modified_ns}.{self.size}"


def look(folder: str, match: str) -> tuple[int, list[Facts]]:
    """The device of the folder, and each file in it whose name fits, links not followed. Raises OSError."""
    device = os.stat(folder).st_dev
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_meant(entry.name, match) and (facts := of(entry.path)) is not None:
                found.append(facts)
    return device, found


def is_meant(name: str, match: str) -> bool:
    """Whether the name fits, and is none of those that copying programs use meanwhile, unless the pattern
    asks for such."""
    if any("\ud800" <= letter <= "\udfff" for letter in name) or not fits(match, name):  # the first: no UTF-8
        return False
    if name.startswith((".", "#")) and not match.startswith(name[0]):
        return False
    if any(name.endswith(end) and not match.endswith(end) for end in UNFINISHED):
        return False
    stem, dot, end = name.rpartition(".")  # `NAME.6eF82cBd`, as boto3 writes to
    return not (dot and len(end) == 8 and _HEX.issuperset(end) and not _is_day(end) and fits(match, stem))


def _is_day(text: str) -> bool:
    """`sales.20261201` is complete: eight such digits come of chance once in a million."""
    if not (text.isascii() and text.isdigit() and text[:2] in ("19", "20", "21")):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def of(path: str) -> Facts | None:
    """Of a regular file; None: there is none."""
    try:
        return _of(path)
    except FileNotFoundError:
        return None


def _by_stat(path: str) -> Facts | None:
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        return None
    return Facts(path, found.st_ino, None, found.st_ctime_ns, found.st_mtime_ns, found.st_size)


def _by_statx() -> Callable[[str], Facts | None]:
    call = ctypes.CDLL(None, use_errno=True).statx  # AttributeError: a C library without it

    def of_path(path: str) -> Facts | None:
        buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
        if call(_AT_FDCWD, os.fsencode(path), _NOFOLLOW, _BASIC | _BTIME, buffer):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        mask, mode, inode, size, born_s, born, changed_s, changed, modified_s, modified = _FIELDS.unpack_from(
            buffer.raw
        )
        if not stat.S_ISREG(mode):
            return None
        birth_ns = born_s * 10**9 + born if mask & _BTIME else None
        return Facts(path, inode, birth_ns, changed_s * 10**9 + changed, modified_s * 10**9 + modified, size)

    return of_path


try:
    _of = _by_statx()
except AttributeError:
    _of = _by_stat
