"""A control group for each attempt, where the kernel has them (version 2, Linux 5.14) and this agent may make
some: what a process cannot leave by a session, an environment or a fork of its own. Standard library only
(spooler).

1. A process is born in its group: the spooler steps into it and starts the process. To put a process there
   that runs already would be a race with its first fork. A step takes a tenth of a millisecond, so it stays
   there until it steps into the next, and is out of what it kills.
2. No controller is asked for: killing needs none, and a group in which the agent itself is may not have any
   (cgroups(7), "no internal processes"). The groups lie below the spooler's own, which a service manager has
   to leave to it (systemd: Delegate=yes).
3. What is in the way of a group is no reason not to run: the attempt is then ended by session and fence alone
   (survivors), as everywhere without groups.
4. A group has its fence's name, which nothing else ever has. What lives on after an attempt's own end stays
   in its group, which goes once it is empty.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from collections import deque
from collections.abc import Collection
from pathlib import Path

_KILL, _PROCESSES, _EVENTS = "cgroup.kill", "cgroup.procs", "cgroup.events"
_LOOK_S = 0.005
_PATIENCE_S = 10.0  #: as survivors has it
_LEFT_LOOKED_AT = 4  #: groups of daemons, each time that an attempt ends


class Groups:
    """Those below one folder. Where that cannot be made there are none, and nothing is done."""

    def __init__(self, name: str) -> None:
        self._home = _own_folder()
        self._root = self._home and os.path.join(self._home, f"cronclave-{name}")
        self._inside = ""  #: the group that this process is in; empty: its own
        self._left: deque[str] = deque()
        self._is_made = False
        with contextlib.suppress(OSError):
            if self._root:
                self._left.extend(each.path for each in os.scandir(self._root) if each.is_dir())

    def are_there(self) -> bool:
        """Whether there are any, or can be."""
        if self._root and not self._is_made:
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self._root)
                self._is_made = os.access(os.path.join(self._root, _KILL), os.W_OK)
            except OSError:
                self._is_made = False
            if not self._is_made:
                self._root = ""
        return self._is_made

    def made(self, name: str) -> str:
        """The group of an attempt; empty: it gets none."""
        if not name or not self.are_there():
            return ""
        path = os.path.join(self._root, name)
        with contextlib.suppress(OSError):
            os.mkdir(path)
            return path
        return ""  # it is there already, with who knows what in it

    def enter(self, group: str) -> None:
        """What is started next is born there."""
        if group and _put_self(group):
            self._inside = group
        else:
            self.leave()

    def leave(self) -> None:
        if self._inside and _put_self(self._home):
            self._inside = ""

    def kill(self, group: str) -> bool:
        """Whether nothing is left of it. What lives there gets SIGKILL, all at once."""
        if group and group == self._inside:
            self.leave()
        if not group or not _lives(group):
            return True
        if group != self._inside:
            _write(os.path.join(group, _KILL), b"1")
        return not _lives(group)

    def end(self, names: Collection[str] | None) -> None:
        """Kill these, or all, and wait until nothing is left of them."""
        if not self._root:
            return
        if names is None:
            names = os.listdir(self._root) if os.path.isdir(self._root) else []
        living = [os.path.join(self._root, name) for name in names if name]
        until = time.monotonic() + _PATIENCE_S
        while living := [group for group in living if not self.kill(group)]:
            if time.monotonic() >= until:
                return
            time.sleep(_LOOK_S)

    def remove(self, group: str) -> None:
        """After an attempt's end: when the spooler has left it, and what lives on there has ended."""
        if group:
            self._left.append(group)
        for _ in range(min(_LEFT_LOOKED_AT, len(self._left))):
            path = self._left.popleft()
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError:
                self._left.append(path)

    def close(self) -> None:
        """The spooler ends: no empty folder is left behind."""
        self.leave()
        for _ in range(len(self._left)):
            self.remove("")
        if self._root:
            with contextlib.suppress(OSError):
                os.rmdir(self._root)


def name_of(installation: str, data: Path) -> str:
    """Of the folder: a copy of an installation, which nobody should make, kills none of the other's work."""
    return f"{installation[:32]}-{zlib.crc32(os.fsencode(data.resolve())):08x}"


def are_possible() -> bool:
    """Whether a spooler that is started here will have some."""
    groups = Groups(f"probe-{os.getpid()}")
    there = groups.are_there()
    groups.close()
    return there


def _own_folder() -> str:
    """Where this process is among the groups of version 2; empty: nowhere that can be seen."""
    try:
        with open("/proc/self/cgroup") as file:
            own = next(line[3:].rstrip("\n") for line in file if line.startswith("0::"))
        with open("/proc/self/mountinfo") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                if after.startswith("cgroup2 "):
                    root, place = before.split()[3:5]
                    below = own if root == "/" else own.removeprefix(root)
                    return os.path.join(place, below.lstrip("/"))
    except (OSError, StopIteration, ValueError):
        pass
    return ""


def _put_self(group: str) -> bool:
    return _write(os.path.join(group, _PROCESSES), b"0")


def _write(path: str, data: bytes) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(handle, data)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _lives(group: str) -> bool:
    """Whether a process of it, or of a group below, has not ended; those that only wait to be reaped have."""
    try:
        with open(os.path.join(group, _EVENTS), "rb") as file:
            return b"populated 1" in file.read()
    except OSError:
        return False
