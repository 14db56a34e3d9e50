"""The agent's side of its spooler: starts it when there is none, connects again when it is gone.

A spooler that answers none of PINGS_MAX pings is stopped, or very ill. It keeps its lock and its attempts,
so none is started beside it; the agent takes no new work until it answers or ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent.exits import Exit
from agent.spool.wire import Command, Unpacker, pack

log = logging.getLogger("agent.spooler")
_CONNECT_S = 10.0
_RETRY_S = 0.005
OURS = "CRONCLAVE_"
PING_S = 1.0
PINGS_MAX = 3


@dataclass(frozen=True, slots=True)
class SpoolerState:
    boot_id: str
    running: dict[int, int]  #: attempt → started_ms
    exits: tuple[Exit, ...]
    journal: str = ""
    """The name of its journal: what was claimed under it, and is not here, was never started. Empty: that is
    not known."""


class Listener(Protocol):
    """Who is told what the spooler says."""

    def spooler_state(self, state: SpoolerState) -> None:
        """First at every connection; what was told before it is void."""

    def spooler_started(self, attempt: int, started_ms: int) -> None: ...

    def spooler_exit(self, end: Exit) -> None: ...

    def spooler_silent(self, attempt: int, since_ms: int, silent: bool) -> None: ...


class SpoolerUnavailable(Exception):
    """No spooler could be started; the text says where its log is."""


class SpoolerClient:
    def __init__(
        self,
        data: Path,
        *,
        boot_id: str,
        installation: str,
        parent_pid: int,
        job_umask: int,
    ) -> None:
        self._data = data
        self._boot_id = boot_id
        self._installation = installation
        self._parent_pid = parent_pid
        self._job_umask = job_umask
        self._writer: asyncio.StreamWriter | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lease_until = 0.0
        self.journal = ""  #: as the spooler's newest state has it
        self._unanswered = 0  #: pings without a word since; counted, since an agent that was frozen itself
        # has not asked for as long as the clock says
        self.silent = False

    # -- what the agent tells; without a connection it is dropped: the next state settles it

    def start(self, commands: Sequence[Command]) -> None:
        self._write(b"".join(pack(command.row()) for command in commands))

    def cancel(self, attempt: int, *, at_once: bool = False) -> None:
        self._write(pack(["cancel", attempt, *([True] if at_once else [])]))

    def forget(self, attempts: list[int]) -> None:
        self._write(pack(["forget", attempts]))

    def lease(self, until_boot_ms: float) -> None:
        self._lease_until = until_boot_ms
        self._write(pack(["lease", until_boot_ms]))

    def _write(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    # -- the connection

    async def open(self, listener: Listener) -> asyncio.StreamReader:
        """Connect, starting a spooler when none answers; one of another boot is ended first."""
        reader, writer, state = await self._connect()
        if state.boot_id != self._boot_id:
            log.warning("the host was started again: ending what the old spooler holds")
            writer.write(pack(["end"]))
            await reader.read()
            writer.close()
            reader, writer, state = await self._connect()
        # Not before the state is settled: a start that it does not show would be called gone, and run.
        self._writer = writer
        self.journal = state.journal
        self._heard()
        self._write(pack(["lease", self._lease_until]))
        listener.spooler_state(state)
        return reader

    async def watch(self) -> None:
        """Ping it, for ever; `silent` is kept true."""
        while True:
            await asyncio.sleep(PING_S)
            if self._unanswered >= PINGS_MAX:
                if not self.silent:
                    self.silent = True
                    log.error("the spooler does not answer: no new work is taken until it does")
                continue
            self._unanswered += 1
            self._write(pack(["ping"]))

    def _heard(self) -> None:
        self._unanswered = 0
        if self.silent:
            self.silent = False
            log.warning("the spooler answers again")

    async def serve(self, reader: asyncio.StreamReader, listener: Listener) -> None:
        """Hand on what the spooler says, for ever; over the deaths of spoolers."""
        while True:
            unpacker = Unpacker()
            try:
                while data := await reader.read(1 << 18):
                    for message in unpacker.feed(data):
                        self._hear(message, listener)
            except OSError:
                pass
            log.warning("the spooler is gone; starting another")
            self.close()
            reader = await self.open(listener)

    def _hear(self, message: list[Any], listener: Listener) -> None:
        self._heard()
        if message[0] == "exit":
            listener.spooler_exit(Exit(*message[1:]))
        elif message[0] == "started":
            listener.spooler_started(message[1], message[2])
        elif message[0] == "silent":
            listener.spooler_silent(message[1], message[2], message[3])

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, SpoolerState]:
        folder = os.open(self._data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        address = f"/proc/self/fd/{folder}/spooler.socket"  # a socket's address has 107 bytes at most
        deadline = asyncio.get_running_loop().time() + _CONNECT_S
        try:
            while asyncio.get_running_loop().time() < deadline:
                try:
                    reader, writer = await asyncio.open_unix_connection(address, limit=1 << 20)
                    async with asyncio.timeout(_CONNECT_S):
                        return reader, writer, await self._state(reader)
                except TimeoutError:
                    break  # it holds the lock and does not answer: stopped, or very ill
                except (OSError, asyncio.IncompleteReadError):
                    if self._process is None or self._process.poll() is not None:
                        self._spawn()
                    await asyncio.sleep(_RETRY_S)
        finally:
            os.close(folder)
        raise SpoolerUnavailable(f"no spooler answers; see {self._data / 'spooler.log'}")

    async def _state(self, reader: asyncio.StreamReader) -> SpoolerState:
        length = int.from_bytes(await reader.readexactly(4), "big")
        body = await reader.readexactly(length)
        message = Unpacker().feed(length.to_bytes(4, "big") + body)[0]
        return SpoolerState(
            boot_id=message[1],
            running={attempt: started_ms for attempt, started_ms in message[2]},
            exits=tuple(Exit(*row) for row in message[3]),
            journal=message[4] if len(message) > 4 else "",
        )

    def _spawn(self) -> None:
        arguments = [
            sys.executable, "-m", "agent.spool", "--data", str(self._data), "--boot-id", self._boot_id,
            "--installation", self._installation, "--parent-pid", str(self._parent_pid),
        ]  # fmt: skip
        # Nothing of the agent's settings: a token may be among them, and the mark would make it a survivor.
        environment = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        packages = [str(Path(__file__).resolve().parent.parent.parent), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, packages))
        with open(self._data / "spooler.log", "ab") as output:
            self._process = subprocess.Popen(
                arguments,
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=self._job_umask,
            )

    async def end(self, within_s: float) -> None:
        """The spooler that this one started ends, with all its work."""
        self._write(pack(["end"]))
        if self._process is not None:
            await asyncio.to_thread(self._process.wait, within_s)
        self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
