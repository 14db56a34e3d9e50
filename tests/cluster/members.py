"""Real members in one process: TCP on loopback, real journals, a small state machine with a file as its
state."""

from __future__ import annotations

import itertools
import json
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from cluster.consensus import Consensus
from cluster.hardening import ALL_ON, Hardening
from cluster.machine import Applied, Entry, Position
from cluster.questions import Denial
from cluster.raft import Role
from cluster.reactor import Reactor
from cluster.settings import ClusterSettings, Founder
from cluster.tcp import LinkSettings, TcpLinks
from cluster.tls import TlsFiles

DEADLINE_S = 60.0
PORTS = range(20_000, 22_000)
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
_mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _workers
#: Each worker has a share of its own, and each run begins elsewhere in it: a port is given out again late.
_share = PORTS[_mine :: _workers]
_places = itertools.count(os.getpid() * 37)


def free_port() -> int:
    for _ in _share:
        port = _share[next(_places) % len(_share)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port in the range of these tests")


def pack(applied: Applied) -> list[Any]:
    p, q = applied.position, applied.previous
    return [p.index, p.term, q.index, q.term, applied.members.hex()]


def unpack(row: list[Any]) -> Applied:
    return Applied(Position(row[0], row[1]), Position(row[2], row[3]), bytes.fromhex(row[4]))


class FileMachine:
    """Keeps all proposals in order. Durable at `checkpoint`, like a database whose commits are lazy."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.applied: Applied | None = None
        self.proposals: list[str] = []
        self.stamps: list[int] = []
        self.checkpoints = self.copies = self.restores = 0
        if path.exists():
            self._read(path)

    def stored(self) -> Applied | None:
        return self.applied

    def apply(self, entry: Entry) -> None:
        if self.applied is not None:
            assert entry.applied.position.index == self.applied.position.index + 1
        assert not self.stamps or entry.stamp_ms >= self.stamps[-1]
        self.applied = entry.applied
        self.proposals += [p.decode() for p in entry.proposals]
        self.stamps.append(entry.stamp_ms)

    @property
    def format(self) -> int:
        return 0

    def checkpoint(self) -> None:
        self.checkpoints += 1
        self._write(self.path)

    def copy_to(self, path: Path) -> Applied:
        self.copies += 1
        self._write(path)
        return unpack(json.loads(path.read_text())["applied"])

    def install(self, path: Path, applied: Applied) -> None:
        os.replace(path, self.path)
        self._read(self.path)
        assert self.applied == applied

    def _write(self, path: Path) -> None:
        row = None if self.applied is None else pack(self.applied)
        path.write_text(json.dumps({"applied": row, "proposals": list(self.proposals)}))

    def _read(self, path: Path) -> None:
        content = json.loads(path.read_text())
        self.applied = None if content["applied"] is None else unpack(content["applied"])
        self.proposals = content["proposals"]
        self.stamps = []


class Member:
    """One running member; `kill` ends it as kill -9 would: no goodbye, state file as it last was."""

    def __init__(self, group: Group, name: str, *, joining: bool, settings: dict[str, Any]) -> None:
        self.name, self.fatal, self.roles = name, "", list[Role]()
        directory = group.directory / name
        directory.mkdir(exist_ok=True)
        uid_file = directory / "uid"
        if not uid_file.exists():
            uid_file.write_text(f"{random.getrandbits(64):x}")
        self.machine = FileMachine(directory / "state.json")
        address = group.addresses[name]
        self.links = TcpLinks(
            group.reactor,
            LinkSettings(
                listen=address, tls=group.tls(name) if group.tls else None, dial=group.dial.get(name, {})
            ),
        )
        self.consensus = Consensus(
            ClusterSettings(
                **{
                    "cluster": group.cluster,
                    "name": name,
                    "uid": uid_file.read_text(),
                    "address": address,
                    "zone": "zone-" + name,
                    "members": [Founder(n, group.addresses[n], "zone-" + n) for n in group.founders],
                    "journal_dir": directory / "journal",
                    "copy_dir": directory / "copies",
                    "joining": joining,
                    **settings,
                }
            ),
            self.machine,
            self.links,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            on_role=self.roles.append,
            on_lead=lambda: f"lead {name}".encode(),
            on_fatal=self._end,
            local_status=lambda: {"free_bytes": 12345, "who": name},
            hardening=group.hardening,
        )

    def _end(self, reason: str) -> None:
        self.fatal = reason


class Group:
    """A cluster on one reactor. `members` holds those that run."""

    def __init__(
        self,
        directory: Path,
        names: str = "abc",
        *,
        tls: Callable[[str], TlsFiles] | None = None,
        hardening: Hardening = ALL_ON,
        **settings: Any,
    ) -> None:
        self.directory, self.founders, self.tls, self.hardening = directory, list(names), tls, hardening
        self.cluster = "cluster-1"
        self.dial: dict[str, dict[str, str]] = {}
        self.settings = settings
        self.reactor = Reactor()
        self.addresses = {n: f"127.0.0.1:{free_port()}" for n in names}
        self.members: dict[str, Member] = {}
        for name in names:
            self.start(name)

    def start(self, name: str, *, joining: bool = False) -> Member:
        if name not in self.addresses:
            self.addresses[name] = f"127.0.0.1:{free_port()}"
        member = Member(self, name, joining=joining, settings=self.settings)
        self.members[name] = member
        return member

    def kill(self, name: str) -> None:
        member = self.members.pop(name)
        member.consensus.abandon()

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    @property
    def leader(self) -> Member | None:
        leaders = [m for m in self.members.values() if m.consensus.role is Role.LEADER]
        return max(leaders, key=lambda m: m.consensus.term) if leaders else None

    @property
    def followers(self) -> list[Member]:
        return [m for m in self.members.values() if m is not self.leader]

    def run_until(self, condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
        end = time.monotonic() + deadline_s
        wait_s = 0.0
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not in {deadline_s} s: {what}; {self.describe()}")
            self.reactor.step(min(wait_s, 0.05))
            wait_s = min([m.consensus.turn() for m in list(self.members.values())], default=0.05)

    def elect(self) -> Member:
        self.run_until(lambda: self.leader is not None and self.leader.consensus.has_quorum, "a leader")
        assert self.leader is not None
        return self.leader

    def propose(self, member: Member, text: str) -> None:
        """Sent again until it is taken."""
        self.run_until(lambda: member.consensus.propose(text.encode()), f"{member.name} takes {text}")

    def applied_by(self, member: Member, text: str) -> None:
        self.run_until(lambda: text in member.machine.proposals, f"{member.name} applies {text}")

    def settle(self, text: str) -> None:
        """Until all members have applied the same, with `text`."""
        self.run_until(
            lambda: (
                all(text in m.machine.proposals for m in self.members.values())
                and len({tuple(m.machine.proposals) for m in self.members.values()}) == 1
            ),
            f"{text} on all",
        )

    def describe(self) -> str:
        return "; ".join(
            f"{n}: {m.consensus.role.value} of {m.consensus.leader} term {m.consensus.term} applied "
            f"{m.consensus.applied} commit {m.consensus.commit} last {m.consensus.last_index} {m.fatal}"
            for n, m in self.members.items()
        )

    def close(self) -> None:
        for name in list(self.members):
            self.kill(name)
        self.reactor.close()


@contextmanager
def running(directory: Path, names: str = "abc", **settings: Any) -> Iterator[Group]:
    group = Group(directory, names, **settings)
    try:
        yield group
    finally:
        group.close()


def patient(directory: Path, names: str = "abc") -> AbstractContextManager[Group]:
    """A group that a starved machine, where nobody runs for seconds, does not make elect anew."""
    return running(directory, names, election_timeout_s=5.0)


def reason_of(denial: Denial | None) -> str:
    return "" if denial is None else denial.reason
