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


PIECE_BYTES = 16  #: smaller than any record, so that each can be torn


def _place(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


@dataclass(slots=True)
class _File:
    data: bytearray = field(default_factory=bytearray)
    safe: bytes = b""  #: as last synced
    writes: list[tuple[int, bytes]] = field(default_factory=list)  #: since then
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
        self.spend: Callable[[float], None] | None = None  #: lets the time of a sync pass within it

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

    def write(self, name: str, offset: int, data: bytes) -> None:
        file = self._files.setdefault(name, _File())
        try:
            self._check()
        except (Death, OSError):
            data = data[: self._rng.randrange(len(data) + 1)]  # a part was written
            raise
        finally:
            _place(file.data, offset, data)
            file.writes.append((offset, data))

    def sync(self, name: str) -> None:
        self._check()
        if self.spend is not None:
            self.spend(self.sync_s)
        else:
            self.busy_s += self.sync_s
        file = self._files[name]
        file.safe, file.writes = bytes(file.data), []

    def truncate(self, name: str, size: int) -> None:
        self._check()
        file = self._files[name]
        del file.data[size:]
        file.safe, file.writes = bytes(file.data), []

    def replace(self, name: str, data: bytes) -> None:
        self._check()
        if self.spend is not None:
            self.spend(self.sync_s)
        self._files[name] = _File(bytearray(data), data, named=True)
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
        """The machine lost power: of what was written and not synced comes a part, or pieces, or damage;
        unsynced names may be gone."""
        for name, file in list(self._files.items()):
            if not file.named and self._rng.random() < 0.5:
                del self._files[name]
                continue
            file.data = bytearray(file.safe)
            for offset, data in file.writes:
                for start, piece in self._what_survives(data):
                    _place(file.data, offset + start, piece)
            file.named = True
            file.safe, file.writes = bytes(file.data), []

    def _what_survives(self, data: bytes) -> list[tuple[int, bytes]]:
        rng = self._rng
        if rng.random() < 0.3:
            starts = [at for at in range(0, len(data), PIECE_BYTES) if rng.random() < 0.5]
            return [(at, data[at : at + PIECE_BYTES]) for at in starts]
        kept = bytearray(data[: rng.randrange(len(data) + 1)])
        if kept and rng.random() < 0.3:
            kept[rng.randrange(len(kept))] ^= 0x55
        return [(0, bytes(kept))]

    def _check(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                raise Death("journal", lossy=self.lossy)
        if self.fails is not None:
            raise OSError(self.fails, errno.errorcode[self.fails])
