"""Whether the machine let the nodes run: an election on one that did not says nothing of the product.

Followers call an election after 0.3 s of a leader's silence. Nodes share the machine with each other, with
the test, and with whoever else is on it. The kernel tells how long a process that could have run did not
(proc(5), schedstat); a loop that kept itself busy did run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.cluster import Cluster

LOOK_EVERY_S = 0.1
STARVED_S = 0.2  #: of not running within a second
ELECTIONS_MAX = 50  #: on a starved machine: a term that was made up is far beyond


class Starvation:
    """How long any of these processes waited for a processor within a second, at worst."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._seen: deque[tuple[float, dict[int, int]]] = deque()
        self.longest_s = 0.0

    @property
    def is_starved(self) -> bool:
        return self.longest_s >= STARVED_S

    def look(self) -> None:
        now = time.monotonic()
        waited = {pid: found for pid in self._pids if (found := _waited_ns(pid)) is not None}
        while len(self._seen) > 1 and now - self._seen[0][0] > 1.0:
            self._seen.popleft()
        if self._seen:
            before = self._seen[0][1]
            self.longest_s = max(
                self.longest_s, *((ns - before.get(pid, ns)) / 1e9 for pid, ns in waited.items()), 0.0
            )
        self._seen.append((now, waited))


def _waited_ns(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    except (OSError, IndexError):
        return None


def pids_of(cluster: Cluster) -> list[int]:
    """The processes of its nodes that run now."""
    return [pid for node in cluster.nodes for pid in node.pids().values()]


@contextmanager
def looked_for(pids: Sequence[int]) -> Iterator[Starvation]:
    """How long the machine lets these wait during the block."""
    found, over = Starvation(pids), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            found.look()

    thread = threading.Thread(target=look, name="processors")
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


@contextmanager
def no_election(cluster: Cluster) -> Iterator[None]:
    """The block costs no election: all nodes that answer at its end are in the term of its begin."""
    term = cluster.status(cluster.leader())["term"]
    with looked_for(pids_of(cluster)) as starvation:
        yield
    terms = {status["term"] for status in cluster.statuses().values()}
    print(f"a process of a node did not run for {starvation.longest_s:.2f} s of a second at worst")
    if starvation.is_starved:
        assert all(term <= each <= term + ELECTIONS_MAX for each in terms)
    else:
        assert terms == {term}, "there was an election"
