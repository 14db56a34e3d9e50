"""How long a node's core looked at no socket, from the histogram in its /metrics."""

from __future__ import annotations

import http.client
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bench.cluster import Cluster

TURNS = "cronclave_core_turn_seconds"
WORK = "cronclave_core_turn_cpu_seconds"  #: the same turns by their processor time


@dataclass(frozen=True, slots=True)
class Turns:
    """Turns of one core since its start: (upper bound in seconds, how many up to it)."""

    buckets: tuple[tuple[float, int], ...]
    total_s: float

    def longest_ms_since(self, before: Turns) -> float:
        """The longest turn since then was at most this long; infinite above the last bound, NaN without."""
        earlier = dict(before.buckets)
        last, found = 0, math.nan
        for bound, count in self.buckets:
            new = count - earlier.get(bound, 0)
            if new > last:
                last, found = new, bound * 1000
        return found


def read_turns(cluster: Cluster, name: str = TURNS) -> dict[str, Turns]:
    """Of each node that answers."""
    found = {}
    for number, node in enumerate(cluster.nodes):
        if node.process is not None:
            with suppress(OSError, http.client.HTTPException):
                reply = cluster.client.send("GET", "/metrics", node=number)
                if reply.status == 200:
                    found[node.name] = parse(reply.body.decode(), name)
    return found


def parse(text: str, name: str) -> Turns:
    """The histogram in the exposition text."""
    buckets, total_s = [], 0.0
    for line in text.splitlines():
        if line.startswith(f'{name}_bucket{{le="'):
            label, _, value = line.partition('"} ')
            buckets.append((float(label.partition('"')[2]), int(float(value))))
        elif line.startswith(f"{name}_sum "):
            total_s = float(line.rpartition(" ")[2])
    return Turns(tuple(buckets), total_s)


def longest_ms(before: Mapping[str, Turns], after: Mapping[str, Turns]) -> dict[str, float]:
    """Node by node; one that started in between counts from its start."""
    empty = Turns((), 0.0)
    return {name: turns.longest_ms_since(before.get(name, empty)) for name, turns in after.items()}
