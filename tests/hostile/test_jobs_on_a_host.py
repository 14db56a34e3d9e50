"""What a job finds on the host of a whole development cluster: nothing that opens more than itself.

`cronclave dev` is the hardest case: nodes, agents and jobs are one user's. What a file's mode alone keeps
(dev.json) is open to that user's jobs; the docs say so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.client import Client
from bench.cluster import PROJECT, free_base_port, processes_naming, signal_all, wait_for
from tests.agent.test_privacy import open_to_others
from tests.e2e.cluster import DEADLINE_S, ENDED, PORTS

pytestmark = pytest.mark.cluster

CALLERS = "the caller's own token"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of one node and one agent, started by somebody whose umask hides nothing and whose
    environment holds a token."""
    data = tmp_path_factory.mktemp("jobs") / "dev"
    command = [sys.executable, "-m", "cli.main", "dev", "--no-browser", "--no-jobs", "--nodes", "1"]
    command += ["--agents", "1", "--base-port", str(free_base_port(*PORTS, 1)), "--data", str(data)]
    with (data.parent / "output").open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", 'umask 000; exec "$@"', "sh", *command],
            cwd=PROJECT,
            env={**os.environ, "CRONCLAVE_TOKEN": CALLERS},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield data
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(DEADLINE_S)
        signal_all(processes_naming(str(data)), signal.SIGKILL)


def facts(data: Path) -> dict[str, Any]:
    """dev.json, once the agent was started."""

    def told() -> dict[str, Any] | None:
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((data / "dev.json").read_text())
            return found if found["agents"][0]["pid"] else None
        return None

    return wait_for(told, DEADLINE_S, "an agent", 0.1)


def output_of(data: Path, line: str) -> str:
    """What a job with this shell line writes."""
    told = facts(data)
    with closing(Client([node["url"] for node in told["nodes"]], told["token"])) as client:
        client.ask("PUT", "/v1/jobs/look", {"run": line})
        run = client.ask("POST", "/v1/jobs/look/runs", {}).json()["id"]
        wait_for(lambda: client.get(f"/v1/runs/{run}")["state"] in ENDED, DEADLINE_S, "the run's end", 0.1)
        return client.send("GET", f"/v1/runs/{run}/logs").body.decode()


def test_an_agent_of_dev_has_a_token_of_its_own_that_only_it_may_use(dev: Path) -> None:
    told = facts(dev)
    token = (dev / "agent-1" / "token").read_text().strip()

    assert token != told["token"]
    with closing(Client([node["url"] for node in told["nodes"]], told["token"])) as client:
        agents = [t for t in client.get("/v1/tokens")["items"] if t["role"] == "agent"]
    assert [(t["name"], t["holder"]) for t in agents] == [("agent-1", "agent-1")]
    holders = {f for f in dev.rglob("*") if f.is_file() and told["token"].encode() in f.read_bytes()}
    assert {f.name for f in holders} == {"cluster.json", "dev.json"}


def test_a_job_and_what_started_it_know_no_token(dev: Path) -> None:
    """Even one of root's, which may read every environment."""
    ours = f"grep -ls -e {dev}/agent-1 -e {dev}/node-1 /proc/[0-9]*/cmdline"
    seen = output_of(dev, f'env; for f in $({ours}); do tr "\\0" "\\n" < "${{f%cmdline}}environ"; done; :')

    assert "CRONCLAVE_JOB=look" in seen
    own = (dev / "agent-1" / "token").read_text().strip()
    assert [secret for secret in (facts(dev)["token"], own, CALLERS) if secret in seen] == []


def test_every_file_is_its_owners_alone_under_a_umask_that_hides_nothing(dev: Path) -> None:
    output_of(dev, "echo something")

    names = {path.name for path in dev.rglob("*")}
    assert {"bridge.sock", "spooler.socket", "dev.json", "log", "state.db"} <= names
    assert open_to_others(dev) == []


def test_a_job_keeps_the_umask_of_whoever_started_dev(dev: Path) -> None:
    assert output_of(dev, "umask").strip() == "0000"
