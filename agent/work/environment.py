"""The environment of a task: little of the host's, then the task's own, then CRONCLAVE_*."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from functools import lru_cache

from agent.spool.survivors import MARK
from scheduler.protocol import Assign

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@lru_cache(maxsize=256)
def _known(name: str) -> tuple[str, str]:
    """As `_user`. Raises KeyError, which is not kept: the host may get that user."""
    entry = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
    return entry.pw_name, entry.pw_dir


def _user(name: str) -> tuple[str, str]:
    """(user, home) of that name, of the agent's own user when empty."""
    try:
        return _known(name)
    except KeyError:
        return name or str(os.geteuid()), "/"


def task_environment(
    assign: Assign, told: Mapping[str, str], *, fence: int, agent: str, zone: str, installation: str
) -> dict[str, str]:
    user, home = _user(str(assign.work.get("run_as") or ""))
    environment = {
        "PATH": os.environ.get("PATH", PATH),
        "HOME": home,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "USER": user,
        "LOGNAME": user,
        "SHELL": "/bin/sh",
    }
    environment.update((str(key), str(value)) for key, value in (assign.work.get("env") or {}).items())
    environment.update(told)
    environment["CRONCLAVE_FENCE"] = str(fence)
    environment["CRONCLAVE_AGENT"] = agent
    environment["CRONCLAVE_ZONE"] = zone
    environment[MARK] = installation
    return environment
