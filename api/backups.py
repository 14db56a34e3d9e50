"""One backup of this node's state at a time: copied, sealed, measured, handed out as an open file.

Rules: the copy is made in small synced steps beside the loop (`Store.copy_to`), so that the core feels
nothing; it is whole and has its checksum before the first byte leaves; the file loses its name as soon as it
is open, so nothing is left behind however the request ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from api.ports import NodeStatus
from api.problems import Problem
from api.threads import COPIES, in_thread
from scheduler.backup import Manifest, seal
from scheduler.store import soundness
from scheduler.store.connection import Store

CHUNK_BYTES = 256 << 10
PAUSE_S = 0.005  #: between chunks: 50 MB/s at most
ROOM_BYTES = 256 << 20  #: that must stay free beside the copy
_busy: set[Path] = set()


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished copy. Whoever gets it closes the file."""

    manifest: Manifest
    size: int
    sha256: str
    file: BinaryIO


async def make(state: Path, directory: Path, status: NodeStatus, now_ms: int) -> Backup:
    """A copy of the live state at this path. Raises Problem: another is under way here, or no room."""
    if directory in _busy:
        raise Problem(
            "too-many-requests",
            f"{status.node} makes a backup already",
            hint="Wait for it, or ask another node.",
            headers={"Retry-After": "5"},
        )
    _busy.add(directory)
    try:
        backup: Backup = await in_thread(_make, state, directory, status, now_ms, line=COPIES)
        return backup
    finally:
        _busy.discard(directory)


def _make(state: Path, directory: Path, status: NodeStatus, now_ms: int) -> Backup:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for leftover in directory.glob("backup-*"):
        leftover.unlink()
    reader = Store.open_reader(state, query_ms_max=None)
    needed = reader.file_bytes() + ROOM_BYTES
    free = shutil.disk_usage(directory).free
    if free < needed:
        reader.close()
        raise Problem(
            "storage-low",
            f"a copy of the state needs {needed} bytes on {status.node}, {free} are free",
            hint="Free disk space there, or ask another node.",
        )
    path = directory / f"backup-{secrets.token_hex(8)}"
    try:
        reader.copy_to(path)
        soundness.refuse_damaged(path)
        manifest = seal(path, node=status.node, version=status.version, made_ms=now_ms)
        digest = hashlib.sha256()
        file = path.open("rb")
        while block := file.read(1 << 20):
            digest.update(block)
        size = file.tell()
        file.seek(0)
        return Backup(manifest, size, digest.hexdigest(), file)
    finally:
        reader.close()
        for left in directory.glob(f"{path.name}*"):
            left.unlink()


async def stream(backup: Backup) -> AsyncIterator[bytes]:
    """The bytes of the copy, at a pace; closes it."""
    try:
        while block := await in_thread(backup.file.read, CHUNK_BYTES, line=COPIES):
            yield block
            await asyncio.sleep(PAUSE_S)
    finally:
        backup.file.close()
