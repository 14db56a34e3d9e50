"""Less CPU than the machine has, for some processes, by a cgroup of their own (v1 or v2). Needs root."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.figures import UnmeasuredError

PERIOD_US = 100_000
MOUNTS = Path("/proc/self/mounts")


@contextmanager
def quota(pids: Iterable[int], share: float) -> Iterator[None]:
    """These processes together get this share of the machine's CPU; what they start from now on, too. Raises
    UnmeasuredError."""
    parent, is_unified = _controller()
    group = parent / f"cronclave-bench-{os.getpid()}"
    us = round(share * (os.cpu_count() or 1) * PERIOD_US)
    try:
        group.mkdir()
    except OSError as error:
        raise UnmeasuredError(f"no cgroup of CPU can be made here: {error}") from None
    try:
        try:
            if is_unified:
                (group / "cpu.max").write_text(f"{us} {PERIOD_US}")
            else:
                (group / "cpu.cfs_period_us").write_text(f"{PERIOD_US}")
                (group / "cpu.cfs_quota_us").write_text(f"{us}")
            _move(pids, group)
        except OSError as error:
            raise UnmeasuredError(f"no cgroup here takes a quota: {error}") from None
        yield
    finally:
        with suppress(OSError):
            _move(map(int, (group / "cgroup.procs").read_text().split()), parent)
        with suppress(OSError):
            group.rmdir()


def _move(pids: Iterable[int], group: Path) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(f"{pid}")


def _controller() -> tuple[Path, bool]:
    """Where the controller of CPU is mounted, and whether in the unified hierarchy."""
    for line in MOUNTS.read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Path(where), False
        controllers = Path(where) / "cgroup.subtree_control"
        if kind == "cgroup2" and controllers.exists() and "cpu" in controllers.read_text().split():
            return Path(where), True
    raise UnmeasuredError("no controller of CPU is mounted here")
