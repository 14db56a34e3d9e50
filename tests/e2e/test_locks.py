"""A licence pool of three under fifty jobs, while leaders die: what payloads wrote themselves shows three at
work and never four."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cluster import Cluster, wait_for
from tests.e2e.cluster import DEADLINE_S
from tests.e2e.test_namespaces import lose_the_leader

pytestmark = pytest.mark.cluster

LICENCES, JOBS, KILLS = 3, 50, 2
LINE = 'echo "$CRONCLAVE_JOB {} $(date +%s%N)" >> {}'


def at_once(lines: list[str]) -> int:
    """How many were at work at the same time, at most."""
    moves = sorted((int(at), 1 if what == "S" else -1) for _, what, at in (line.split() for line in lines))
    working = most = 0
    for _, change in moves:  # of one instant, an end first
        working += change
        most = max(most, working)
    return most


def test_no_more_work_at_once_than_there_are_licences_whoever_leads(cluster: Cluster, tmp_path: Path) -> None:
    ask, file = cluster.client.ask, tmp_path / "evidence"
    command = f"{LINE.format('S', file)}; sleep 0.2; {LINE.format('E', file)}"
    work = {"run": command, "locks": ["licences"], "namespace": "pool"}
    jobs = [{"job": f"j-{number:02}", **work} for number in range(JOBS)]
    resource = {"resource": "licences", "namespace": "pool", "count": LICENCES}
    ask("POST", "/v1/apply", {"objects": [resource, *jobs], "source": "e2e"})
    for job in jobs:
        ask("POST", f"/v1/jobs/{job['job']}/runs?namespace=pool", {})

    def ended() -> int:
        return len(file.read_text().splitlines()) // 2 if file.exists() else 0

    for kill in range(KILLS):
        wait_for(lambda done=8 * (kill + 1): ended() >= done, DEADLINE_S, "some to end")
        lose_the_leader(cluster)
    wait_for(lambda: ended() >= JOBS, DEADLINE_S, "all to end")

    lines = file.read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(str(job["job"]) for job in jobs for _ in "SE")
    assert at_once(lines) == LICENCES
    path = "/v1/resources/licences/{}?namespace=pool"

    def given_back() -> bool:
        told = ask("GET", path.format("holders")).json()
        return bool(told["held"] == 0 and told["items"] == [])

    wait_for(given_back, DEADLINE_S, "all to be given back")
    assert ask("GET", path.format("waiters")).json()["items"] == []
    ask("POST", "/v1/apply", {"objects": [], "source": "e2e", "prune": True, "prune_max": JOBS + 1})
