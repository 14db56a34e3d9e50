"""A host with a real agent process on it, and what a test may do to them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from tests.agent.fake_node import DEADLINE_S

REPOSITORY = Path(__file__).resolve().parent.parent.parent
T = TypeVar("T")


async def until(condition: Callable[[], T]) -> T:
    """What the condition gives, as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.01)
    return found


async def noted_pids(file: Path, count: int = 1) -> list[int]:
    """The process ids that work notes there, a line each: an attempt is told to run before its shell does."""

    def whole_lines() -> list[int] | None:
        lines = file.read_text().split("\n")[:-1] if file.exists() else []
        return [int(line) for line in lines] if len(lines) >= count else None

    found = await until(whole_lines)
    assert found is not None
    return found


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Host:
    def __init__(self, folder: Path, nodes: Iterable[str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.boot_id_file = folder / "boot_id"
        self.boot_id_file.write_text("boot-1\n")
        self.nodes = list(nodes)
        self.settings: dict[str, str] = {}
        self.prefix: list[str] = []
        self.agent: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The agent, again with the same data directory when it ran before."""
        lines = {
            "name": '"agent-1"',
            "zone": '"zone-a"',
            "token": '"secret"',
            "nodes": repr(self.nodes).replace("'", '"'),
            "data": f'"{self.data}"',
            "boot_id_file": f'"{self.boot_id_file}"',
            "parent_pid": str(os.getpid()),
            **self.settings,
        }
        config = self.folder / "agent.toml"
        config.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        with open(self.folder / "agent.log", "ab") as log:
            self.agent = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "agent", "--config", str(config)],
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.agent is not None
        self.agent.send_signal(number)
        return self.agent.wait(DEADLINE_S)

    @property
    def spooler_pid(self) -> int:
        return int((self.data / "spooler.lock").read_text() or 0)

    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    def close(self) -> None:
        """Nothing is left behind: the spooler kills its groups on SIGTERM, and is awaited."""
        if self.agent is not None and self.agent.poll() is None:
            self.kill()
        try:
            pid = self.spooler_pid
        except (FileNotFoundError, ValueError):
            return
        if pid and alive(pid) and b"agent.spool" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + DEADLINE_S
            while alive(pid) and time.monotonic() < deadline:
                time.sleep(0.01)
