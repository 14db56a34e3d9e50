"""`ssh` work: a command on a host without an agent, by a process of its own on a host that has one.

Promise: what is told of the end is what the other side said. Where it could not say (its host or the link
died, this process was killed), the attempt is lost, never a success, a failure or a cancellation.

Reading order: there (the words that the other side's shell gets), session (the connection and the command's
life), turns (who connects when), __main__ (`python -I -m agent.ssh`, the process of an attempt).

The library is the extra `ssh` (asyncssh); an agent without it offers no such work.
"""

from __future__ import annotations

import importlib.util

EXTRA = "cronclave[ssh]"


def is_possible() -> bool:
    return importlib.util.find_spec("asyncssh") is not None
