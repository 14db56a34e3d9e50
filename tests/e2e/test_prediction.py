"""What a simulation says of the time to come, and what the cluster then does: the same ticks and outcomes.

A slice of a day in real time, on a cluster whose hosts' clocks stand right before the clocks of Berlin go
forward: windows open, a blackout begins and ends, runs are in each other's way, nothing takes a task. What
tasks take is fixed and seen by the cluster first, hours before; then it is started again shortly before that
instant, as far from it as this machine takes to start. Where a run's end and a tick lie close the two may
differ, and say so; none lies closer than `APART_S`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cluster import Cluster, wait_for
from bench.evidence import instant
from chaos.nemesis.shim import Control, build
from scheduler.simulate import Discarded, simulate
from tests.e2e.cluster import DEADLINE_S, NewCluster, command_line, start_run, wait_run

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

GAP_MS = 1_806_195_600_000  #: 2027-03-28T01:00:00Z
BEFORE_S = 3 * 3_600  #: the nodes' clocks stand so long before it when they start first
LEAST_S = 20  #: and so long before it when all is put, on a machine that starts as quickly as it did
UNTIL_MS = GAP_MS + 32_000
BEHIND_S = 16  #: until what was due by then has ended, or was given up
APART_S = 3
BERLIN = {"tz": "Europe/Berlin"}


def jobs(blackout: tuple[int, int]) -> list[dict[str, Any]]:
    tens = {"cron": "*/10 * * * * *", **BERLIN}
    during = [{"from": instant(blackout[0]), "until": instant(blackout[1]), "reason": "moved"}]
    window = {"windows": ["Mon-Sun 03:00-23:00"], "tz": "Europe/Berlin", "outside": "skip"}
    long = {"run": "sleep 15"}
    return [
        {"job": "plain", "run": "true", "triggers": [tens]},
        {"job": "overlaps", **long, "triggers": [{"cron": "*/10 * * * * *"}]},
        {"job": "queues", **long, "triggers": [{"cron": "*/12 * * * * *"}],
         "policies": {"overlap": "queue_one"}},
        {"job": "dark", "run": "true", "triggers": [tens], "policies": {"blackout": during}},
        {"job": "window", "run": "true", "triggers": [tens], "policies": {"admission": window}},
        {"job": "nobody", "run": "true", "on": {"pool": "none"}, "triggers": [{"cron": "5,35 * * * * *"}],
         "policies": {"start_deadline": "12s"}},
        {"job": "in-the-gap", "run": "true", "triggers": [{"cron": "30 2 * * *", "dst": "cron", **BERLIN}]},
        {"job": "not-in-the-gap", "run": "true",
         "triggers": [{"cron": "30 2 * * *", "dst": "skip", **BERLIN}]},
        {"job": "by-hours", "run": "true", "triggers": [{"cron": "*/15 * 3 * * *", **BERLIN}]},
    ]  # fmt: skip


class Skewed:
    """A cluster, agents included, by other clocks."""

    def __init__(self, cluster: Cluster, control: Control, variables: dict[str, str]) -> None:
        self.cluster, self._control, self._variables = cluster, control, variables

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._control.skew_ms

    def start(self, before_s: float) -> float:
        """By clocks that stand so long before the gap. Gives the seconds that it took."""
        began_s = time.monotonic()
        self._control.skew(GAP_MS - round(before_s * 1_000) - time.time_ns() // 1_000_000)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._variables.items():
                patch.setenv(name, value)
            self.cluster.start()
        return time.monotonic() - began_s

    def kill(self) -> None:
        for agent in self.cluster.agents:
            agent.kill()
        self.cluster.kill_nodes()


@pytest.fixture
def skewed(new_cluster: NewCluster, tmp_path: Path) -> Iterator[Skewed]:
    library = build(tmp_path / "shim")
    if not isinstance(library, Path):
        pytest.skip(library)
    control = Control(tmp_path / "clock")
    yield Skewed(new_cluster(), control, control.environment(library))
    control.close()


def decided(rows: list[tuple[str, int, str, str]], from_ms: int) -> dict[tuple[str, str], str]:
    """By job and instant what became of each tick between."""
    return {
        (job, instant(at_ms)): f"{outcome}({reason})" if reason else outcome
        for job, at_ms, outcome, reason in rows
        if from_ms < at_ms <= UNTIL_MS
    }


def predicted(state: Path, from_ms: int) -> dict[tuple[str, str], str]:
    store = Discarded.of(state)
    simulate(store, UNTIL_MS + 30_000)
    rows = store.rows(
        "SELECT j.name, l.first_ms, l.outcome, l.reason FROM ledger l JOIN jobs j ON j.id = l.job"
        " WHERE l.kind = 'tick' AND l.count = 1 ORDER BY l.seq"
    )
    store.close()
    return decided([(row[0], row[1], row[2], row[3]) for row in rows], from_ms)


def happened(cluster: Cluster, from_ms: int) -> dict[tuple[str, str], str]:
    lines = map(json.loads, command_line(cluster, "ledger", "export").stdout.splitlines())
    rows = [(e["job_name"], e["first_ms"], e["outcome"], e["reason"]) for e in lines if e["kind"] == "tick"]
    return decided(rows, from_ms)


def test_the_cluster_then_does_what_was_predicted(skewed: Skewed, tmp_path: Path) -> None:
    cluster = skewed.cluster
    started_s = skewed.start(BEFORE_S)
    known = jobs((GAP_MS - 1_000, GAP_MS + 19_000))
    cluster.client.apply([{"job": job["job"], "run": job["run"]} for job in known])
    runs = [start_run(cluster, str(job["job"])) for job in known]
    for run in runs:
        assert wait_run(cluster, run)["state"] == "succeeded"
    skewed.kill()
    skewed.start(LEAST_S + 2 * started_s)
    cluster.client.apply(known)
    backup = tmp_path / "before.db"
    assert command_line(cluster, "cluster", "backup", str(backup)).returncode == 0
    from_ms = skewed.now_ms() + APART_S * 1_000
    assert from_ms < GAP_MS - 11_000, "the machine took too long to begin: no tick is left before the gap"
    over_ms = UNTIL_MS + BEHIND_S * 1_000
    wait_for(lambda: skewed.now_ms() > over_ms, 4 * DEADLINE_S, "the slice is over", 0.5)

    said, was = predicted(backup, from_ms), happened(cluster, from_ms)
    assert said == was
    outcomes = {(job, outcome) for (job, _), outcome in was.items()}
    assert outcomes >= {
        ("plain", "ran"), ("overlaps", "ran"), ("overlaps", "skipped(overlap)"), ("queues", "ran"),
        ("dark", "ran"), ("dark", "skipped(blackout)"), ("window", "skipped(admission)"), ("window", "ran"),
        ("nobody", "missed(deadline)"), ("in-the-gap", "ran"), ("by-hours", "ran"),
    }  # fmt: skip
    assert ("in-the-gap", instant(GAP_MS)) in was
    assert not any(job == "not-in-the-gap" for job, _ in was)
