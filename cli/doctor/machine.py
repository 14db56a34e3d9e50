"""This machine: the interpreter, its clock, its time zones, how many files may be open."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sysconfig
from collections.abc import Mapping
from typing import Any

from cli.doctor.findings import OK, UNKNOWN, WARNING, Finding

FILES_LEAST = 4_096
TIMEX_BYTES = 512  #: more than the kernel's struct timex has
CLOCK_UNSYNCHRONISED = 5  #: TIME_ERROR of adjtimex(2)
ZONES_OLD_YEARS = 2


def interpreter(variables: Mapping[str, Any] | None = None) -> Finding:
    """How Python was built, by what its own configuration says: without optimisations it needs a quarter more
    CPU. A packager may take the profile's flags off what is told: flags that are gone were there."""
    told = sysconfig.get_config_vars() if variables is None else variables
    is_optimised = "--enable-optimizations" in str(told.get("CONFIG_ARGS") or "")
    is_optimised = is_optimised or not told.get("PGO_PROF_USE_FLAG")
    which = f"Python {platform.python_version()}"
    if is_optimised:
        return Finding("interpreter", OK, f"{which}, built with optimisations")
    return Finding(
        "interpreter", WARNING, f"{which} was built without optimisations: it needs a quarter more CPU",
        "Use your distribution's python3, or build yours with --enable-optimizations --with-lto.",
    )  # fmt: skip


def clock(state: int | None = None) -> Finding:
    """Whether the kernel says that something keeps its clock."""
    if state is None:
        state = _clock_state()
    if state is None or state < 0:
        return Finding("clock", UNKNOWN, "the kernel does not tell whether it is kept", "See timedatectl.")
    if state == CLOCK_UNSYNCHRONISED:
        return Finding(
            "clock", WARNING, "nothing keeps this machine's clock: ticks start when it thinks they are due",
            "Install chrony, or systemd-timesyncd; on a virtual machine see to it on the host.",
        )  # fmt: skip
    return Finding("clock", OK, "the kernel's clock is kept by a time service")


def _clock_state() -> int | None:
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        return int(adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))  # modes 0: it only reads
    except (OSError, AttributeError):
        return None


def time_zones(year: int) -> Finding:
    from scheduler.ticks import tzdata_version

    version = tzdata_version()
    try:
        age = year - int(version[:4])
    except ValueError:
        age = 0
    if age >= ZONES_OLD_YEARS:
        return Finding(
            "tzdata", WARNING, f"the time zones are of {version}: rules that changed since are not known",
            "pip install --upgrade tzdata, on every node.",
        )  # fmt: skip
    return Finding("tzdata", OK, f"time zones of {version}")


def open_files(hard: int | None = None) -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if hard is None else hard
    if limit == resource.RLIM_INFINITY or limit >= FILES_LEAST:
        shown = "as many as it likes" if limit == resource.RLIM_INFINITY else f"up to {limit}"
        return Finding("open files", OK, f"a process may open {shown}")
    return Finding(
        "open files", WARNING, f"a process may open {limit} files at most: connections and attempts need"
        " two each",
        "LimitNOFILE=65536 in the unit, or ulimit -Hn.",
    )  # fmt: skip


def user() -> Finding:
    """As root every job runs with all rights, where nothing says otherwise."""
    if os.geteuid() == 0:
        return Finding(
            "user", WARNING, "this is root: a node needs no rights, and an agent's jobs get all of them",
            "Run nodes and agents as users of their own.",
        )  # fmt: skip
    return Finding("user", OK, f"user {os.geteuid()}, not root")
