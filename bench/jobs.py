"""The job definitions that benchmarks and end-to-end tests submit, and their due ticks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from bench.evidence import Every, instant

SECOND_MS = 1_000
RUNS_KEPT = 100_000  #: so that no evidence is purged while it is measured


def every_second(
    name: str, work: dict[str, Any], *, offset_ms: int = 0, policies: dict[str, Any] | None = None
) -> tuple[dict[str, Any], Every]:
    """A job due each second at an offset, `overlap: allow`, and its oracle."""
    trigger = {"every": "1s", "start": instant(offset_ms)} if offset_ms else {"every": "1s"}
    job = {
        "job": name,
        "triggers": trigger,
        "policies": {"overlap": "allow", "retention": {"runs": RUNS_KEPT}, **(policies or {})},
        **work,
    }
    return job, Every(name, SECOND_MS, offset_ms)


def append_tick(file: Path) -> dict[str, Any]:
    """A shell payload that writes its own evidence: one short appended line, which is atomic."""
    return {"run": f'echo "$CRONCLAVE_JOB $CRONCLAVE_TICK" >> {shlex.quote(str(file))}'}


NOOP: dict[str, Any] = {"noop": True}
TRUE: dict[str, Any] = {"exec": ["/bin/true"]}


def rare(name: str, number: int) -> dict[str, Any]:
    """A usual small job that hardly falls due while a benchmark runs: on February 29th."""
    return {
        "job": name,
        "labels": {"team": f"team-{number % 50}"},
        "triggers": {"cron": f"{number % 60} {number // 60 % 24} 29 2 *"},
        "run": f"/usr/local/bin/report --customer {number}",
    }


def spread_offset(number: int, jobs: int) -> int:
    """The offset within the second that spreads the jobs evenly over it."""
    return number * SECOND_MS // jobs
