"""Dkron as a peer in `compare`: three servers on addresses of their own on loopback, as its documentation
starts them, asked over its REST API. What it gets to do is what ours gets, with its leader as its clients'
node, where it is fastest.

Rules: each server is a session of its own, with its plugins and the commands that they run, and ends as a
whole. CPU is that of the servers and their plugins; what the jobs' own commands take is not in it. Every
figure comes from Dkron's own records.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import own
from bench.client import Client, Reply, UnansweredError
from bench.cluster import (
    DeadlineError,
    alive,
    command_line,
    free_base_port,
    process_cpu_s,
    signal_all,
    tail_of,
    temporary_root,
    tree,
    wait_for,
)
from bench.figures import Figures, Spending, one
from bench.own import CLIENTS, INVENTORY, LATE_JOBS, LOSSES
from bench.rows import percentile
from bench.traffic import Traffic, closed_loop, request

SERVERS = 3
PORTS = (26_000, 27_000)
STAGGER_S = 1.0  #: started at once they often find no leader
READY_S = 90.0
RECORDED_S = 8.0  #: nothing more was recorded for so long: that is all
NEXT_START_S = 60.0
FAILOVER_JOBS = 20
MANUAL_JOBS = 16
KILL, WARM_UP_S = 9, 3.0
TAG = {"pool": "w:1"}  #: one of the servers runs each


@dataclass(slots=True)
class Server:
    name: str
    host: str
    port: int  #: of its API; the two behind it are Serf's and its own
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def serf(self) -> str:
        return f"{self.host}:{self.port + 1}"

    def start(self, binary: Path, others: list[str]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [
            str(binary), "agent", "--server", "--node-name", self.name, "--bootstrap-expect", str(SERVERS),
            "--bind-addr", self.serf, "--advertise-addr", self.serf,
            "--http-addr", f"{self.host}:{self.port}", "--rpc-port", str(self.port + 2),
            "--data-dir", str(self.directory / "data"), "--tag", "pool=w", "--log-level", "warn",
            "--disable-usage-stats", "--raft-multiplier", "1", "--retry-interval", "1s",
        ]  # fmt: skip
        for address in others:
            command += ["--retry-join", address]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=binary.parent,
                env={**os.environ, "GIN_MODE": "release"}, start_new_session=True,
            )  # fmt: skip

    def pids(self) -> list[int]:
        return [] if self.process is None or self.process.poll() is not None else tree(self.process.pid)

    def kill(self) -> None:
        """All of it at once, as its machine would die."""
        pids = self.pids()
        signal_all(pids, KILL)
        if self.process is not None:
            self.process.wait()
            self.process = None
        wait_for(lambda: not any(alive(pid) for pid in pids), READY_S, f"{self.name} is gone")


@dataclass(slots=True)
class Servers:
    """A cluster of it."""

    binary: Path
    servers: list[Server]
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client([server.url for server in self.servers], "")

    def start(self) -> None:
        for server in self.servers:
            if server.process is None:
                server.start(self.binary, [other.serf for other in self.servers if other is not server])
                time.sleep(STAGGER_S)
        wait_for(self._ready, READY_S, "three servers of Dkron that lead and take jobs", 0.2)

    def stop(self) -> None:
        self.client.close()
        for server in self.servers:
            server.kill()

    def ask(
        self, server: int, method: str, path: str, body: Any = None, timeout_s: float = 5.0
    ) -> Reply | None:
        with suppress(OSError, http.client.HTTPException, UnansweredError):
            return self.client.send(method, path, body, node=server, timeout_s=timeout_s)
        return None

    def leader(self) -> int | None:
        for number, server in enumerate(self.servers):
            if server.process is not None:
                reply = self.ask(number, "GET", "/v1/isleader", timeout_s=1.0)
                if reply is not None and reply.status == 200:
                    return number
        return None

    def lead(self) -> int:
        """The leader as soon as there is one; 1 of 3 is number 0."""
        return wait_for(lambda: None if (n := self.leader()) is None else (n,), READY_S, "a leader")[0]

    def _ready(self) -> bool:
        leader = self.leader()
        if leader is None:
            return False
        for number in range(len(self.servers)):
            reply = self.ask(number, "GET", "/v1/members", timeout_s=1.0)
            if reply is None or reply.status != 200:
                return False
            if sum(member["Status"] == 1 for member in reply.json()) < len(self.servers):
                return False
        reply = self.ask(leader, "POST", "/v1/jobs", job("ready", None))
        return reply is not None and reply.status < 300

    def put(self, jobs: list[dict[str, Any]]) -> Traffic:
        """These jobs, by the clients of a load. Raises DeadlineError where one was refused."""
        bodies = [json.dumps(each).encode() for each in jobs]

        def make(url: str, number: int) -> bytes | None:
            return request("POST", url, "/v1/jobs", "", bodies[number]) if number < len(bodies) else None

        traffic = closed_loop([self.servers[self.lead()].url], CLIENTS, 1e9, make)
        if traffic.refused:
            raise DeadlineError(f"Dkron refused jobs: {traffic.refused}")
        return traffic

    def executions(self, server: int, name: str) -> list[dict[str, Any]]:
        reply = self.ask(server, "GET", f"/v1/jobs/{name}/executions?output_size_limit=0", timeout_s=30.0)
        return [] if reply is None or reply.status != 200 else reply.json() or []

    def succeeded(self, server: int, prefix: str) -> int:
        reply = self.ask(server, "GET", "/v1/jobs", timeout_s=60.0)
        jobs = [] if reply is None or reply.status != 200 else reply.json() or []
        return sum(each["success_count"] for each in jobs if each["name"].startswith(prefix))

    def cpu_seconds(self) -> dict[str, float]:
        """Of servers and plugins; commands of jobs come and go below these."""
        spent: dict[str, float] = {}
        for server in self.servers:
            for pid in server.pids():
                program = command_line(pid).split(" ")[0].rsplit("/", 1)[-1]
                if program.startswith("dkron"):
                    role = "server" if server.process is not None and pid == server.process.pid else "plugins"
                    spent[role] = spent.get(role, 0.0) + process_cpu_s(pid)
        return spent


def job(name: str, schedule: str | None) -> dict[str, Any]:
    """A job that runs /bin/true; without a schedule by hand alone."""
    return {
        "name": name, "schedule": schedule or "@manually", "executor": "shell", "tags": TAG,
        "executor_config": {"shell": "false", "command": "/bin/true"}, "concurrency": "allow",
    }  # fmt: skip


def rare(name: str) -> dict[str, Any]:
    return job(name, "0 0 0 29 2 *")


def manual(peer: Servers, duration_s: float) -> Figures:
    peer.put([job(f"manual-{i}", None) for i in range(MANUAL_JOBS)])
    leader = peer.lead()

    def make(url: str, number: int) -> bytes:
        return request("POST", url, f"/v1/jobs/manual-{number % MANUAL_JOBS}", "")

    spending, began_s = Spending(peer), time.monotonic()
    accepted = closed_loop([peer.servers[leader].url], CLIENTS, duration_s, make).accepted
    recorded, at_s = 0, time.monotonic()
    while recorded < accepted and time.monotonic() - at_s < RECORDED_S:
        found = peer.succeeded(leader, "manual-")
        if found > recorded:
            recorded, at_s = found, time.monotonic()
        time.sleep(0.25)
    spending.end()
    cpu, rate = spending.per(recorded), one(recorded / (at_s - began_s))
    return {"manual": cpu, "manual-rate": rate, "manual-process": cpu, "manual-process-rate": rate}


def put(peer: Servers, duration_s: float) -> Figures:
    return _put(peer, duration_s, "put")


def put_beside(peer: Servers, duration_s: float) -> Figures:
    peer.put([rare(f"there-{i}") for i in range(INVENTORY)])
    return _put(peer, duration_s, "put-beside")


def _put(peer: Servers, duration_s: float, key: str) -> Figures:
    def make(url: str, number: int) -> bytes:
        return request("POST", url, "/v1/jobs", "", json.dumps(rare(f"put-{number}")).encode())

    spending = Spending(peer)
    traffic = closed_loop([peer.servers[peer.lead()].url], CLIENTS, duration_s, make)
    spending.end()
    return {key: spending.per(traffic.accepted), f"{key}-rate": one(traffic.rate)}


def late(peer: Servers, duration_s: float) -> Figures:
    names = [f"late-{i}" for i in range(LATE_JOBS)]
    peer.put([job(name, "@every 1s") for name in names])
    time.sleep(WARM_UP_S)
    from_s = int(time.time()) + 1
    time.sleep(max(0.0, from_s + duration_s - time.time()))
    leader = peer.lead()
    late_ms = []
    for name in names:
        for each in peer.executions(leader, name):
            due_s, started_s = int(each["group"]) // 10**9, _seconds(each["started_at"])
            if from_s <= due_s < from_s + duration_s - 1 and started_s:
                late_ms.append(1000 * (started_s - due_s))
    if not late_ms:
        raise DeadlineError("Dkron recorded nothing in the window")
    return {"late": one(percentile(late_ms, 0.5)), "late-p99": one(percentile(late_ms, 0.99))}


def killed(peer: Servers, _: float) -> Figures:
    names = [f"steady-{i}" for i in range(FAILOVER_JOBS)]
    peer.put([job(name, "@every 1s") for name in names])
    took_ms = []
    for _round in range(LOSSES):
        leader = peer.lead()
        _wait_ticks(peer, leader, names[0])
        moment_s = time.time()
        peer.servers[leader].kill()
        took_ms.append(1000 * _next_start(peer, names, moment_s))
        peer.start()
    return {"killed": one(percentile(took_ms, 0.5)), "killed-p99": one(percentile(took_ms, 0.99))}


def _wait_ticks(peer: Servers, leader: int, name: str) -> None:
    wait_for(lambda: peer.executions(leader, name), READY_S, "the first ticks", 0.2)


def _next_start(peer: Servers, names: list[str], moment_s: float) -> float:
    """Seconds from the loss to the first start of what was fired behind it."""

    def started() -> float | None:
        leader = peer.leader()
        found = [] if leader is None else [e for name in names for e in peer.executions(leader, name)]
        starts = [
            at_s
            for e in found
            if int(e["group"]) / 1e9 > moment_s and (at_s := _seconds(e["started_at"])) is not None
        ]
        return min(starts) - moment_s if starts else None

    return wait_for(started, NEXT_START_S, "a start by the next leader", 0.2)


def _seconds(text: str | None) -> float | None:
    """Unix seconds of an instant with any number of digits; None: the zero time."""
    if not text or text.startswith("0001"):
        return None
    head, _, rest = text.replace("Z", "+00:00").partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    whole = datetime.fromisoformat(head + rest[digits:]).timestamp()
    return whole + (float(f"0.{rest[:digits]}") if digits else 0.0)


BENCHMARKS: dict[str, Callable[[Servers, float], Figures]] = {
    "manual": manual,
    "manual-process": manual,
    "put": put,
    "put-beside": put_beside,
    "late": late,
    "killed": killed,
}


@dataclass(frozen=True, slots=True)
class Dkron:
    """It takes part."""

    binary: Path
    data: Path | None
    name: str = "Dkron"

    def measure(self, benchmark: str, duration_s: float) -> Figures:
        known = {row.key for row in own.BENCHMARKS[benchmark].rows}
        with dkron_running(self.binary, self.data) as peer:
            found = BENCHMARKS[benchmark](peer, duration_s)
        return {key: sample for key, sample in found.items() if key in known}


@contextmanager
def dkron_running(binary: Path, parent: Path | None = None) -> Iterator[Servers]:
    """A started cluster that is gone at the end."""
    with temporary_root(parent) as root:
        port = free_base_port(*PORTS, 1)
        servers = [Server(f"n{i}", f"127.0.1.{i}", port, root / f"n{i}") for i in range(1, SERVERS + 1)]
        peer = Servers(binary.resolve(), servers)
        try:
            peer.start()
            yield peer
        except BaseException:
            for server in servers:
                print(f"--- {server.name}\n{tail_of(server.directory / 'log')}")
            raise
        finally:
            peer.stop()


def find(path: str) -> Path | None:
    """The program, by its path or its name."""
    found = shutil.which(path)
    return None if found is None else Path(found)
