"""`python -m tests.mutations [NAME …]`: each bug in a cluster of its own, under the plan that catches it.

A mutant is caught when the named offence is among those found. Prints a table; exit code 1 when one survives.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from chaos.cluster import Shape
from chaos.commands import usable_links
from chaos.nemesis import NemesisError
from chaos.plan import Plan
from chaos.programs import DeadlineError
from chaos.run import run_plan
from chaos.suite import judge_directory
from tests.mutations.mutants import MUTANTS, Mutant

SITE = Path(__file__).parent / "site"
PROJECT = Path(__file__).parents[2]
PORTS = (27_000, 28_000)
CALM_MS = 2_000


def environment(mutant: Mutant) -> dict[str, str]:
    """What every program of a cluster with this bug is started with."""
    edits: dict[str, list[tuple[str, str]]] = {}
    for module, old, new in mutant.edits:
        edits.setdefault(module, []).append((old, new))
    return {
        "PYTHONPATH": os.pathsep.join([str(SITE), str(PROJECT)]),
        "MUTANT_EDITS": json.dumps(edits),
    }


def run(mutant: Mutant, directory: Path, links: str, ports: tuple[int, int]) -> set[str]:
    """The offences that the harness found."""
    plan = Plan(
        mutant.name, "mutation", 1, links, mutant.steps, load=mutant.load, calm_ms=CALM_MS, skips_allowed=True
    )
    try:
        run_plan(plan, directory, shape=Shape(environment=environment(mutant), ports=ports))
    except DeadlineError as error:
        print(f"  {mutant.name}: {error}", file=sys.stderr)  # what was written until then is judged
    found = judge_directory(directory)
    return {
        f"{f.checker}: {offence.kind}" for judged in found for f in judged.findings for offence in f.offences
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    parser.add_argument("--ports", default=f"{PORTS[0]}-{PORTS[1]}")
    options = parser.parse_args()
    low, _, high = options.ports.partition("-")
    ports = (int(low), int(high))
    wanted = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    unknown = set(options.names) - {mutant.name for mutant in MUTANTS}
    if unknown or not wanted:
        parser.error(f"no mutant {', '.join(sorted(unknown))}; known: {', '.join(m.name for m in MUTANTS)}")
    survivors = []
    breakable = usable_links(ports)[0]
    with tempfile.TemporaryDirectory(prefix="cronclave-mutations-") as scratch:
        for mutant in wanted:
            began_s = time.monotonic()
            links = breakable if mutant.links == "any" else mutant.links
            try:
                found = run(mutant, (options.out or Path(scratch)) / mutant.name, links, ports)
            except NemesisError as error:
                found = {f"environment: {error}"}
            caught = sorted(found & mutant.caught_by)
            if not caught:
                survivors.append(mutant.name)
            said = f"caught by {', '.join(caught)}" if caught else f"SURVIVED; found {sorted(found)}"
            print(f"{mutant.name:<28} {time.monotonic() - began_s:5.0f} s  {said}", flush=True)
    print(f"{len(wanted) - len(survivors)} of {len(wanted)} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
