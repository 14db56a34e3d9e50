"""A folder of this host, such as one that all nodes share.

Rules of this file:

1. All of it is read at each look and known by what it holds: times and events of file systems are no more
   than hints. The resolved folder is read, so one that is exchanged by a link (`..data` of a mounted
   ConfigMap) is taken as one.
2. What is just being written is not taken: two walks, a moment apart, have to see the same.
3. A folder that is not there, or of which a part cannot be read, says nothing: no file of it is taken for
   deleted.
4. Only folders below those that the node's configuration names are read, and links lead nowhere else.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from node.effects.sources.contract import Budget, Snapshot, UnreachableError, Wanted, is_wanted

SETTLE_S = 0.3
TRIES = 5

_Walk = tuple[tuple[str, int, int, int], ...]


class Folder:
    def __init__(self, allowed: Sequence[Path]) -> None:
        """`allowed`: folders below which one may lie."""
        self._allowed = tuple(path.resolve() for path in allowed)

    async def look(self, wanted: Wanted) -> Snapshot:
        path = str(wanted.given["folder"])
        for _ in range(TRIES):
            before, snapshot = await asyncio.to_thread(self._read, path)
            if snapshot.revision == wanted.needless:
                return Snapshot(snapshot.revision)
            await asyncio.sleep(SETTLE_S)
            if await asyncio.to_thread(lambda: tuple(_walk(self.resolved(path)))) == before:
                return snapshot
        raise UnreachableError(f"{path} changes while it is read: {TRIES} times in a row")

    def resolved(self, path: str) -> Path:
        """Raises UnreachableError."""
        try:
            found = Path(path).resolve(strict=True)
        except OSError as error:
            raise UnreachableError(f"{path}: {error.strerror} on this node") from None
        if not any(found.is_relative_to(folder) for folder in self._allowed):
            raise UnreachableError(f"{path} is not below sources.folders of this node's configuration")
        if not found.is_dir():
            raise UnreachableError(f"{path} is no folder")
        return found

    def _read(self, path: str) -> tuple[_Walk, Snapshot]:
        root, budget = self.resolved(path), Budget()
        walked = tuple(_walk(root))
        files: dict[str, bytes] = {}
        told = hashlib.sha256()
        for name, size, _, _ in walked:
            budget.take(name, size)
            try:
                files[name] = (root / name).read_bytes()
            except OSError as error:
                raise UnreachableError(f"{name}: {error.strerror}") from None
            told.update(b"%s\0%s\0" % (os.fsencode(name), hashlib.sha256(files[name]).digest()))
        return walked, Snapshot(told.hexdigest(), files)


def _walk(root: Path) -> Iterator[tuple[str, int, int, int]]:
    """Each file's path, size, time and inode. Raises UnreachableError."""

    def fail(error: OSError) -> None:
        raise UnreachableError(f"{error.filename}: {error.strerror}")

    for folder, folders, names in os.walk(root, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = os.path.join(folder, name)
            path = os.path.relpath(file, root)
            if not is_wanted(path):
                continue
            try:
                if os.path.islink(file) and not Path(file).resolve(strict=True).is_relative_to(root):
                    raise UnreachableError(f"{path} is a link that leads out of the folder")
                found = os.stat(file)
            except OSError as error:
                raise UnreachableError(f"{path}: {error.strerror}") from None
            yield path, found.st_size, found.st_mtime_ns, found.st_ino
