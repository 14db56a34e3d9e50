"""Start, watch and end the programs of a development cluster.

Each child is in a session of its own, so that Ctrl-C in the terminal reaches `dev` alone and the end is
orderly; and each asks the kernel to be killed when `dev` dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.dev.layout import trim_log
from cli.processes import module_command, service_environment

RESTART_S = 2.0
EXIT_REFUSED = 78  #: a node's configuration or identity is refused: starting again does not help
LOG_BYTES_SHOWN = 8192

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before any fork


def keep_private() -> int:
    """The files made here are ours alone, and jobs of the same user cannot read a token in our environment
    (PR_SET_DUMPABLE, proc(5)). Returns the umask of before, for the programs started.
    """
    _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return os.umask(0o077)


def become_subreaper() -> None:
    """Descendants whose parent dies become ours, so that none can be missed at the end."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stop_with_parent() -> None:
    """From here on our parent's death is a SIGTERM to us: `make dev` killed with -9 leaves nothing either."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


@dataclass(slots=True)
class Child:
    """One program: started, dead and to be started again, or given up."""

    name: str
    module: str
    config: Path
    directory: Path
    umask: int = -1  #: that it is started with; -1: ours
    process: subprocess.Popen[bytes] | None = None
    again_s: float | None = None  #: when to start it again, monotonic
    held: bool = False  #: it may not start yet
    lost: bool = False  #: it is to be down until it is found again
    returning: bool = False  #: it is to come back as soon as it has ended
    refused: bool = False
    deaths: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)  #: environment beside the usual one
    _environment: dict[str, str] = field(default_factory=lambda: service_environment(os.environ))

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def start(self) -> None:
        trim_log(self.log)
        parent = os.getpid()

        def in_child() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, set())
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # dev died before the call
                os._exit(1)

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                module_command(self.module, "--config", str(self.config)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**self._environment, **self.extra},
                start_new_session=True,
                umask=self.umask,
                preexec_fn=in_child,
            )
        self.again_s = None

    def release(self) -> None:
        """It may start now: at the supervisor's next look."""
        if self.held:
            self.held = False
            self.again_s = None if self.lost else time.monotonic()

    def lose(self) -> None:
        """It is not started again, whatever ends it, until `find`."""
        self.lost, self.returning, self.again_s = True, False, None

    def find(self) -> None:
        """It starts at the supervisor's next look, or as soon as it has ended."""
        self.lost = False
        if self.process is not None:
            self.returning = True
        elif not self.held:
            self.again_s = time.monotonic()

    def processes(self) -> list[int]:
        """Every live process of it: those that its folder is named to, with all below them. An agent's
        spooler is among them, whoever started it."""
        mark = os.fsencode(self.directory) + b"/"
        named = set()
        for entry in os.scandir("/proc"):
            if entry.name.isascii() and entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = Path(entry.path, "cmdline").read_bytes()
                except OSError:
                    continue  # it ended meanwhile
                if mark in command:
                    named.add(int(entry.name))
        return [*named, *(pid for pid in _below(named) if pid not in named)]

    def reap(self, *, restart: bool) -> int | None:
        """The exit code, if it died since the last look; plans its next start."""
        if self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.process = None
        self.deaths += 1
        if self.module == "node" and code == EXIT_REFUSED:
            self.refused = True
        elif (restart or self.returning) and not self.lost:
            self.again_s = time.monotonic() + (0.0 if self.returning else RESTART_S)
            self.returning = False
        return code

    def last_lines(self, count: int = 6) -> list[str]:
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - LOG_BYTES_SHOWN))
                return log.read().decode(errors="replace").splitlines()[-count:]
        except OSError:
            return []


def descendants() -> list[int]:
    """Every live process below this one; zombies that are ours to reap are reaped on the way."""
    return _below({os.getpid()})


def _below(roots: Collection[int]) -> list[int]:
    """Every live process that one of these, none of them a zombie, started or stands above."""
    parents: dict[int, int] = {}
    zombies: set[int] = set()
    for entry in os.scandir("/proc"):
        if not (entry.name.isascii() and entry.name.isdigit()):
            continue
        try:
            state, parent = (
                Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            )
        except OSError:
            continue  # it ended meanwhile
        parents[int(entry.name)] = int(parent)
        if state == "Z":
            zombies.add(int(entry.name))
    found = []
    for pid in parents:
        above = parents[pid]
        while above in parents and above not in roots:
            above = parents[above]
        if above in roots and pid not in zombies:
            found.append(pid)
    return found


def reap_orphans(known: set[int]) -> None:
    """Collect adopted processes that ended. `known` children belong to their own records."""
    for task in Path("/proc/self/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for pid in map(int, children):
            if pid not in known:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    continue


def end_all(children: list[Child], *, within_s: float) -> list[int]:
    """Ask the programs to end, then see to it that nothing is left. Returns what could not be ended."""
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.terminate()
    deadline_s = time.monotonic() + within_s
    while any(child.process is not None and child.process.poll() is None for child in children):
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.02)
    # Spoolers and what they run outlive their agents by design; here nothing shall.
    deadline_s = time.monotonic() + 5.0
    while True:
        for child in children:
            if child.process is not None:
                child.process.poll()
        reap_orphans({child.pid for child in children if child.pid is not None})
        left = descendants()
        if not left or time.monotonic() > deadline_s:
            return left
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(0.02)
