"""What must hold around every attack.

Rules: no process of a node ends, the term stays and with it the leader, every node answers `/healthz` all the
while, and the memory of each process comes back to near where it was. A probe that got no answer within
PROBE_S is a deaf node; the longest answer is told, not judged. Neither is an election where the machine kept
a node's processes from running (tests/e2e/starvation.py).
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.cluster import Cluster, Node, wait_for
from tests.e2e.starvation import ELECTIONS_MAX, Starvation, looked_for, pids_of

PROBE_S = 10.0  #: ten times what is promised
PROBE_EVERY_S = 0.1
CALM_S = 60.0
MEMORY_SLACK_BYTES = 96 << 20  #: an allocator keeps some of what it once had


@dataclass(slots=True)
class Watch:
    """What was seen of one node's `/healthz` during an attack."""

    node: Node
    answers: int = 0
    longest_s: float = 0.0
    deaf: list[str] = field(default_factory=list)

    def probe(self) -> None:
        address = urlsplit(self.node.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PROBE_S)
        began = time.monotonic()
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
            if status != 200:
                self.deaf.append(f"{self.node.name}: /healthz answered {status}")
            self.answers += 1
        except (OSError, http.client.HTTPException) as error:
            self.deaf.append(f"{self.node.name}: /healthz: {error!r}")
        finally:
            connection.close()
            self.longest_s = max(self.longest_s, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Standing:
    """Who runs and who leads, as far as an attack must not change it."""

    pids: dict[str, dict[str, int]]
    term: int
    leader: str


def standing(cluster: Cluster) -> Standing:
    leader = cluster.leader()
    return Standing({n.name: n.pids() for n in cluster.nodes}, cluster.status(leader)["term"], leader.name)


def unharmed(before: Standing, after: Standing, starvation: Starvation) -> None:
    print(f"a process of a node did not run for {starvation.longest_s:.2f} s of a second at worst")
    assert after.pids == before.pids
    assert before.term <= after.term <= before.term + ELECTIONS_MAX
    if not starvation.is_starved:
        assert after == before


@contextmanager
def siege(cluster: Cluster) -> Iterator[None]:
    """Judges the cluster around the block: AssertionError tells what the attack in it has harmed."""
    cluster.wait_ready()
    before, memory = standing(cluster), cluster.resident_bytes()
    watches = [Watch(node) for node in cluster.nodes]
    over = threading.Event()

    def look(watch: Watch) -> None:
        while not over.wait(PROBE_EVERY_S):
            watch.probe()

    threads = [threading.Thread(target=look, args=[w], name=f"probe of {w.node.name}") for w in watches]
    with looked_for(pids_of(cluster)) as starvation:
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
    for watch in watches:
        watch.probe()
        print(f"{watch.node.name}: {watch.answers} answers, the longest after {watch.longest_s:.2f} s")
    cluster.wait_ready()
    assert [said for watch in watches for said in watch.deaf] == []
    unharmed(before, standing(cluster), starvation)
    wait_for(lambda: not _grown(cluster, memory), CALM_S, "all memory near where it was", 0.5)


def _grown(cluster: Cluster, before: dict[str, dict[str, int]]) -> list[str]:
    return [
        f"{name} {role}"
        for name, roles in cluster.resident_bytes().items()
        for role, size in roles.items()
        if size > before[name][role] + MEMORY_SLACK_BYTES
    ]
