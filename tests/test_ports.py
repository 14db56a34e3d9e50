"""Two runs on one machine keep out of each other's ports: tests, benchmarks, the chaos harness."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from bench.cluster import PROJECT, free_base_port
from chaos.ports import Ports

pytestmark = pytest.mark.house

CLAIM = "from bench.cluster import free_base_port as free; print(free(24000, 24900, 2), flush=True); input()"


@pytest.mark.parametrize(
    "take",
    [
        pytest.param(lambda low: free_base_port(low, 24_900, 2), id="bench and tests"),
        pytest.param(lambda low: Ports(low, 24_900).take(), id="chaos"),
    ],
)
def test_claimed_ports_are_left_to_their_claimant_until_it_ends(take: Callable[[int], int]) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", CLAIM], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    theirs = int(other.stdout.readline())
    assert take(theirs) != theirs  # though nobody listens there yet
    other.kill()
    other.communicate()
    assert take(theirs) == theirs
