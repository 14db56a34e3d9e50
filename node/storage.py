"""Free space of a node, before it runs out.

Rules:

1. Below LOW_BYTES a node says that its disk is low; when a majority says so, outside writes are refused
   (507). What runs goes on: grants, reports and the ledger need little.
2. A ballast file keeps BALLAST_BYTES. Below CRITICAL_BYTES it is given up, so that work in flight can end and
   an operator can log in; it is laid again when there is room enough.
3. This watches; it never judges a failed write. A disk error ends the core at once (core.py, rule 4).
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

LOW_BYTES = 128 << 20
CRITICAL_BYTES = 8 << 20
BALLAST_BYTES = 8 << 20
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Space:
    free_bytes: int
    low: bool


class Storage:
    """Watches the file system of a data directory; `look` is cheap and is called each turn."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._ballast = data / "ballast"
        self._looked_s = float("-inf")
        self._space = Space(0, False)

    def look(self, now_s: float) -> Space:
        """The space as of at most LOOK_S ago."""
        if now_s - self._looked_s < LOOK_S:
            return self._space
        self._looked_s = now_s
        free_bytes = shutil.disk_usage(self._data).free
        if free_bytes < CRITICAL_BYTES and self._ballast.exists():
            self._ballast.unlink()
        elif free_bytes > LOW_BYTES and not self._ballast.exists():
            self._lay()
        self._space = Space(free_bytes, free_bytes < LOW_BYTES)
        return self._space

    def _lay(self) -> None:
        descriptor = os.open(self._ballast, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            self._ballast.unlink()  # no room after all, or a file system that cannot keep any
        finally:
            os.close(descriptor)
