"""A disk in memory. What was not synced may be lost, in part or whole, when the machine crashes."""

from __future__ import annotations

import copy
import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field


class Death(BaseException):
    """The process was killed, or its machine lost power, right here; no handler of the product sees it."""

    def __init__(self, place: str, *, lossy: bool) -> None:
        self.place = place  #: what the process was doing
        self.lossy = lossy  #: power is lost, and with it what was not synced


@dataclass(slots=True)
class _File:
    data: bytearray = field(default_factory=bytearray)
    synced: int = 0
    named: bool = False  #: its directory entry is durable


class SimulatedDisk:
    """The `Disk` of one node; it outlives the node's process."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self._name, self._rng = name, rng
        self._files: dict[str, _File] = {}
        self.fails: int | None = None  #: errno of every write and sync from now on
        self.dies_in: int | None = None  #: operations from now, the process dies in one
        self.lossy = False  #: and the machine with it
        self.sync_s = 0.0  #: what a sync takes
        self.busy_s = 0.0  #: time that syncs took and nobody has waited for yet
        self.spend: Callable[[float], None] | None = None  #: lets the time of a replacement pass within it

    def as_it_is(self) -> SimulatedDisk:
        """A copy of its files, as a person makes one."""
        other = SimulatedDisk(self._name, self._rng)
        other._files = copy.deepcopy(self._files)
        return other

    def where(self, name: str) -> str:
        return f"{self._name}/{name}"

    def names(self) -> list[str]:
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        return bytes(self._files[name].data)

    def append(self, name: str, data: bytes) -> None:
        file = self._files.setdefault(name, _File())
        try:
            self._check()
        except (Death, OSError):
            file.data += data[: self._rng.randrange(len(data) + 1)]  # a part was written
            raise
        file.data += data

    def sync(self, name: str) -> None:
        self._check()
        self.busy_s += self.sync_s
        file = self._files[name]
        file.synced = len(file.data)

    def truncate(self, name: str, size: int) -> None:
        self._check()
        file = self._files[name]
        del file.data[size:]
        file.synced = min(file.synced, size)

    def replace(self, name: str, data: bytes) -> None:
        self._check()
        if self.spend is not None:
            self.spend(self.sync_s)
        self._files[name] = _File(bytearray(data), len(data), named=True)
        self.sync_names()

    def unlink(self, name: str) -> None:
        self._check()
        del self._files[name]

    def sync_names(self) -> None:
        self._check()
        for file in self._files.values():
            file.named = True

    def close(self) -> None: ...

    def crash(self) -> None:
        """The machine lost power: unsynced tails are cut anywhere or damaged, unsynced names may be gone."""
        for name, file in list(self._files.items()):
            if not file.named and self._rng.random() < 0.5:
                del self._files[name]
                continue
            if len(file.data) > file.synced:
                keep = self._rng.randrange(file.synced, len(file.data) + 1)
                del file.data[keep:]
                if keep > file.synced and self._rng.random() < 0.3:
                    file.data[self._rng.randrange(file.synced, keep)] ^= 0x55
            file.named = True
            file.synced = len(file.data)

    def _check(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                raise Death("journal", lossy=self.lossy)
        if self.fails is not None:
            raise OSError(self.fails, errno.errorcode[self.fails])
