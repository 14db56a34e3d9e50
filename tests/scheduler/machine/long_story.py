"""A story of very many random steps: the state is whole all the time, what has ended stays so, and all of it
replays.

    python -m tests.scheduler.machine.long_story --steps 10000 --seed 1      # make steps

Each step is one of those of `test_replay`, aimed at what the state holds. After some dozens everything goes
on again: nothing is paused or closed, agents are there, now and then all runs are cancelled. Looked at on the
way: the invariants of the rows; each move of a run, a task and an attempt, by the tables of their lifecycles;
the ledger by `verify`, which finds a tick with two outcomes or none. In the end all is told again, in other
entries, with rows in another order, reopened now and then: what judged a deadline by anything but the stamps
of commands would differ.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scheduler.machine.context import ROOM, ROW
from scheduler.words import commands as c
from scheduler.words.lifecycle import ATTEMPT, RUN, TASK, Lifecycle
from tests.scheduler.machine.test_replay import (
    BEGINNING,
    begun,
    check_invariants,
    check_ledger,
    check_unfinished,
    command,
    finish_unfinished,
    random_steps,
    tell_again,
)
from tests.scheduler.story import Story

LOOKED_EVERY, VERIFIED_EVERY = 5, 250  #: steps
NOUNS: dict[str, Lifecycle[Any]] = {"runs": RUN, "tasks": TASK, "attempts": ATTEMPT}

CLEAR: tuple[Any, ...] = ("clear",)
CLEARED = (CLEAR, CLEAR, CLEAR)
CLEARED_EVERY, DRAWN = 5, 40
AGAIN: tuple[tuple[Any, ...], ...] = (
    ("resume_all", 0), ("resume_all", 7), *(("resume", job) for job in range(3)), ("close_plan", 2),
    ("close_plan", 3), ("quota", 0, 0), ("amount", 3), *(("drain", agent) for agent in range(2)),
    *(("connect", agent, 1, 0) for agent in range(2)), ("plan", 2), ("work", 0), ("running", 0), ("plan", 0),
    ("work", 0), *(("finish", 0, "exit", 0),) * 3, ("plan", 0), ("work", 0),
)  # fmt: skip
"""Nothing keeps a lock for ever, what was paused goes on, dates are open, agents begin what waits."""


def _cleared(story: Story) -> list[c.Command]:
    """Runs that go on are cancelled, and what of them is on agents has ended, by their word or a person's."""
    going = "SELECT id FROM runs WHERE finished_ms IS NULL AND stopping = '' ORDER BY id"
    live = "SELECT id, agent FROM attempts WHERE live = 1 ORDER BY id"
    now_ms = story.now_ms
    ended = [
        c.Finish(attempt, agent, now_ms, now_ms, None, "cancelled")
        for attempt, agent in story.store.rows(live)
    ]
    on_agents = "SELECT DISTINCT run FROM attempts WHERE live = 1 ORDER BY run"
    resolved = [c.ResolveRun(run) for (run,) in story.store.rows(on_agents)]
    return [*(c.CancelRun(run) for (run,) in story.store.rows(going)), *ended, *resolved]


class Moves:
    """Of each row the state in which it was last seen."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[int, str]] = {table: {} for table in NOUNS}
        self._may = {table: _reached(lifecycle.table) for table, lifecycle in NOUNS.items()}
        self.made: Counter[str] = Counter()

    def look(self, story: Story) -> None:
        for table, seen in self._seen.items():
            now: dict[int, str] = dict(story.store.rows(f"SELECT id, state FROM {table}"))
            for row, state in now.items():
                before = seen.get(row, "")
                if state != before:
                    assert state in self._may[table][before], f"{table} {row}: {before or 'new'} to {state}"
                    self.made[table] += 1
            self._seen[table] = now


def _reached(table: Mapping[str, Mapping[Any, str]]) -> dict[str, set[str]]:
    """From each state those that some moves may lead to."""
    after = {state: set(events.values()) for state, events in table.items()}
    for _ in after:
        for state, found in after.items():
            after[state] = found.union(*(after[each] for each in found))
    return after


def tell(folder: Path, steps: int, seed: int) -> tuple[Story, Counter[type[c.Command]], Moves]:
    """The story, what of each command was accepted, and how much moved."""
    rng = random.Random(seed)
    room = rng.choice((20 * ROW, ROOM))
    story, moves, accepted = begun(folder, room), Moves(), Counter[type[c.Command]]()
    drawn = list(BEGINNING)
    while len(drawn) < steps:
        drawn += [*(CLEARED if rng.random() < 1 / CLEARED_EVERY else ()), *AGAIN]
        drawn += random_steps(rng, DRAWN, seconds=rng.random() < 0.5)
    for place, step in enumerate(drawn[:steps]):
        if step == CLEAR:
            finish_unfinished(story)
        commands = _cleared(story) if step == CLEAR else command(story, step)
        for told, outcome in zip(commands, story.tell(*commands) if commands else [], strict=True):
            accepted[type(told)] += outcome.ok
        if place % LOOKED_EVERY == 0:
            check_invariants(story)
            check_unfinished(story)
            moves.look(story)
        if place % VERIFIED_EVERY == 0:
            check_ledger(story)
    finish_unfinished(story)
    check_invariants(story)
    moves.look(story)
    check_ledger(story)
    tell_again(story, folder, rng.randrange(1, 5), room)
    return story, accepted, moves


if __name__ == "__main__":
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        story, accepted, moves = tell(Path(scratch), given.steps, given.seed)
    print(f"{given.steps} steps, {len(story.frames)} entries, {accepted.total()} commands accepted")
    print(", ".join(f"{count} moves of {table}" for table, count in moves.made.items()))
    print(", ".join(f"{kind.__name__} {count}" for kind, count in accepted.most_common()))
    never = sorted(kind.__name__ for kind in set(c.ALL) - {kind for kind, count in accepted.items() if count})
    print(f"never accepted: {', '.join(never)}")
