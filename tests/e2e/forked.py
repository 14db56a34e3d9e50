"""Nodes that need not load themselves: a server that has loaded a node forks each of them.

To load nodes took half of the CPU of the tests that start some. A forked one has its own files, session,
environment and signals, as after an exec, and forks its core and its front; all die with each other as ever.
What differs:

1. Each of a cluster's nodes comes from a server of its own, so that its sets and hashes have their own order,
   as between hosts: what would let states diverge does so here too.
2. The command line of a forked process is its server's. Agents are started in full: they are found by theirs.
3. What is read of the environment before a program begins is that of the servers, which have what a node sets
   for its own (`MEMORY` in node/supervisor.py). Where a test has set some of it, such as the fault shim, the
   node is started in full.
4. So it is by `cronclave dev` (tests/e2e/test_dev.py), in tests/e2e/test_input.py and test_security.py, as a
   member that a test adds, and by the chaos harness.

    server: python -m tests.e2e.forked SOCKET
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import logging
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from bench.cluster import Cluster
from chaos.programs import Started, start_process
from node.supervisor import MEMORY, Supervisor
from tests.cli.forked import Running, Server, serve

LOADED = ("node.__main__", "node.core", "node.front")
SERVERS_MAX = 3  #: as many as a cluster has nodes, nearly always
_PR_SET_PDEATHSIG = 1
_READ_BEFORE = ("LD_", "PYTHON", "MALLOC_", "GLIBC_", "TZ", "LANG", "LC_")  #: variables, by how they begin
_DEFAULT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Forked:
    """A started node, whose parent is the server that forked it (chaos.programs.Started)."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.pid = running.pid
        self.returncode: int | Any = None

    def poll(self) -> int | None:
        if self.returncode is None and self._running.ended(0):
            self.returncode = self._running.wait()
            self._running.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and not self._running.ended(timeout):
            raise subprocess.TimeoutExpired("a forked node", timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


_servers = cycle([Server(__name__, MEMORY) for _ in range(SERVERS_MAX)])
_server_of: dict[str, Server] = {}


def forking(cluster: Cluster) -> Cluster:
    """The same cluster, whose nodes are forked."""
    for node in cluster.nodes:
        if node.name not in _server_of:
            _server_of[node.name] = next(_servers)
        node.starter = partial(_start, _server_of[node.name])
    return cluster


def _read_before() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_READ_BEFORE)}


_AS_SERVERS_START = _read_before()


def _start(server: Server, command: Sequence[str], *, log: Path, cwd: Path) -> Started:
    """`command`: python, -m, module, and what that is told."""
    if _read_before() != _AS_SERVERS_START:
        return start_process(command, log=log, cwd=cwd)
    with log.open("ab") as out, open(os.devnull, "rb") as nothing:
        files = (nothing.fileno(), out.fileno(), out.fileno())
        return Forked(server.start(list(command[2:]), cwd, dict(os.environ), files))


# -- in the server and in what it forks


class _Child(subprocess.Popen[bytes]):
    """A core or front that goes on from here, where the supervisor would start a program."""

    def __init__(self, supervisor: Supervisor, module: str) -> None:
        self._goes_on = partial(_be, module, supervisor._config_path, os.getpid())
        super().__init__([module])

    def _execute_child(self, *_: object) -> None:
        self.pid = os.fork()
        self._child_created = True
        if not self.pid:
            self._goes_on()


def _fork(supervisor: Supervisor, module: str) -> subprocess.Popen[bytes]:
    return _Child(supervisor, module)


def _be(module: str, config: Path, parent: int) -> None:
    """As node.process is, after the exec that there was none of. Ends this process."""
    code: object = 1
    try:
        os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        for number in _DEFAULT:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        logging.root.handlers.clear()
        gc.disable()
        sys.argv = [module, "--config", str(config), "--parent", str(parent)]
        code = _main(module)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


def _main(module: str) -> object:
    loaded = sys.modules.get(module)
    if loaded is not None:
        return loaded.main()
    # Another version, such as tests.small_steps.
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def _serve(requests: socket.socket) -> None:
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    server = os.getpid()
    serve(requests)
    # A forked node.
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server:
        os._exit(1)
    Supervisor._start = _fork  # type: ignore[method-assign, assignment]
    module = sys.argv[1]
    sys.argv[:2] = [module]
    sys.exit(_main("node.__main__" if module == "node" else module))  # type: ignore[arg-type]  # an exit code


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
