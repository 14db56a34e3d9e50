"""Starts a node's core and front and ties their lives together.

Rules: the core's death ends the node (consensus must not limp); a front's death is mended by a
new one, without an election; the supervisor's death ends both (the kernel's parent-death signal);
SIGHUP goes on to both, which read their certificates again. Told to end, it tells the core, which knows
the order: leadership first, then the front and its agents, then itself.

A core that has set its state aside (node/damage.py) is followed by a new one, with a new front: `ANEW_MAX`
times in `ANEW_WITHIN_S`. More often is no flipped bit but a bad disk or bad memory, and a person's work.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from durable.files import replace_file
from node.config import NodeConfig

log = logging.getLogger("cronclave.node")

EXIT_REFUSED = 78  #: EX_CONFIG: the configuration or the identity is refused; starting again does not help
EXIT_ANEW = 75  #: EX_TEMPFAIL: the core has set its state aside; a new core makes another
ANEW_MAX = 3
ANEW_WITHIN_S = 3600.0
_STOP_S = 9.0  #: above what the core gives its steps
_FRONT_ENDS_S = 1.0  #: without a core a front ends at once
_FRONT_BACKOFF_S = (0.05, 0.2, 0.5, 1.0, 2.0)
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies. Called first thing in a child."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


#: glibc gives large blocks back to the system as they are freed only while it may not learn to keep them.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 20)}


class Supervisor:
    """The parent process of one node."""

    def __init__(self, config: NodeConfig, config_path: Path) -> None:
        self._config = config
        self._config_path = config_path
        self._core: subprocess.Popen[bytes] | None = None
        self._front: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._front_deaths = 0
        self._front_started_s = 0.0
        self._anew_s: list[float] = []

    def run(self) -> int:
        """Until the node ends; returns its exit code."""
        signals = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        for number in signals:
            signal.signal(number, _wake)
        self._core = self._start("node.core")
        self._start_front()
        front_again_s: float | None = None
        while True:
            wait_s = 3600.0 if front_again_s is None else max(0.0, front_again_s - time.monotonic())
            received = signal.sigtimedwait(signals, wait_s)
            if received is not None and received.si_signo in (signal.SIGTERM, signal.SIGINT):
                return self._stop()
            if received is not None and received.si_signo == signal.SIGHUP:
                self._reload()
            if self._core.poll() is not None:
                code = self._core_ended()
                if code != EXIT_ANEW:
                    return code
                if not self._may_begin_anew():
                    return EXIT_REFUSED
                front_again_s = None
                self._core = self._start("node.core")
                self._start_front()
            if self._front is not None and self._front.poll() is not None:
                code, self._front = self._front.returncode, None
                if code == EXIT_REFUSED:
                    self._stop()
                    return EXIT_REFUSED
                if time.monotonic() - self._front_started_s > 30:
                    self._front_deaths = 0
                delay_s = _FRONT_BACKOFF_S[min(self._front_deaths, len(_FRONT_BACKOFF_S) - 1)]
                self._front_deaths += 1
                log.error("front ended with %s; starting it again in %.2f s", code, delay_s)
                self._write_processes()
                front_again_s = time.monotonic() + delay_s
            if front_again_s is not None and time.monotonic() >= front_again_s:
                front_again_s = self._front_again()

    def _reload(self) -> None:
        """Certificates are read again by both processes."""
        for process in (self._core, self._front):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGHUP)

    def _start(self, module: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "node.process",
            module,
            "--config",
            str(self._config_path),
            "--parent",
            str(os.getpid()),
        ]
        # -P keeps the working directory out of the path; the mask set above must not be inherited.
        return subprocess.Popen(
            command, preexec_fn=_unblock, stdin=subprocess.DEVNULL, env={**MEMORY, **os.environ}
        )

    def _start_front(self) -> None:
        self._front = self._start("node.front")
        self._front_started_s = time.monotonic()
        self._write_processes()

    def _front_again(self) -> float | None:
        """None: it is started; else when to try again. A host that has no process or memory to spare
        right now is no reason to end a core that works."""
        try:
            self._start_front()
        except OSError as error:
            log.error("no front can be started: %s; trying again in %.0f s", error, _FRONT_BACKOFF_S[-1])
            return time.monotonic() + _FRONT_BACKOFF_S[-1]
        return None

    def _write_processes(self) -> None:
        """For people and tools; a full disk must not end a node that only lost its front."""
        processes = {
            "pid": os.getpid(),
            "core": self._core.pid if self._core else None,
            "front": self._front.pid if self._front else None,
        }
        try:
            replace_file(self._config.data / "processes.json", json.dumps(processes).encode())
        except OSError as error:
            log.error("processes.json cannot be written, and may tell of processes that are gone: %s", error)

    def _core_ended(self) -> int:
        assert self._core is not None
        code = self._core.returncode
        if self._front is not None:
            self._front.kill()
            self._front.wait()
        log.error("core ended with %s", code)
        return code if code > 0 else 1

    def _may_begin_anew(self) -> bool:
        self._anew_s.append(time.monotonic())
        if begins_anew(self._anew_s):
            return True
        log.critical(
            "this node had to set its state aside %d times within the hour: its disk or its memory cannot be"
            " trusted. Have the machine looked at, or replace the node (docs/guides/damage.md)",
            ANEW_MAX + 1,
        )
        return False

    def _stop(self) -> int:
        """The core ends in good order and its front with it; what takes longer is killed."""
        if self._core is not None and self._core.poll() is None:
            self._core.terminate()
        for process, wait_s in ((self._core, _STOP_S), (self._front, _FRONT_ENDS_S)):
            if process is None:
                continue
            try:
                process.wait(wait_s)
            except subprocess.TimeoutExpired:
                log.error("a process did not end in %.0f s and is killed", wait_s)
                process.kill()
                process.wait()
        with contextlib.suppress(OSError):
            (self._config.data / "processes.json").unlink(missing_ok=True)
        return 0


def begins_anew(times_s: Sequence[float]) -> bool:
    """Whether another core may follow the latest one that set its state aside."""
    return sum(1 for at_s in times_s if times_s[-1] - at_s < ANEW_WITHIN_S) <= ANEW_MAX


def _wake(number: int, frame: FrameType | None) -> None:
    """Signals are taken by sigtimedwait; a handler must exist so that SIGCHLD is not discarded."""


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
