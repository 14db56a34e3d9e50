"""Two test runs on one machine keep out of each other's ports."""

from __future__ import annotations

import subprocess
import sys

from bench.cluster import PROJECT, free_base_port

CLAIM = "from bench.cluster import free_base_port as free; print(free(24000, 24900, 2), flush=True); input()"


def test_claimed_ports_are_left_to_their_claimant_until_it_ends() -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", CLAIM], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    theirs = int(other.stdout.readline())
    assert free_base_port(theirs, 24_900, 2) != theirs  # though nobody listens there yet
    other.kill()
    other.communicate()
    assert free_base_port(theirs, 24_900, 2) == theirs
