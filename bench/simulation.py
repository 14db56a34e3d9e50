"""What a simulation takes of the machine of whoever asks: `cronclave simulate`, as one calls it.

It works on a copy of the state, offline, so nothing of it is the cluster's; what is counted is the command
with its children. Each of the many jobs is due at an instant of its own: nothing is done for many at once.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

from bench.cluster import Cluster, running
from bench.jobs import NOOP
from bench.options import Options
from bench.rows import NONE, Result, Row

JOBS, DAYS = 1_000, 30
SECONDS_MAX = 60
DAY_S = 86_400


def run(options: Options) -> Result:
    with running(ports=options.ports, agents=2, parent=options.data) as cluster:
        cluster.client.apply([_daily(number) for number in range(JOBS)])
        backup = cluster.root / "jobs.db"
        _command(cluster, "cluster", "backup", str(backup))
        month_s, month = _simulated(cluster, backup, DAYS)
        for number in range(JOBS):
            cluster.client.ask("DELETE", f"/v1/jobs/{_name(number)}")
        cluster.client.ask("PUT", "/v1/jobs/often", {"triggers": {"every": "1s"}, **NOOP})
        backup = cluster.root / "often.db"
        _command(cluster, "cluster", "backup", str(backup))
        often_s, often = _simulated(cluster, backup, 1)
    return Result([
        Row(f"a month of {JOBS:,} jobs simulated, each due daily at an instant of its own: CPU",
            f"{SECONDS_MAX} s", f"{month_s:.0f} s ({month:,} runs, {month_s / month * 1e3:.2f} ms each)",
            month_s <= SECONDS_MAX and month >= JOBS * (DAYS - 1)),
        Row("a day of a job of every second simulated: CPU", NONE,
            f"{often_s:.0f} s ({often:,} ticks, {often_s / often * 1e3:.2f} ms each)"),
    ])  # fmt: skip


def _name(number: int) -> str:
    return f"daily-{number:04}"


def _daily(number: int) -> dict[str, object]:
    at_s = number * DAY_S // JOBS
    cron = f"{at_s % 60} {at_s // 60 % 60} {at_s // 3600} * * *"
    return {"job": _name(number), "triggers": {"cron": cron}, **NOOP}


def _simulated(cluster: Cluster, backup: Path, days: int) -> tuple[float, int]:
    """CPU seconds, and how many ticks came to something."""
    before_s = _children_s()
    told = _command(cluster, "simulate", "--state", str(backup), "--days", str(days), "-o", "json")
    return _children_s() - before_s, sum(json.loads(told)["ticks"].values())


def _children_s() -> float:
    """Of processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _command(cluster: Cluster, *arguments: str) -> str:
    build = cluster.nodes[0].build
    environment = {
        **os.environ, "CRONCLAVE_URL": cluster.nodes[0].url, "CRONCLAVE_TOKEN": cluster.token,
        "PYTHONPATH": str(build.project),
    }  # fmt: skip
    done = subprocess.run(
        [build.python, "-m", "cli.main", *arguments],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout
