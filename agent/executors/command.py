"""shell, exec, script, http and ssh: a command that the spooler starts; or a look into an object store.

Parameters reach the command through the environment and argv alone; nothing is pasted into a shell line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from agent import looking, ssh
from agent.clock import wall_ms
from agent.executors.contract import Capabilities, Host, Launch
from agent.exits import Exit
from agent.spool import groups
from agent.spool.starting import LIMITS
from agent.spool.wire import Command
from scheduler.protocol import AROUND, OBJECT_STORE

_FEATURES = frozenset(
    {
        *("cwd", "stdin", "stderr", "skip_if_exists", "run_as", "nice", "umask", "outputs", "secrets"),
        AROUND,
        *(("limits",) if LIMITS else ()),
        *((OBJECT_STORE,) if looking.is_possible() else ()),
    }
)
CONTROL_GROUP = "cgroup"  #: people are told by it that what is ended by force ends whole; no task asks for it
SCRIPT = "script"  #: what the text of one is called among its files
_KINDS = frozenset({"shell", "exec", "script", "http", *(("ssh",) if ssh.is_possible() else ())})
_ASK = [sys.executable, "-I", "-m", "agent.http_request"]
_CONNECT = [sys.executable, "-I", "-m", "agent.ssh"]
_CREDENTIALS = ("key", "passphrase", "password")  #: fields of what ssh asks that name a variable
_CAPABILITIES = Capabilities(_KINDS, outlives=True, features=_FEATURES, spools=True)


class CommandExecutor:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._capabilities = _CAPABILITIES
        if groups.are_possible():
            self._capabilities = replace(_CAPABILITIES, features=_FEATURES | {CONTROL_GROUP})

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def recover(self, attempts: Collection[int]) -> frozenset[int]:
        """What the spooler has, the agent has recovered from it already."""
        return frozenset()

    def launch(self, launches: Sequence[Launch]) -> None:
        commands = []
        for launch in launches:
            command = _command(launch)
            if isinstance(command, str):
                self._host.finished(
                    Exit.unstarted(launch.assign.attempt, "start_failed", command, at_ms=wall_ms())
                )
            else:
                commands.append(command)
        if commands:
            self._host.spool(commands)

    def cancel(self, attempt: int) -> None:
        self._host.cancel_spooled(attempt)


def _command(launch: Launch) -> Command | str:
    """The command, or what is wrong with the work."""
    assign, work = launch.assign, launch.assign.work
    files: tuple[tuple[str, str], ...] = ()
    names, bytes_max = work.get("outputs") or ((), 0)
    stdin = None if work.get("stdin") is None else str(work["stdin"])
    if work.get("kind") == "shell":
        if not isinstance(work.get("run"), str):
            return "shell work without a line to run"
        argv = [launch.environment.get("SHELL", "/bin/sh"), "-c", work["run"]]
    elif work.get("kind") == "script":
        if not isinstance(work.get("text"), str):
            return "script work without a text"
        beside = work.get("files") or {}
        if not isinstance(beside, dict) or not all(map(_is_name, beside)):
            return "script work with a file whose name is none"
        argv = [str(argument) for argument in work.get("interpreter") or ()]
        files = ((SCRIPT, work["text"]), *((name, str(text)) for name, text in beside.items()))
    elif work.get("kind") == "http":
        if not isinstance(work.get("request"), dict):
            return "http work without a request"
        argv, stdin = _ASK, json.dumps({**work["request"], "outputs": list(names)})
    elif work.get("kind") == "ssh":
        if not isinstance(work.get("remote"), dict):
            return "ssh work without a host"
        argv, stdin = _CONNECT, json.dumps(_remote(launch, work["remote"]))
    elif work.get(OBJECT_STORE):
        argv = []
    else:
        argv = [str(argument) for argument in work.get("argv") or ()]
        if not argv:
            return "exec work without argv"
    limits = work.get("limits") or {}
    return Command(
        attempt=assign.attempt,
        argv=argv,
        environment=launch.environment,
        cwd=str((argv != _CONNECT and work.get("cwd")) or launch.environment["HOME"]),
        stdin=stdin,
        timeout_ms=assign.timeout_ms,
        grace_ms=assign.grace_ms,
        kill_on_lease_end=assign.kill_on_lease_end,
        output_bytes_max=launch.output_bytes_max,
        valid_until_boot_ms=launch.valid_until_boot_ms,
        run_as=str(work.get("run_as") or ""),
        secrets=launch.secrets,
        umask=work.get("umask"),
        nice=work.get("nice"),
        before=launch.before if argv else "",
        after=launch.after if argv else "",
        looks_at_stderr="stderr" in work,
        outputs=tuple(names),
        outputs_bytes_max=bytes_max,
        skip_if_exists=str(work.get(OBJECT_STORE) or work.get("skip_if_exists") or ""),
        files=files,
        memory_bytes=limits.get("memory", 0),
        open_files=limits.get("open_files", 0),
        quiet_ms=int(work.get("quiet_ms") or 0),
        cpu_s=limits.get("cpu_time", 0),
        elsewhere=argv == _CONNECT,
    )


def _remote(launch: Launch, asked: dict[str, Any]) -> dict[str, Any]:
    """What `agent.ssh` is asked. The command there gets the variables of the task and none of this host's."""
    work = launch.assign.work
    given = [secret.variable for secret in launch.secrets if not secret.file]
    told = [name for name in launch.environment if name.startswith("CRONCLAVE_")]
    kept = {asked.get(field) for field in _CREDENTIALS}
    return {
        **asked,
        "cwd": work.get("cwd"),
        "stdin": work.get("stdin"),
        "send": [name for name in (*(work.get("env") or ()), *told, *given) if name not in kept],
        "grace_ms": launch.assign.grace_ms,
    }


def _is_name(name: object) -> bool:
    """Of a file beside a script: no folder is in it."""
    return isinstance(name, str) and "/" not in name and name not in ("", ".", "..", SCRIPT)
