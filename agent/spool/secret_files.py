"""Secrets on their way into a process: in variables, or in files that only its user can read.

The files lie in memory where the host has a file system there, so that no disk ever holds one; they go when
the attempt ends, and what a spooler that died has left goes when the next one starts. Standard library only
(spooler).
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path

from agent.spool.wire import Command

_MEMORY = Path("/dev/shm")
_NAME = "cronclave-secrets-{installation}-"


def given(command: Command, installation: str) -> tuple[str, dict[str, str]]:
    """(the folder of its files, empty where there is none; the variables). Raises OSError."""
    variables = {secret.variable: secret.value for secret in command.secrets if not secret.file}
    files = [secret for secret in command.secrets if secret.file]
    if not files:
        return "", variables
    folder = tempfile.mkdtemp(prefix=_NAME.format(installation=installation), dir=_root())
    try:
        for secret in files:
            path = os.path.join(folder, secret.variable)
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(secret.value.encode("utf-8", "surrogateescape"))
            variables[secret.variable] = path
        give_to(command.run_as, folder, [os.path.join(folder, secret.variable) for secret in files])
    except BaseException:
        remove(folder)
        raise
    return folder, variables


def give_to(user: str, folder: str, paths: list[str]) -> None:
    """A folder and its files; empty: they are the agent's."""
    if user:
        entry = pwd.getpwnam(user)  # known: the command was found startable under it, or fails there
        for path in (*paths, folder):
            os.chown(path, entry.pw_uid, entry.pw_gid)


def _root() -> str:
    return str(_MEMORY) if os.access(_MEMORY, os.W_OK | os.X_OK) else tempfile.gettempdir()


def remove(folder: str) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(installation: str) -> None:
    """What an earlier spooler of this installation has left."""
    for folder in Path(_root()).glob(_NAME.format(installation=installation) + "*"):
        remove(str(folder))
