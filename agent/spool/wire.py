"""The bytes between agent and spooler: length-prefixed msgpack arrays over a Unix socket.

Agent to spooler                                  Spooler to agent
    ["start", Command fields…]                        ["state", boot_id, running, exits, journal]  (at first)
    ["cancel", attempt(, at_once)]                    ["started", attempt, started_ms]
    ["lease", until_boot_ms]                          ["exit", Exit fields…]  (until forgotten)
    ["forget", [attempt, …]]
    ["ping"]                                          ["pong"]
                                                      ["silent", attempt, since_ms, silent]
    ["end"]  (kill everything, then stop)

An agent's upgrade meets the spooler of the older version: fields are only appended.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import MISSING, dataclass, fields, replace
from operator import attrgetter
from typing import Any, NamedTuple

import msgpack

from agent.exits import Exit

__all__ = ["Command", "Exit", "Secret", "Unpacker", "is_ours", "pack"]

_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")  #: pid, uid, gid (unix(7), SO_PEERCRED)
MESSAGE_BYTES_MAX = 4 << 20


class Secret(NamedTuple):
    """What the work is given and its output never shows."""

    variable: str
    value: str
    file: bool  #: the variable holds the path of a file with the value

    def __repr__(self) -> str:
        return f"Secret({self.variable})"  # a value in a traceback's words would be one in a log


@dataclass(frozen=True, slots=True)
class Command:
    """One process group to start; without an argv, nothing but a look at `skip_if_exists`."""

    attempt: int
    argv: list[str]
    environment: dict[str, str]
    cwd: str
    stdin: str | None
    timeout_ms: int | None
    grace_ms: int
    kill_on_lease_end: bool
    output_bytes_max: int
    valid_until_boot_ms: float  #: end of the grant: not started later than this
    run_as: str = ""
    secrets: tuple[Secret, ...] = ()
    umask: int | None = None  #: None: the one that the agent was started with
    nice: int | None = None  #: its niceness; None: the agent's
    before: str = ""  #: lines for a shell that its namespace runs before the work, and after it
    after: str = ""
    looks_at_stderr: bool = False  #: its end tells whether something was written there
    outputs: tuple[str, ...] = ()  #: names that it may give values to
    outputs_bytes_max: int = 0
    skip_if_exists: str = ""  #: not run where it is there, and failed where it is not there after
    files: tuple[tuple[str, str], ...] = ()
    """Name and text of a script, whose path stands behind argv, and of what lies beside it."""
    memory_bytes: int = 0  #: that each of its processes may write to, but for what it shares; 0: no limit
    open_files: int = 0  #: of each of them; 0: as the agent was started
    quiet_ms: int = 0  #: in which it has to write something, or the agent is told; 0: for any time
    cpu_s: int = 0  #: of a processor, that each of its processes may use; 0: any time
    elsewhere: bool = False
    """Its process speaks for work on another host. Where a signal ends that process, nobody saw how the work
    ended. SIGTERM asks it to end the work there with its grace, SIGQUIT at once; then it has REACH_MS."""

    @classmethod
    def of_row(cls, row: list[Any]) -> Command:
        """As `row` has it, behind its first word."""
        command = cls(*row)
        secrets = tuple([Secret(*each) for each in command.secrets])
        files = tuple([(name, text) for name, text in command.files])
        return replace(command, secrets=secrets, outputs=tuple(command.outputs), files=files)

    def row(self) -> list[Any]:
        return [
            "start", self.attempt, self.argv, self.environment, self.cwd, self.stdin, self.timeout_ms,
            self.grace_ms, self.kill_on_lease_end, self.output_bytes_max, self.valid_until_boot_ms,
            self.run_as, *self._rare(),
        ]  # fmt: skip

    def _rare(self) -> list[Any]:
        """What most commands say nothing of, up to the last that says something."""
        rare = _RARE(self)
        if rare == _SILENT:
            return []
        said = len(rare)
        while rare[said - 1] == _SILENT[said - 1]:
            said -= 1
        return list(rare[:said])


_LATER = [field for field in fields(Command) if field.name != "run_as" and field.default is not MISSING]
_RARE = attrgetter(*(field.name for field in _LATER))
_SILENT = tuple(field.default for field in _LATER)


def is_ours(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as this agent's user: a second lock behind the file's mode.
    A job that runs as the agent's user passes it: only `run_as` and an agent of its own keep that one out.
    """
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(credentials)[1] == os.geteuid())


def pack(message: list[Any]) -> bytes:
    body: bytes = msgpack.packb(message, use_bin_type=True, unicode_errors="surrogateescape")
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Whole messages out of a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[list[Any]]:
        buffer = self._buffer
        buffer += data
        messages: list[list[Any]] = []
        at = 0
        while at + 4 <= len(buffer):
            (length,) = _LENGTH.unpack_from(buffer, at)
            if at + 4 + length > len(buffer):
                break
            body = bytes(buffer[at + 4 : at + 4 + length])
            messages.append(msgpack.unpackb(body, raw=False, unicode_errors="surrogateescape"))
            at += 4 + length
        del buffer[:at]
        return messages
