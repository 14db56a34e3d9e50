"""A folder's disk: whether there is room, and how long a sync takes, which is what a commit waits for."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from cli.doctor.findings import FAULT, OK, UNKNOWN, WARNING, Finding

SYNCS = 20
SYNC_BYTES = 4_096
WITHIN_S = 3.0
QUICK_MS = 20.0  #: up to here an agent syncs in its loop (decision 37)
SLOW_MS = 200.0
ROOM_BYTES = 1 << 30
NONE_BYTES = 256 << 20  #: a node takes nothing new when less than half of it is left


def room(folder: Path) -> Finding:
    try:
        return left(shutil.disk_usage(folder).free, str(folder))
    except OSError as error:
        return Finding("disk room", UNKNOWN, f"{folder}: {error.strerror}", "Choose a folder that is there.")


def left(free_bytes: int, where: str) -> Finding:
    verdict = FAULT if free_bytes < NONE_BYTES else WARNING if free_bytes < ROOM_BYTES else OK
    fix = "Make room, or give node.data a disk of its own: without room nothing new is taken (507)."
    said = f"{where}: {free_bytes / 1e9:.1f} GB are free"
    return Finding("disk room", verdict, said, "" if verdict == OK else fix)


def syncs(folder: Path) -> Finding:
    """Written, synced and gone again."""
    try:
        times_ms = sorted(_measured(folder))
    except OSError as error:
        return Finding(
            "disk sync", UNKNOWN, f"{folder}: {error.strerror}", "Run doctor as the user that has the folder."
        )
    return judge(folder, times_ms)


def judge(folder: Path, times_ms: list[float]) -> Finding:
    """Of sorted times."""
    middle, worst = times_ms[len(times_ms) // 2], times_ms[-1]
    said = f"a sync takes {middle:.1f} ms, {worst:.1f} ms at worst of {len(times_ms)}, in {folder}"
    if middle <= QUICK_MS:
        return Finding("disk sync", OK, said)
    return Finding(
        "disk sync", FAULT if middle > SLOW_MS else WARNING, f"{said}: each commit waits for a majority's"
        " syncs",
        "Use a local SSD; no network file system; look for what else writes there (iostat -x 1).",
    )  # fmt: skip


def _measured(folder: Path) -> list[float]:
    times_ms: list[float] = []
    began_s = time.monotonic()
    with tempfile.TemporaryFile(dir=folder) as file:
        while len(times_ms) < SYNCS and (not times_ms or time.monotonic() - began_s < WITHIN_S):
            file.write(b"\0" * SYNC_BYTES)
            file.flush()
            at_s = time.monotonic()
            os.fdatasync(file.fileno())
            times_ms.append((time.monotonic() - at_s) * 1000)
    return times_ms
