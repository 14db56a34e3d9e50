"""A started `cronclave dev`, and how it is asked and waited for."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.cluster import PROJECT, processes_naming, signal_all, wait_for
from tests.e2e.cluster import DEADLINE_S


@dataclass(slots=True)
class Dev:
    """A started `cronclave dev` on a data directory."""

    data: Path
    base_port: int
    process: subprocess.Popen[bytes]

    def facts(self) -> dict[str, Any]:
        """dev.json."""
        found: dict[str, Any] = json.loads((self.data / "dev.json").read_text())
        return found

    def ready(self) -> dict[str, Any]:
        """dev.json, once all that it should list is there and every node is ready."""

        def complete() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.output()
            with suppress(OSError, ValueError, http.client.HTTPException):
                facts = self.facts()
                if len(facts["nodes"]) < 3 or len([a for a in facts["agents"] if a["pid"]]) < 2:
                    return None
                with closing(client_of(facts)) as client:
                    if all(client.send("GET", "/readyz", node=i).status == 200 for i in range(3)):
                        return facts
            return None

        return wait_for(complete, DEADLINE_S, "three nodes ready", 0.1)

    def processes(self) -> list[int]:
        """All living processes that belong to it, itself included."""
        return processes_naming(str(self.data))

    def output(self) -> str:
        return (self.data.parent / "output").read_text()


def start_dev(data: Path, base_port: int, *arguments: str) -> Dev:
    command = [sys.executable, "-m", "cli.main", "dev", "--no-browser", "--no-restart"]
    command += ["--base-port", str(base_port), "--data", str(data), *arguments]
    with (data.parent / "output").open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Dev(data, base_port, process)


@contextmanager
def running_dev(data: Path, base_port: int, *arguments: str) -> Iterator[Dev]:
    """It, and nothing of it afterwards."""
    started = start_dev(data, base_port, *arguments)
    try:
        yield started
    finally:
        signal_all([started.process.pid], signal.SIGKILL)
        started.process.wait()
        signal_all(started.processes(), signal.SIGKILL)


def client_of(facts: dict[str, Any]) -> Client:
    return Client([node["url"] for node in facts["nodes"]], facts["token"])
