"""One command on another host: from the connection to what is known of its end.

Rules of this file:

1. A host is believed by its key alone, which the job or the agent's user knows: there is no way around that.
2. One connection an attempt. A link that says nothing is given up after a minute (SILENT_S, three times).
3. What comes is bytes, written on as it comes; what the pipe does not take holds the other side up.
4. It is ended by a second session, on its own connection or, if that is gone, on a new one, and it is looked
   whether that was so. Whoever cannot be reached is `Unseen`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from agent.ssh import there
from agent.ssh.turns import turn

CONNECT_S = 30.0
SILENT_S, SILENCES_MAX = 15, 3
LEAVING_S = 1.0  #: for what is left of its group, as agent.spool.child.LEAVING_MS
REACH_S = 8.0  #: of a second session, to end it
_BEFORE_BYTES_MAX = 64 << 10  #: of what a login shell says before it is ours
_UNKNOWN_HOST = (
    "the key of this host is not the one that is known, or none is; give its line of `ssh-keyscan` in "
    "known_hosts, or put it into ~/.ssh/known_hosts of the agent's user"
)


class Unbegun(Exception):
    """Nothing was run there, and nothing will be; why, for people."""


class Unseen(Exception):
    """It may have run, or may run still; why, for people."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an attempt wants."""

    host: str
    run: str
    shell: str
    cwd: str
    stdin: str | None
    port: int
    user: str
    known_hosts: str
    key: str  #: itself, or the path of a file with it
    passphrase: str
    password: str
    environment: Mapping[str, str]
    grace_s: float


class _Session(asyncssh.SSHClientSession[bytes]):
    """What comes of one session; `begun`, if it is to say its process number first."""

    def __init__(self, shell: str, says: str) -> None:
        loop = asyncio.get_running_loop()
        self._shell, self._says = shell, says
        self._before = b""
        self.pid: asyncio.Future[int] = loop.create_future()
        self.status: asyncio.Future[tuple[int, str]] = loop.create_future()  #: with the signal's name
        self.closed: asyncio.Future[None] = loop.create_future()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype != asyncssh.EXTENDED_DATA_STDERR:
            _write(1, data)
        elif not self._says or self.pid.done():
            _write(2, data)
        else:
            self._before += data
            found = there.said(self._shell, self._says, self._before)
            if found is not None:
                self.pid.set_result(found[0])
                _write(2, found[1])
            elif len(self._before) > _BEFORE_BYTES_MAX:
                self.pid.set_exception(Unbegun("its login shell says too much, and begins nothing"))

    def exit_status_received(self, status: int) -> None:
        self._ended(status, "")

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._ended(0, signal)

    def _ended(self, status: int, by: str) -> None:
        if not self.status.done():
            self.status.set_result((status, by))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.pid.done():
            said = self._before.decode("utf-8", "replace").strip()[-300:]
            why = said or exc or "it said nothing"
            self.pid.set_exception(Unbegun(f"its login shell began nothing: {why}"))
            self.pid.exception()  # nobody may wait for it
        if not self.closed.done():
            self.closed.set_result(None)


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


async def connected(asked: Asked) -> asyncssh.SSHClientConnection:
    """Raises Unbegun."""
    options: dict[str, Any] = {}
    try:
        if asked.key:
            is_path = not asked.key.lstrip().startswith("-----BEGIN")
            text = Path(asked.key).read_text() if is_path else asked.key
            key = asyncssh.import_private_key(text, asked.passphrase or None)
            options |= {"client_keys": [key], "agent_path": None}
        elif asked.password:
            options |= {"client_keys": None, "agent_path": None}
        if asked.password:
            options["password"] = asked.password
        if asked.user:
            options["username"] = asked.user
        async with turn(asked.host, asked.port), asyncio.timeout(2 * CONNECT_S):
            return await asyncssh.connect(
                asked.host, asked.port, known_hosts=_known_hosts(asked.known_hosts),
                connect_timeout=CONNECT_S, login_timeout=CONNECT_S, keepalive_interval=SILENT_S,
                keepalive_count_max=SILENCES_MAX, **options,
            )  # fmt: skip
    except asyncssh.HostKeyNotVerifiable as error:
        raise Unbegun(f"{error.reason}: {_UNKNOWN_HOST}") from error
    except asyncssh.PermissionDenied as error:
        raise Unbegun(f"the user is not let in: {error.reason}") from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise Unbegun(f"the key cannot be read: {error}") from error
    except asyncssh.DisconnectError as error:
        raise Unbegun(f"no connection: {error.reason}") from error
    except socket.gaierror as error:
        raise Unbegun(f"no such host: {error.strerror}") from error
    except TimeoutError as error:
        raise Unbegun(f"no connection within {CONNECT_S:.0f} s") from error
    except OSError as error:
        raise Unbegun(f"no connection: {error.strerror or error}") from error
    except (ValueError, asyncssh.Error) as error:
        raise Unbegun(f"no connection: {error}") from error


def _known_hosts(given: str) -> bytes:
    """Never empty: that would mean the library's own choice."""
    if given:
        return given.encode() + b"\n"
    files = (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts"))
    texts = [file.read_bytes() for file in files if os.access(file, os.R_OK)]
    return b"\n".join([b"# known hosts", *texts, b""])


class Remote:
    """The command over there."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._ended_by: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._connection: asyncssh.SSHClientConnection | None = None

    def end(self, *, at_once: bool) -> None:
        """From a signal's handler."""
        if not self._ended_by.done():
            self._ended_by.set_result(at_once)

    async def run(self) -> tuple[int, str]:
        """Its exit code, and what ended it where that was a signal. Raises Unbegun, Unseen."""
        connection = await self._or_ended(connected(self._asked))
        self._connection = connection
        try:
            return await self._on(connection)
        finally:
            connection.abort()

    async def _on(self, connection: asyncssh.SSHClientConnection) -> tuple[int, str]:
        asked, says = self._asked, secrets.token_hex(16)
        session = _Session(asked.shell, says)
        try:
            words = there.opening(asked.shell, says)
            channel, _ = await self._or_ended(
                connection.create_session(lambda: session, words, encoding=None)
            )
            async with asyncio.timeout(CONNECT_S):
                pid = await self._or_ended(session.pid)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise Unbegun(f"no session: {str(error) or 'its login shell says nothing'}") from error
        has_stdin = asked.stdin is not None
        line = there.order(asked.shell, asked.run, asked.environment, asked.cwd, has_stdin=has_stdin)
        channel.write(line + (asked.stdin or "").encode("utf-8", "surrogateescape"))
        channel.write_eof()
        await _first(session.status, session.closed, self._ended_by)
        if self._ended_by.done() and not session.status.done():
            return await self._end(session, pid, at_once=self._ended_by.result())
        await asyncio.wait({session.closed}, timeout=LEAVING_S)
        if not session.status.done():
            raise Unseen("the connection broke off")
        if not session.closed.done():  # a process of its group holds its output
            await self._reach(there.ending(asked.shell, pid))
        return session.status.result()

    async def _or_ended(self, coming: Any) -> Any:
        """What comes, unless it is ended first, which is before anything was begun."""
        task = asyncio.ensure_future(coming)
        await _first(task, self._ended_by)
        if not task.done():
            task.cancel()
            raise Unbegun("it was ended before it had begun there")
        return task.result()

    async def _end(self, session: _Session, pid: int, *, at_once: bool) -> tuple[int, str]:
        asking = there.asking_to_end(self._asked.shell, pid)
        if asking and not at_once and await self._reach(asking) is not None:
            await asyncio.wait({session.closed}, timeout=self._asked.grace_s)
        if await self._reach(there.ending(self._asked.shell, pid)) != 0:
            raise Unseen("it was to be ended, and nobody could see it end")
        await asyncio.wait({session.closed}, timeout=LEAVING_S)  # its last output
        return session.status.result() if session.status.done() else (0, "KILL")

    async def _reach(self, command: str) -> int | None:
        """The exit code of this, on its connection or a new one; None: there was no way."""
        first = self._connection
        for connection in (first, None):
            try:
                async with asyncio.timeout(REACH_S):
                    own = connection or await connected(self._asked)
                    try:
                        return await self._status(own, command)
                    finally:
                        if own is not first:
                            own.abort()
            except (Unbegun, asyncssh.Error, OSError, TimeoutError):
                continue
        return None

    async def _status(self, connection: asyncssh.SSHClientConnection, command: str) -> int:
        session = _Session(self._asked.shell, "")
        await connection.create_session(lambda: session, command, encoding=None)
        await _first(session.status, session.closed)
        if not session.status.done():
            raise ConnectionError
        return session.status.result()[0]


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def code_of(status: int, by: str) -> int:
    """As a shell tells it; what is no exit code here (Windows has 32 bits) is 1, and never a success."""
    if by:
        number = getattr(signal, f"SIG{by}", None)
        return 128 + number if isinstance(number, signal.Signals) else 1
    return status if 0 <= status <= 255 else 1
