"""What it takes to come back after nobody led for hours: the planner and the machine alone, one process.

    python -m tests.scheduler.plan.outage --jobs 1000 --hours 3      # every job is due each second

The clock of the story goes on by the CPU that plans and applies take, 20 ms a plan at least: so "after" is
when the leader would have decided that on a core of its own. Runs that agents have claimed end at once.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from tests.scheduler.story import START_MS, Story, job

PACE_MS = 20
ROUNDS_MAX = 5_000


def told(jobs: int, hours: float, catchup: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "state.db")
        story.lead()
        story.connect(slots=4 * jobs)
        policies = {"overlap": "skip", "catchup": {"mode": catchup, "max": 10}}
        for number in range(jobs):
            story.put(job(f"job-{number}", trigger={"every": "1s", "id": "t"}, policies=policies))
        story.now_ms = back_ms = START_MS + int(hours * 3_600_000)
        story.lead()
        came = _come_back(story, jobs, back_ms)
    return {**came, "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024}


def _come_back(story: Story, jobs: int, back_ms: int) -> dict[str, float]:
    live_ms = 0
    cpu_s = first_s = 0.0
    plans = 0
    for _ in range(ROUNDS_MAX):
        began = time.process_time()
        commands = story.plan()
        planned = time.process_time()
        for start in range(0, len(commands), 100):  # as the front sends them
            story.tell(*commands[start : start + 100])
        cpu_s += (took_s := time.process_time() - began)
        first_s = first_s or planned - began
        plans += 1
        story.now_ms += max(PACE_MS, round(took_s * 1_000))
        if not live_ms and _present(story, back_ms) == jobs:
            live_ms = story.now_ms - back_ms
        if live_ms and _behind(story, back_ms) == 0:
            break
        while story.work():
            pass
    rows = story.store.value("SELECT count(*) FROM ledger WHERE decided_ms >= ?", (back_ms,))
    return {
        "every job's present tick after, s": live_ms / 1_000,
        "nothing is behind after, s": (story.now_ms - back_ms) / 1_000,
        "first plan, CPU s": first_s, "CPU s": cpu_s, "plans": plans, "ledger rows": rows,
    }  # fmt: skip


def _present(story: Story, back_ms: int) -> int:
    """Jobs of which a tick of the last two seconds before the return, or later, has its run."""
    found: int = story.store.value(
        "SELECT count(DISTINCT job) FROM runs WHERE tick_ms >= ?", (back_ms - 2_000,)
    )
    return found


def _behind(story: Story, back_ms: int) -> int:
    before_ms = back_ms - 60_000
    found: int = story.store.value("SELECT count(*) FROM triggers WHERE next_due_ms < ?", (before_ms,))
    return found


if __name__ == "__main__":
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--catchup", choices=("latest", "all", "none"), default="latest")
    given = parser.parse_args()
    for name, value in told(given.jobs, given.hours, given.catchup).items():
        print(f"{name:<36} {value:,.2f}")
