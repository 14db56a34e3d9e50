"""The simulation finds nothing in the product, is the same for the same seed, and finds what is switched
off."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cluster.simulation import simulate

SEEDS = range(1, 101)
CHUNK = 10


@pytest.mark.parametrize("start", SEEDS[::CHUNK])
def test_stories_end_well(start: int) -> None:
    acknowledged = 0
    for seed in range(start, start + CHUNK):
        result = simulate(seed)
        assert not result.violations, (
            f"python -m cluster.simulation --seeds 1 --start {seed}: {result.violations}"
        )
        acknowledged += result.acknowledged
    assert acknowledged > 100 * CHUNK


def test_same_seed_is_the_same_story_in_any_process() -> None:
    code = "from cluster.simulation import simulate; print([simulate(s).digest for s in (3, 4)])"
    told = []
    for hash_seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        told.append(run.stdout)
    assert told[0] == told[1] == f"{[simulate(s).digest for s in (3, 4)]}\n"
    assert simulate(3).digest != simulate(5).digest
