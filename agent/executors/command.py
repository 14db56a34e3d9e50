"""shell and exec: a command line that the spooler starts.

Parameters reach the command through the environment and argv alone; nothing is pasted into a shell line.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.clock import wall_ms
from agent.executors import Host, Start
from agent.spool.wire import Command, Exit


class CommandExecutor:
    def __init__(self, host: Host) -> None:
        self._host = host

    def start(self, starts: Sequence[Start]) -> None:
        commands = []
        for start in starts:
            command = _command(start)
            if isinstance(command, str):
                self._host.finished(
                    Exit(start.assign.attempt, None, wall_ms(), None, None, "start_failed", command, b"", 0)
                )
            else:
                commands.append(command)
        if commands:
            self._host.spool(commands)

    def cancel(self, attempt: int) -> None:
        self._host.cancel_spooled(attempt)


def _command(start: Start) -> Command | str:
    """The command, or what is wrong with the work."""
    assign, work = start.assign, start.assign.work
    if work.get("kind") == "shell":
        if not isinstance(work.get("run"), str):
            return "shell work without a line to run"
        argv = [start.environment.get("SHELL", "/bin/sh"), "-c", work["run"]]
    else:
        argv = [str(argument) for argument in work.get("argv") or ()]
        if not argv:
            return "exec work without argv"
    return Command(
        attempt=assign.attempt,
        argv=argv,
        environment=start.environment,
        cwd=str(work.get("cwd") or start.environment["HOME"]),
        stdin=None if work.get("stdin") is None else str(work["stdin"]),
        timeout_ms=assign.timeout_ms,
        grace_ms=assign.grace_ms,
        kill_on_lease_end=assign.kill_on_lease_end,
        output_bytes_max=start.output_bytes_max,
        valid_until_boot_ms=start.valid_until_boot_ms,
        run_as=str(work.get("run_as") or ""),
    )
