"""The harness as a whole, on real processes: a plan is conducted, judged and reported."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from chaos.case import read_marks
from chaos.cluster import Shape
from chaos.history import now_s
from chaos.plan import Plan, Step
from chaos.run import run_plan
from chaos.suite import judge_directory
from chaos.workload import payload

PORTS = (32_000, 32_100)  #: no other suite's: while a node is dead, its port is free for anybody
ENVIRONMENT = {
    "CRONCLAVE_JOB": "pulse",
    "CRONCLAVE_RUN": "17",
    "CRONCLAVE_ATTEMPT": "2",
    "CRONCLAVE_FENCE": "99",
    "CRONCLAVE_TICK": "2026-12-31T23:00:00Z",
    "CRONCLAVE_AGENT": "agent-1",
    "CRONCLAVE_TASK": "load",
    "CRONCLAVE_ROUND": "3",
}


@pytest.mark.parametrize("clock", ["host", "wall"])
def test_a_payload_writes_its_start_and_end_on_the_harnesss_clock(tmp_path: Path, clock: str) -> None:
    import time

    before_s, offset_s = now_s(), time.time() - now_s()

    subprocess.run(
        ["/bin/sh", "-c", payload(tmp_path, beats=1, clock=clock)],
        env={**os.environ, **ENVIRONMENT},
        check=True,
    )

    marks = read_marks(tmp_path, offset_s)
    assert [(m.what, m.job, m.tried, m.fence, m.tick_ms) for m in marks] == [
        (what, "pulse", (17, "load", 3, "2"), 99, 1_798_758_000_000) for what in "SBE"
    ]
    assert before_s - 0.05 <= marks[0].at_s <= marks[1].at_s <= marks[2].at_s <= now_s() + 0.05


@pytest.mark.cluster
def test_a_leader_is_killed_and_the_run_is_judged(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    steps = (Step(500, 1_000, "leader-killed"),)
    plan = Plan(
        "story", "test", 1, "direct", steps, load="light", calm_ms=1_000, minimum={"ticks": 5, "faults": 1}
    )

    run_plan(plan, directory, shape=Shape(ports=PORTS))
    (judged,) = judge_directory(directory)

    assert judged.verdict == "pass", judged.findings
    assert any(entry["kind"] == "pace" for entry in judged.case.history)
    assert json.loads((directory / "verdict.json").read_text())["verdict"] == "pass"
    assert not (directory / "cluster").exists()
