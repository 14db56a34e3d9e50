"""The command as users run it: a process of its own (tests/cli/forked.py), against a real API on loopback."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode, peer
from tests.cli.forked import SERVER

PROJECT = Path(__file__).parents[2]
DEADLINE_S = 60.0
OF_PYTHON = ("PYTHON", "LC_", "LANG")  #: settings that it obeys when it starts


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@dataclass
class Command:
    """`cronclave`, with an environment and a working directory of the test's own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("CRONCLAVE_")}
        own = {"XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        told = {**inherited, "PYTHONPATH": str(PROJECT), **own, **self.environment, **environment}
        if any(name.startswith(OF_PYTHON) for name in environment):
            return await self._in_full(arguments, stdin, told)
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            files = (given.fileno(), out.fileno(), err.fileno())
            running = SERVER.start(list(arguments), self.folder, told, files)
            ended = asyncio.create_task(asyncio.to_thread(running.wait))
            try:
                async with asyncio.timeout(DEADLINE_S):
                    code = await asyncio.shield(ended)
            except BaseException:
                running.kill()
                await ended
                raise
            finally:
                running.close()
            for file in (out, err):
                file.seek(0)
            return Result(code, out.read().decode(), err.read().decode())

    async def _in_full(self, arguments: tuple[str, ...], stdin: str, environment: dict[str, str]) -> Result:
        """Python starts in this environment."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", *arguments, cwd=self.folder, env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())


@pytest.fixture
def offline(tmp_path: Path) -> Command:
    """The command with no cluster around."""
    return Command(tmp_path)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[SingleNode]:
    """One node that commits what is asked of it, and plans nothing: runs stay pending."""
    folder = tmp_path / "node"
    folder.mkdir()
    found = SingleNode(folder, peers=[peer("node-2", "zone-b")])
    yield found
    found.close()


@pytest.fixture
async def cronclave(node: SingleNode, tmp_path: Path) -> AsyncIterator[Command]:
    """The command, told of that node by its environment."""
    settings = ApiSettings(insecure=False)
    app = create_app(node, settings, Gateway(node, settings))
    async with served(app) as url:
        yield Command(
            tmp_path, {"CRONCLAVE_URL": url, "CRONCLAVE_TOKEN": ADMIN_TOKEN, "CRONCLAVE_RETRY": "500ms"}
        )
