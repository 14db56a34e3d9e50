"""A plan: a seed made into an explicit list of faults, which is stored, replayed and shrunk.

Rules:
1. Everything that chance decides is in the list: a replay reads plan.json and draws nothing.
2. Times are milliseconds from the moment when the load runs. Two steps of a random plan do not overlap,
   so that each has its own consequences; written scenarios may overlap theirs.
3. Shrinking is delta debugging (A. Zeller, R. Hildebrandt, 2002) over the list: the order and the times stay.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chaos.actions import ACTIONS, may_be_beside

PLAN = "plan.json"
FORMAT = 1
PICK_MAX = 1 << 16
PAUSE_MS = (1_500, 4_000)  #: between two steps
BESIDE = 0.6  #: so often a step has another one beside it


@dataclass(frozen=True, slots=True)
class Step:
    at_ms: int
    for_ms: int
    action: str
    pick: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    profile: str
    seed: int
    links: str
    steps: tuple[Step, ...]
    load: str = "full"  #: full | light | lease
    calm_ms: int = 5_000  #: of load after the last healing
    nodes: int = 3
    agents: int = 3
    visitors: int = 0  #: more agents, which come and go all the time
    minimum: dict[str, int] = field(default_factory=dict)
    skips_allowed: bool = False  #: a driver that cannot run here makes the run invalid unless this says so
    format: int = FORMAT

    @property
    def length_ms(self) -> int:
        return max((step.at_ms + step.for_ms for step in self.steps), default=0)


def write_plan(plan: Plan, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PLAN).write_text(json.dumps(asdict(plan), indent=1) + "\n")


def read_plan(path: Path) -> Plan:
    """The plan in this file or directory. Raises ValueError, which says what is wrong and where."""
    file = path / PLAN if path.is_dir() else path
    try:
        told = json.loads(file.read_text())
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}; name the --out of a run, or a plan.json") from None
    except ValueError as error:
        raise ValueError(f"{file}: no JSON: {error}") from None
    return plan_from(told, str(file))


def plan_from(told: dict[str, Any], where: str) -> Plan:
    if told.get("format") != FORMAT:
        raise ValueError(f"{where}: format {told.get('format')!r}; this version reads {FORMAT}")
    try:
        steps = tuple(Step(**step) for step in told.pop("steps"))
        plan = Plan(steps=steps, **told)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None
    for number, step in enumerate(steps):
        if step.action not in ACTIONS:
            raise ValueError(
                f"{where}: step {number}: no action {step.action!r}; known: {', '.join(ACTIONS)}"
            )
        if step.at_ms < 0 or step.for_ms < 0:
            raise ValueError(f"{where}: step {number}: at_ms and for_ms must not be negative")
    return plan


def random_steps(
    seed: int, actions: Sequence[str], *, until_ms: int, from_ms: int = 1_000, beside: Sequence[str] = ()
) -> tuple[Step, ...]:
    """Steps one behind the other, drawn from these actions; no action twice before each had its turn.
    `beside`: actions that may begin in the middle of another one, where they do not touch the same things."""
    dice = random.Random(seed)
    steps: list[Step] = []
    at_ms = from_ms
    left: list[str] = []

    def step(name: str, begin_ms: int) -> Step:
        action = ACTIONS[name]
        for_ms = dice.randrange(action.shortest_ms, action.longest_ms + 1, 100)
        return Step(begin_ms, for_ms, name, dice.randrange(PICK_MAX))

    while actions:
        left = left or dice.sample(list(actions), len(actions))
        drawn = [step(left.pop(), at_ms)]
        fitting = [name for name in beside if may_be_beside(name, drawn[0].action)]
        if fitting and dice.random() < BESIDE:
            drawn.append(step(dice.choice(fitting), at_ms + drawn[0].for_ms // 3))
        end_ms = max(one.at_ms + one.for_ms for one in drawn)
        if end_ms > until_ms and steps:
            break
        steps += drawn
        at_ms = end_ms + dice.randrange(*PAUSE_MS, 100)
    return tuple(steps)


def in_turn(
    seed: int, actions: Iterable[str], *, from_ms: int = 1_500, pause_ms: int = 3_000
) -> tuple[Step, ...]:
    """These actions one behind the other, each as short as it may be."""
    dice = random.Random(seed)
    steps = []
    at_ms = from_ms
    for name in actions:
        for_ms = ACTIONS[name].shortest_ms + 500
        steps.append(Step(at_ms, for_ms, name, dice.randrange(PICK_MAX)))
        at_ms += for_ms + pause_ms
    return tuple(steps)


def shrink(plan: Plan, fails: Callable[[Plan], bool], *, runs_max: int = 40) -> tuple[Plan, int]:
    """A plan with fewer steps that still fails, and how many runs that took. `fails` is asked about
    plans with fewer steps only."""
    steps, runs, parts = list(plan.steps), 0, 2
    while len(steps) > 1 and runs < runs_max:
        size = -(-len(steps) // parts)
        for start in range(0, len(steps), size):
            fewer = steps[:start] + steps[start + size :]
            runs += 1
            if fewer and fails(replace(plan, steps=tuple(fewer))):
                steps, parts = fewer, max(parts - 1, 2)
                break
            if runs >= runs_max:
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(steps))
    return replace(plan, name=f"{plan.name}-shrunk", steps=tuple(steps)), runs
