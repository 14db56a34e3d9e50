"""SSH servers for tests: asyncssh's own, and OpenSSH's where the machine has it. Both run real processes."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from tests.agent.fake_node import DEADLINE_S
from tests.agent.host import until
from tests.cluster.members import free_port

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
SERVERS = ("asyncssh", "openssh")


@dataclass
class Keys:
    """One for the server, one for its user."""

    host: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    user: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))

    @property
    def private(self) -> str:
        return self.user.export_private_key().decode()

    def public(self, which: asyncssh.SSHKey) -> str:
        return which.export_public_key().decode().strip()


@dataclass
class Served:
    port: int
    keys: Keys
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)  #: of asyncssh's own

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.keys.public(self.keys.host)}"

    def asked(self, run: str, **others: Any) -> dict[str, Any]:
        """What a task of it says."""
        return {
            "host": "127.0.0.1", "port": self.port, "user": getpass.getuser(), "shell": "sh", "key": "KEY",
            "known_hosts": self.known_hosts, "run": run, **others,
        }  # fmt: skip


@asynccontextmanager
async def serving(which: str, folder: Path) -> AsyncIterator[Served]:
    keys = Keys()
    if which == "openssh":
        async with _openssh(folder, keys) as served:
            yield served
        return
    tasks: set[asyncio.Task[None]] = set()

    def begin(process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.get_running_loop().create_task(_run(process))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    class Accepted(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            served.connections.append(conn)

    served = Served(0, keys)
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[keys.host], process_factory=begin, encoding=None,
        server_factory=Accepted,
        authorized_client_keys=asyncssh.import_authorized_keys(keys.public(keys.user)),
    )  # fmt: skip
    try:
        served.port = server.get_port()
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", process.command or "", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out = ((child.stdout, process.stdout), (child.stderr, process.stderr))
    told = asyncio.gather(*(_pumped(*each) for each in out))
    feeding = asyncio.create_task(_pumped(process.stdin, child.stdin))
    try:
        code = await child.wait()
        await told
        if code < 0:
            process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        else:
            process.exit(code)
    finally:
        feeding.cancel()
        told.cancel()
        # Its pipes too, which what it left behind may hold open.
        child._transport.close()  # type: ignore[attr-defined]
        await child.wait()


async def _pumped(reader: Any, writer: Any) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        if isinstance(writer, asyncio.StreamWriter):
            writer.write_eof()


@asynccontextmanager
async def _openssh(folder: Path, keys: Keys) -> AsyncIterator[Served]:
    assert SSHD is not None
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    host_key, authorized, config = folder / "host", folder / "authorized", folder / "sshd_config"
    private = keys.host.export_private_key().decode()
    for path, text in ((host_key, private), (authorized, keys.public(keys.user))):
        path.write_text(text + "\n")
        path.chmod(0o600)
    port = free_port()
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\n"
        "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPrintMotd no\n"
    )
    with open(folder / "sshd.log", "wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        await until(lambda: b"Server listening" in (folder / "sshd.log").read_bytes())
        yield Served(port, keys)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
