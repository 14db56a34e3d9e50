"""How an attempt is run, by the kind of its work.

An executor gets attempts that are granted and due, in batches, and tells its host what becomes of each:
`host.started` once at most, `host.finished` exactly once. It may be told to cancel at any time, also what it
no longer knows. It runs in the agent's loop and must not block it.

Others add kinds by an entry point of the group `cronclave.executors`: its name is the kind, its object is
called with the host and gives an Executor.

Reading order: this file, command (shell and exec, through the spooler), noop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from agent.spool.wire import Command, Exit
from scheduler.protocol import Assign

log = logging.getLogger("agent.executors")
GROUP = "cronclave.executors"


@dataclass(frozen=True, slots=True)
class Start:
    """One attempt to start now."""

    assign: Assign
    environment: dict[str, str]
    valid_until_boot_ms: float
    output_bytes_max: int


class Host(Protocol):
    """What an executor may ask of the agent."""

    def spool(self, commands: Sequence[Command]) -> None:
        """Hand processes to the spooler, which reports on them itself."""

    def cancel_spooled(self, attempt: int) -> None: ...

    def started(self, attempt: int, started_ms: int) -> None: ...

    def finished(self, end: Exit) -> None: ...


class Executor(Protocol):
    def start(self, starts: Sequence[Start]) -> None: ...

    def cancel(self, attempt: int) -> None: ...


def executors(host: Host) -> dict[str, Executor]:
    """Every kind that this agent can run. An entry point that fails is left out, said in the log."""
    from agent.executors.command import CommandExecutor
    from agent.executors.noop import NoopExecutor

    command = CommandExecutor(host)
    found: dict[str, Executor] = {"shell": command, "exec": command, "noop": NoopExecutor(host)}
    for point in entry_points(group=GROUP):
        try:
            create: Callable[[Host], Executor] = point.load()
            found.setdefault(point.name, create(host))
        except Exception:
            log.exception("executor %s of %s cannot be used", point.name, point.value)
    return found
