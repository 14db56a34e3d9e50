"""A file whose run succeeded is moved or deleted, if it still is that very file.

Rules of this file:

1. Nothing that is there is replaced: where the folder has a file of that name, a number is added to it.
2. Done twice it is done once: what is not there any more, or is another file by now, needs nothing.
   An agent that died half way finds what it has put there.
3. To another file system it is copied under a name that nobody takes for complete, synced, and then renamed.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import stat

from agent.watching import facts

NAMES_MAX = 10_000
COPIED_BYTES = 1 << 20
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""Of file systems that know no hard links."""


def settle(path: str, identity: str, to: str) -> str:
    """Move it to the folder `to`, or delete it where that is empty; why that was not possible, or nothing."""
    try:
        now = facts.of(path)
        if now is None or now.identity != identity:
            return ""
        if not to:
            os.unlink(path)
            return ""
        return _move(path, identity, to)
    except OSError as error:
        return f"{error.filename2 or error.filename or path}: {error.strerror or error}"


def _move(path: str, identity: str, to: str) -> str:
    name = os.path.basename(path)
    try:
        return _place(path, to, name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    part = os.path.join(to, f".{name}.part")
    with open(path, "rb") as source, open(part, "wb") as target:
        shutil.copyfileobj(source, target, COPIED_BYTES)
        target.flush()
        os.fsync(target.fileno())
    now = facts.of(path)
    if now is None or now.identity != identity:  # somebody wrote on meanwhile: what was copied is no whole
        os.unlink(part)
        return ""
    shutil.copystat(path, part)
    refused = _place(part, to, name)
    if not refused:
        os.unlink(path)
    return refused


def _is_same(source: str, target: str) -> bool:
    """Whether it is there already: linked, or copied whole. Size and mtime do not prove that: deliveries of
    one name and length may keep an mtime of whole seconds."""
    one, other = os.lstat(source), os.lstat(target)
    if os.path.samestat(one, other):
        return True
    if not stat.S_ISREG(other.st_mode):
        return False
    looks_so = (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    return looks_so and filecmp.cmp(source, target, shallow=False)


def _place(source: str, to: str, name: str) -> str:
    """Under that name or a numbered one, whichever is free. A link refuses what is taken, a rename replaces
    it."""
    for number in range(NAMES_MAX):
        target = os.path.join(to, f"{name}.{number}" if number else name)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if not _is_same(source, target):
                continue
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(target) and not _is_same(source, target):
                continue
            os.rename(source, target)
            return ""
        os.unlink(source)
        return ""
    return f"{to}: it has {NAMES_MAX} files of that name"
