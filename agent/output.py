"""Where the output of attempts lies, and how much of it is kept. Standard library only (spooler)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Container
from pathlib import Path

_BUCKET = 10_000
READ_BYTES_MAX = 256 << 10


def output_path(root: Path, attempt: int) -> Path:
    return root / str(attempt // _BUCKET) / f"{attempt}.log"


def open_for_output(root: Path, attempt: int) -> int:
    """A new file for this attempt's output; its folder is made when missing."""
    path = output_path(root, attempt)
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def read_output(root: Path, attempt: int, offset: int, limit: int) -> tuple[bytes, int] | None:
    """Bytes from offset and the size so far; None without a file (nothing written, or swept)."""
    try:
        handle = os.open(output_path(root, attempt), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(handle).st_size
        return os.pread(handle, max(0, min(limit, READ_BYTES_MAX)), max(0, offset)), size
    finally:
        os.close(handle)


def sweep(root: Path, *, keep_bytes: int, keep_ms: int, running: Container[int]) -> int:
    """Remove the oldest output beyond the limits, never that of running attempts; bytes removed."""
    files: list[tuple[float, int, Path]] = []
    removed = 0
    for folder in list(root.iterdir()) if root.exists() else []:
        if not folder.is_dir():
            continue
        entries = [e for e in os.scandir(folder) if e.name.endswith(".log")]
        if not entries and time.time() - folder.stat().st_mtime > 3600:
            shutil.rmtree(folder, ignore_errors=True)
        for entry in entries:
            if int(entry.name[:-4]) not in running:
                status = entry.stat()
                files.append((status.st_mtime, status.st_size, Path(entry.path)))
    files.sort()
    total = sum(size for _, size, _ in files)
    oldest = time.time() - keep_ms / 1000
    for modified, size, path in files:
        if total <= keep_bytes and modified >= oldest:
            break
        path.unlink(missing_ok=True)
        total -= size
        removed += size
    return removed
