"""What it takes to come back after nobody led for hours: the planner and the machine alone, one process.

    python -m tests.scheduler.plan.outage --jobs 1000 --hours 3      # every job is due each second

The clock of the story goes on by the CPU that plans and applies take, 20 ms a plan at least: so "after" is
when the leader would have decided that on a core of its own. Plans are as large as a leader's first ones, and
overload is declared as it does. Runs that agents have claimed end at once.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from node.overload import LATE_TICKS_MAX, OverloadWatch
from node.planner import FULL_PLAN, Budget
from scheduler.plan import RECENT_MS
from scheduler.store.state import overload
from scheduler.store.tables import triggers
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

PACE_MS = 20
ROUNDS_MAX = 5_000


@dataclass
class Return:
    """What came of a return, as it goes on."""

    plans: int = 0
    cpu_s: float = 0.0
    commands: Counter[type[c.Command]] = field(default_factory=Counter)


def story_of(path: Path, jobs: int, catchup: str) -> Story:
    """Jobs that are due each second, and whom nobody serves from now on."""
    story = Story(path)
    story.lead()
    story.connect(slots=4 * jobs)
    policies = {"overlap": "skip", "catchup": {"mode": catchup, "max": 10}}
    for number in range(jobs):
        story.put(job(f"job-{number}", trigger={"every": "1s", "id": "t"}, policies=policies))
    return story


def come_back(story: Story, *, fixed_ms: int | None = None) -> Iterator[Return]:
    """Plan after plan of a new leader, each with its outcomes, which take `fixed_ms`; None: their CPU."""
    story.lead()
    came, budget, watch = Return(), Budget(), OverloadWatch()
    for _ in range(ROUNDS_MAX):
        began_s = time.process_time()
        commands = story.plan(limits=budget.limits)
        full = len(commands) >= FULL_PLAN * budget.limits.commands
        begins = watch.look(
            story.now_ms / 1_000, declared=overload(story.store) is not None, is_full=full,
            late_ms=story.cache.late_ms,
            late_ticks=lambda: triggers.count_late(
                story.store, story.now_ms - RECENT_MS, story.now_ms, LATE_TICKS_MAX + 1
            ),
        )  # fmt: skip
        if begins is not None:
            commands.append(c.TellOverload(story.epoch, begins, story.cache.late_ms, 1))
        for start in range(0, len(commands), 100):  # as the front sends them
            story.tell(*commands[start : start + 100])
        took_s = time.process_time() - began_s
        budget.took(len(commands), took_s)
        came.commands.update(type(command) for command in commands)
        came.cpu_s += took_s
        came.plans += 1
        story.now_ms += max(PACE_MS, round(took_s * 1_000)) if fixed_ms is None else fixed_ms
        yield came
        while story.work():
            pass


def present(story: Story, back_ms: int) -> int:
    """Jobs of which a tick of the last two seconds before the return, or later, has its run."""
    found: int = story.store.value(
        "SELECT count(DISTINCT job) FROM runs WHERE tick_ms >= ?", (back_ms - 2_000,)
    )
    return found


def is_behind(story: Story, back_ms: int) -> bool:
    """Whether something from before is not decided."""
    before = "SELECT 1 FROM triggers WHERE next_due_ms < ? LIMIT 1"
    return story.store.value(before, (back_ms - 60_000,)) is not None


def told(jobs: int, hours: float, catchup: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        story = story_of(Path(folder) / "state.db", jobs, catchup)
        story.now_ms = back_ms = START_MS + int(hours * 3_600_000)
        live_ms = 0
        live_cpu_s = 0.0
        for came in come_back(story):
            if not live_ms and present(story, back_ms) == jobs:
                live_ms, live_cpu_s = story.now_ms - back_ms, came.cpu_s
            if live_ms and not is_behind(story, back_ms):
                break
        rows = story.store.value("SELECT count(*) FROM ledger WHERE decided_ms >= ?", (back_ms,))
    return {
        "every job's present tick after, s": live_ms / 1_000, "CPU s until then": live_cpu_s,
        "nothing is behind after, s": (story.now_ms - back_ms) / 1_000, "CPU s": came.cpu_s,
        "plans": came.plans, "ledger rows": rows,
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    }  # fmt: skip


if __name__ == "__main__":
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--catchup", choices=("latest", "all", "none"), default="latest")
    given = parser.parse_args()
    for name, value in told(given.jobs, given.hours, given.catchup).items():
        print(f"{name:<36} {value:,.2f}")
