"""`cronclave` as a process that need not load it first: a server that has loaded the command forks one each.

Starting Python and loading the command takes some ten times as long as most commands do. A forked one has its
own arguments, environment, folder and files; it ends as any process does. What is about starting itself, or
about the locale that Python starts in, starts a process in full (tests/cli/test_startup.py, `Command`).

    server: python -m tests.cli.forked SOCKET
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FILES = 4  #: of a request: the command's input, output and error, and a pipe for its pid and then its end
REQUEST_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Running:
    """A forked command."""

    pid: int
    told: int  #: gives its exit code once it has ended

    def ended(self, within_s: float | None) -> bool:
        """Whether it has ended, or does by then; None waits for ever."""
        return bool(select.select([self.told], [], [], within_s)[0])

    def wait(self) -> int:
        """Its exit code, as subprocess tells it. Blocks."""
        with open(self.told, "rb", closefd=False) as end:
            return int(end.read())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        os.close(self.told)


class Server:
    """The process that forks, started when it is first needed; it ends with ours."""

    def __init__(self, module: str = __name__, settings: Mapping[str, str] | None = None) -> None:
        """`settings`: of its environment, for what reads them before a program begins."""
        self._module = module
        self._settings = settings or {}
        self._ours: socket.socket | None = None

    def start(
        self, arguments: list[str], cwd: Path, environment: dict[str, str], files: tuple[int, int, int]
    ) -> Running:
        """`files`: its input, output and error; they stay the caller's."""
        if self._ours is None:
            self._ours = self._started()
        told, tell = os.pipe()
        try:
            request = json.dumps([arguments, str(cwd), environment]).encode()
            assert len(request) < REQUEST_BYTES_MAX
            socket.send_fds(self._ours, [request], [*files, tell])
        finally:
            os.close(tell)
        pid = os.read(told, 8)
        assert len(pid) == 8, "the server that forks commands has ended"
        return Running(int.from_bytes(pid, "big"), told)

    def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", self._module, str(theirs.fileno())],
                cwd=PROJECT,
                env={**os.environ, **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

        def end() -> None:
            ours.close()
            process.wait()

        atexit.register(end)
        return ours


def load_everything() -> None:
    import cli

    for module in pkgutil.walk_packages(cli.__path__, "cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("scheduler.model.documents", "scheduler.model.written", "scheduler.ticks", "rich.table"):
        importlib.import_module(name)


def serve(requests: socket.socket) -> None:
    """Returns in the forked command, which goes on to be it, and leaves by SystemExit in the server."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    ends: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == woken:
                    os.read(woken, 4_096)
                    _tell_ends(ends)
                    continue
                request, files, _, _ = socket.recv_fds(requests, REQUEST_BYTES_MAX, FILES)
                if not request:
                    sys.exit()
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for fd in (woken, wake, *ends.values()):
                        os.close(fd)
                    requests.close()
                    arguments, cwd, environment = json.loads(request)
                    become(arguments, cwd, environment, files)
                    return
                os.write(files[3], pid.to_bytes(8, "big"))
                ends[pid] = files[3]
                for file in files[:3]:
                    os.close(file)


def _tell_ends(ends: dict[int, int]) -> None:
    while ends:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        told = ends.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # nobody asks any more
            os.write(told, b"%d" % os.waitstatus_to_exitcode(status))
        os.close(told)


def become(arguments: list[str], cwd: str, environment: dict[str, str], files: list[int]) -> None:
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["cronclave", *arguments]


if __name__ == "__main__":
    load_everything()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
    from cli.main import main

    main()
else:
    SERVER = Server()
