"""Disks: full, failing to sync, torn at the end of the journal.

Rules:
1. A full disk is a small file system of the node's own, filled by a ballast file: nobody else on the
   machine suffers, and it is empty again with one unlink. The product may have room of its own to give
   back (its ballast): a disk counts as full while SLACK_BYTES more than the fault leaves cannot be had.
2. A failing sync is the shim's. The canary is a program of ours under the same shim, beside the node's own
   files; and the node counts only if the shim is loaded into its core.
3. A torn tail is made while the node is down, in its newest journal segment. What was there is not kept:
   mending it, or refusing it by name, is the node's business.
4. A node that stopped of its broken disk is started again when that is healed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chaos.faults import DiskFull, Fault, SyncError, TornTail
from chaos.nemesis import NemesisError, Sighting, Unavailable
from chaos.nemesis.shim import Control, build
from chaos.nodes import Node
from chaos.programs import POLL_S, alive, wait_for

SLACK_BYTES = 16 << 20
BALLAST = "chaos-ballast"
CANARY = "chaos-canary"
SEGMENTS = "*.seg"
CANARY_S = 30.0
SETTLE_S, END_S = 1.0, 15.0
_LIBC = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2
_GARBAGE = b"\xa5"
_GUARD = 'read -r _; for place; do umount -l "$place"; done'
_SYNC_CANARY = "import os, sys; os.fsync(os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o600))"


class Nodes(Protocol):
    """What this driver needs of a cluster."""

    @property
    def nodes(self) -> Sequence[Node]: ...

    def node(self, name: str) -> Node: ...

    def ready(self, node: Node) -> bool: ...


def why_no_own_disks() -> Unavailable | None:
    """Why nodes cannot have small file systems of their own here."""
    if os.uname().sysname != "Linux" or os.geteuid() != 0:
        return Unavailable(
            "mounting a small file system needs root", "run as root, in a container for instance"
        )
    return None


def mount_small(directory: Path, size_bytes: int) -> str | None:
    """A tmpfs of this size there; why not, or None."""
    directory.mkdir(parents=True, exist_ok=True)
    options = f"size={size_bytes},mode=700".encode()
    if _LIBC.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, options) == 0:
        return None
    return f"mount {directory}: {os.strerror(ctypes.get_errno())}"


def unmount(directory: Path) -> None:
    _LIBC.umount2(os.fsencode(directory), _MNT_DETACH)


class SmallDisks:
    """Small file systems of these nodes, gone at the end; and with the harness, however it dies: a guard
    reads from a pipe that only the harness holds."""

    def __init__(self, nodes: Sequence[Node], *, size_bytes: int) -> None:
        self._nodes = nodes
        self._guard: subprocess.Popen[bytes] | None = None
        if why_no_own_disks() is not None:
            return
        places = [str(node.data) for node in nodes]
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "chaos-guard", *places],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the terminal is not for it
        )
        for node in nodes:
            node.own_disk = mount_small(node.data, size_bytes) is None

    def end(self) -> None:
        for node in self._nodes:
            if node.own_disk:
                unmount(node.data)
                node.own_disk = False
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None


def load_shim(nodes: Sequence[Node], cache: Path) -> None:
    """The shim for these nodes, if it can be had here; they do not run yet."""
    library = build(cache / "shim")
    if isinstance(library, Path):
        for node in nodes:
            node.control = node.directory / "shim.control"
            node.directory.mkdir(parents=True, exist_ok=True)
            node.environment |= Control(node.control).environment(library)


def loads_shim(pid: int) -> bool:
    """Whether this process has the shim in it."""
    try:
        return "shim.so" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _Torn:
    path: Path
    size: int
    tail: bytes


class DiskDriver:
    name = "disk"
    kinds: frozenset[type[Any]] = frozenset({DiskFull, SyncError, TornTail})

    def __init__(self, cluster: Nodes) -> None:
        self._cluster = cluster
        self._active: list[Fault] = []
        self._torn: dict[Fault, _Torn] = {}

    def available(self) -> Unavailable | None:
        """The first reason why one of its faults cannot be injected."""
        return next((why for kind in self.kinds if (why := self.why_not(kind)) is not None), None)

    def why_not(self, kind: type[Any]) -> Unavailable | None:
        """Why faults of this kind cannot be injected into this cluster."""
        if kind is DiskFull and not all(node.own_disk for node in self._cluster.nodes):
            return why_no_own_disks() or Unavailable("the nodes share a file system", "lay it out breakable")
        if kind is SyncError and not all(node.control for node in self._cluster.nodes):
            return Unavailable(
                "the nodes run without the fault shim", "install a C compiler (Debian: gcc libc6-dev)"
            )
        return None

    def inject(self, fault: Fault) -> None:
        why = self.why_not(type(fault))
        if why is not None:
            raise NemesisError(f"disk driver: {why}")
        match fault:
            case DiskFull(node=name, left_bytes=left_bytes):
                _fill(self._cluster.node(name).data, left_bytes)
            case SyncError(node=name):
                node = self._cluster.node(name)
                _control(node).fail_syncs(f"{node.data}/")
            case TornTail():
                self._torn[fault] = _tear(self._cluster.node(fault.node), fault)
            case _:
                raise NemesisError(f"the disk driver cannot inject {fault}")
        self._active.append(fault)

    def heal(self, fault: Fault | None = None) -> None:
        for healed in list(self._active) if fault is None else [fault]:
            if healed in self._active:
                self._active.remove(healed)
            node = self._cluster.node(getattr(healed, "node", ""))
            if isinstance(healed, DiskFull):
                (node.data / BALLAST).unlink(missing_ok=True)
            elif isinstance(healed, SyncError):
                _control(node).heal_disk()
            _settle(node)
            node.start()

    def verify(self, fault: Fault) -> Sighting:
        match fault:
            case DiskFull(node=name, left_bytes=left_bytes):
                return _is_full(self._cluster.node(name).data, left_bytes + SLACK_BYTES)
            case SyncError(node=name):
                return _fails_to_sync(self._cluster.node(name))
            case TornTail():
                return self._is_torn(fault)
        raise NemesisError(f"the disk driver cannot verify {fault}")

    def _is_torn(self, fault: TornTail) -> Sighting:
        torn = self._torn.get(fault)
        if torn is None:
            return Sighting(False, "nothing was torn")
        node = self._cluster.node(fault.node)
        size = torn.path.stat().st_size if torn.path.exists() else 0
        evidence = f"{torn.path.name} was left with {torn.size} bytes, has {size}; runs: {node.running}"
        if fault in self._active:
            return Sighting((size, _tail(torn.path, len(torn.tail))) == (torn.size, torn.tail), evidence)
        if self._cluster.ready(node):
            return Sighting(False, f"{evidence}; the node is ready again")
        return Sighting(None if node.running else True, evidence)


def _settle(node: Node) -> None:
    """A node whose disk failed a moment ago may still be ending: then until it has."""
    core = node.pids().get("core")
    until_s = time.monotonic() + SETTLE_S
    while core is not None and alive(core) and time.monotonic() < until_s:
        time.sleep(POLL_S)
    if core is not None and not alive(core):
        wait_for(lambda: not node.running, END_S, f"{node.name} has ended")


def _control(node: Node) -> Control:
    if node.control is None:
        raise NemesisError(f"{node.name} runs without the fault shim")
    return Control(node.control)


def _fill(data: Path, left_bytes: int) -> None:
    descriptor = os.open(data / BALLAST, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        size = shutil.disk_usage(data).free - left_bytes + os.fstat(descriptor).st_blocks * 512
        while size > 0:
            try:
                os.posix_fallocate(descriptor, 0, size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size -= 1 << 16  # the node wrote meanwhile
            else:
                return
    finally:
        os.close(descriptor)


def _is_full(data: Path, more_than_bytes: int) -> Sighting:
    canary = data / CANARY
    free = shutil.disk_usage(data).free
    descriptor = os.open(canary, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, more_than_bytes)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        return Sighting(full or None, f"{free} bytes are free; a file of {more_than_bytes}: {error.strerror}")
    finally:
        os.close(descriptor)
        canary.unlink()
    return Sighting(False, f"{free} bytes are free; a file of {more_than_bytes} fits")


def _fails_to_sync(node: Node) -> Sighting:
    control = _control(node)
    core = node.pids().get("core")
    struck = control.faults
    canary = node.data / CANARY
    told = subprocess.run(
        [sys.executable, "-c", _SYNC_CANARY, str(canary)],
        env={**os.environ, **node.environment},
        capture_output=True,
        text=True,
        timeout=CANARY_S,
    )
    with suppress(FileNotFoundError):
        canary.unlink()
    evidence = f"fsync beside the node's files: {told.stderr.strip().splitlines()[-1:] or 'works'}"
    evidence += f"; {struck} syncs were struck so far"
    if told.returncode == 0:
        return Sighting(False, evidence)
    if core is None:
        return Sighting(True, f"{evidence}; the core has ended")
    return Sighting(True if loads_shim(core) else None, f"{evidence}; shim in the core: {loads_shim(core)}")


def _tear(node: Node, fault: TornTail) -> _Torn:
    node.kill()
    segments = sorted(node.data.rglob(SEGMENTS), key=lambda path: path.name)
    if not segments:
        raise NemesisError(f"{node.name} has no journal segment ({SEGMENTS}) below {node.data}")
    newest = segments[-1]
    with newest.open("ab") as file:
        file.write((_GARBAGE if fault.garble else b"\0") * fault.tail_bytes)
    left = newest.stat().st_size
    return _Torn(newest, left, _tail(newest, fault.tail_bytes))


def _tail(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - count))
        return file.read()
