"""What the numbers were measured on: cores, memory, the disk's real sync time, versions."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from bench.rows import spread
from chaos.interpreter import describe

SYNCS = 200
BLOCK = bytes(4096)


def facts(directory: Path | None) -> list[str]:
    """One fact a line."""
    return [
        f"{os.cpu_count()} cores ({_processor()}), {_memory_mib():,} MiB memory, {platform.platform()}",
        f"disk of {directory or tempfile.gettempdir()}: 4 KiB append + fdatasync {_sync_times(directory)}",
        f"{describe()}, SQLite {sqlite3.sqlite_version}, "
        + ", ".join(f"{name} {_version(name)}" for name in ("cronclave", "pysyncobj", "uvicorn", "fastapi")),
        f"measured {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, commit {_commit()}",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def _sync_times(directory: Path | None) -> str:
    took_ms = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(SYNCS):
            started_s = time.perf_counter()
            file.write(BLOCK)
            file.flush()
            os.fdatasync(file.fileno())
            took_ms.append((time.perf_counter() - started_s) * 1000)
    return spread(took_ms, "ms", 2)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _commit() -> str:
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return f"unknown (run with {sys.executable})"
    return told.stdout.strip()
