"""A started program: a process tree of its own with a directory, a configuration, a log.

Rules:
1. Everything ends with the harness: each program asks the kernel to be killed with its parent. The kernel
   means the parent's THREAD, so all are started by one thread that lives as long as the harness.
2. Nothing is waited for by sleeping: `wait_for` takes a condition and a deadline.
3. A program is started by a command list, so that a test may put another program in its place.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import tomli_w

T = TypeVar("T")

POLL_S = 0.02
LOG_BYTES_SHOWN = 6_000
REAP_S = 15.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="chaos-starter")


class DeadlineError(Exception):
    """A condition did not become true in time."""


class EndedError(DeadlineError):
    """A program that is waited for has ended by itself: it will not become what was waited for."""


def wait_for(condition: Callable[[], T | None], deadline_s: float, what: str, poll_s: float = POLL_S) -> T:
    """The condition's first true value; raises DeadlineError, which says `what` did not happen."""
    until_s = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until_s:
            raise DeadlineError(f"not within {deadline_s:g} s: {what}; last seen: {value!r}")
        time.sleep(poll_s)


def state_of(pid: int) -> str:
    """The kernel's letter for what this process does (R, S, D, T, Z …); empty: there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether this process exists and is no zombie."""
    return state_of(pid) not in ("", "Z", "X")


def signal_all(pids: Iterable[int], number: int) -> None:
    """Send a signal to each of these processes that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def tree(root: int) -> list[int]:
    """This process and its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isascii() and entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def processes_naming(text: str) -> list[int]:
    """Living processes, other than this one, whose command line holds this text."""
    pids = (int(name) for name in os.listdir("/proc") if name.isascii() and name.isdigit())
    return [pid for pid in pids if pid != os.getpid() and text in command_line(pid) and alive(pid)]


def tail_of(log: Path) -> str:
    """The last lines of a program's log."""
    if not log.exists():
        return "(no log)"
    return log.read_bytes()[-LOG_BYTES_SHOWN:].decode(errors="replace")


class Waited(Protocol):
    """A program that should run until it is told to end."""

    name: str

    @property
    def process(self) -> Started | None: ...

    def log_tail(self) -> str: ...


def need_going(programs: Iterable[Waited]) -> None:
    """Raises EndedError, with the last lines of its log, where one of those that were started has ended."""
    for program in programs:
        code = None if program.process is None else program.process.poll()
        if code is not None:
            told = program.log_tail().rstrip()
            raise EndedError(
                f"{program.name} has ended by itself, exit code {code}; the end of its log:\n{told}"
            )


class Started(Protocol):
    """A process that was started: what is used of subprocess.Popen."""

    pid: int
    returncode: int | Any  #: None until its end was seen

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def start_process(
    command: Sequence[str],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    enter: Callable[[], None] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """A process that dies with this harness. `enter` is called in the child before the program is
    loaded."""

    def begin() -> None:
        if enter is not None:
            enter()
        # After `enter`: another user namespace would clear it.
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def start() -> subprocess.Popen[bytes]:
        with (log or Path(os.devnull)).open("ab") as out:
            return subprocess.Popen(
                list(command),
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=begin,
                pass_fds=pass_fds,
            )

    return _STARTER.submit(start).result()


def pids_of_node(process: Started | None, data: Path) -> dict[str, int]:
    """Of a node: its supervisor, the core and the front, as far as they run by its own word."""
    if process is None or process.poll() is not None:
        return {}
    found = {"supervisor": process.pid}
    with suppress(OSError, ValueError):
        told = json.loads((data / "processes.json").read_text())
        if told.get("pid") == process.pid:
            found |= {role: told[role] for role in ("core", "front") if told.get(role)}
    return found


@dataclass(slots=True)
class Program:
    """One node or agent on its host; `process` is None while it does not run."""

    name: str
    zone: str
    directory: Path
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    enter: Callable[[], None] | None = None  #: into its host's network namespace
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs, without waiting for anything."""
        if self.running:
            return
        self.process = start_process(
            [*self.command, "--config", str(self.config)],
            log=self.log,
            environment=self.environment,
            enter=self.enter,
        )

    def pids(self) -> dict[str, int]:
        """Its living processes by role, "supervisor" or "agent" the one that was started."""
        raise NotImplementedError

    def end(self, deadline_s: float = REAP_S) -> None:
        """Ask it to end (SIGTERM), wait, kill it if it does not."""
        if self.process is None:
            return
        signal_all([self.process.pid], signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(deadline_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it."""
        if self.process is not None:
            signal_all([self.process.pid], signal.SIGKILL)
            self.process.wait()
            self.process = None

    def log_tail(self) -> str:
        return tail_of(self.log)


def write_toml(path: Path, document: Mapping[str, Any]) -> None:
    """A configuration, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(tomli_w.dumps(document))
