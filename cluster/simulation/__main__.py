"""`python -m cluster.simulation --seeds N --start S [--off HARDENING …] [--minutes M]`; exit 1 on a
violation."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time

from cluster.hardening import Hardening
from cluster.simulation.world import simulate


def main(arguments: list[str] | None = None) -> int:
    names = [f.name for f in dataclasses.fields(Hardening)]
    parser = argparse.ArgumentParser(prog="python -m cluster.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many stories")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after this time (0: no limit)")
    parser.add_argument("--off", action="append", default=[], choices=names, help="switch a hardening off")
    options = parser.parse_args(arguments)
    hardening = Hardening(**{name: False for name in options.off})
    end = time.monotonic() + options.minutes * 60 if options.minutes else None
    seeds = operations = violations = 0
    for seed in range(options.start, options.start + options.seeds):
        result = simulate(seed, hardening=hardening)
        seeds += 1
        operations += result.operations
        violations += len(result.violations)
        for violation in result.violations:
            print(f"seed {seed}: {violation.kind}: {violation.text}", flush=True)
        if end is not None and time.monotonic() > end:
            break
    print(f"seeds {seeds} operations {operations} violations {violations}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
