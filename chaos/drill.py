"""A drill: random plans of what a staging cluster's own commands can do, judged like any other run.

Rules: the harness's jobs are deleted in the end; everything that was broken is mended first. Evidence lies in
a folder that agents' hosts and this one share, in a folder of its own for each drill.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chaos.actions import ACTIONS
from chaos.collect import Reader
from chaos.faults import Kill, Pause
from chaos.history import HISTORY, History
from chaos.plan import Plan, random_steps, write_plan
from chaos.programs import DeadlineError
from chaos.run import STAGING, conduct
from chaos.scenarios import MINIMUM, PARTIAL
from chaos.seal import SEAL, write_seal
from chaos.staging import Staging, StagingDriver, read_staging
from chaos.workload import BOOT, LONG, MANUAL, REGISTERS, schedule_jobs

LOAD = "light"


def drill_plan(staging: Staging, seed: int, minutes: float) -> Plan:
    """Kills and stops of whole hosts, as far as the file has commands for them."""
    driver = StagingDriver(staging)
    names = [
        name
        for name, action in ACTIONS.items()
        if action.fault in (Kill, Pause)
        and name not in PARTIAL
        and driver.why_not(action.fault) is None
        and (not name.startswith("agent") or all("kill" in a.commands for a in staging.agents))
        and not (name == "agent-stopped" and not all("pause" in a.commands for a in staging.agents))
    ]
    if not names:
        raise ValueError(
            "the staging cluster's file has commands for no fault; give every node kill and start"
        )
    steps = random_steps(seed, names, until_ms=round(minutes * 60_000))
    minimum = dict(MINIMUM["drill"])
    return Plan(
        "drill", "drill", seed, STAGING, steps, load=LOAD, nodes=len(staging.nodes),
        agents=len(staging.agents), minimum=minimum,
    )  # fmt: skip


def run_drill(file: Path, directory: Path, seed: int, minutes: float, say: Callable[[str], None]) -> None:
    """Leaves the files of a run. Raises ValueError where the file is not one of a staging cluster."""
    staging = read_staging(file)
    plan = drill_plan(staging, seed, minutes)
    if not staging.ready() or not staging.connected():
        raise DeadlineError("the staging cluster is not whole: every node ready, every agent connected")
    write_plan(plan, directory)
    shared = staging.evidence / f"drill-{seed}-{directory.resolve().name}"
    with History(directory / HISTORY) as history:
        history.write("phase", name="start", seal=SEAL)
        try:
            conduct(plan, directory, staging, StagingDriver(staging), history, evidence=shared, say=say)
        finally:
            _clean_up(staging)
            if shared.exists():
                shutil.copytree(shared, directory / "evidence")
    write_seal(directory)


def _clean_up(staging: Staging) -> None:
    reader = Reader(staging.nodes, staging.token)
    names = [job.name for job, _, _ in schedule_jobs(LOAD)]
    for name in [*names, MANUAL, LONG, BOOT, *REGISTERS]:
        with suppress(DeadlineError):
            reader.ask("DELETE", f"/v1/jobs/{name}")
    reader.close()
