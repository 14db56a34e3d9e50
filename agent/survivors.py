"""Finding and killing what a dead spooler left running. Standard library only (spooler).

A process belongs to an attempt when its session is the one that the spooler made for it, or when its
environment carries this installation's mark. The first finds what changed its environment, the second what
left its session. A session whose leader lives but started at another time is a pid that was given out
again; while a session without a leader has members, the kernel does not give its number out.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

MARK = "CRONCLAVE_INSTALLATION"
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_SLACK_MS = 50.0  #: start times in /proc are in clock ticks


def _sessions_and_starts() -> list[tuple[int, int, float]]:
    """(pid, session, start since boot in ms) of every process of this host."""
    found: list[tuple[int, int, float]] = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                rest = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if rest[0] not in (b"Z", b"X"):
            found.append((int(name), int(rest[3]), int(rest[19]) * _TICK_MS))
    return found


def _marked(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False


def survivors(sessions: Mapping[int, float], installation: str) -> list[int]:
    """Living processes of these sessions (session → its start, ms since boot) or with the mark."""
    mark = f"{MARK}={installation}".encode()
    processes = _sessions_and_starts()
    strangers = {
        pid
        for pid, session, started in processes
        if pid == session and pid in sessions and abs(started - sessions[pid]) > _SLACK_MS
    }
    return [
        pid
        for pid, session, _ in processes
        if pid != os.getpid() and ((session in sessions and session not in strangers) or _marked(pid, mark))
    ]


def kill_survivors(sessions: Mapping[int, float], installation: str) -> int:
    """SIGKILL them until none is found (a fork may outrun one look); how many were killed."""
    killed = 0
    for _ in range(20):
        pids = survivors(sessions, installation)
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
    return killed
