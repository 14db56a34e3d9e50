"""A script that came with its job, and the files beside it: in a folder of their own, which only its user can
read, while the attempt goes on. Standard library only (spooler)."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from agent.spool.secret_files import give_to, remove
from agent.spool.wire import Command

VARIABLE = "CRONCLAVE_FILES"
_NAME = "cronclave-script-{installation}-"


def placed(command: Command, installation: str) -> tuple[str, Command]:
    """(the folder, the command that runs the first of its files). Raises OSError."""
    folder = tempfile.mkdtemp(prefix=_NAME.format(installation=installation))
    try:
        paths = []
        for name, text in command.files:
            path = os.path.join(folder, name)
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o700)
            with open(handle, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
            paths.append(path)
        give_to(command.run_as, folder, paths)
    except BaseException:
        remove(folder)
        raise
    environment = command.environment | {VARIABLE: folder}
    return folder, replace(command, argv=[*command.argv, paths[0]], environment=environment, files=())


def sweep(installation: str) -> None:
    """What an earlier spooler of this installation has left."""
    for folder in Path(tempfile.gettempdir()).glob(_NAME.format(installation=installation) + "*"):
        remove(str(folder))
