"""Compaction and copies: a large state under load, and how long a core ever looks at no socket.

A seeded cluster (python -m node.seeding) runs every-second no-op jobs all the time. Beside them, one after
the other: nothing; bulk changes that make the log compact itself several times; big reads; a node that is
wiped and joins under a new name; the same through a relay that cuts its connections. Then every start's
lateness is told by the phase that it fell into.
"""

from __future__ import annotations

import http.client
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.cluster import (
    PORTS_A_NODE,
    Cluster,
    DeadlineError,
    Node,
    free_base_port,
    layout,
    temporary_root,
    wait_for,
    write_node_config,
)
from bench.evidence import instant, judge, milliseconds, start_ms
from bench.failover import seen_runs
from bench.inventory import MIB, seed
from bench.jobs import NOOP, every_second, rare, spread_offset
from bench.load import recorded
from bench.options import Options
from bench.relay import relayed
from bench.rows import Result, Row, spread
from bench.traffic import closed_loop, request
from bench.turns import WORK, Turns, longest_ms, read_turns

LOAD_JOBS = 200
LOG_BYTES_MAX = 8 * MIB  #: of the nodes under test, so that the log is compacted while we look
CHURN_JOBS = 10_000  #: put three times: some twice the log
CHURN_SLICE = 200  #: a request; one of 1,000 is 80 ms of applying in one turn, on each node
READERS = 2
CUTS = 5
STALL_MS_MAX = 100
BACK_S_MAX = 15.0
BACK_DEADLINE_S = 300.0
SENT_SHARE_MAX = 1.1
WAL_BYTES_MAX = 256 * MIB
MEMBERS_MAX = 5  #: port pairs: three nodes, and one that joins after each wipe


@dataclass(slots=True)
class Phase:
    """One stretch of the benchmark and what was seen in it."""

    what: str
    from_ms: int
    before: dict[str, Turns]
    before_work: dict[str, Turns]
    until_ms: int = 0
    longest_ms: dict[str, float] = field(default_factory=dict)
    work_ms: dict[str, float] = field(default_factory=dict)  #: longest by processor time
    wal_bytes: int = 0  #: largest seen
    log_bytes: int = 0

    def note_sizes(self, cluster: Cluster) -> None:
        for node in cluster.nodes:
            self.wal_bytes = max(self.wal_bytes, bytes_under(node.data / "state", "*-wal"))
            self.log_bytes = max(self.log_bytes, bytes_under(node.data / "log", "*.seg"))


@dataclass(frozen=True, slots=True)
class Return:
    """A wiped node's way back."""

    seconds: float
    elections: int
    copy_bytes: int
    sent_bytes: int = 0  #: through the relay
    cuts: int = 0


def run(options: Options) -> Result:
    with temporary_root(options.data) as root:
        base_port = free_base_port(*options.ports, MEMBERS_MAX + 1)
        cluster = layout(root, base_port=base_port, slots=2_000)
        try:
            print(seed(cluster, jobs=options.inventory, runs=options.history), file=sys.stderr, flush=True)
            small = {"log_bytes_max": LOG_BYTES_MAX}
            for node in cluster.nodes:
                write_node_config(node, cluster.nodes, uid=cluster.uid, token=cluster.token, raft=small)
            cluster.start()
            return measure(cluster, options, base_port)
        finally:
            cluster.stop()


def measure(cluster: Cluster, options: Options, base_port: int) -> Result:
    """All phases on a running cluster."""
    made = [every_second(f"load-{i}", NOOP, offset_ms=spread_offset(i, LOAD_JOBS)) for i in range(LOAD_JOBS)]
    cluster.client.apply([job for job, _ in made])
    phases: list[Phase] = []
    time.sleep(3.0)
    with _phase(phases, cluster, "load alone") as phase:
        _pass(options.duration_s, lambda: phase.note_sizes(cluster))
    with _phase(phases, cluster, "bulk changes, the log compacts itself") as phase:
        for round_ in range(3):
            made_jobs = [rare(f"churn-{round_}-{i}", i) for i in range(CHURN_JOBS)]
            for start in range(0, CHURN_JOBS, CHURN_SLICE):
                cluster.client.apply(made_jobs[start : start + CHURN_SLICE])
                phase.note_sizes(cluster)
        _pass(6.0, lambda: phase.note_sizes(cluster))  # it looks whether to compact every 5 s at most
    with _phase(phases, cluster, "big reads") as phase:
        read = big_reads(cluster, options.duration_s)
        phase.note_sizes(cluster)
    with _phase(phases, cluster, "a backup is taken") as phase:
        backup_bytes = take_backup(cluster)
        phase.note_sizes(cluster)
    returns = []
    for number in (4, 5):
        cut = number == 5
        what = "a wiped node comes back" + (f", its copy cut {CUTS} times" if cut else "")
        with _phase(phases, cluster, what) as phase:
            returns.append(come_back(cluster, number, phase, base_port=base_port, cut=cut))
    oracles = [oracle for _, oracle in made]
    from_ms, until_ms = phases[0].from_ms, int(time.time() * 1000) - 1_000
    time.sleep(3.0)
    runs = [r for r in recorded(cluster, from_ms - 2_000) if r["due"] and r["job"].startswith("load-")]
    judgement = judge(oracles, seen_runs(runs, {o.job for o in oracles}), from_ms=from_ms, until_ms=until_ms)
    return _result(phases, returns, runs, str(judgement), judgement.clean, read, backup_bytes)


def come_back(cluster: Cluster, number: int, phase: Phase, *, base_port: int, cut: bool) -> Return:
    """Wipe a follower; a node of a new name joins in its place. With `cut`, through a relay that breaks its
    connections while the copy is on its way."""
    leader = cluster.leader()
    term = cluster.status(leader)["term"]
    wiped = next(node for node in cluster.nodes if node is not leader)
    wiped.kill()
    shutil.rmtree(wiped.data)
    cluster.set_nodes([node for node in cluster.nodes if node is not wiped])
    cluster.client.ask("DELETE", f"/v1/cluster/members/{wiped.name}")
    port = base_port + PORTS_A_NODE * (number - 1)
    fresh = Node(
        f"node-{number}",
        wiped.zone,
        wiped.directory.parent / f"node-{number}",
        "node",
        url=f"http://127.0.0.1:{port}",
        raft=f"127.0.0.1:{port + 1}",
    )
    copy_bytes = max(bytes_under(node.data / "state", "state.db") for node in cluster.nodes)
    cut_at = [copy_bytes * (i + 1) // (CUTS + 1) for i in range(CUTS)] if cut else []
    with relayed(port + 2, port + 1, cut_at) as relay:
        reached = f"127.0.0.1:{port + 2}" if cut else fresh.raft
        write_node_config(
            fresh,
            cluster.nodes,
            uid=cluster.uid,
            token=cluster.token,
            extra={"join": True},
            raft={"log_bytes_max": LOG_BYTES_MAX, "address": reached},
        )
        started_s = time.monotonic()
        fresh.start()
        cluster.set_nodes([*cluster.nodes, fresh])
        member = {"name": fresh.name, "address": reached, "zone": fresh.zone, "url": fresh.url}
        cluster.client.ask("POST", "/v1/cluster/members?unasked=true", member)

        def back() -> bool:
            phase.note_sizes(cluster)
            return cluster.ready(len(cluster.nodes) - 1)

        wait_for(back, BACK_DEADLINE_S, f"{fresh.name} votes and is caught up", 0.05)
        seconds = time.monotonic() - started_s
        sent_bytes, cuts = relay.passed_bytes, relay.cuts
    terms = {status["term"] for status in cluster.statuses().values()}
    return Return(seconds, max(terms) - term, copy_bytes, sent_bytes, cuts)


def big_reads(cluster: Cluster, duration_s: float) -> int:
    """Pages of a thousand runs and checks of the whole ledger, round and round; gives how many."""
    paths = (
        "/v1/runs?limit=1000&consistency=stale",
        f"/v1/ledger/verify?from={instant(0)}&to={instant(int(time.time() * 1000))}",
        "/v1/jobs?limit=1000&consistency=stale",
        "/v1/runs?limit=1000&state=failed&consistency=stale",
    )

    def make(url: str, number: int) -> bytes:
        return request("GET", url, paths[number % len(paths)], cluster.token)

    traffic = closed_loop(cluster.client.urls, READERS, duration_s, make)
    return traffic.accepted + sum(traffic.refused.values())


def take_backup(cluster: Cluster) -> int:
    """Bytes of a backup that was read to its end."""
    url = urlsplit(cluster.nodes[0].url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=BACK_DEADLINE_S)
    connection.request("GET", "/v1/cluster/backup", headers={"Authorization": f"Bearer {cluster.token}"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise DeadlineError(f"no backup: {answer.status} {answer.read(2_000)!r}")
    total = 0
    while block := answer.read(1 << 20):
        total += len(block)
    connection.close()
    return total


@contextmanager
def _phase(phases: list[Phase], cluster: Cluster, what: str) -> Iterator[Phase]:
    phase = Phase(what, int(time.time() * 1000), read_turns(cluster), read_turns(cluster, WORK))
    print(f"  {what} …", file=sys.stderr, flush=True)
    yield phase
    time.sleep(0.5)  # a status is up to a quarter of a second old
    phase.until_ms = int(time.time() * 1000)
    phase.longest_ms = longest_ms(phase.before, read_turns(cluster))
    phase.work_ms = longest_ms(phase.before_work, read_turns(cluster, WORK))
    phases.append(phase)
    print(f"    turns up to {phase.longest_ms}, processor time {phase.work_ms}", file=sys.stderr, flush=True)


def _pass(duration_s: float, look: Callable[[], None]) -> None:
    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        look()
        time.sleep(0.2)


def bytes_under(directory: Path, pattern: str) -> int:
    """Size of all files of this pattern below."""
    total = 0
    for file in directory.rglob(pattern):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # replaced or trimmed meanwhile
            continue
    return total


def _result(
    phases: list[Phase],
    returns: list[Return],
    runs: list[dict[str, Any]],
    judgement: str,
    clean: bool,
    read: int,
    backup_bytes: int,
) -> Result:
    rows = []
    for phase in phases:
        late_ms = [
            float(start - due)
            for run in runs
            if phase.from_ms <= (due := milliseconds(run["due"])) < phase.until_ms
            and (start := start_ms(run)) is not None
        ]
        longest, work = max(phase.longest_ms.values()), max(phase.work_ms.values())
        rows.append(
            Row(
                f"{phase.what}: longest turn of a core",
                f"{STALL_MS_MAX} ms",
                f"up to {longest:,.0f} ms, its work {work:,.0f} ms; starts late {spread(late_ms, 'ms')}",
                longest <= STALL_MS_MAX,
            )
        )
    for back in returns:
        if back.cuts:
            share = back.sent_bytes / back.copy_bytes
            rows.append(
                Row(
                    f"copy of {back.copy_bytes // MIB:,} MiB, cut {back.cuts} times: bytes sent",
                    f"{SENT_SHARE_MAX} × its size",
                    f"{share:.3f} ×; back in {back.seconds:.1f} s, {back.elections} elections",
                    share < SENT_SHARE_MAX and not back.elections,
                )
            )
        else:
            rows.append(
                Row(
                    f"wiped node with {back.copy_bytes // MIB:,} MiB votes again",
                    f"{BACK_S_MAX:g} s, no election",
                    f"{back.seconds:.1f} s, {back.elections} elections",
                    back.seconds < BACK_S_MAX and not back.elections,
                )
            )
    wal, log = max(p.wal_bytes for p in phases), max(p.log_bytes for p in phases)
    rows.append(
        Row(
            f"write-ahead log / Raft log, set to {LOG_BYTES_MAX // MIB} MiB: largest",
            f"{WAL_BYTES_MAX // MIB} / {2 * LOG_BYTES_MAX // MIB} MiB",
            f"{wal / MIB:,.1f} / {log / MIB:,.1f} MiB",
            wal <= WAL_BYTES_MAX and log <= 2 * LOG_BYTES_MAX,
        )
    )
    rows.append(Row(f"{LOAD_JOBS} every-second jobs beside it: lost or doubled", "0", judgement, clean))
    notes = [f"{p.what}: longest turn by node, ms: {p.longest_ms}" for p in phases]
    return Result(rows, [*notes, f"big reads: {read} requests; backup: {backup_bytes:,} bytes"])
