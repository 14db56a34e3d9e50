"""The few file operations that the journal needs, so that the simulation can put a disk of its own below it.

Rules: nothing here retries; every OSError reaches the journal, which stops the node. A name that was
created or renamed is durable only after `sync_names`; written bytes only after `sync`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from durable.files import replace_file, sync_folder, write_all


class Disk(Protocol):
    """One flat directory of files."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...
    def write(self, name: str, offset: int, data: bytes) -> None:
        """Put bytes in their place; creates the file."""

    def sync(self, name: str) -> None:
        """All bytes of the file are durable."""

    def truncate(self, name: str, size: int) -> None: ...
    def replace(self, name: str, data: bytes) -> None:
        """The whole file atomically and durably: the old or the new bytes, never a mix."""

    def unlink(self, name: str) -> None: ...
    def sync_names(self) -> None: ...
    def close(self) -> None: ...
    def where(self, name: str) -> str:
        """For error messages."""
        ...


class FileDisk:
    """The real one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open: dict[str, int] = {}

    def where(self, name: str) -> str:
        return str(self._directory / name)

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self._directory.iterdir())

    def read(self, name: str) -> bytes:
        return (self._directory / name).read_bytes()

    def write(self, name: str, offset: int, data: bytes) -> None:
        write_all(self._descriptor(name), data, offset)

    def sync(self, name: str) -> None:
        os.fdatasync(self._descriptor(name))

    def truncate(self, name: str, size: int) -> None:
        descriptor = self._descriptor(name)
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)

    def replace(self, name: str, data: bytes) -> None:
        self._forget(name)
        replace_file(self._directory / name, data)

    def unlink(self, name: str) -> None:
        self._forget(name)
        (self._directory / name).unlink()

    def sync_names(self) -> None:
        sync_folder(self._directory)

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def _forget(self, name: str) -> None:
        descriptor = self._open.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def _descriptor(self, name: str) -> int:
        descriptor = self._open.get(name)
        if descriptor is None:
            flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC
            descriptor = os.open(self._directory / name, flags, 0o600)
            if len(self._open) > 3:  # only the newest segment is written, and the votes
                for old in [n for n in self._open if n != name]:
                    os.close(self._open.pop(old))
            self._open[name] = descriptor
        return descriptor
