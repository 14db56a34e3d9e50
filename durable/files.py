"""Replace a file in one step.

Rules of this file:

1. Written beside, whole (a short write is legal, at a full disk for example), synced, renamed, and then the
   folder is synced: a rename that only the cache knows is undone by a power cut.
2. The name beside is always the same, so a crash leaves one file at most, which the next replacement takes
   over. Who writes it holds its lock: two at once take turns, and never mix their bytes.
3. A failure before the rename takes the file beside away: on a full disk it would take the room that others
   need. A failed sync is never tried again: the kernel may have dropped the pages.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

BESIDE = ".new"
PRIVATE = 0o600


def replace_file(path: Path, data: bytes, *, mode: int | None = PRIVATE) -> None:
    """The file holds these bytes, durably, or what it held before. Raises OSError. `mode` None: as the file
    has it that is there, with its owner where this process may say so; PRIVATE where there is none."""
    beside = path.with_name(path.name + BESIDE)
    handle = _open_locked(beside)
    try:
        try:
            os.ftruncate(handle, 0)
            _give_rights(handle, path, mode)
            write_all(handle, data)
            os.fsync(handle)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


def write_all(handle: int, data: bytes, offset: int | None = None) -> None:
    """All of it, at its offset where one is given. Raises OSError, with a part of it written perhaps."""
    view = memoryview(data)
    while view:
        written = os.write(handle, view) if offset is None else os.pwrite(handle, view, offset)
        view = view[written:]
        offset = None if offset is None else offset + written


def sync_folder(folder: Path) -> None:
    """The names in it are durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open_locked(beside: Path) -> int:
    """The file beside, which nobody else writes."""
    while True:
        flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(beside, flags, PRIVATE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), os.lstat(beside)):
                return handle
        except FileNotFoundError:
            pass  # who held it has renamed it meanwhile
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _give_rights(handle: int, path: Path, mode: int | None) -> None:
    if mode is None:
        mode = PRIVATE
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(path)
            mode = stat.S_IMODE(found.st_mode)
            with contextlib.suppress(PermissionError):
                os.fchown(handle, found.st_uid, found.st_gid)
    os.fchmod(handle, mode)
