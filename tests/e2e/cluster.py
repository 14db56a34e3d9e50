"""What the acceptance tests share: knobs, and questions to a cluster that several of them ask."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from bench.cluster import PROJECT, Cluster, DeadlineError, Node, wait_for
from bench.evidence import Every, Judgement, instant, judge, read_lines
from bench.jobs import append_tick, every_second

PORTS = (int(os.environ.get("PORT", 25000)), int(os.environ.get("PORT", 25000)) + 900)
DEADLINE_S = 60.0  #: for anything that takes some seconds on an idle machine
ENDED = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost", "expired"})


class NewCluster(Protocol):
    """The fixture `new_cluster`."""

    def __call__(
        self, *, nodes: int = 3, agents: int = 2, slots: int = 64, boot_ids: bool = False
    ) -> Cluster: ...


def knob(name: str, default: int) -> int:
    """How much of something: CI's size, unless the environment says more."""
    return int(os.environ.get(name, default))


def run_of(cluster: Cluster, run: int) -> dict[str, Any]:
    found: dict[str, Any] = cluster.client.get(f"/v1/runs/{run}")
    return found


def start_run(cluster: Cluster, job: str) -> int:
    """Run the job now; gives the run's id."""
    return int(cluster.client.ask("POST", f"/v1/jobs/{job}/runs", {}).json()["id"])


def wait_run(
    cluster: Cluster, run: int, states: frozenset[str] = ENDED, deadline_s: float = DEADLINE_S
) -> dict[str, Any]:
    """The run as soon as it is in one of these states."""
    return wait_for(
        lambda: found if (found := run_of(cluster, run))["state"] in states else None,
        deadline_s,
        f"run {run} in {sorted(states)}",
        0.1,
    )


def attempts_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    """All attempts of all tasks."""
    return [attempt for task in run["tasks"].values() for attempt in task["attempts"]]


def wait_lines(file: Path, count: int, deadline_s: float = DEADLINE_S) -> list[str]:
    """The lines of a payload's file, once there are that many."""

    def lines() -> list[str] | None:
        found = file.read_text().splitlines() if file.exists() else []
        return found if len(found) >= count else None

    return wait_for(lines, deadline_s, f"{count} lines in {file.name}", 0.05)


def steady_load(cluster: Cluster, jobs: int = 10, *, apart_ms: int = 100) -> tuple[list[Every], Path, int]:
    """Every-second jobs that append their tick, running: their oracles, the file, and the instant from
    which each tick must be in it."""
    file = cluster.root / f"ticks-{time.time_ns()}.txt"
    made = [every_second(f"steady-{i}", append_tick(file), offset_ms=i * apart_ms) for i in range(jobs)]
    cluster.client.apply([job for job, _ in made])
    from_ms = int(time.time() * 1000) + 1_000
    wait_lines(file, 2 * jobs)
    return [oracle for _, oracle in made], file, from_ms


def judge_file(jobs: list[Every], file: Path, *, from_ms: int, until_ms: int) -> Judgement:
    """The payloads' file against arithmetic, once nothing is missing or the deadline is over."""

    def now() -> Judgement:
        return judge(jobs, read_lines(file), from_ms=from_ms, until_ms=until_ms)

    with suppress(DeadlineError):  # the judgement names what is missing
        wait_for(lambda: not now().missed, DEADLINE_S, "every due tick in the file", 0.2)
    return now()


def delete_jobs(cluster: Cluster, jobs: list[Every]) -> None:
    for job in jobs:
        cluster.client.ask("DELETE", f"/v1/jobs/{job.job}")


def verified(cluster: Cluster, from_ms: int, until_ms: int) -> dict[str, Any]:
    """What the product's own check says of the ticks in (from, until]."""
    query = {"from": instant(from_ms), "to": instant(until_ms)}
    found: dict[str, Any] = cluster.client.get("/v1/ledger/verify", query)
    return found


def command_line(
    cluster: Cluster, *arguments: str, at: Node | None = None, deadline_s: float = DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """The `cronclave` command, told of one node of the cluster, the first by default, by its environment."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=PROJECT,
        env={
            **os.environ,
            "CRONCLAVE_URL": (at or cluster.nodes[0]).url,
            "CRONCLAVE_TOKEN": cluster.token,
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )
