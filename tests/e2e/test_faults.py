"""Wrong clocks, failing disks and lost links, on real processes.

A node with a wrong wall clock costs no tick and starts none early. A node whose disk fails stops at once, and
nothing that it did not make durable was acknowledged. A leader that lost its followers answers no read.
"""

from __future__ import annotations

import errno
import http.client
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.client import Client, Reply
from bench.cluster import Cluster, Node, wait_for
from bench.evidence import Every, instant, milliseconds
from bench.jobs import every_second
from chaos.nemesis.shim import Control, build
from tests.e2e.cluster import DEADLINE_S, NewCluster, judge_file, verified, wait_lines
from tests.e2e.relays import Relays

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

HOUR_MS = 3_600_000
JOBS = 4
EARLY_MS = 100  #: what the others know of a wrong clock may be wrong by half a round trip, on a busy machine
STAMP_MS_MAX = 60_000  #: between a tick and its decision's stamp, on a busy machine; clocks jump by an hour


@dataclass(slots=True)
class Shimmed:
    """A cluster whose nodes were born with the fault shim."""

    cluster: Cluster
    library: Path
    environment: pytest.MonkeyPatch
    controls: dict[str, Control] = field(default_factory=dict)

    def start(self) -> None:
        for node in self.cluster.nodes:
            self.controls[node.name] = Control(self.cluster.root / f"{node.name}.control")
            self.start_node(node)
        self.cluster.start()

    def start_node(self, node: Node) -> None:
        """Start this one with its own control file."""
        with self.environment.context() as patched:
            for name, value in self.controls[node.name].environment(self.library).items():
                patched.setenv(name, value)
            node.start()

    def follower(self) -> Node:
        """One that agents hang on: they start work by its clock."""
        leader = self.cluster.leader()
        zones = {agent.zone for agent in self.cluster.agents}
        return next(node for node in self.cluster.nodes if node is not leader and node.zone in zones)


@pytest.fixture
def shimmed(
    new_cluster: NewCluster, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shimmed]:
    library = build(tmp_path_factory.mktemp("shim"))
    if isinstance(library, str):
        pytest.skip(library)
    made = Shimmed(new_cluster(slots=100), library, monkeypatch)
    made.start()
    yield made
    for control in made.controls.values():
        control.skew(0)
        control.heal_disk()


# ---- clocks


def test_wall_clocks_that_jump_cost_no_tick_and_start_none_early(shimmed: Shimmed) -> None:
    cluster = shimmed.cluster
    file, starts = cluster.root / "ticks.txt", cluster.root / "starts.txt"
    work = {
        "run": f'echo "$CRONCLAVE_TICK $(date +%s%3N)" >> {shlex.quote(str(starts))}; '
        f'echo "$CRONCLAVE_JOB $CRONCLAVE_TICK" >> {shlex.quote(str(file))}'
    }
    made = [every_second(f"steady-{i}", work, offset_ms=i * 250) for i in range(JOBS)]
    cluster.client.apply([job for job, _ in made])
    from_ms = int(time.time() * 1000) + 1_000
    wait_lines(file, JOBS)
    for on_leader, skew_ms in ((True, HOUR_MS), (False, -HOUR_MS), (True, -HOUR_MS), (False, HOUR_MS)):
        node = cluster.leader() if on_leader else shimmed.follower()
        shimmed.controls[node.name].skew(skew_ms)
        if on_leader:
            cluster.leader(other_than=node.name)
        _two_more_rounds(file)
        shimmed.controls[node.name].skew(0)
    until_ms = int(time.time() * 1000)

    judgement = judge_file([oracle for _, oracle in made], file, from_ms=from_ms, until_ms=until_ms)
    assert judgement.clean, judgement
    lateness_ms = sorted(_lateness_ms(line) for line in starts.read_text().splitlines())
    print(f"earliest starts, ms after the tick: {lateness_ms[:5]}")
    assert lateness_ms[0] >= -EARLY_MS
    for _, oracle in made:
        _stamps_follow_the_true_time(cluster, oracle, from_ms, until_ms)
    found = verified(cluster, from_ms, until_ms)
    assert found["problem_count"] == 0, found


def _two_more_rounds(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    wait_lines(file, lines + 2 * JOBS)


def _lateness_ms(line: str) -> int:
    tick, _, started_ms = line.partition(" ")
    return int(started_ms) - milliseconds(tick)


def _stamps_follow_the_true_time(cluster: Cluster, job: Every, from_ms: int, until_ms: int) -> None:
    """In the order of the log no stamp falls, and none is of a wrong clock."""
    query = {"from": instant(from_ms), "to": instant(until_ms)}
    ticks = list(cluster.client.items(f"/v1/jobs/{job.job}/ticks", query))
    decided = [milliseconds(t["decided_at"]) for t in sorted(ticks, key=lambda t: t["index"])]

    assert len(decided) >= 4
    assert decided == sorted(decided)
    strange = [t for t in ticks if abs(milliseconds(t["decided_at"]) - milliseconds(t["at"])) > STAMP_MS_MAX]
    assert not strange


# ---- disks


@dataclass(slots=True)
class Writer:
    """Submits jobs to one node as fast as they are answered; remembers what was acknowledged."""

    client: Client
    node: int
    acknowledged: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        number = 0
        while not self.stopping.is_set():
            name = f"written-{self.node}-{number}"
            number += 1
            try:
                body = {"job": name, "noop": True}
                put = self.client.send("PUT", f"/v1/jobs/{name}", body, node=self.node, timeout_s=5)
                if put.status == 201:
                    self.acknowledged.append(name)
            except (OSError, http.client.HTTPException):
                if self.stopping.wait(0.02):
                    return


def test_node_with_a_failing_disk_stops_and_acknowledged_nothing_that_is_lost(shimmed: Shimmed) -> None:
    cluster = shimmed.cluster
    acknowledged: list[str] = []

    def journal(node: Node) -> Path:
        return node.data / "log"

    def log_of_the_state(node: Node) -> Path:
        return next((node.data / "state").glob("*/state.db-wal"))

    def sync(control: Control, prefix: Path) -> None:
        control.fail_syncs(prefix)

    def write(control: Control, prefix: Path) -> None:
        control.fail_writes(prefix, error=errno.EIO)

    def tear(control: Control, prefix: Path) -> None:
        control.tear_write(prefix, after_bytes=11)

    faults: list[tuple[bool, Callable[[Node], Path], Callable[[Control, Path], None], str]] = [
        (False, journal, sync, "Input/output error"),
        (True, journal, sync, "Input/output error"),
        (False, log_of_the_state, write, "disk I/O error"),
        (True, journal, tear, ""),
    ]
    for on_leader, path, strike, words in faults:
        node = cluster.leader() if on_leader else shimmed.follower()
        acknowledged += _strike_while_writing(shimmed, node, lambda c, s=strike, p=path(node): s(c, p))
        assert words in node.log_tail()
        _bring_back(shimmed, node)

    present = {job["job"] for job in cluster.client.items("/v1/jobs")}
    assert len(acknowledged) > 20
    assert [name for name in acknowledged if name not in present] == []
    heads = cluster.equal_heads()
    assert len({(state, head) for _, state, head in heads.values()}) == 1, heads


def _strike_while_writing(shimmed: Shimmed, node: Node, strike: Callable[[Control], None]) -> list[str]:
    """Break the disk of this node while a writer is at it. It ends; the others go on. Gives what was
    acknowledged."""
    cluster, control = shimmed.cluster, shimmed.controls[node.name]
    writer = Writer(Client(cluster.client.urls, cluster.token), cluster.nodes.index(node))
    thread = threading.Thread(target=writer.write, name="writer")
    thread.start()
    try:
        wait_for(lambda: len(writer.acknowledged) >= 5, DEADLINE_S, "some acknowledged jobs")
        strike(control)
        assert node.process is not None
        wait_for(lambda: node.process is not None and node.process.poll() is not None, DEADLINE_S, "it ends")
    finally:
        writer.stopping.set()
        thread.join()
        writer.client.close()
    assert control.faults > 0
    others = cluster.client_without(node)
    name = f"goes-on-{node.name}-{int(time.time() * 1000)}"
    others.ask("PUT", f"/v1/jobs/{name}", {"job": name, "noop": True})
    others.close()
    return [*writer.acknowledged, name]


def _bring_back(shimmed: Shimmed, node: Node) -> None:
    """With a healthy disk it starts and follows."""
    shimmed.controls[node.name].heal_disk()
    node.reap()
    shimmed.start_node(node)
    shimmed.cluster.wait_ready()


# ---- links


def test_leader_without_its_followers_answers_no_read_and_never_an_old_value(new_cluster: NewCluster) -> None:
    cluster = new_cluster(agents=0)
    relays = Relays(cluster)
    try:
        cluster.start()
        cluster.client.apply([{"job": "kept", "noop": True, "description": "old"}])
        old = cluster.leader()
        number = cluster.nodes.index(old)
        reader = Reader(Client(cluster.client.urls, cluster.token), number)
        thread = threading.Thread(target=reader.read, name="reader")
        thread.start()
        try:
            wait_for(lambda: reader.seen("old"), DEADLINE_S, "reads of the old value")
            relays.isolate(old)
            cluster.leader(other_than=old.name)
            others = cluster.client_without(old)
            others.ask("PUT", "/v1/jobs/kept", {"job": "kept", "noop": True, "description": "new"})
            written_s = time.monotonic()
            refused = wait_for(lambda: reader.refused_since(written_s), DEADLINE_S, "a read that was refused")
            alive = cluster.client.send("GET", "/healthz", node=number)
            ready = cluster.client.send("GET", "/readyz", node=number)
            stale = cluster.client.send("GET", "/v1/jobs/kept?consistency=stale", node=number)
            relays.heal()
            wait_for(lambda: reader.seen("new"), DEADLINE_S, "reads of the new value")
            others.close()
        finally:
            reader.stopping.set()
            thread.join()
            reader.client.close()
    finally:
        relays.close()

    assert {reply.status for reply in refused} == {503}
    assert "consistency=stale" in refused[0].json()["hint"]
    assert "retry-after" in refused[0].headers
    assert (alive.status, ready.status) == (200, 503)
    assert stale.json()["description"] == "old"  # asked for: it is what this node knows
    behind = [said for began_s, said in reader.answers if began_s > written_s and said == "old"]
    assert behind == []


@dataclass(slots=True)
class Reader:
    """Reads a job from one node without pause: when each read began, and what it said (the reply when that is
    not 200)."""

    client: Client
    node: int
    answers: list[tuple[float, Any]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        while not self.stopping.wait(0.005):
            began_s = time.monotonic()
            with suppress(OSError, http.client.HTTPException):
                reply = self.client.send("GET", "/v1/jobs/kept", node=self.node, timeout_s=20)
                said = reply.json()["description"] if reply.status == 200 else reply
                self.answers.append((began_s, said))

    def seen(self, value: str) -> bool:
        return any(said == value for _, said in self.answers[-5:])

    def refused_since(self, moment_s: float) -> list[Reply]:
        return [said for began_s, said in self.answers if began_s > moment_s and isinstance(said, Reply)]
