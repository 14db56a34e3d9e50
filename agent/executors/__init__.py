"""How an attempt is run, by the kind of its work.

Reading order: contract (what an executor is), command (shell, exec and script, through the spooler), noop;
here, which ones this agent has; suite (the contract, to be run).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import entry_points

from agent.executors.contract import Executor, Host

log = logging.getLogger("agent.executors")
GROUP = "cronclave.executors"


def executors(host: Host) -> dict[str, Executor]:
    """By every kind that this agent can run. An entry point that fails is left out, said in the log."""
    from agent.executors.command import CommandExecutor
    from agent.executors.noop import NoopExecutor

    found: dict[str, Executor] = {}
    for own in (CommandExecutor(host), NoopExecutor(host)):
        found |= dict.fromkeys(sorted(own.capabilities().kinds), own)
    for point in entry_points(group=GROUP):
        try:
            create: Callable[[Host], Executor] = point.load()
            executor = create(host)
            if "." in point.name:
                raise ValueError(f"{point.name} stands for what is known of {point.name.partition('.')[0]}")
            if point.name not in executor.capabilities().kinds:
                raise ValueError(f"it does not say that it can run {point.name}")
            found.setdefault(point.name, executor)
        except Exception:
            log.exception("executor %s of %s cannot be used", point.name, point.value)
    return found
