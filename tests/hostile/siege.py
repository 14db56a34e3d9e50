"""What must hold around every attack.

Rules: no process of a node ends, the term stays and with it the leader, every node answers `/healthz` all the
while, and the memory of each process comes back to near where it was. A probe that got no answer within
PROBE_S is a deaf node; the longest answer is told, not judged. Neither is an election where the machine kept
a node's processes from running: they share it with each other, with the attack, and with whoever else is on
it. The kernel tells how long a process that could have run did not (proc(5), schedstat); a loop that kept
itself busy did run.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.cluster import Cluster, Node, wait_for

PROBE_S = 10.0  #: ten times what is promised
PROBE_EVERY_S = 0.1
STARVED_S = 0.2  #: of not running within a second: followers call an election after 0.3
ELECTIONS_MAX = 50  #: on a starved machine: a term that was made up is far beyond
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


class Starvation:
    """How long any process of a node waited for a processor within a second, at worst."""

    def __init__(self, cluster: Cluster) -> None:
        self._pids = [pid for node in cluster.nodes for pid in node.pids().values()]
        self._seen: deque[tuple[float, dict[int, int]]] = deque()
        self.longest_s = 0.0

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


def standing(cluster: Cluster) -> Standing:
    leader = cluster.leader().name
    told = cluster.statuses()
    return Standing({n.name: n.pids() for n in cluster.nodes}, told[leader]["term"], leader)


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

    starvation = Starvation(cluster)

    def look_at_processors() -> None:
        while not over.wait(PROBE_EVERY_S):
            starvation.look()

    threads = [threading.Thread(target=look, args=[w], name=f"probe of {w.node.name}") for w in watches]
    threads.append(threading.Thread(target=look_at_processors, name="processors"))
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
    after = standing(cluster)
    print(f"a process of a node did not run for {starvation.longest_s:.2f} s of a second at worst")
    assert after.pids == before.pids
    assert before.term <= after.term <= before.term + ELECTIONS_MAX
    if starvation.longest_s < STARVED_S:
        assert after == before
    wait_for(lambda: not _grown(cluster, memory), CALM_S, "all memory near where it was", 0.5)


def _grown(cluster: Cluster, before: dict[str, dict[str, int]]) -> list[str]:
    return [
        f"{name} {role}"
        for name, roles in cluster.resident_bytes().items()
        for role, size in roles.items()
        if size > before[name][role] + MEMORY_SLACK_BYTES
    ]
