"""inotify by the C library's own calls: one instance an agent (a user has 128), a watch a folder.

It says when to look, never what is there: events are lost (a queue that is full), come in any order, and
some ways to write a file make none. So each of them, of whatever kind, is a look at its folder.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator

_CREATE, _CLOSE_WRITE, _MOVED, _DELETE = 0x100, 0x8, 0x40 | 0x80, 0x200
_DELETE_SELF, _MOVE_SELF, _ONLYDIR = 0x400, 0x800, 0x0100_0000
_MASK = _CREATE | _CLOSE_WRITE | _MOVED | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_HEAD = struct.Struct("iIII")
_READ_BYTES = 64 << 10
OVERFLOW = -1  #: as a watch: some events were lost, of any


class Inotify:
    """Raises OSError where there is none to be had: then folders are looked at from time to time alone."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise _error("inotify")

    def add(self, folder: str) -> int:
        """The watch of the folder that has this path now; the same one as long as that is the same. Raises
        OSError. It may wait for the file system: not for an event loop."""
        watch: int = self._library.inotify_add_watch(self.fd, os.fsencode(folder), _MASK)
        if watch < 0:
            raise _error(folder)
        return watch

    def remove(self, watch: int) -> None:
        self._library.inotify_rm_watch(self.fd, watch)  # it may be gone with its folder

    def read(self) -> Iterator[int]:
        """The watches of the events that came."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            watch, _, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size + length
            yield watch

    def close(self) -> None:
        os.close(self.fd)


def _error(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
