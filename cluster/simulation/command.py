"""The command line of the simulation: many stories, one after the other or on several processes.

Its last line is `seeds N operations N violations N`; the one before it tells which faults the stories had
and where nodes died. It ends with 1 on a violation, which is printed with its seed and how to see it again.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from cluster.hardening import Hardening
from cluster.simulation.world import Plan, Result

Simulate = Callable[[int, Plan | None, Hardening], Result]

AHEAD = 4  #: stories handed to each process in advance


def main(program: str, modes: Mapping[str, Simulate], arguments: list[str] | None = None) -> int:
    """`modes`: kinds of stories by name. With more than one, seeds take turns."""
    names = [f.name for f in dataclasses.fields(Hardening)]
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument("--seeds", type=int, default=100, help="how many stories")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--mode", choices=["all", *modes], default="all", help="what runs on consensus")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after this time (0: no limit)")
    parser.add_argument("--workers", type=int, default=1, help="processes that run stories")
    parser.add_argument("--off", action="append", default=[], choices=names, help="switch a hardening off")
    options = parser.parse_args(arguments)
    hardening = Hardening(**{name: False for name in options.off})
    chosen = list(modes) if options.mode == "all" else [options.mode]
    end = time.monotonic() + options.minutes * 60 if options.minutes else None
    story = partial(_story, {name: modes[name] for name in chosen}, hardening)
    again = "".join(f" --off {name}" for name in options.off)
    seeds = operations = violations = 0
    happened: Counter[str] = Counter()
    for mode, result in _run(story, range(options.start, options.start + options.seeds), options.workers):
        seeds += 1
        operations += result.operations
        happened += result.happened
        violations += len(result.violations)
        for violation in result.violations:
            print(f"seed {result.seed}: {violation.kind}: {violation.text}")
        if result.violations:
            print(
                f"again: python -m {program} --seeds 1 --start {result.seed} --mode {mode}{again}", flush=True
            )
        if end is not None and time.monotonic() > end:
            break
    print("; ".join(f"{what} {count:,}" for what, count in sorted(happened.items())))
    print(f"seeds {seeds} operations {operations} violations {violations}")
    return 1 if violations else 0


def _story(modes: Mapping[str, Simulate], hardening: Hardening, seed: int) -> tuple[str, Result]:
    logging.disable(logging.CRITICAL)  # what nodes say is no news here
    name = list(modes)[seed % len(modes)]
    return name, modes[name](seed, None, hardening)


def _run(
    story: Callable[[int], tuple[str, Result]], seeds: range, workers: int
) -> Iterator[tuple[str, Result]]:
    """Results in the order of seeds; whoever stops listening stops the rest."""
    if workers < 2:
        yield from map(story, seeds)
        return
    with ProcessPoolExecutor(workers) as pool:
        size = workers * AHEAD
        for first in range(0, len(seeds), size):
            yield from pool.map(story, seeds[first : first + size])
