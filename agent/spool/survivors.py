"""Finding and killing what a dead spooler left running, and what left its group before the attempt was ended
by force. Standard library only (spooler).

A process belongs to an attempt when its session is the one that the spooler made for it, or when its
environment carries this installation's mark and the attempt's fence. The first finds what changed its
environment, the second what left its session. What an attempt that has ended left behind is nobody's. A
session whose leader lives but started at another time is a pid that was given out again; while a session
without a leader has members, the kernel does not give its number out.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Mapping, Set

MARK = "CRONCLAVE_INSTALLATION"
FENCE = "CRONCLAVE_FENCE"
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_SLACK_MS = 50.0  #: start times in /proc are in clock ticks
_DEAD = (b"Z", b"X")
_LOOK_S = 0.005
_PATIENCE_S = 10.0  #: with one that the kernel lets not die yet: it runs nothing of its own any more


def _stat(path: str) -> list[bytes] | None:
    """The fields behind the name; None: gone."""
    try:
        with open(path, "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def _dead(pid: str, state: bytes) -> bool:
    """Whether none of its threads runs: a first thread that ended is a zombie while others go on."""
    if state not in _DEAD:
        return False
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    stats = [_stat(f"/proc/{pid}/task/{thread}/stat") for thread in threads]
    return all(stat is None or stat[0] in _DEAD for stat in stats)


def _sessions_and_starts() -> list[tuple[int, int, float]]:
    """(pid, session, start since boot in ms) of every process of this host."""
    found: list[tuple[int, int, float]] = []
    for name in os.listdir("/proc"):
        if not (name.isascii() and name.isdigit()):
            continue
        rest = _stat(f"/proc/{name}/stat")
        if rest is not None and not _dead(name, rest[0]):
            found.append((int(name), int(rest[3]), int(rest[19]) * _TICK_MS))
    return found


def _marked(pid: int, mark: bytes, fences: Set[bytes] | None) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read().split(b"\0")
    except OSError:
        return False
    return mark in environment and (fences is None or not fences.isdisjoint(environment))


def survivors(sessions: Mapping[int, float], installation: str, fences: Collection[str] | None) -> list[int]:
    """Living processes of these sessions (session → its start, ms since boot), and those with the mark and
    one of these fences (None: any)."""
    mark = f"{MARK}={installation}".encode()
    theirs = None if fences is None else {f"{FENCE}={fence}".encode() for fence in fences}
    processes = _sessions_and_starts()
    strangers = {
        pid
        for pid, session, started in processes
        if pid == session and pid in sessions and abs(started - sessions[pid]) > _SLACK_MS
    }
    return [
        pid
        for pid, session, _ in processes
        if pid != os.getpid()
        and ((session in sessions and session not in strangers) or _marked(pid, mark, theirs))
    ]


def kill_once(pids: Collection[int]) -> set[int]:
    """SIGKILL each; those that were there."""
    killed: set[int] = set()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        except (ProcessLookupError, PermissionError):
            continue
    return killed


def kill_survivors(
    sessions: Mapping[int, float], installation: str, fences: Collection[str] | None
) -> int:
    """SIGKILL them until none is left (a fork may outrun one look, a death takes its time); how many."""
    killed: set[int] = set()
    until = time.monotonic() + _PATIENCE_S
    while pids := survivors(sessions, installation, fences):
        killed |= kill_once(pids)
        if time.monotonic() >= until and killed.issuperset(pids):
            break
        time.sleep(_LOOK_S)
    return len(killed)
