"""What an executor is asked for, and what it may ask of the agent.

An executor runs one kind of work or several. Rules, held for every one by `agent.executors.suite`:

1. `launch` gets attempts that are granted and due, in batches. Of each it tells its host what becomes:
   `started` once at most, and before the end; `finished` exactly once, whatever is wrong with the work.
2. `cancel` may come at any time, also of what it no longer knows; what runs ends as cancelled, or with the
   real end when that came first. It may come twice.
3. `recover` is asked once, by a new session of the agent, before anything is launched: of attempts that an
   earlier session claimed it names those that it has still, and tells of them from then on as of what it
   launched. What no executor names is gone for ever: it must never start again.
4. What a task may ask for beside the work itself is a feature: it is given none that it does not name in
   its `Capabilities`. They are the fields of `Assign.work` with these names: cwd, stdin, stderr,
   skip_if_exists, run_as, nice, umask, limits, outputs; and three more. `secrets`: what `Launch.secrets`
   holds it gives to the work, each as its variable or as a file, writes it nowhere else, and takes it out of
   the output (`agent.spool.masking`). `around`: it runs what a namespace wants before and after the work.
   `object_store`: what `skip_if_exists` names may be in one (`agent.looking`).
5. It runs in the agent's loop and must not block it, nor call its host from another thread.

Others add kinds by an entry point of the group `cronclave.executors`: its name is the kind, its object is
called with the host and gives an Executor.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.exits import Exit
from agent.spool.wire import Command, Secret
from scheduler.protocol import Assign


@dataclass(frozen=True, slots=True)
class Launch:
    """One attempt to start now."""

    assign: Assign
    environment: dict[str, str]
    valid_until_boot_ms: float  #: the end of its grant: nothing starts later
    output_bytes_max: int
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    before: str = ""  #: lines for a shell that the namespace runs around the work (agent.spool.around)
    after: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    kinds: frozenset[str]  #: of work, that it runs; names without a dot
    outlives: bool  #: what it has started goes on when the agent's process ends, and is recovered by the next
    features: frozenset[str] = frozenset()  #: that it knows of each of them
    spools: bool = False
    """It starts nothing but by `Host.spool`, so that the spooler's journal tells what never started."""


class Host(Protocol):
    """What an executor may ask of the agent."""

    def spool(self, commands: Sequence[Command]) -> None:
        """Hand processes to the spooler, which reports on them itself and is recovered by the agent."""

    def cancel_spooled(self, attempt: int) -> None: ...

    def started(self, attempt: int, started_ms: int) -> None: ...

    def finished(self, end: Exit) -> None: ...


class Executor(Protocol):
    def capabilities(self) -> Capabilities: ...

    def launch(self, launches: Sequence[Launch]) -> None: ...

    def cancel(self, attempt: int) -> None: ...

    def recover(self, attempts: Collection[int]) -> frozenset[int]:
        """Those of the attempts that it has. Nothing is told of them before it has returned."""
        ...
